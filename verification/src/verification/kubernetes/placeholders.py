"""What every installation has to set itself: images, hosts, buckets. Unset, it looks like nothing else.

A placeholder is a name that can never be anybody's (`.example`, RFC 2606), or a digest of zeros. The
check lets them pass, since this repository has no installation; `RELEASE=yes` refuses them.
"""

from collections.abc import Iterator

from verification.kubernetes.rendering import Rendering, describe
from verification.kubernetes.rules.values import walk

ZEROS = "@sha256:" + 64 * "0"


def unset(rendering: Rendering) -> Iterator[str]:
    for each in rendering.objects:
        told = {value for _, value in walk(each) if isinstance(value, str)}
        for value in sorted(told):
            if ZEROS in value:
                yield f"{describe(each)}: {value.partition('@')[0]} has no digest yet"
            elif any(part.endswith(".example") for part in value.split("/")):
                yield f"{describe(each)}: {value} is a placeholder"
