"""Shops: they pay, ask again, grow impatient, click twice, call off, give up."""

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import aiohttp
from grpc import aio
from oncepay.payment.v1.payment_pb2 import Money, Payment, Refund
from oncepay.payment.v1.payment_service_pb2 import (
    CancelPaymentRequest,
    CapturePaymentRequest,
    CreatePaymentRequest,
    CreateRefundRequest,
    GetPaymentRequest,
)
from oncepay.payment.v1.payment_service_pb2_grpc import PaymentServiceStub

from verification.chaos.orders import DEFINITE, Order, OrderBook, RefundAsked, Told
from verification.chaos.plan import CALL_SECONDS, Plan

DECLINED = "pm_card_visa_chargeDeclinedInsufficientFunds"
CHALLENGED = "pm_card_threeDSecure2Required"
CHALLENGED_DECLINED = "pm_card_threeDSecureRequiredChargeDeclined"
PROCESSING = "pm_sandbox_processing"
RETRIES = 60
"""After so many unanswered calls even the most patient caller leaves it at that."""
PAUSE_SECONDS = (0.2, 1.8)
Story = Callable[[], Awaitable[None]]
LOOKS = 20
"""How often a caller asks what has become of its payment, about once a second."""


class Callers:
    """All of them. `ending` is set when they shall begin nothing new."""

    def __init__(
        self,
        plan: Plan,
        channel: aio.Channel,
        web: aiohttp.ClientSession,
        customer: str,
        book: OrderBook,
    ) -> None:
        self.ending = asyncio.Event()
        self._service = PaymentServiceStub(channel)
        self._web = web
        self._customer = customer
        self._book = book
        self._chance = random.Random(plan.seed)
        whole = plan.design == "oncepay"
        self._stories: list[tuple[int, Story]] = [
            (30, self.plain),
            (15, self.with_reference),
            (8, self.same_at_once),
            (8, self.double_click),
            (8, self.declined),
        ]
        if whole:
            self._stories += [
                (8, self.challenged),
                (10, self.held_then_captured),
                (6, self.capture_against_cancel),
                (6, self.cancel_while_processing),
            ]
        if whole and plan.refunds:
            self._stories += [(20, self.refunded_twice)]

    async def work(self) -> None:
        """One caller: story after story, each to its end."""
        weights = [weight for weight, _ in self._stories]
        while not self.ending.is_set():
            ((_, story),) = self._chance.choices(self._stories, weights)
            await story()

    # ---------------------------------------------------------------- the stories

    async def plain(self) -> None:
        """Pay, with the same request_id until it is known; one in ten gives up at once."""
        order = self._order()
        await self._pay(order, tries=1 if self._chance.random() < 0.1 else RETRIES)

    async def with_reference(self) -> None:
        """An order with a number. Who waits too long, or is told that it failed, tries again with
        a new request_id: the number is what keeps the order from being paid twice.
        """
        order = self._order(reference=self._number())
        for _ in range(4):
            told = await self._pay(order, tries=self._chance.randint(1, 4))
            if told is None or not (told.is_unknown or told.state == "FAILED"):
                return

    async def same_at_once(self) -> None:
        """The same request, from two processes of the shop at once."""
        order, request_id = self._order(), str(uuid.uuid4())
        await asyncio.gather(*(self._pay(order, request_id) for _ in range(2)))

    async def double_click(self) -> None:
        """Two requests for one order, at once."""
        order = self._order(reference=self._number())
        await asyncio.gather(*(self._pay(order) for _ in range(2)))

    async def declined(self) -> None:
        await self._pay(self._order(method=DECLINED, reference=self._number()))

    async def challenged(self) -> None:
        """3D Secure: approved, declined, or the payer closes the page."""
        method = self._chance.choice([CHALLENGED, CHALLENGED, CHALLENGED_DECLINED])
        order = self._order(method=method)
        payment = await self._payment_of(order)
        if payment is None or payment.state != Payment.REQUIRES_ACTION:
            return
        answer = self._chance.choice(["approve", "approve", "decline", ""])
        if answer:
            order.wishes.append(answer)
            await self._answer_bank(payment.next_action.redirect_url, answer)
            await self._look(order, payment.name)

    async def held_then_captured(self) -> None:
        """Hold the money, then take all of it, or a part."""
        order = self._order(manual=True)
        payment = await self._payment_of(order)
        if payment is not None and payment.state == Payment.AUTHORIZED:
            part = self._chance.choice([0, order.amount // 3])
            await self._capture(order, payment.name, part)

    async def capture_against_cancel(self) -> None:
        """Both at once, of the same hold."""
        order = self._order(manual=True)
        payment = await self._payment_of(order)
        if payment is not None and payment.state == Payment.AUTHORIZED:
            await asyncio.gather(
                self._capture(order, payment.name, self._chance.choice([0, order.amount // 2])),
                self._cancel(order, payment.name),
            )

    async def cancel_while_processing(self) -> None:
        """Call off what the processor has not decided yet."""
        order = self._order(method=PROCESSING)
        payment = await self._payment_of(order, looks=1)
        if payment is not None and payment.state == Payment.PROCESSING:
            await self._cancel(order, payment.name)
            await self._look(order, payment.name)

    async def refunded_twice(self) -> None:
        """60 % and 60 % at once: only one fits."""
        order = self._order()
        payment = await self._payment_of(order)
        if payment is not None and payment.state == Payment.SUCCEEDED:
            part = order.amount * 6 // 10
            await asyncio.gather(*(self.refund(payment.name, part) for _ in range(2)))

    async def refunded_by_many(self, count: int) -> None:
        """So many refunds at once, of a payment that has enough for two thirds of them."""
        order = self._order(amount=count * 100)
        payment = await self._payment_of(order)
        while payment is not None and payment.state == Payment.PROCESSING:
            payment = await self._look(order, payment.name)
        if payment is not None and payment.state == Payment.SUCCEEDED:
            await asyncio.gather(*(self.refund(payment.name, 150) for _ in range(count)))

    async def ask_again(self, most: int) -> None:
        """When all is over: some requests that were answered are sent once more, unchanged."""
        told = self._book.acknowledged()
        requests = {one.request_id: order for order, one in told if one.request_id in order.asked}
        some = self._chance.sample(sorted(requests), min(most, len(requests)))
        for request_id in some:
            await self._pay(requests[request_id], request_id)

    # ---------------------------------------------------------------- their steps

    def _order(self, amount: int = 0, **more: Any) -> Order:
        order = Order(amount or self._chance.randint(100, 99_999), **more)
        self._book.orders.append(order)
        return order

    def _number(self) -> str:
        return f"A-{self._chance.getrandbits(48):012x}"

    async def _pay(self, order: Order, request_id: str = "", tries: int = RETRIES) -> Told | None:
        """CreatePayment, again while the end is unknown; the last answer."""
        request = CreatePaymentRequest(
            payment=Payment(
                customer=self._customer,
                amount=Money(currency_code=order.currency, minor_units=order.amount),
                payment_method=order.method,
                capture_method=Payment.MANUAL if order.manual else Payment.AUTOMATIC,
                return_url="http://127.0.0.1/back",
                reference=order.reference,
            ),
            request_id=request_id or str(uuid.uuid4()),
        )
        order.asked.setdefault(request.request_id, 0)
        told = None
        for _ in range(tries):
            order.asked[request.request_id] += 1
            told = await self._tell(order, request.request_id, self._service.CreatePayment, request)
            if not told.is_unknown:
                break
            await asyncio.sleep(self._chance.uniform(*PAUSE_SECONDS))
        return told

    async def _payment_of(self, order: Order, looks: int = LOOKS) -> Payment | None:
        """Pay, and wait until something is decided."""
        told = await self._pay(order)
        if told is None or told.code != "OK":
            return None
        return await self._look(order, told.payment, looks)

    async def _look(self, order: Order, name: str, looks: int = LOOKS) -> Payment | None:
        """Ask for a payment until machines are done with it, or patience is."""
        payment = None
        for _ in range(looks):
            asked_at = time.time()
            try:
                payment = await self._service.GetPayment(
                    GetPaymentRequest(name=name), timeout=CALL_SECONDS
                )
            except aio.AioRpcError as error:
                if error.code().name in DEFINITE:
                    order.tell(asked_at, name, error.code().name)
                    return None
            else:
                if order.tell(asked_at, name, "OK", payment).state != "PROCESSING":
                    return payment
            await asyncio.sleep(self._chance.uniform(*PAUSE_SECONDS))
        return payment

    async def _capture(self, order: Order, name: str, part: int) -> None:
        request = CapturePaymentRequest(name=name, request_id=str(uuid.uuid4()))
        if part:
            request.amount.CopyFrom(Money(currency_code=order.currency, minor_units=part))
        order.wishes.append(f"capture {part or order.amount}")
        await self._change(order, self._service.CapturePayment, request)

    async def _cancel(self, order: Order, name: str) -> None:
        order.wishes.append("cancel")
        request = CancelPaymentRequest(name=name, request_id=str(uuid.uuid4()))
        await self._change(order, self._service.CancelPayment, request)

    async def _change(self, order: Order, method: Any, request: Any) -> None:
        for _ in range(RETRIES):
            told = await self._tell(order, request.request_id, method, request)
            if not told.is_unknown:
                return
            await asyncio.sleep(self._chance.uniform(*PAUSE_SECONDS))

    async def _tell(self, order: Order, request_id: str, method: Any, request: Any) -> Told:
        asked_at = time.time()
        try:
            payment = await method(request, timeout=CALL_SECONDS)
        except aio.AioRpcError as error:
            return order.tell(asked_at, request_id, error.code().name)
        return order.tell(asked_at, request_id, "OK", payment)

    async def refund(self, name: str, amount: int) -> RefundAsked:
        """CreateRefund, again while the end is unknown."""
        asked = RefundAsked(name, amount, str(uuid.uuid4()))
        self._book.refunds.append(asked)
        request = CreateRefundRequest(
            parent=name,
            refund=Refund(amount=Money(currency_code="EUR", minor_units=amount)),
            request_id=asked.request_id,
        )
        for _ in range(RETRIES):
            try:
                refund = await self._service.CreateRefund(request, timeout=CALL_SECONDS)
            except aio.AioRpcError as error:
                asked.codes.append(error.code().name)
                if error.code().name in DEFINITE:
                    break
            else:
                asked.codes.append("OK")
                asked.names.add(refund.name)
                break
            await asyncio.sleep(self._chance.uniform(*PAUSE_SECONDS))
        return asked

    async def _answer_bank(self, address: str, answer: str) -> None:
        """The payer's click; the page is reached over the same bad network as everything else."""
        for _ in range(LOOKS):
            with suppress(aiohttp.ClientError, TimeoutError, OSError):
                async with self._web.post(
                    address, data={"answer": answer}, allow_redirects=False
                ) as reply:
                    if reply.status < 500:
                        return
            await asyncio.sleep(self._chance.uniform(*PAUSE_SECONDS))
