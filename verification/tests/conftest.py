"""The whole house for the tests that try to break it: every process real, in a temporary folder."""

from collections.abc import Iterator

import pytest

from oncepay_cli.local.installation import Installation
from verification.house import temporary_house


@pytest.fixture(scope="session")
def house() -> Iterator[Installation]:
    with temporary_house() as installation:
        yield installation
