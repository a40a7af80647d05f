"""Requests to pay, as both drivers send them: one price, one customer, numbered ids."""

from uuid import UUID

from chassis.values import Reference, RequestId
from payment.domain.payment import CaptureMethod, PaymentRequest
from payment.domain.values import CustomerName, Money, PaymentMethod, ReturnUrl

PRICE = 300
"""Minor units of every payment: EUR 3.00."""
CUSTOMER = CustomerName(UUID(int=0xC0))
RETURN_URL = ReturnUrl("https://shop.example/back")


def resource_id(number: int) -> UUID:
    """The id of a payment or a refund. A trace prints it as `#number`."""
    return UUID(int=0x7000 << 64 | 0x8000 << 48 | number)


def request_id(number: int) -> RequestId:
    """A request_id. A trace prints it as `request number`."""
    return RequestId(str(UUID(int=0x5E9 << 64 | number)))


def payment_request(
    request: RequestId, card: str, *, manual: bool = False, reference: str = ""
) -> PaymentRequest:
    """A request to pay the price with a test card."""
    return PaymentRequest(
        request_id=request,
        customer=CUSTOMER,
        amount=euros(PRICE),
        payment_method=PaymentMethod(card),
        capture_method=CaptureMethod.MANUAL if manual else CaptureMethod.AUTOMATIC,
        return_url=RETURN_URL,
        reference=Reference(reference) if reference else None,
    )


def euros(cents: int) -> Money:
    """An amount in euros."""
    return Money(cents, "EUR")
