"""One stack for the tests of this folder: every process real, in a temporary folder."""

from collections.abc import Iterator

import pytest

from oncepay_cli.local.installation import Installation
from verification.local_stack import local_stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Installation]:
    with local_stack() as installation:
        yield installation
