"""What a seed's customers buy, and how they pay: drawn before anything happens."""

from dataclasses import dataclass, replace
from random import Random
from uuid import UUID

from chassis.values import Reference, RequestId
from payment.domain.payment import CaptureMethod, PaymentRequest
from payment.domain.values import CustomerName, Money, PaymentMethod, ReturnUrl

PRICE = 300
CARDS = (
    *("pm_card_visa", "pm_card_visa", "pm_card_visa", "pm_card_visa", "pm_card_mastercard"),
    *("pm_card_chargeDeclined", "pm_card_chargeDeclinedInsufficientFunds"),
    *("pm_card_threeDSecure2Required", "pm_card_threeDSecureRequiredChargeDeclined"),
    *("pm_sandbox_processing", "pm_sandbox_processingDeclined"),
    *("pm_card_pendingRefund", "pm_card_refundFail"),
)
WISHES = (
    "",
    "refund",
    "refund",
    "refunds",
    "refunds",
    "capture",
    "cancel",
    "race",
    "delete",
    "mark",
)
"""What a shop wants once it has paid: `refunds` are several at once, `race` is a capture against a
cancellation, `mark` is a change of what is no money.
"""


@dataclass(frozen=True, slots=True)
class Order:
    """One purchase. `clicks` is how often it is sent side by side; `impatient` is a shop that tries
    with a new request_id before it knows what became of the first.
    """

    number: int
    request: PaymentRequest
    wish: str
    clicks: int
    same_request: bool
    impatient: bool
    tries: int

    def with_other_card(self, request_id: RequestId, card: str) -> PaymentRequest:
        """The same order, paid anew."""
        return replace(self.request, request_id=request_id, payment_method=PaymentMethod(card))


class Orders:
    """Draws orders, and the request_ids of all that is asked."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._requests = 0

    def new_request_id(self) -> RequestId:
        """A request_id that nobody has used."""
        self._requests += 1
        return RequestId(str(UUID(int=0x5E9 << 64 | self._requests)))

    def card(self) -> str:
        """Any card."""
        return self._random.choice(CARDS)

    def some(self) -> list[Order]:
        """The orders of one run: a few."""
        return [self._order(number) for number in range(1, self._random.choice((1, 1, 2, 3)) + 1)]

    def _order(self, number: int) -> Order:
        random = self._random
        manual = random.random() < 0.35
        has_reference = random.random() < 0.7
        # Two orders in ten carry the first one's reference: a second tab of the same cart.
        reference = Reference(f"order-{1 if random.random() < 0.2 else number}")
        request = PaymentRequest(
            request_id=self.new_request_id(),
            customer=CustomerName(UUID(int=0xC0)),
            amount=Money(PRICE, "EUR"),
            payment_method=PaymentMethod(self.card()),
            capture_method=CaptureMethod.MANUAL if manual else CaptureMethod.AUTOMATIC,
            return_url=ReturnUrl("https://shop.example/back"),
            reference=reference if has_reference else None,
        )
        wishes = ("capture", "capture", "cancel", "race", "") if manual else WISHES
        return Order(
            number=number,
            request=request,
            wish=random.choice(wishes),
            clicks=random.choice((1, 1, 1, 2, 3)),
            same_request=not has_reference or random.random() < 0.6,
            impatient=has_reference and random.random() < 0.3,
            tries=random.choice((1, 4, 12)),
        )
