"""Stripe's requests as values.

`parameters` builds them from HTTP; tests and simulators build them directly. `path` is the request's path at
Stripe, which an idempotency key is bound to.
"""

from dataclasses import dataclass
from enum import Enum

from sandbox.objects import Metadata, Methods


@dataclass(frozen=True, slots=True)
class CreateIntent:
    """Create an intent; with `confirm`, also confirm it. Without payment_method_types, Stripe uses the
    methods enabled in the dashboard, and so does this default.
    """

    amount: int
    currency: str
    payment_method: str | None = None
    methods: Methods = Methods.DASHBOARD
    capture_method: str = "automatic_async"
    metadata: Metadata = ()
    description: str | None = None
    receipt_email: str | None = None
    statement_descriptor: str | None = None
    statement_descriptor_suffix: str | None = None
    confirm: bool = False
    return_url: str | None = None
    error_on_requires_action: bool = False

    @property
    def path(self) -> str:
        return "/v1/payment_intents"


@dataclass(frozen=True, slots=True)
class ConfirmIntent:
    """Confirm: charge the card or, with manual capture, authorize it."""

    intent: str
    payment_method: str | None = None
    return_url: str | None = None
    receipt_email: str | None = None
    error_on_requires_action: bool = False

    @property
    def path(self) -> str:
        return f"/v1/payment_intents/{self.intent}/confirm"


@dataclass(frozen=True, slots=True)
class CaptureIntent:
    """Capture an authorized amount; None: all of it. The rest is released."""

    intent: str
    amount: int | None = None

    @property
    def path(self) -> str:
        return f"/v1/payment_intents/{self.intent}/capture"


@dataclass(frozen=True, slots=True)
class CancelIntent:
    """Cancel an intent that has captured nothing; an authorization is released."""

    intent: str
    reason: str | None = None

    @property
    def path(self) -> str:
        return f"/v1/payment_intents/{self.intent}/cancel"


@dataclass(frozen=True, slots=True)
class Authenticate:
    """The payer's answer on the 3D Secure page. Not a request of Stripe's API."""

    intent: str
    approved: bool

    @property
    def path(self) -> str:
        return f"/3ds/{self.intent}"


@dataclass(frozen=True, slots=True)
class CreateRefund:
    """Refund a captured amount; None: all that is left."""

    intent: str
    amount: int | None = None
    reason: str | None = None
    metadata: Metadata = ()

    @property
    def path(self) -> str:
        return "/v1/refunds"


@dataclass(frozen=True, slots=True)
class Retrieve:
    """Read one object. `kind` is its name in Stripe's errors: payment_intent, refund, ..."""

    kind: str
    id: str

    @property
    def path(self) -> str:
        return f"/v1/{self.kind}s/{self.id}"


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A range of `created` in Unix seconds, both ends inclusive."""

    first: int = 0
    last: int = 2**63


@dataclass(frozen=True, slots=True)
class List:
    """Read a page, newest first. `intent` filters refunds, `types` events."""

    kind: str
    limit: int = 10
    starting_after: str | None = None
    created: TimeRange = TimeRange()
    intent: str | None = None
    types: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return f"/v1/{self.kind}s"


@dataclass(frozen=True, slots=True)
class PassTime:
    """Do nothing but what has become due."""

    @property
    def path(self) -> str:
        return ""


IntentAction = ConfirmIntent | CaptureIntent | CancelIntent | CreateRefund | Authenticate
Write = CreateIntent | IntentAction
Action = Write | Retrieve | List | PassTime


class InjectedFailure(Enum):
    """A planned failure inside Stripe. Its answer is stored under the idempotency key."""

    FAILS_BEFORE = "fails_before"  # 500; nothing was done
    FAILS_AFTER = "fails_after"  # 500; everything was done
    NO_BALANCE = "no_balance"  # 400; nothing was done: the account has no balance


@dataclass(frozen=True, slots=True)
class Request:
    """An action with its Idempotency-Key, the fields to expand, and a planned failure."""

    action: Action
    key: str | None = None
    expand: tuple[str, ...] = ()
    failure: InjectedFailure | None = None
