"""Placeholders: what every installation has to set itself, such as images, hosts and buckets.

A placeholder is a reserved name (`.example`, RFC 2606), or a digest of zeros. The check accepts them, since
this repository has no installation; `RELEASE=yes` rejects them.
"""

from collections.abc import Iterator

from verification.kubernetes.rendering import Rendering, describe
from verification.kubernetes.rules.values import walk

ZEROS = "@sha256:" + 64 * "0"


def unset(rendering: Rendering) -> Iterator[str]:
    for each in rendering.objects:
        values = {value for _, value in walk(each) if isinstance(value, str)}
        for value in sorted(values):
            if ZEROS in value:
                yield f"{describe(each)}: {value.partition('@')[0]} has no digest yet"
            elif any(part.endswith(".example") for part in value.split("/")):
                yield f"{describe(each)}: {value} is a placeholder"
