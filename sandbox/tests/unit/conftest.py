"""A till: the transition function with a world and a time in its hand, so that tests read as stories."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from sandbox.actions import (
    Action,
    Authenticate,
    CancelIntent,
    CaptureIntent,
    ConfirmIntent,
    CreateIntent,
    CreateRefund,
    InjectedFailure,
    PassTime,
    Request,
    Retrieve,
)
from sandbox.objects import Intent, Methods, Refund
from sandbox.transition import transition
from sandbox.world import Response, World

NOON = 1_800_000_000

Answer = Any
"""A Response; its body is taken for what is expected there: an Intent, an Error, ..."""
Makers = dict[str, Callable[[], str]]
"""What makes an intent, by the state that it is to be in, and gives its id."""


@dataclass
class Till:
    """What was asked last is answered in `answer`; what there is stands in `world`."""

    world: World = field(default_factory=World)
    now: int = NOON
    answer: Answer = field(default_factory=lambda: Response(200, None))

    def ask(
        self, action: Action, key: str | None = None, failure: InjectedFailure | None = None
    ) -> Answer:
        request = Request(action, key, failure=failure)
        self.world, self.answer = transition(self.world, request, self.now)
        return self.answer

    def intent(self, payment_method: str | None = "pm_card_visa", **given: Any) -> str:
        """Create one of 10.99 and give its id."""
        wanted = {"amount": 1099, "currency": "usd", "methods": Methods.CARD, **given}
        body = self.ask(CreateIntent(payment_method=payment_method, **wanted)).body
        assert isinstance(body, Intent)
        return body.id

    def confirmed(self, payment_method: str = "pm_card_visa", **given: Any) -> str:
        intent = self.intent(payment_method, **given)
        self.confirm(intent)
        return intent

    def held(self, **given: Any) -> str:
        return self.confirmed(capture_method="manual", **given)

    def confirm(self, intent: str, key: str | None = None, **given: Any) -> Answer:
        return self.ask(ConfirmIntent(intent, **given), key)

    def capture(self, intent: str, amount: int | None = None) -> Answer:
        return self.ask(CaptureIntent(intent, amount))

    def cancel(self, intent: str, reason: str | None = None) -> Answer:
        return self.ask(CancelIntent(intent, reason))

    def authenticate(self, intent: str, approved: bool) -> Answer:
        return self.ask(Authenticate(intent, approved))

    def refund(self, intent: str, amount: int | None = None, key: str | None = None) -> Answer:
        return self.ask(CreateRefund(intent, amount), key)

    def wait(self, seconds: int) -> None:
        self.now += seconds
        self.ask(PassTime())

    def get(self, intent: str) -> Intent:
        body = self.ask(Retrieve("payment_intent", intent)).body
        assert isinstance(body, Intent)
        return body

    def get_refund(self, refund: str) -> Refund:
        body = self.ask(Retrieve("refund", refund)).body
        assert isinstance(body, Refund)
        return body

    def moved(self) -> list[tuple[str, int]]:
        return [(one.kind, one.amount) for one in self.world.movements]

    def happened(self) -> list[str]:
        return [event.type for event in self.world.events]


@pytest.fixture
def till() -> Till:
    return Till()
