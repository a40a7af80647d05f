"""What the use cases need of the world, as Protocols: whoever implements one does not inherit it.

Whatever a port's store writes is one statement and one commit, with its event. Times are the
database's. A store that cannot be reached raises its own error, which the chassis knows; only
where the difference matters is it named: `CommitUnknown`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol
from uuid import UUID

from chassis.aip.filters import Comparison
from chassis.aip.pages import Position
from chassis.values import Reference, RequestId
from payment.domain.creation import Conflicts, CreationAttempt
from payment.domain.errors import (
    CustomerBlocked,
    CustomerDeleted,
    CustomerNotFound,
    CustomerServiceUnavailable,
)
from payment.domain.events import NewEvent, PaymentEvent
from payment.domain.evidence import OutcomeUnknown, ProcessorRefund, RefundReply, Reply
from payment.domain.machine import Post
from payment.domain.payment import Payment, PublicState
from payment.domain.refund import Refund
from payment.domain.values import CustomerName, Money
from payment.domain.webhook_notification import WebhookNotification

# ---------------------------------------------------------------- the store of payments


class CommitUnknown(Exception):
    """A statement was sent and no answer came: it may or may not have been committed."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A payment as it was read, and the database's clock at that moment."""

    payment: Payment
    now: datetime


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """The request of a capture, a cancellation or a refund, kept for ever in the statement that
    does what it asks.
    """

    request_id: RequestId
    fingerprint: bytes
    payment_id: UUID
    refund_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """A payment that recovery has claimed, and its version. `attempt` is the number of the one that
    begins: one more than have ended since it last moved. What a crash cuts off is not counted, or a
    bad hour of ours would make it wait as if the processor had been asked all the while.
    """

    id: UUID
    version: int
    attempt: int


@dataclass(frozen=True, slots=True)
class DueRefund:
    """The same of a refund, as it was read with its claim, at `now` of the database's clock."""

    refund: Refund
    attempt: int
    now: datetime


@dataclass(frozen=True, slots=True)
class PaymentQuery:
    """Which payments a page lists: `limit` rows at most, of those that meet every condition that is
    given.
    """

    limit: int
    after: Position | None = None
    newest_first: bool = True
    show_deleted: bool = False
    customer: CustomerName | None = None
    state: PublicState | None = None
    reference: Reference | None = None
    held: bool | None = None
    create_time: Sequence[tuple[Comparison, datetime]] = ()


class PaymentRepository(Protocol):
    """Keeps payments. The insert is the only fence against duplicates."""

    async def look_up(self, request_id: RequestId, reference: Reference | None) -> Conflicts:
        """Who holds the request_id and, living, the reference; and the clock."""

    async def insert(self, payment: Payment, insert_by: datetime) -> Payment | None:
        """Record a new payment with its first event, unless the clock has passed `insert_by`
        when the statement runs, or any row holds its id, intent, request_id or living reference:
        then None. Raises CommitUnknown; the same insert sent again settles it, by waiting for
        the first copy.
        """

    async def holders(self, payment: Payment) -> Conflicts:
        """Who holds what this payment wants to be recorded with: in a statement of its own, since
        the insert's cannot see the winner.
        """

    async def get(self, payment_id: UUID) -> Snapshot:
        """Raises PaymentNotFound: no payment is ever removed."""

    async def save(
        self,
        before: Payment,
        after: Payment,
        event_for: NewEvent | None,
        request: RequestRecord | None = None,
    ) -> Payment | None:
        """Write `after` if the row still is what `before` says (state, idempotency_counter, version), with its
        event, and set it due in 25 s (never, where it is settled). The version grows only with
        an event. None: somebody was faster, or the request_id was used; nothing was written.
        """

    async def find_request(self, request_id: RequestId) -> RequestRecord | None:
        """The record of a request_id, whatever asked with it: a payment's creation too."""

    async def list(self, query: PaymentQuery) -> Sequence[Payment]: ...

    async def claim_due(self, limit: int) -> Sequence[Due]:
        """Take what is due, setting it 25 s ahead so that nobody else takes it meanwhile."""

    async def reschedule(self, seen: Payment, wait: timedelta | None, attempt: int) -> None:
        """End the attempt of this number: look again after `wait`, unless the payment has moved
        since `seen`, or is due within GRACE already: a hint has come meanwhile, and the attempt
        may have asked before it.
        """


class RefundRepository(Protocol):
    """Keeps refunds, and with each of their changes the payment's sum and event."""

    async def insert(self, refund: Refund, request: RequestRecord) -> Refund | None:
        """Record a new refund and add it to the payment's sum, if the payment SUCCEEDED and the
        sum stays within what was captured. None: it does not, or the request_id was used. Raises
        CommitUnknown.
        """

    async def get(self, payment_id: UUID, refund_id: UUID) -> Refund:
        """Raises RefundNotFound, for a refund of another payment, too."""

    async def save(
        self, before: Refund, after: Refund, event_for: NewEvent, by: datetime | None = None
    ) -> Refund | None:
        """Write `after` if the row still has `before`'s version, with the payment's event, and not
        later than `by`; one that FAILED gives its part of the sum back. None: it was too late, or
        somebody was faster.
        """

    async def list(
        self, payment_id: UUID, limit: int, after: Position | None
    ) -> Sequence[Refund]: ...

    async def claim_due(self, limit: int) -> Sequence[DueRefund]:
        """The same as of payments."""

    async def reschedule(self, seen: Refund, wait: timedelta | None, attempt: int) -> None:
        """The same as of a payment."""


class EventRepository(Protocol):
    """Reads events; they are written with what they tell."""

    async def of_payment(self, payment_id: UUID, limit: int, after: int) -> Sequence[PaymentEvent]:
        """The events of a payment with a sequence above `after`, in order."""

    async def stream(
        self, payment_id: UUID | None, limit: int, cursor: str
    ) -> Sequence[PaymentEvent]:
        """The events after `cursor` ("" is the beginning) in the order of the stream, up to the
        oldest transaction that is still open: so that none can appear behind the reader. Raises
        InvalidValue for a cursor that is none of this installation's.
        """


class NotificationRepository(Protocol):
    """Keeps notifications, and with each what it is worth: that something is asked for soon."""

    async def record(self, notification: WebhookNotification) -> bool:
        """Store a hint of a payment of ours, the first time it comes, and make what it is about
        due: now, or in GRACE where somebody is just at it; nothing that is settled. Returns whether
        anything became due now. Of other intents nothing is stored.
        """


class ProgressReader(Protocol):
    """What a store shows of work that stands still."""

    async def oldest_hidden_event(self) -> timedelta | None:
        """How long the first event has waited that the stream cannot show yet; None: no event does,
        or none can be seen.
        """

    async def holders_of_the_stream(self) -> Sequence[str]:
        """Who holds it up, in words, the longest first; as far as our role may see."""

    async def longest_due(self) -> timedelta | None:
        """How long something has waited to be claimed; negative or None: nothing is due."""


# ---------------------------------------------------------------- the world outside


class Processor(Protocol):
    """A card processor. Replies are values: evidence, a definite refusal, or unknown."""

    def supports_amount(self, amount: Money) -> bool:
        """Whether the processor counts finely enough for this amount. What it cannot say must be
        refused before it is accepted: later there is nobody left to tell.
        """

    async def create(self, attempt: CreationAttempt) -> Reply:
        """Create an unconfirmed intent, which moves no money."""

    async def retrieve(self, intent_id: str) -> Reply: ...

    async def post(self, payment: Payment, post: Post) -> Reply:
        """Confirm, capture or cancel the payment's intent, under the post's key."""

    async def refund(self, refund: Refund) -> RefundReply:
        """Send money back, under the refund's one key."""

    async def refunds(self, intent_id: str) -> Sequence[ProcessorRefund] | OutcomeUnknown:
        """Every refund of an intent, all pages; OutcomeUnknown unless the list is complete."""


class CustomerStatus(Enum):
    """Whether a customer may pay."""

    MAY_PAY = "MAY_PAY"
    NOT_FOUND = "NOT_FOUND"
    DELETED = "DELETED"
    BLOCKED = "BLOCKED"
    UNAVAILABLE = "UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class CustomerCheck:
    """What the Customer service says of a customer, and the etag it rests on."""

    verdict: CustomerStatus
    etag: str = ""

    def require_may_pay(self, customer: CustomerName) -> None:
        """Raises the error that tells why the customer may not."""
        match self.verdict:
            case CustomerStatus.NOT_FOUND:
                raise CustomerNotFound(str(customer))
            case CustomerStatus.DELETED:
                raise CustomerDeleted(str(customer))
            case CustomerStatus.BLOCKED:
                raise CustomerBlocked(str(customer))
            case CustomerStatus.UNAVAILABLE:
                raise CustomerServiceUnavailable


class Customers(Protocol):
    """The Customer service."""

    async def standing(self, customer: CustomerName) -> CustomerCheck: ...


class Caller(Protocol):
    """Whoever waits for a payment."""

    def is_gone(self) -> bool: ...

    def build_payment(self, payment: Payment) -> None:
        """The payment is recorded: what to tell a caller that can wait no longer."""


class WebhookReader(Protocol):
    """Reads the processor's webhooks."""

    def read(self, body: bytes, headers: Mapping[str, str]) -> WebhookNotification | None:
        """The notification in a webhook; None for an event that moves no payment. Raises
        ForgedWebhook or UnreadableWebhook.
        """


NewId = Callable[[], UUID]
Elapsed = Callable[[], float]
"""Seconds on a clock that runs through sleep, and never back."""
Jitter = Callable[[], float]
"""A number from 0 to 1, anew each time."""


class Alarms(Protocol):
    """Wakes a person: a fixed name, what it is about, and what to know in words."""

    def __call__(self, name: str, about: str, words: str) -> None: ...
