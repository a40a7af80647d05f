"""Callers that keep the contract, and the history of their responses.

The contract: after an unknown outcome (UNAVAILABLE, a deadline, a broken connection, INTERNAL) send
the same request_id again. Only a caller with a reference may send another one before that.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from chassis.values import RequestId
from payment.domain.errors import PaymentError, ReferenceTaken, WrongState
from payment.domain.payment import Payment, PaymentRequest, State
from payment.domain.refund import Refund, RefundRequest, RefundState
from payment.domain.values import PaymentName
from payment.repository.memory import Store
from payment.service_layer.change_payment import PaymentChanges
from verification.simulator.requests import Purchase, RequestGenerator
from verification.simulator.trace import Trace
from verification.world.requests import PRICE, euros
from verification.world.use_cases import EXPECTED_ERRORS, UNKNOWN_OUTCOME, Replica

DEADLINES = (0.5, 10.0, 30.0)
MAX_PAUSES = (0.01, 1.0, 20.0, 120.0)
"""At most so many seconds pass before a caller does the next thing."""
MAX_ATTEMPTS = 6
"""How often a capture, a cancellation or a refund is requested."""
CONCURRENT_REFUNDS = 3

Response = Payment | Refund | PaymentError | None
"""None: the outcome is unknown."""
Method = Callable[[Replica, "WaitingCaller"], Coroutine[Any, Any, Any]]


class LoadBalancer(Protocol):
    """Picks a replica; None where it has crashed."""

    def __call__(self) -> Replica | None: ...


@dataclass(slots=True)
class WaitingCaller:
    """The port `Caller`."""

    gone: bool = False
    payment: Payment | None = None

    def is_gone(self) -> bool:
        """Whether the caller waits no longer."""
        return self.gone

    def on_created(self, payment: Payment) -> None:
        """The payment is recorded: the response where the deadline comes first."""
        self.payment = payment


@dataclass(frozen=True, slots=True)
class ResponseHistory:
    """The responses to each request_id. What was returned once stays true."""

    store: Store
    violation: Callable[[str], None]
    latest: dict[RequestId, Payment | Refund] = field(default_factory=dict)

    def record(
        self, request_id: RequestId, before: Payment | Refund | None, now: Payment | Refund
    ) -> None:
        """A request is answered with a payment or refund. `before`: the latest response when it was
        sent.
        """
        self.latest[request_id] = now
        if before is None:
            return
        if before.id != now.id:
            self.violation(f"request {request_id} returned {before.name}, then {now.name}")
        elif isinstance(before, Payment) and before.state.is_final:
            if now.state is not before.state:
                self.violation(f"{now.name} was {before.state.value}, then {now.state.value}")
        elif before.state is RefundState.FAILED and now.state is not RefundState.FAILED:
            self.violation(f"{now.name} was FAILED, then {now.state.value}")

    def record_error(
        self, request_id: RequestId, before: Payment | Refund | None, error: PaymentError
    ) -> None:
        """A request is answered with a definite error. Only a cancellation may be, after its payment
        was returned: where the card was charged before.
        """
        charged_first = isinstance(error, WrongState) and error.state == State.SUCCEEDED.value
        if before is not None and not charged_first:
            self.violation(f"request {request_id} returned {before.name}, then raised {error!r}")
        if isinstance(error, ReferenceTaken):
            holder = self.store.payments[PaymentName.parse(error.holder).id]
            if holder.request.request_id == request_id:
                self.violation(f"request {request_id} is rejected because of its own payment")

    def missing(self) -> Iterator[str]:
        """What was returned and is not stored."""
        stored = self.store.payments.keys() | self.store.refunds.keys()
        for resource in self.latest.values():
            if resource.id not in stored:
                yield f"{resource.name} was returned to a caller, and is not stored"


@dataclass(frozen=True, slots=True)
class Clients:
    """Everything that callers do in one run."""

    random: Random
    requests: RequestGenerator
    load_balancer: LoadBalancer
    history: ResponseHistory
    on_failure: Callable[[BaseException], None]
    trace: Trace

    async def buy(self, purchase: Purchase) -> None:
        """A purchase, from the first request to its follow-up."""
        await self._pause()
        paying = []
        for copy in range(purchase.copies):
            request = purchase.request
            if copy and not purchase.same_request_id:
                request = self._with_other_card(purchase)
            paying.append(self._pay(purchase, request))
        paid = [payment for payment in await asyncio.gather(*paying) if payment is not None]
        for payment in paid:
            await self._pause()
            await self._follow_up(purchase, payment)

    async def _pay(self, purchase: Purchase, request: PaymentRequest) -> Payment | None:
        """Send a creation until there is a response, or the caller gives up."""
        for _ in range(purchase.max_attempts):
            await self._pause()
            response = await self._send(
                f"purchase {purchase.number}: pay",
                request.request_id,
                create(request),
            )
            if isinstance(response, Payment) and response.state in {State.FAILED, State.CANCELED}:
                if purchase.request.reference is None:
                    return response
                request = self._with_other_card(purchase)
            elif response is not None:
                return response if isinstance(response, Payment) else None
            elif purchase.is_impatient:
                request = self._with_other_card(purchase)
        return None

    def _with_other_card(self, purchase: Purchase) -> PaymentRequest:
        return purchase.with_other_card(self.requests.new_request_id(), self.requests.card())

    # ------------------------------------------------------------------ follow-ups

    async def _follow_up(self, purchase: Purchase, payment: Payment) -> None:
        name = payment.name
        match purchase.follow_up:
            case "refund":
                await self._refund(purchase, payment)
            case "several refunds":
                refunds = (self._refund(purchase, payment) for _ in range(CONCURRENT_REFUNDS))
                await asyncio.gather(*refunds)
            case "capture":
                await self._capture(purchase, payment)
            case "cancel":
                await self._cancel(purchase, payment)
            case "capture against cancel":
                await asyncio.gather(
                    self._capture(purchase, payment), self._cancel(purchase, payment)
                )
            case "delete":
                await self._cancel(purchase, payment)
                await self._send_once(
                    "delete", lambda replica, _: replica.change_payment.delete(name)
                )
                if self.random.random() < 0.5:
                    await self._send_once(
                        "undelete", lambda replica, _: replica.change_payment.undelete(name)
                    )
            case "update":
                changes = PaymentChanges(description=f"purchase {purchase.number}")
                await self._send_once(
                    "update", lambda replica, _: replica.change_payment.update(name, changes)
                )

    async def release(self, payment: Payment) -> None:
        """Manual review releases a held payment."""
        await self._send_once(
            "release", lambda replica, _: replica.change_payment.release(payment.name, "reviewed")
        )

    async def _refund(self, purchase: Purchase, payment: Payment) -> None:
        amount = self.random.choice((None, 100, 180, 300, 301))
        money = None if amount is None else euros(amount)
        request = RefundRequest(self.requests.new_request_id(), payment.name, money)
        await self._send_until_answered(
            f"purchase {purchase.number}: refund {amount or 'the rest'}",
            request.request_id,
            lambda replica, _: replica.create_refund(request),
        )

    async def _capture(self, purchase: Purchase, payment: Payment) -> None:
        request_id = self.requests.new_request_id()
        amount = self.random.choice((None, euros(PRICE), euros(PRICE // 3)))
        await self._send_until_answered(
            f"purchase {purchase.number}: capture {amount.minor_units if amount else 'all'}",
            request_id,
            lambda replica, _: replica.change_payment.capture(payment.name, request_id, amount),
        )

    async def _cancel(self, purchase: Purchase, payment: Payment) -> None:
        request_id = self.requests.new_request_id()
        await self._send_until_answered(
            f"purchase {purchase.number}: cancel",
            request_id,
            lambda replica, _: replica.change_payment.cancel(payment.name, request_id),
        )

    # ------------------------------------------------------------------ sending

    async def _send_until_answered(self, title: str, request_id: RequestId, method: Method) -> None:
        """Send a request until there is a response; now and then once more, to compare it."""
        for _ in range(MAX_ATTEMPTS):
            await self._pause()
            response = await self._send(title, request_id, method)
            if response is not None and self.random.random() < 0.7:
                return

    async def _send_once(self, title: str, method: Method) -> None:
        await self._pause()
        await self._send(title, None, method)

    async def _pause(self) -> None:
        await asyncio.sleep(self.random.random() * self.random.choice(MAX_PAUSES))

    async def _send(self, title: str, request_id: RequestId | None, method: Method) -> Response:
        """Call a replica once, and record the response."""
        replica = self.load_balancer()
        if replica is None:
            return None
        before = self.history.latest.get(request_id) if request_id else None
        caller = WaitingCaller()
        work = asyncio.get_running_loop().create_task(method(replica, caller))
        deadline = self.random.choice(DEADLINES)
        await asyncio.wait({work}, timeout=deadline)
        response: Response
        if work.done():
            self._check_failure(work)
            response = response_of(work)
        else:
            work.add_done_callback(self._check_failure)
            caller.gone = self.random.random() < 0.5
            response = None if caller.gone else caller.payment
        if request_id is not None and isinstance(response, (Payment, Refund)):
            self.history.record(request_id, before, response)
        if request_id is not None and isinstance(response, PaymentError):
            self.history.record_error(request_id, before, response)
        self.trace.event(describe(response), title)
        return response

    def _check_failure(self, work: "asyncio.Task[Any]") -> None:
        """A use case fails only as the contract allows."""
        error = None if work.cancelled() else work.exception()
        if error is not None and not isinstance(error, EXPECTED_ERRORS):
            self.on_failure(error)


def create(request: PaymentRequest) -> Method:
    """CreatePayment of this request."""
    return lambda replica, caller: replica.create_payment(request, caller)


def response_of(work: "asyncio.Task[Any]") -> Response:
    """The response to a caller, by what a replica did."""
    if work.cancelled():
        return None
    error = work.exception()
    if error is None:
        result: Payment | Refund = work.result()
        return result
    if isinstance(error, PaymentError) and not isinstance(error, UNKNOWN_OUTCOME):
        return error
    return None


def describe(response: Response) -> str:
    """A response in a trace."""
    if response is None:
        return "unknown outcome"
    if isinstance(response, PaymentError):
        return repr(response)
    return f"{response.name} {response.state.value}"
