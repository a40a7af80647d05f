"""The targets of the processor's contract, and the processes that they need."""

from collections.abc import AsyncIterator, Iterator

import pytest
from support.processors import (
    CANNOT,
    NAMES,
    CannotInstall,
    Target,
    localstripe_process,
    opened,
    sandbox_process,
)


@pytest.fixture(scope="session")
def sandbox_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a sandbox process, which runs for the whole session."""
    with sandbox_process(tmp_path_factory.mktemp("sandbox")) as address:
        yield address


@pytest.fixture(scope="session")
def localstripe_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a localstripe process, which runs for the whole session."""
    try:
        with localstripe_process(tmp_path_factory.mktemp("localstripe")) as address:
            yield address
    except CannotInstall as error:
        pytest.skip(str(error))


@pytest.fixture(
    params=[
        pytest.param(name, marks=[pytest.mark.stripe] if name == "stripe" else []) for name in NAMES
    ]
)
async def target(request: pytest.FixtureRequest) -> AsyncIterator[Target]:
    """Each target in turn. A test that it cannot pass is expected to fail."""
    name = request.param
    if reason := CANNOT[name].get(request.function.__name__):
        fails = pytest.mark.xfail(raises=AssertionError, reason=f"{name}: {reason}", strict=True)
        request.applymarker(fails)
    address = None
    if name in ("sandbox", "localstripe"):
        address = request.getfixturevalue(f"{name}_address")
    async with opened(name, address) as target:
        yield target
