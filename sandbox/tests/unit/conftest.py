"""An in-memory sandbox for tests: the transition function with a state and a time."""

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

START = 1_800_000_000

AnyResponse = Any
"""A Response whose body has the type that the test expects: an Intent, an Error, ..."""
Factories = dict[str, Callable[[], str]]
"""Functions that create an intent in a state and return its id, by that state."""


@dataclass
class InMemorySandbox:
    """`world` is the state, `response` the response to the last request."""

    world: World = field(default_factory=World)
    now: int = START
    response: AnyResponse = field(default_factory=lambda: Response(200, None))

    def perform(
        self, action: Action, key: str | None = None, failure: InjectedFailure | None = None
    ) -> AnyResponse:
        request = Request(action, key, failure=failure)
        self.world, self.response = transition(self.world, request, self.now)
        return self.response

    def create(self, payment_method: str | None = "pm_card_visa", **given: Any) -> str:
        """Create an intent of 10.99 and return its id."""
        fields = {"amount": 1099, "currency": "usd", "methods": Methods.CARD, **given}
        body = self.perform(CreateIntent(payment_method=payment_method, **fields)).body
        assert isinstance(body, Intent)
        return body.id

    def pay(self, payment_method: str = "pm_card_visa", **given: Any) -> str:
        intent = self.create(payment_method, **given)
        self.confirm(intent)
        return intent

    def authorize(self, **given: Any) -> str:
        return self.pay(capture_method="manual", **given)

    def confirm(self, intent: str, key: str | None = None, **given: Any) -> AnyResponse:
        return self.perform(ConfirmIntent(intent, **given), key)

    def capture(self, intent: str, amount: int | None = None) -> AnyResponse:
        return self.perform(CaptureIntent(intent, amount))

    def cancel(self, intent: str, reason: str | None = None) -> AnyResponse:
        return self.perform(CancelIntent(intent, reason))

    def authenticate(self, intent: str, approved: bool) -> AnyResponse:
        return self.perform(Authenticate(intent, approved))

    def refund(self, intent: str, amount: int | None = None, key: str | None = None) -> AnyResponse:
        return self.perform(CreateRefund(intent, amount), key)

    def wait(self, seconds: int) -> None:
        self.now += seconds
        self.perform(PassTime())

    def get(self, intent: str) -> Intent:
        body = self.perform(Retrieve("payment_intent", intent)).body
        assert isinstance(body, Intent)
        return body

    def get_refund(self, refund: str) -> Refund:
        body = self.perform(Retrieve("refund", refund)).body
        assert isinstance(body, Refund)
        return body

    def movements(self) -> list[tuple[str, int]]:
        return [(movement.kind, movement.amount) for movement in self.world.movements]

    def event_types(self) -> list[str]:
        return [event.type for event in self.world.events]


@pytest.fixture
def sandbox() -> InMemorySandbox:
    return InMemorySandbox()
