"""The methods of PaymentService: read the request, call the use case, write the reply.

Deadlines, logs and errors are the chassis's: it runs around every method, and turns what is raised
into a status. What moves money runs in a task of its own, which the caller may leave.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from oncepay.payment.v1 import payment_service_pb2 as pb
from oncepay.payment.v1.payment_pb2 import Payment, Refund
from oncepay.payment.v1.payment_service_pb2_grpc import PaymentServiceServicer

from chassis.aip.pages import PageTokens, page_size
from chassis.interceptor import Context
from chassis.values import InvalidValue
from payment.api import conversions
from payment.api.background_tasks import BackgroundTasks, WaitingCaller
from payment.domain import payment as domain
from payment.service_layer.change_payment import ChangePayment
from payment.service_layer.create_payment import CreatePayment
from payment.service_layer.create_refund import CreateRefund
from payment.service_layer.ports import PaymentRepository, RefundRepository
from payment.service_layer.read_events import ReadEvents


@dataclass(frozen=True, slots=True)
class PaymentServicer(PaymentServiceServicer):
    """PaymentService on its use cases."""

    payments: PaymentRepository
    refunds: RefundRepository
    create_payment: CreatePayment
    change_payment: ChangePayment
    create_refund: CreateRefund
    read_events: ReadEvents
    background_tasks: BackgroundTasks
    tokens: PageTokens

    async def CreatePayment(self, request: pb.CreatePaymentRequest, context: Context) -> Payment:
        asked = conversions.payment_request(request)
        caller = WaitingCaller[domain.Payment]()
        payment = await self.background_tasks.run(self.create_payment(asked, caller), caller)
        return conversions.payment_message(payment)

    async def GetPayment(self, request: pb.GetPaymentRequest, context: Context) -> Payment:
        name = conversions.payment_name(request.name)
        return conversions.payment_message((await self.payments.get(name.id)).resource)

    async def ListPayments(
        self, request: pb.ListPaymentsRequest, context: Context
    ) -> pb.ListPaymentsResponse:
        payments, next_page_token = await self.tokens.page(
            request,
            lambda limit, after: self.payments.list(conversions.query(request, limit, after)),
        )
        return pb.ListPaymentsResponse(
            payments=map(conversions.payment_message, payments), next_page_token=next_page_token
        )

    async def UpdatePayment(self, request: pb.UpdatePaymentRequest, context: Context) -> Payment:
        name, changes = conversions.changes(request)
        payment = await self.change_payment.update(name, changes, request.payment.etag)
        return conversions.payment_message(payment)

    async def DeletePayment(self, request: pb.DeletePaymentRequest, context: Context) -> Payment:
        name = conversions.payment_name(request.name)
        return conversions.payment_message(await self.change_payment.delete(name, request.etag))

    async def UndeletePayment(
        self, request: pb.UndeletePaymentRequest, context: Context
    ) -> Payment:
        name = conversions.payment_name(request.name)
        return conversions.payment_message(await self.change_payment.undelete(name, request.etag))

    async def CapturePayment(self, request: pb.CapturePaymentRequest, context: Context) -> Payment:
        name = conversions.payment_name(request.name)
        request_id = conversions.request_id(request.request_id)
        amount = conversions.capture_amount(request)
        payment = await self.background_tasks.run(
            self.change_payment.capture(name, request_id, amount, request.etag)
        )
        return conversions.payment_message(payment)

    async def CancelPayment(self, request: pb.CancelPaymentRequest, context: Context) -> Payment:
        name = conversions.payment_name(request.name)
        request_id = conversions.request_id(request.request_id)
        payment = await self.background_tasks.run(
            self.change_payment.cancel(name, request_id, request.etag)
        )
        return conversions.payment_message(payment)

    async def ReleasePayment(self, request: pb.ReleasePaymentRequest, context: Context) -> Payment:
        name = conversions.payment_name(request.name)
        note = conversions.release_note(request)
        payment = await self.background_tasks.run(
            self.change_payment.release(name, note, request.etag)
        )
        return conversions.payment_message(payment)

    async def CreateRefund(self, request: pb.CreateRefundRequest, context: Context) -> Refund:
        asked = conversions.refund_request(request)
        refund = await self.background_tasks.run(self.create_refund(asked))
        return conversions.refund_message(refund)

    async def GetRefund(self, request: pb.GetRefundRequest, context: Context) -> Refund:
        name = conversions.refund_name(request.name)
        return conversions.refund_message(await self.refunds.get(name.payment_id, name.id))

    async def ListRefunds(
        self, request: pb.ListRefundsRequest, context: Context
    ) -> pb.ListRefundsResponse:
        payment = conversions.payment_name(request.parent, "parent")
        await self.payments.get(payment.id)
        refunds, next_page_token = await self.tokens.page(
            request, lambda limit, after: self.refunds.list(payment.id, limit, after)
        )
        return pb.ListRefundsResponse(
            refunds=map(conversions.refund_message, refunds), next_page_token=next_page_token
        )

    async def ListPaymentEvents(
        self, request: pb.ListPaymentEventsRequest, context: Context
    ) -> pb.ListPaymentEventsResponse:
        payment = conversions.events_of(request.parent)
        after = self.tokens.open(request)
        size = page_size(request.page_size)
        if payment is None:
            try:
                found = await self.read_events.of_all(size + 1, after)
            except InvalidValue:  # it was sealed here, in an earlier generation
                message = (
                    "it is from before the database was restored; leave it empty to begin anew"
                )
                raise InvalidValue("page_token", "PAGE_TOKEN", message) from None
        else:
            found = await self.read_events.of_payment(payment, size + 1, int(after or 0))
        reply = pb.ListPaymentEventsResponse(
            payment_events=map(conversions.event_message, found[:size])
        )
        if len(found) > size:
            last = found[size - 1]
            place = last.cursor if payment is None else str(last.sequence)
            reply.next_page_token = self.tokens.seal(request, place)
        return reply

    async def WatchPaymentEvents(
        self, request: pb.WatchPaymentEventsRequest, context: Context
    ) -> AsyncIterator[pb.WatchPaymentEventsResponse]:
        payment = conversions.events_of(request.parent)
        async for event in self.read_events.watch(payment, request.cursor):
            yield pb.WatchPaymentEventsResponse(payment_event=conversions.event_message(event))
