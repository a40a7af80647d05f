"""What can be asked of the sandbox, as values: the typed form of Stripe's requests.

`parameters` makes them from HTTP; a test, an explorer or a simulator makes them directly. `path` is
where Stripe takes the request: idempotency keys are compared by it.
"""

from dataclasses import dataclass
from enum import Enum

from sandbox.objects import Metadata, Methods


@dataclass(frozen=True, slots=True)
class CreateIntent:
    """Make an intent, and with `confirm` try it at once. Without payment_method_types, Stripe takes
    what the dashboard has switched on: so does this default.
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
    """Try to take the money, or to hold it."""

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
    """Take the held money; `amount` None is all of it, less gives the rest free."""

    intent: str
    amount: int | None = None

    @property
    def path(self) -> str:
        return f"/v1/payment_intents/{self.intent}/capture"


@dataclass(frozen=True, slots=True)
class CancelIntent:
    """End an intent that has not taken money; a hold is released."""

    intent: str
    reason: str | None = None

    @property
    def path(self) -> str:
        return f"/v1/payment_intents/{self.intent}/cancel"


@dataclass(frozen=True, slots=True)
class Authenticate:
    """What a person did on the page of 3D Secure: not a request of Stripe's API."""

    intent: str
    approved: bool

    @property
    def path(self) -> str:
        return f"/3ds/{self.intent}"


@dataclass(frozen=True, slots=True)
class CreateRefund:
    """Give back what was captured; `amount` None is all that is left."""

    intent: str
    amount: int | None = None
    reason: str | None = None
    metadata: Metadata = ()

    @property
    def path(self) -> str:
        return "/v1/refunds"


@dataclass(frozen=True, slots=True)
class Retrieve:
    """Read one object. `kind` is the word of Stripe's errors: payment_intent, refund, ..."""

    kind: str
    id: str

    @property
    def path(self) -> str:
        return f"/v1/{self.kind}s/{self.id}"


@dataclass(frozen=True, slots=True)
class Window:
    """A range of `created`, both ends as Stripe's gt, gte, lt, lte put them, made inclusive."""

    first: int = 0
    last: int = 2**63


@dataclass(frozen=True, slots=True)
class List:
    """Read a page, newest first. `intent` filters refunds, `types` filters events."""

    kind: str
    limit: int = 10
    starting_after: str | None = None
    created: Window = Window()
    intent: str | None = None
    types: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return f"/v1/{self.kind}s"


@dataclass(frozen=True, slots=True)
class PassTime:
    """Ask for nothing: only what has become due is done."""

    @property
    def path(self) -> str:
        return ""


OnIntent = ConfirmIntent | CaptureIntent | CancelIntent | CreateRefund | Authenticate
Write = CreateIntent | OnIntent
Action = Write | Retrieve | List | PassTime


class InjectedFailure(Enum):
    """What is nobody's wish, and the key keeps it: a failure inside Stripe, answered 500, or a refusal
    for a reason that the objects do not show.
    """

    FAILS_BEFORE = "fails_before"  # nothing was done
    FAILS_AFTER = "fails_after"  # everything was done
    NO_BALANCE = "no_balance"  # nothing was done: there is no money on the account


@dataclass(frozen=True, slots=True)
class Request:
    """An action with what came with it: the Idempotency-Key, what to expand, a planned failure."""

    action: Action
    key: str | None = None
    expand: tuple[str, ...] = ()
    failure: InjectedFailure | None = None
