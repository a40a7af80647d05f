"""Clients of the design under test: merchants that pay, repeat, lose patience, cancel and refund."""

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

from verification.chaos.plan import CALL_SECONDS, Plan
from verification.chaos.requests import DEFINITE, Answer, Order, RefundAttempt, RequestLog

DECLINED = "pm_card_visa_chargeDeclinedInsufficientFunds"
THREE_D_SECURE = "pm_card_threeDSecure2Required"
THREE_D_SECURE_DECLINED = "pm_card_threeDSecureRequiredChargeDeclined"
PROCESSING = "pm_sandbox_processing"
MAX_ATTEMPTS = 60
"""After so many unanswered calls even the most patient client leaves it at that."""
MAX_LOOKS = 20
"""How often a client asks what has become of its payment, about once a second."""
PAUSE_SECONDS = (0.2, 1.8)
Scenario = Callable[[], Awaitable[None]]


class Clients:
    """All of them. `stopping` is set when they shall begin nothing new."""

    def __init__(
        self,
        plan: Plan,
        channel: aio.Channel,
        web: aiohttp.ClientSession,
        customer: str,
        log: RequestLog,
    ) -> None:
        self.stopping = asyncio.Event()
        self._service = PaymentServiceStub(channel)
        self._web = web
        self._customer = customer
        self._log = log
        self._random = random.Random(plan.seed)
        self._scenarios: list[tuple[int, Scenario]] = [
            (30, self.pay),
            (15, self.pay_with_reference),
            (8, self.send_one_request_twice),
            (8, self.send_two_requests),
            (8, self.pay_with_declined_card),
        ]
        if not plan.is_baseline:
            self._scenarios += [
                (8, self.pay_with_three_d_secure),
                (10, self.authorize_then_capture),
                (6, self.capture_against_cancel),
                (6, self.cancel_while_processing),
            ]
        if plan.refunds and not plan.is_baseline:
            self._scenarios += [(20, self.refund_twice)]

    async def work(self) -> None:
        """One client: scenario after scenario, each to its end."""
        weights = [weight for weight, _ in self._scenarios]
        while not self.stopping.is_set():
            ((_, scenario),) = self._random.choices(self._scenarios, weights)
            await scenario()

    # ---------------------------------------------------------------- scenarios

    async def pay(self) -> None:
        """With the same request_id until the outcome is known; one in ten gives up at once."""
        order = self._order()
        await self._pay(order, attempts=1 if self._random.random() < 0.1 else MAX_ATTEMPTS)

    async def pay_with_reference(self) -> None:
        """Who waits too long, or is answered FAILED, tries again with a new request_id: the reference
        is what keeps the order from being paid twice.
        """
        order = self._order(reference=self._reference())
        for _ in range(4):
            answer = await self._pay(order, attempts=self._random.randint(1, 4))
            if not (answer.is_unknown or answer.state == "FAILED"):
                return

    async def send_one_request_twice(self) -> None:
        """The same request, from two processes of the merchant at once."""
        order, request_id = self._order(), str(uuid.uuid4())
        await asyncio.gather(*(self._pay(order, request_id) for _ in range(2)))

    async def send_two_requests(self) -> None:
        """A double click: two requests for one order at once."""
        order = self._order(reference=self._reference())
        await asyncio.gather(*(self._pay(order) for _ in range(2)))

    async def pay_with_declined_card(self) -> None:
        await self._pay(self._order(method=DECLINED, reference=self._reference()))

    async def pay_with_three_d_secure(self) -> None:
        """Approved, declined, or the payer closes the page."""
        methods = [THREE_D_SECURE, THREE_D_SECURE, THREE_D_SECURE_DECLINED]
        order = self._order(method=self._random.choice(methods))
        payment = await self._paid(order)
        if payment is None or payment.state != Payment.REQUIRES_ACTION:
            return
        choice = self._random.choice(["approve", "approve", "decline", ""])
        if choice:
            await self._answer_bank(payment.next_action.redirect_url, choice)
            await self._look(order, payment.name)

    async def authorize_then_capture(self) -> None:
        """Capture all of what is held, or a part."""
        order = self._order(manual=True)
        payment = await self._paid(order)
        if payment is not None and payment.state == Payment.AUTHORIZED:
            part = self._random.choice([0, order.amount // 3])
            await self._capture(order, payment.name, part)

    async def capture_against_cancel(self) -> None:
        """Both at once, of the same authorization."""
        order = self._order(manual=True)
        payment = await self._paid(order)
        if payment is not None and payment.state == Payment.AUTHORIZED:
            await asyncio.gather(
                self._capture(order, payment.name, self._random.choice([0, order.amount // 2])),
                self._cancel(order, payment.name),
            )

    async def cancel_while_processing(self) -> None:
        """Cancel what the processor has not decided yet."""
        order = self._order(method=PROCESSING)
        payment = await self._paid(order, looks=1)
        if payment is not None and payment.state == Payment.PROCESSING:
            await self._cancel(order, payment.name)
            await self._look(order, payment.name)

    async def refund_twice(self) -> None:
        """60 % and 60 % at once: only one fits."""
        order = self._order()
        payment = await self._paid(order)
        if payment is not None and payment.state == Payment.SUCCEEDED:
            part = order.amount * 6 // 10
            await asyncio.gather(*(self._refund(payment.name, part) for _ in range(2)))

    async def refund_concurrently(self, count: int) -> None:
        """So many refunds at once, of a payment that has enough for two thirds of them."""
        order = self._order(amount=count * 100)
        payment = await self._paid(order)
        while payment is not None and payment.state == Payment.PROCESSING:
            payment = await self._look(order, payment.name)
        if payment is not None and payment.state == Payment.SUCCEEDED:
            await asyncio.gather(*(self._refund(payment.name, 150) for _ in range(count)))

    async def repeat_answered_requests(self, most: int) -> None:
        """When all is over: some requests that were answered are sent once more, unchanged."""
        answered = {
            answer.request_id: order
            for order, answer in self._log.acknowledged()
            if answer.request_id in order.attempts
        }
        for request_id in self._random.sample(sorted(answered), min(most, len(answered))):
            await self._pay(answered[request_id], request_id)

    # ---------------------------------------------------------------- steps of a scenario

    def _order(self, amount: int = 0, **more: Any) -> Order:
        order = Order(amount or self._random.randint(100, 99_999), **more)
        self._log.orders.append(order)
        return order

    def _reference(self) -> str:
        return f"A-{self._random.getrandbits(48):012x}"

    async def _pay(
        self, order: Order, request_id: str = "", attempts: int = MAX_ATTEMPTS
    ) -> Answer:
        """CreatePayment; the last answer."""
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
        order.attempts.setdefault(request.request_id, 0)
        return await self._send(order, self._service.CreatePayment, request, attempts)

    async def _paid(self, order: Order, looks: int = MAX_LOOKS) -> Payment | None:
        """Pay, and wait until something is decided."""
        answer = await self._pay(order)
        return await self._look(order, answer.payment, looks) if answer.code == "OK" else None

    async def _look(self, order: Order, name: str, looks: int = MAX_LOOKS) -> Payment | None:
        """Get a payment until it is no longer PROCESSING, or the client's patience is at its end."""
        payment = None
        for _ in range(looks):
            sent_at = time.time()
            try:
                payment = await self._service.GetPayment(
                    GetPaymentRequest(name=name), timeout=CALL_SECONDS
                )
            except aio.AioRpcError as error:
                if error.code().name in DEFINITE:
                    order.record(sent_at, name, error.code().name)
                    return None
            else:
                if order.record(sent_at, name, "OK", payment).state != "PROCESSING":
                    return payment
            await self._pause()
        return payment

    async def _capture(self, order: Order, name: str, part: int) -> None:
        request = CapturePaymentRequest(name=name, request_id=str(uuid.uuid4()))
        if part:
            request.amount.CopyFrom(Money(currency_code=order.currency, minor_units=part))
        order.captures.append(part or order.amount)
        await self._send(order, self._service.CapturePayment, request)

    async def _cancel(self, order: Order, name: str) -> None:
        request = CancelPaymentRequest(name=name, request_id=str(uuid.uuid4()))
        await self._send(order, self._service.CancelPayment, request)

    async def _send(
        self, order: Order, method: Any, request: Any, attempts: int = MAX_ATTEMPTS
    ) -> Answer:
        """A call of a method that answers with the payment, repeated while its outcome is unknown."""
        request_id = request.request_id
        for attempt in range(1, attempts + 1):
            if request_id in order.attempts:
                order.attempts[request_id] += 1
            sent_at = time.time()
            try:
                payment = await method(request, timeout=CALL_SECONDS)
            except aio.AioRpcError as error:
                answer = order.record(sent_at, request_id, error.code().name)
            else:
                answer = order.record(sent_at, request_id, "OK", payment)
            if not answer.is_unknown or attempt == attempts:
                break
            await self._pause()
        return answer

    async def _refund(self, name: str, amount: int) -> None:
        """CreateRefund, repeated while its outcome is unknown."""
        refund = RefundAttempt()
        self._log.refunds.append(refund)
        request = CreateRefundRequest(
            parent=name,
            refund=Refund(amount=Money(currency_code="EUR", minor_units=amount)),
            request_id=str(uuid.uuid4()),
        )
        for _ in range(MAX_ATTEMPTS):
            try:
                created = await self._service.CreateRefund(request, timeout=CALL_SECONDS)
            except aio.AioRpcError as error:
                refund.codes.append(error.code().name)
                if error.code().name in DEFINITE:
                    return
            else:
                refund.codes.append("OK")
                refund.name = created.name
                return
            await self._pause()

    async def _answer_bank(self, address: str, choice: str) -> None:
        """The payer's click; the page is reached over the same bad network as everything else."""
        for _ in range(MAX_LOOKS):
            with suppress(aiohttp.ClientError, TimeoutError, OSError):
                async with self._web.post(
                    address, data={"answer": choice}, allow_redirects=False
                ) as reply:
                    if reply.status < 500:
                        return
            await self._pause()

    async def _pause(self) -> None:
        await asyncio.sleep(self._random.uniform(*PAUSE_SECONDS))
