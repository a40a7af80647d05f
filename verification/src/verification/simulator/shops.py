"""Shops that buy, as the contract's rules tell them to; and what they were told, held against what
they are told later.

The rules: after "unknown" (UNAVAILABLE, a deadline, a broken connection, INTERNAL) send the same
request_id again. Only who has a reference may send another one before that.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from random import Random
from typing import Any, Protocol, TypeVar

from chassis.values import RequestId
from payment.domain.errors import (
    CustomerServiceUnavailable,
    InvariantViolation,
    PaymentError,
    ProcessorUnavailable,
    ReferenceTaken,
    TryAgain,
    WrongState,
)
from payment.domain.payment import Payment, State
from payment.domain.refund import Refund, RefundRequest, RefundState
from payment.domain.values import Money, PaymentName
from payment.repository.memory import Store
from payment.service_layer.change_payment import PaymentChanges
from payment.service_layer.ports import CommitUnknown
from verification.simulator.orders import PRICE, Order, Orders
from verification.world.calls import DatabaseAway
from verification.world.use_cases import UseCases

UNKNOWN = (
    *(TryAgain, ProcessorUnavailable, CustomerServiceUnavailable, InvariantViolation),
    *(DatabaseAway, CommitUnknown),
)
"""What a caller may only take as: nobody knows. Everything else that is a PaymentError is definite."""
DEADLINES = (0.5, 10.0, 30.0)
PAUSES = (0.01, 1.0, 20.0, 120.0)
"""At most so many seconds pass before a shop does the next thing."""
Given = TypeVar("Given", Payment, Refund)


class Gateway(Protocol):
    """Some replica, as a load balancer finds it; None where it is dead."""

    def __call__(self) -> UseCases | None: ...


class WaitingCaller:
    """The port `Caller`: whoever waits for a payment."""

    def __init__(self) -> None:
        self.gone = False
        self.payment: Payment | None = None

    def is_gone(self) -> bool:
        """Whether nobody waits any more."""
        return self.gone

    def build_payment(self, payment: Payment) -> None:
        """What to tell a caller that can wait no longer."""
        self.payment = payment


class Told:
    """What callers were told, by the request_id. What was said once stays true."""

    def __init__(self, store: Store, broken: Callable[[str], None]) -> None:
        self.things: dict[RequestId, Payment | Refund] = {}
        self._store = store
        self._broken = broken

    def hear(
        self, request_id: RequestId, before: Payment | Refund | None, now: Payment | Refund
    ) -> None:
        """Somebody is told of a payment or refund for a request. `before`: what had been told of it
        when this was asked.
        """
        self.things[request_id] = now
        if before is None:
            return
        if before.id != now.id:
            self._broken(f"request {request_id} was told of {before.name}, then of {now.name}")
        elif isinstance(before, Payment) and before.state.is_final:
            if now.state is not before.state:
                self._broken(f"{now.name} was told {before.state.value}, then {now.state.value}")
        elif before.state is RefundState.FAILED and now.state is not RefundState.FAILED:
            self._broken(f"{now.name} was told FAILED, then {now.state.value}")

    def hear_no(
        self, request_id: RequestId, before: Payment | Refund | None, error: PaymentError
    ) -> None:
        """Somebody is refused. Only a cancellation may be, of what it finds charged in the end."""
        charged_first = isinstance(error, WrongState) and error.state == State.SUCCEEDED.value
        if before is not None and not charged_first:
            self._broken(f"request {request_id} has {before.name}, and is refused: {error!r}")
        if isinstance(error, ReferenceTaken):
            holder = self._store.payments[PaymentName.parse(error.holder).id]
            if holder.request.request_id == request_id:
                self._broken(f"request {request_id} is told that its own payment is in its way")

    def gone(self) -> Iterator[str]:
        """What somebody was told of, and is not there."""
        for thing in self.things.values():
            if thing.id not in self._store.payments and thing.id not in self._store.refunds:
                yield f"a caller was told of {thing.name}, and it is not there"


class Shops:
    """All that callers do in one run."""

    def __init__(
        self,
        random: Random,
        orders: Orders,
        gateway: Gateway,
        told: Told,
        failed: Callable[[BaseException], None],
        tell: Callable[[str, str], None] | None,
    ) -> None:
        self._random = random
        self._orders = orders
        self._gateway = gateway
        self._told = told
        self._failed = failed
        self._tell = tell

    async def buy(self, order: Order) -> None:
        """An order, from the first click to whatever is wanted in the end."""
        await self._pause()
        clicks = []
        for click in range(order.clicks):
            request = order.request
            if click and not order.same_request:
                request = order.with_other_card(self._orders.new_request_id(), self._orders.card())
            clicks.append(self._pay(order, request))
        paid = [payment for payment in await asyncio.gather(*clicks) if payment is not None]
        for payment in paid:
            await self._pause()
            await self._wish(order, payment)

    async def _pay(self, order: Order, request: Any) -> Payment | None:
        """Until there is an answer, or the shop has had enough."""
        for _ in range(order.tries):
            await self._pause()
            asked = request
            answer = await self._ask(
                f"order {order.number}: pay",
                request.request_id,
                lambda replica, caller: replica.create(asked, caller),  # noqa: B023
            )
            if isinstance(answer, Payment) and answer.state in {State.FAILED, State.CANCELED}:
                if order.request.reference is None:
                    return answer
                request = order.with_other_card(self._orders.new_request_id(), self._orders.card())
            elif answer is not None:
                return answer if isinstance(answer, Payment) else None
            elif order.impatient:
                request = order.with_other_card(self._orders.new_request_id(), self._orders.card())
        return None

    # ------------------------------------------------------------------ wishes

    async def _wish(self, order: Order, payment: Payment) -> None:
        random, name = self._random, payment.name
        match order.wish:
            case "refund":
                await self._refund(order, payment)
            case "refunds":
                await asyncio.gather(*(self._refund(order, payment) for _ in range(3)))
            case "capture":
                await self._capture(order, payment)
            case "cancel":
                await self._cancel(order, payment)
            case "race":
                await asyncio.gather(self._capture(order, payment), self._cancel(order, payment))
            case "delete":
                await self._cancel(order, payment)
                await self._once("delete", lambda replica, _: replica.change.delete(name))
                if random.random() < 0.5:
                    await self._once("undelete", lambda replica, _: replica.change.undelete(name))
            case "mark":
                changes = PaymentChanges(description=f"order {order.number}")
                await self._once("mark", lambda replica, _: replica.change.update(name, changes))

    async def release(self, payment: Payment) -> None:
        """A person takes a held payment up again."""
        await self._once("release", lambda replica, _: replica.change.release(payment.name, "seen"))

    async def _refund(self, order: Order, payment: Payment) -> None:
        amount = self._random.choice((None, 100, 180, 300, 301))
        money = None if amount is None else Money(amount, "EUR")
        asked = RefundRequest(self._orders.new_request_id(), payment.name, money)
        await self._insist(
            f"order {order.number}: refund {amount or 'the rest'}",
            asked.request_id,
            lambda replica, _: replica.refunds.create(asked),
        )

    async def _capture(self, order: Order, payment: Payment) -> None:
        request_id = self._orders.new_request_id()
        amount = self._random.choice((None, Money(PRICE, "EUR"), Money(PRICE // 3, "EUR")))
        await self._insist(
            f"order {order.number}: capture {amount.minor_units if amount else 'all'}",
            request_id,
            lambda replica, _: replica.change.capture(payment.name, request_id, amount),
        )

    async def _cancel(self, order: Order, payment: Payment) -> None:
        request_id = self._orders.new_request_id()
        await self._insist(
            f"order {order.number}: cancel",
            request_id,
            lambda replica, _: replica.change.cancel(payment.name, request_id),
        )

    async def _insist(self, what: str, request_id: RequestId, make: Any) -> None:
        """Ask until there is an answer; now and then once more, to hear the same."""
        for _ in range(6):
            await self._pause()
            answer = await self._ask(what, request_id, make)
            if answer is not None and self._random.random() < 0.7:
                return

    async def _once(self, what: str, make: Any) -> None:
        await self._pause()
        await self._ask(what, None, make)

    async def _pause(self) -> None:
        await asyncio.sleep(self._random.random() * self._random.choice(PAUSES))

    # ------------------------------------------------------------------ asking

    async def _ask(
        self,
        what: str,
        request_id: RequestId | None,
        make: Callable[[UseCases, WaitingCaller], Coroutine[Any, Any, Any]],
    ) -> Payment | Refund | PaymentError | None:
        """One call to some replica. None: nobody knows."""
        replica = self._gateway()
        if replica is None:
            return None
        before = self._told.things.get(request_id) if request_id else None
        caller = WaitingCaller()
        work = asyncio.get_running_loop().create_task(make(replica, caller))
        deadline = self._random.choice(DEADLINES)
        await asyncio.wait({work}, timeout=deadline)
        answer: Payment | Refund | PaymentError | None
        if work.done():
            self._take_failure(work)
            answer = result(work)
        else:
            work.add_done_callback(self._take_failure)
            caller.gone = self._random.random() < 0.5
            answer = None if caller.gone else caller.payment
        if request_id is not None and isinstance(answer, (Payment, Refund)):
            self._told.hear(request_id, before, answer)
        if request_id is not None and isinstance(answer, PaymentError):
            self._told.hear_no(request_id, before, answer)
        if self._tell:
            self._tell(what, describe(answer))
        return answer

    def _take_failure(self, work: "asyncio.Task[Any]") -> None:
        """Nothing may fail but as the contract says."""
        error = None if work.cancelled() else work.exception()
        if error is not None and not isinstance(error, (PaymentError, *UNKNOWN)):
            self._failed(error)


def result(work: "asyncio.Task[Any]") -> Payment | Refund | PaymentError | None:
    """What a caller makes of what a replica did."""
    if work.cancelled():
        return None
    error = work.exception()
    if error is None:
        found: Payment | Refund = work.result()
        return found
    return error if isinstance(error, PaymentError) and not isinstance(error, UNKNOWN) else None


def describe(answer: Payment | Refund | PaymentError | None) -> str:
    """An answer in words."""
    if answer is None:
        return "nobody knows"
    if isinstance(answer, PaymentError):
        return repr(answer)
    return f"{answer.name} {answer.state.value}"
