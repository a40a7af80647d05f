"""What the tests of the whole service share."""

import pytest

from payment.api import background_tasks


@pytest.fixture
def callers_are_told_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second before their deadline: a busy machine may need more than a tenth for the reply."""
    monkeypatch.setattr(background_tasks, "REPLY_SECONDS", 1)
