"""What the callers of one run buy, and how they pay: drawn before anything happens."""

from dataclasses import dataclass, replace
from random import Random

from chassis.values import RequestId
from payment.domain.payment import PaymentRequest
from payment.domain.values import PaymentMethod
from verification.world.requests import payment_request, request_id

CARDS = (
    *("pm_card_visa", "pm_card_visa", "pm_card_visa", "pm_card_visa", "pm_card_mastercard"),
    *("pm_card_chargeDeclined", "pm_card_chargeDeclinedInsufficientFunds"),
    *("pm_card_threeDSecure2Required", "pm_card_threeDSecureRequiredChargeDeclined"),
    *("pm_sandbox_processing", "pm_sandbox_processingDeclined"),
    *("pm_card_pendingRefund", "pm_card_refundFail"),
)
FOLLOW_UPS = (
    *("", "refund", "refund", "several refunds", "several refunds"),
    *("capture", "cancel", "capture against cancel", "delete", "update"),
)
MANUAL_FOLLOW_UPS = ("capture", "capture", "cancel", "capture against cancel", "")
"""What a caller does with a payment. `update` changes what is no money."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """One purchase.

    Attributes:
        copies: how many requests for it are sent at once.
        same_request_id: whether they are one request; else each has an id and a card of its own.
        is_impatient: whether a new request_id is sent before the outcome of the first is known.
        max_attempts: how often an unknown outcome is asked for again.
    """

    number: int
    request: PaymentRequest
    follow_up: str
    copies: int
    same_request_id: bool
    is_impatient: bool
    max_attempts: int

    def with_other_card(self, new_id: RequestId, card: str) -> PaymentRequest:
        """The same purchase, paid by another request."""
        return replace(self.request, request_id=new_id, payment_method=PaymentMethod(card))


class RequestGenerator:
    """Draws purchases, and the request_ids of everything that is requested."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._count = 0

    def new_request_id(self) -> RequestId:
        """A request_id that no caller has used."""
        self._count += 1
        return request_id(self._count)

    def card(self) -> str:
        """Any card."""
        return self._random.choice(CARDS)

    def purchases(self) -> list[Purchase]:
        """The purchases of one run: a few."""
        count = self._random.choice((1, 1, 2, 3))
        return [self._purchase(number) for number in range(1, count + 1)]

    def _purchase(self, number: int) -> Purchase:
        random = self._random
        manual = random.random() < 0.35
        has_reference = random.random() < 0.7
        # Two purchases in ten carry the first one's reference: a second tab of the same cart.
        reference = f"order-{1 if random.random() < 0.2 else number}"
        request = payment_request(
            self.new_request_id(),
            self.card(),
            manual=manual,
            reference=reference if has_reference else "",
        )
        return Purchase(
            number=number,
            request=request,
            follow_up=random.choice(MANUAL_FOLLOW_UPS if manual else FOLLOW_UPS),
            copies=random.choice((1, 1, 1, 2, 3)),
            same_request_id=not has_reference or random.random() < 0.6,
            is_impatient=has_reference and random.random() < 0.3,
            max_attempts=random.choice((1, 4, 12)),
        )
