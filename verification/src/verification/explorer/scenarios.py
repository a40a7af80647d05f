"""The worlds that are explored: who asks what, what may go wrong, how often.

Each is bounded by its numbers: of threads that may be under way at once, of faults, of people's
moves, of jumps of time. Within them nothing is left out.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from uuid import UUID

from chassis.values import Reference, RequestId
from payment.domain.payment import CaptureMethod, PaymentRequest
from payment.domain.values import CustomerName, Money, PaymentMethod, ReturnUrl
from sandbox.world import Rules
from verification.explorer.programs import Cancel, Capture, Create, Delete, GiveBack, OnPayment

KEY_LIFE = 2.0
"""Seconds for which a key lives where its death is explored: no deadline passes by it."""
KEY_DIES, FENCE_PASSES, DAY_PASSES, HOLD_ENDS = KEY_LIFE + 1, 16 * 60.0, 25 * 3600.0, 8 * 86400.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """One small world.

    threads      how many may be under way at once, recovery's among them
    faults       how many things go wrong in one history
    moves        what people may do, each once: "approve", "decline" (3D Secure), "other card"
    jumps        seconds by which time may jump, each once, in any order
    keys_live    whether no key dies and no 500 acts late: then no card is tried after a decline
    late_500     whether a 500 may act later
    slow         the calls whose answers may be late by fault, while time passes
    claims_sleep whether time may pass between the claim of a refund and its first call
    odd_replies  what a creation may be answered by fault: "a refusal", "another's intent"
    alarms       the alarms that may be raised
    in_slice     whether it is one of those that are explored with every change
    """

    name: str
    programs: tuple[Create | OnPayment, ...]
    threads: int = 2
    faults: int = 1
    moves: tuple[str, ...] = ()
    jumps: tuple[float, ...] = ()
    callers_leave: bool = False
    late_500: bool = True
    keys_live: bool = False
    rules: Rules = field(default_factory=lambda: Rules(key_life=int(KEY_LIFE), history=False))
    slow: tuple[str, ...] = ()
    claims_sleep: bool = False
    odd_replies: tuple[str, ...] = ()
    alarms: frozenset[str] = frozenset()
    in_slice: bool = True


def request(
    number: int, *, card: str = "visa", manual: bool = False, ref: str = ""
) -> PaymentRequest:
    """A request to pay EUR 3.00; the same number is the same request."""
    url = ReturnUrl("https://shop.example/back") if "uthentication" in card else None
    return PaymentRequest(
        request_id=RequestId(str(UUID(int=0xC0FFEE0000 + number))),
        customer=CustomerName(UUID(int=0xC0)),
        amount=Money(300, "EUR"),
        payment_method=PaymentMethod(card if card.startswith("pm_") else f"pm_card_{card}"),
        capture_method=CaptureMethod.MANUAL if manual else CaptureMethod.AUTOMATIC,
        return_url=url,
        reference=Reference(ref) if ref else None,
    )


def own(number: int) -> RequestId:
    """The request_id of what is no creation."""
    return RequestId(str(UUID(int=0xFACADE0000 + number)))


def sent(times: int, what: PaymentRequest, first: int = 1) -> tuple[Create, ...]:
    """One request, sent so many times."""
    return tuple(Create(number, what) for number in range(first, first + times))


VISA, DECLINED = request(1), request(1, card="chargeDeclined")
MANUAL = request(1, manual=True)
SECURE = request(1, card="authenticationRequired")
SLOW, SLOW_NO = (request(1, card=f"pm_sandbox_processing{more}") for more in ("", "Declined"))
EUROS = [Money(cents, "EUR") for cents in (1, 100, 200)]
CANCEL = Cancel(11, own(1))
WHOLE, PART = Capture(12, own(2)), Capture(13, own(3), EUROS[1])
REAL_KEYS = Rules(history=False)

SCENARIOS = (
    Scenario("automatic", sent(2, VISA), jumps=(KEY_DIES,), callers_leave=True),
    Scenario("automatic, no key dies", sent(2, VISA), rules=REAL_KEYS),
    Scenario("declined", sent(2, DECLINED), rules=REAL_KEYS, keys_live=True, late_500=False),
    Scenario(
        "declined, two replicas recover",
        sent(1, DECLINED),
        threads=3,
        rules=REAL_KEYS,
        keys_live=True,
        late_500=False,
    ),
    Scenario("declined, keys die", sent(2, DECLINED), jumps=(KEY_DIES,), in_slice=False),
    Scenario("automatic, hours pass", sent(2, VISA), jumps=(FENCE_PASSES,), callers_leave=True),
    Scenario("cancel", (*sent(1, VISA), CANCEL), jumps=(KEY_DIES,)),
    Scenario("declined, and a cancellation", (*sent(1, DECLINED), CANCEL), rules=REAL_KEYS),
    Scenario("3D Secure, no answer", sent(1, SECURE), rules=REAL_KEYS),
    Scenario("3D Secure", (*sent(1, SECURE), CANCEL), moves=("approve", "decline")),
    Scenario(
        "3D Secure, another card",
        sent(1, SECURE),
        moves=("decline", "other card"),
        jumps=(DAY_PASSES,),
        in_slice=False,
    ),
    Scenario("processing", (*sent(1, SLOW), CANCEL), jumps=(4.0,)),
    Scenario("processing, declined", (*sent(1, SLOW_NO), CANCEL), jumps=(4.0,), in_slice=False),
    Scenario(
        "processing, declined, no key dies",
        (*sent(1, SLOW_NO), CANCEL),
        rules=REAL_KEYS,
        jumps=(4.0,),
    ),
    Scenario("manual", (*sent(1, MANUAL), WHOLE, PART, CANCEL), faults=1),
    Scenario("one capture, sent twice", (*sent(1, MANUAL), PART, Capture(15, own(3), EUROS[1]))),
    Scenario("manual, the hold ends", (*sent(1, MANUAL), PART), jumps=(HOLD_ENDS,), in_slice=False),
    Scenario(
        "one reference, two requests",
        (*sent(2, request(1, ref="order")), Create(3, request(2, ref="order"))),
    ),
    Scenario(
        "one reference, and a cancellation",
        (*sent(1, request(1, ref="order")), Create(3, request(2, ref="order")), CANCEL),
    ),
    Scenario(
        "one reference, a zombie inserts late",
        (*sent(1, request(1, ref="order")), Create(3, request(2, ref="order"))),
        jumps=(FENCE_PASSES,),
        in_slice=False,
    ),
    Scenario(
        "one reference, the first is declined",
        (
            *sent(2, request(1, ref="order", card="chargeDeclined")),
            Create(3, request(2, ref="order")),
        ),
        in_slice=False,
    ),
    Scenario(
        "deleted, and sent again",
        (
            *sent(2, request(1, ref="order", card="chargeDeclined")),
            Create(3, request(2, ref="order")),
            Delete(14),
        ),
        faults=0,
    ),
    Scenario("refused", sent(2, request(1, card="pm_none")), jumps=(FENCE_PASSES,)),
    Scenario("one attempt is refused", sent(2, VISA), odd_replies=("a refusal",)),
    Scenario(
        "a reply names another's intent",
        (*sent(1, VISA), Create(2, request(2))),
        odd_replies=("another's intent",),
        alarms=frozenset({"rule_broken"}),
    ),
    Scenario(
        "orphans are swept", sent(2, VISA), jumps=(DAY_PASSES,), callers_leave=True, in_slice=False
    ),
    Scenario(
        "two refunds, of which one fits",
        (*sent(1, VISA), GiveBack(21, own(5), EUROS[2]), GiveBack(22, own(6), EUROS[2])),
        rules=REAL_KEYS,
    ),
    Scenario(
        "one refund, of more than half, sent twice",
        (*sent(1, VISA), GiveBack(21, own(5), EUROS[2]), GiveBack(22, own(5), EUROS[2])),
        rules=REAL_KEYS,
    ),
    Scenario(
        "a refund, and an answer that takes a day",
        (*sent(1, VISA), GiveBack(21, own(5), EUROS[1])),
        rules=REAL_KEYS,
        jumps=(DAY_PASSES,),
        slow=("refunds.insert", "processor.refunds"),
    ),
    Scenario(
        "a refund is refused, and a day passes",
        (*sent(1, VISA), GiveBack(21, own(5), EUROS[1])),
        rules=REAL_KEYS,
        jumps=(DAY_PASSES,),
        claims_sleep=True,
    ),
    Scenario(
        "two refunds, a day passes",
        (*sent(1, VISA), GiveBack(21, own(5), EUROS[1]), GiveBack(22, own(6), EUROS[2])),
        rules=REAL_KEYS,
        jumps=(DAY_PASSES,),
        faults=0,
    ),
    Scenario(
        "a refund that comes back",
        (*sent(1, request(1, card="refundFail")), GiveBack(21, own(5), EUROS[1])),
        rules=REAL_KEYS,
        jumps=(4.0,),
    ),
    Scenario(
        "refunds",
        (*sent(1, VISA), GiveBack(21, own(5), EUROS[2]), GiveBack(22, own(6), EUROS[2])),
        rules=REAL_KEYS,
        jumps=(DAY_PASSES,),
        in_slice=False,
    ),
    Scenario(
        "one refund, sent twice",
        (*sent(1, VISA), GiveBack(21, own(5), EUROS[1]), GiveBack(22, own(5), EUROS[1])),
        rules=REAL_KEYS,
        jumps=(DAY_PASSES,),
        in_slice=False,
    ),
)


def larger(scenarios: Iterable[Scenario]) -> Iterable[Scenario]:
    """The same with one fault more, and one thread."""
    for each in scenarios:
        yield replace(each, name=f"{each.name}, one fault more", faults=each.faults + 1)
        yield replace(each, name=f"{each.name}, one replica more", threads=each.threads + 1)
