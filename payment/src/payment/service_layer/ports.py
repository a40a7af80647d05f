"""What the use cases need from outside, as Protocols. Whoever implements one does not inherit it.

Every write of a repository is one statement and one commit, together with its event. Times are the
database's. A repository that cannot be reached raises its own error, which the chassis knows; only
where the difference matters it has a name: `CommitUnknown`.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from chassis.aip.pages import PageQuery, Position
from chassis.aip.resources import Snapshot
from chassis.values import Reference, RequestId
from payment.domain.creation import Conflicts, CreationAttempt
from payment.domain.customer import Customer
from payment.domain.events import NewEvent, PaymentEvent
from payment.domain.evidence import OutcomeUnknown, ProcessorRefund, RefundReply, Reply
from payment.domain.machine import Post
from payment.domain.payment import Payment, PublicState
from payment.domain.refund import Refund
from payment.domain.values import CustomerName, Money
from payment.domain.webhook_notification import WebhookNotification

Resource = TypeVar("Resource")

# ---------------------------------------------------------------- repositories


class CommitUnknown(Exception):
    """A statement was sent and got no answer: it may or may not have been committed."""


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """The request of a capture, a cancellation or a refund. It is kept for ever, and written in the
    statement that does what the request asks.
    """

    request_id: RequestId
    fingerprint: bytes
    payment_id: UUID
    refund_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Due(Generic[Resource]):
    """A payment or refund that recovery has claimed, as it was read with the claim.

    Attributes:
        attempt: the number of the attempt that begins: one more than have ended since it last
            changed. An attempt that a crash cut off does not count, or a bad hour of ours would make
            it wait as if the processor had been asked all the while.
    """

    snapshot: Snapshot[Resource]
    attempt: int


class DueRepository(Protocol[Resource]):
    """What unfinished resources are driven from, payments and refunds alike."""

    async def claim_due(self, limit: int) -> Sequence[Due[Resource]]:
        """Claim what is due: set it due in 25 s, so that nobody else claims it meanwhile."""

    async def reschedule(self, read: Resource, wait: timedelta | None, attempt: int) -> None:
        """End the attempt of this number: make it due after `wait` (None: never).

        Nothing is done where the row has changed since it was `read`, or is due within GRACE: then a
        webhook came meanwhile, and the attempt may have asked before it.
        """


@dataclass(frozen=True, slots=True)
class PaymentQuery(PageQuery):
    """Which page of payments to read."""

    customer: CustomerName | None = None
    state: PublicState | None = None
    reference: Reference | None = None
    held: bool | None = None


class PaymentRepository(DueRepository[Payment], Protocol):
    """Keeps payments. The insert is the only fence against duplicates."""

    async def find_conflicts(
        self,
        request_id: RequestId,
        reference: Reference | None = None,
        payment_id: UUID | None = None,
    ) -> Conflicts:
        """The payments that hold the request_id, the id or (unless they ended without money) the
        reference, and the database's clock. A statement of its own: an insert that conflicts cannot
        see the row it conflicts with.
        """

    async def insert(self, payment: Payment, insert_by: datetime) -> Payment | None:
        """Insert a new payment with its first event.

        None: the database's clock has passed `insert_by` when the statement runs, or a row holds its
        id, intent, request_id or (unless it ended without money) reference.

        Raises:
            CommitUnknown: the same insert sent again settles it, since it waits for the first copy.
        """

    async def get(self, payment_id: UUID) -> Snapshot[Payment]:
        """The payment, a deleted one too.

        Raises:
            PaymentNotFound.
        """

    async def save(
        self,
        before: Payment,
        after: Payment,
        event: NewEvent | None,
        request: RequestRecord | None = None,
    ) -> Payment | None:
        """Write `after`, with its event, if the row still has `before`'s state, idempotency counter
        and version. The payment is then due in 25 s, or never where it is settled. The version grows
        with an event only.

        None: the row has changed, or the request_id was used. Nothing was written.
        """

    async def find_request(self, request_id: RequestId) -> RequestRecord | None:
        """The record of a request_id, of a payment's creation too."""

    async def list(self, query: PaymentQuery) -> Sequence[Payment]: ...


class RefundRepository(DueRepository[Refund], Protocol):
    """Keeps refunds, and with each change of one the payment's sum and event."""

    async def insert(self, refund: Refund, request: RequestRecord) -> Refund | None:
        """Insert a new refund and add it to the payment's sum, if the payment SUCCEEDED and the sum
        stays within what was captured.

        None: it does not, or the request_id was used.

        Raises:
            CommitUnknown.
        """

    async def get(self, payment_id: UUID, refund_id: UUID) -> Refund:
        """Raises RefundNotFound, for a refund of another payment too."""

    async def save(
        self, before: Refund, after: Refund, event: NewEvent, by: datetime | None = None
    ) -> Refund | None:
        """Write `after`, with the payment's event, if the row still has `before`'s version and the
        database's clock has not reached `by`. A refund that FAILED gives its amount back to the sum.

        None: the row has changed, or it is too late. Nothing was written.
        """

    async def list(
        self, payment_id: UUID, limit: int, after: Position | None
    ) -> Sequence[Refund]: ...


class EventRepository(Protocol):
    """Reads events. They are written with the changes that they report."""

    async def of_payment(self, payment_id: UUID, limit: int, after: int) -> Sequence[PaymentEvent]:
        """The events of a payment with a sequence above `after`, in order."""

    async def stream(
        self, payment_id: UUID | None, limit: int, cursor: str
    ) -> Sequence[PaymentEvent]:
        """The events after `cursor` ("" is the beginning) in the order of the stream, up to the
        oldest transaction that is still open: no event can appear behind the reader.

        Raises:
            InvalidValue: the cursor is none of this installation's.
        """


class NotificationRepository(Protocol):
    """Keeps webhook notifications."""

    async def record(self, notification: WebhookNotification) -> bool:
        """Store a notification about a payment of ours, the first time it comes, and make its payment
        or refund due: now, or in GRACE where it is being worked on; never where it is settled. One
        about another intent is not stored. Returns whether anything is due now.
        """


class ProgressReader(Protocol):
    """Shows whether the event stream and recovery go on."""

    async def oldest_hidden_event(self) -> timedelta | None:
        """How long the first event has waited that the stream cannot show yet; None: none waits, or
        none can be seen.
        """

    async def stream_blockers(self) -> Sequence[str]:
        """The transactions that block the stream, in words, the longest first, as far as our role
        may see them.
        """

    async def longest_due(self) -> timedelta | None:
        """How long something due has waited to be claimed; negative or None: nothing is due."""


# ---------------------------------------------------------------- the world outside


class Processor(Protocol):
    """A card processor. Replies are values: evidence, a definite refusal, or unknown."""

    def supports_amount(self, amount: Money) -> bool:
        """Whether the processor's units can express this amount. One that they cannot must be refused
        before it is accepted: later there is no caller to tell.
        """

    async def create(self, attempt: CreationAttempt) -> Reply:
        """Create an unconfirmed intent, which moves no money."""

    async def retrieve(self, intent_id: str) -> Reply: ...

    async def post(self, payment: Payment, post: Post) -> Reply:
        """Confirm, capture or cancel the payment's intent, under the key of the post."""

    async def refund(self, refund: Refund) -> RefundReply:
        """Send money back, under the refund's one key."""

    async def refunds(self, intent_id: str) -> Sequence[ProcessorRefund] | OutcomeUnknown:
        """Every refund of an intent, all pages; OutcomeUnknown unless the list is complete."""


class WebhookReader(Protocol):
    """Reads the processor's webhooks."""

    def read(self, body: bytes, headers: Mapping[str, str]) -> WebhookNotification | None:
        """The notification in a webhook; None for an event that moves no payment.

        Raises:
            ForgedWebhook, UnreadableWebhook.
        """


class Customers(Protocol):
    """The Customer service."""

    async def find(self, name: CustomerName) -> Customer:
        """The customer; UNAVAILABLE where the service does not answer."""


class Caller(Protocol):
    """Whoever waits for a payment."""

    def is_gone(self) -> bool: ...

    def on_created(self, payment: Payment) -> None:
        """The payment is recorded: this is what to answer a caller that can wait no longer."""


class Bulkhead(Protocol):
    """Bounds how much work of callers is at the processor at once. The rest is recovery's."""

    def slot(self) -> AbstractAsyncContextManager[bool]:
        """A slot for a piece of work, from its first call to the processor to its last. Entering
        gives whether one was free in time.
        """


NewId = Callable[[], UUID]
Elapsed = Callable[[], float]
"""Seconds on a clock that goes on while the machine sleeps, and never back."""
Jitter = Callable[[], float]
"""A random number from 0 to 1."""
