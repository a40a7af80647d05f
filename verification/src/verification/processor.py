"""A card processor in this process: the Payment service's port on the sandbox's decision function.

It has no HTTP, no network faults and no clock of its own: its user adds them. It passes the contract
tests of the port, as the adapter of Stripe does.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from payment.domain.creation import CreationAttempt
from payment.domain.evidence import (
    IdempotencyKeyConflict,
    Intent,
    IntentStatus,
    NotFound,
    OutcomeUnknown,
    Page,
    ProcessorRefund,
    RefundReply,
    RefundStatus,
    Rejection,
    Reply,
    ServerError,
)
from payment.domain.machine import Operation, Post
from payment.domain.payment import CaptureMethod, Payment
from payment.domain.refund import Refund
from payment.domain.values import Failure, Money, RequestPart
from payment.processors.stripe.currencies import from_stripe, to_stripe
from payment.reconciliation.comparison import ListedIntent, ListedRefund
from sandbox import objects, world
from sandbox.actions import (
    CancelIntent,
    CaptureIntent,
    ConfirmIntent,
    CreateIntent,
    CreateRefund,
    InjectedFailure,
    List,
    Request,
    Retrieve,
    TimeRange,
    Write,
)
from sandbox.errors import Error
from sandbox.objects import Methods
from sandbox.transition import transition
from sandbox.world import Response, View, World

PAGE = 100
PARTS = {part.value for part in RequestPart}


class SimulatedProcessor:
    """The ports `Processor` and `ProcessorListing`. `clock` returns Unix seconds.

    `view` holds the processor's objects: a `World` is a value, for the explorer; a `MutableWorld`
    is changed in place, for long runs. `fault` is injected into each write; with `ignores_keys` a write
    takes effect as if it had no idempotency key.
    """

    def __init__(
        self, installation: str, clock: Callable[[], int], view: View | None = None
    ) -> None:
        self.view: View = World() if view is None else view
        self.fault: InjectedFailure | None = None
        self.ignores_keys = False
        self._installation = installation
        self._clock = clock

    def supports_amount(self, amount: Money) -> bool:
        return supports_amount(amount)

    async def create(self, attempt: CreationAttempt) -> Reply:
        """Create an unconfirmed intent."""
        request = attempt.request
        manual = request.capture_method is CaptureMethod.MANUAL
        amount = to_stripe(request.amount.minor_units, request.amount.currency_code)
        if isinstance(amount, Rejection):
            return amount
        action = CreateIntent(
            amount,
            request.amount.currency_code.lower(),
            payment_method=request.payment_method.token,
            methods=Methods.CARD,
            capture_method="manual" if manual else "automatic",
            metadata=(
                ("payment", str(attempt.id)),
                ("installation", self._installation),
                ("request_id", str(request.request_id)),
            ),
        )
        return intent_reply(self._write(action, f"{self._installation}:{attempt.id}:create"))

    async def retrieve(self, intent_id: str) -> Reply:
        """The intent as it is now."""
        response = self._ask(Request(Retrieve("payment_intent", intent_id)))
        return NotFound() if response.status == 404 else intent_reply(response)

    async def post(self, payment: Payment, post: Post) -> Reply:
        """Confirm, capture or cancel."""
        name = payment.intent_id
        action: Write
        match post.operation:
            case Operation.CONFIRM:
                url = payment.request.return_url
                action = ConfirmIntent(name, return_url=url.address if url else None)
            case Operation.CAPTURE:
                amount = to_stripe(post.amount, payment.request.amount.currency_code)
                if isinstance(amount, Rejection):
                    return amount
                action = CaptureIntent(name, amount)
            case Operation.CANCEL:
                action = CancelIntent(name)
        return intent_reply(self._write(action, post.key(self._installation, payment.id)))

    async def refund(self, refund: Refund) -> RefundReply:
        """Refund a charge."""
        amount = to_stripe(refund.amount, refund.currency_code)
        if isinstance(amount, Rejection):
            return amount
        action = CreateRefund(
            refund.intent_id,
            amount,
            refund.reason.value if refund.reason else None,
            metadata=(
                ("refund", str(refund.id)),
                ("payment", str(refund.payment_id)),
                ("installation", self._installation),
            ),
        )
        response = self._write(action, refund.key(self._installation))
        if isinstance(response.body, objects.Refund):
            return refund_of(response.body)
        return rejection_in(response)

    async def refunds(self, intent_id: str) -> Sequence[ProcessorRefund] | OutcomeUnknown:
        """Every refund of an intent, newest first."""
        found: list[ProcessorRefund] = []
        last: str | None = None
        while True:
            action = List("refund", PAGE, starting_after=last, intent=intent_id)
            page = self._ask(Request(action)).body
            if not isinstance(page, world.Page):
                return OutcomeUnknown("no such intent")
            found += [refund_of(item) for item in page.items if isinstance(item, objects.Refund)]
            if not page.has_more:
                return found
            last = found[-1].id

    async def intents(
        self, since: datetime, until: datetime, after: str
    ) -> Page[ListedIntent] | OutcomeUnknown:
        """A page of the account's intents, newest first."""
        page = self._page("payment_intent", since, until, after)
        intents = [listed_intent(item) for item in page.items if isinstance(item, objects.Intent)]
        return Page(intents, page.has_more)

    async def refunds_made(
        self, since: datetime, until: datetime, after: str
    ) -> Page[ListedRefund] | OutcomeUnknown:
        """A page of the account's refunds, newest first."""
        page = self._page("refund", since, until, after)
        refunds = [listed_refund(item) for item in page.items if isinstance(item, objects.Refund)]
        return Page(refunds, page.has_more)

    async def discard(self, intent_id: str) -> Reply:
        """Cancel an intent that no payment is bound to."""
        key = f"{self._installation}:{intent_id}:discard"
        return intent_reply(self._write(CancelIntent(intent_id), key))

    def _page(self, kind: str, since: datetime, until: datetime, after: str) -> world.Page:
        window = TimeRange(int(since.timestamp()), int(until.timestamp()) - 1)
        action = List(kind, PAGE, starting_after=after or None, created=window)
        page = self._ask(Request(action)).body
        assert isinstance(page, world.Page)  # noqa: S101 - our lists are never rejected
        return page

    def _write(self, action: Write, key: str) -> Response:
        return self._ask(Request(action, None if self.ignores_keys else key, failure=self.fault))

    def _ask(self, request: Request) -> Response:
        self.view, response = transition(self.view, request, self._clock())
        return response


def supports_amount(amount: Money) -> bool:
    """Whether the sandbox's units can express this amount, as Stripe's can."""
    return isinstance(to_stripe(amount.minor_units, amount.currency_code), int)


def intent_reply(response: Response) -> Reply:
    """The reply in a response about an intent. A decline carries the intent, and is evidence."""
    if isinstance(response.body, objects.Intent):
        return intent_of(response.body)
    if response.status == 402 and isinstance(response.body, Error) and response.body.intent:
        return intent_of(response.body.intent)
    return rejection_in(response)


def rejection_in(
    response: Response,
) -> Rejection | ServerError | IdempotencyKeyConflict | OutcomeUnknown:
    """The reply in an error."""
    error = response.body
    if response.status == 500:
        return ServerError()
    if not isinstance(error, Error) or response.status not in (400, 402):
        return OutcomeUnknown(f"HTTP {response.status}")
    if error.type == "idempotency_error":
        return IdempotencyKeyConflict()
    part = RequestPart(error.param) if error.param in PARTS else None
    return Rejection(error.code or error.type, part, error.message)


def intent_of(intent: objects.Intent) -> Intent:
    """The sandbox's intent as evidence."""
    currency_code = intent.currency.upper()
    metadata = dict(intent.metadata)
    needs_action = intent.status is objects.Status.REQUIRES_ACTION
    capture_before = intent.charge.capture_before if intent.charge else None
    return Intent(
        id=intent.id,
        status=IntentStatus(intent.status.value),
        amount=Money(from_stripe(intent.amount, currency_code), currency_code),
        amount_received=from_stripe(intent.amount_received, currency_code),
        payment_id=UUID(metadata["payment"]) if "payment" in metadata else None,
        installation=metadata.get("installation", ""),
        failure=failure_of(intent.last_error),
        redirect_url=f"http://bank.invalid/3ds/{intent.id}"
        if needs_action and intent.return_url
        else "",
        capture_before=datetime.fromtimestamp(capture_before, UTC) if capture_before else None,
    )


def listed_intent(intent: objects.Intent) -> ListedIntent:
    """The sandbox's intent as an item of a list."""
    metadata = dict(intent.metadata)
    refunded = intent.charge.amount_refunded if intent.charge else 0
    return ListedIntent(
        id=intent.id,
        create_time=datetime.fromtimestamp(intent.created, UTC),
        installation=metadata.get("installation", ""),
        request_id=metadata.get("request_id", ""),
        intent=intent_of(intent),
        amount_refunded=from_stripe(refunded, intent.currency.upper()),
    )


def listed_refund(refund: objects.Refund) -> ListedRefund:
    """The sandbox's refund as an item of a list."""
    return ListedRefund(
        id=refund.id,
        intent_id=refund.intent,
        create_time=datetime.fromtimestamp(refund.created, UTC),
        currency_code=refund.currency.upper(),
        refund=refund_of(refund),
    )


def failure_of(error: objects.LastError | None) -> Failure | None:
    """Why the card was declined."""
    if error is None:
        return None
    decline = error.decline
    return Failure(decline.code, decline.decline_code or "", decline.message)


def refund_of(refund: objects.Refund) -> ProcessorRefund:
    """The sandbox's refund as evidence."""
    metadata = dict(refund.metadata)
    return ProcessorRefund(
        id=refund.id,
        status=RefundStatus(refund.status.value),
        amount=from_stripe(refund.amount, refund.currency.upper()),
        refund_id=UUID(metadata["refund"]) if "refund" in metadata else None,
        failure=Failure(refund.failure_reason) if refund.failure_reason else None,
    )
