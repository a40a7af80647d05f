"""The scenarios: who calls what, which faults may be injected, how many.

Each is bounded by its numbers: of threads at a time, of faults, of actions of payers, of jumps of
time. Within these bounds the search is complete.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from payment.domain.payment import PaymentRequest
from payment.service_layer.alerts import Alert
from sandbox.world import Rules
from verification.explorer.programs import (
    Cancel,
    Capture,
    Create,
    CreateRefund,
    Delete,
    PaymentChange,
)
from verification.world.requests import euros, payment_request, request_id

KEY_LIFE_SECONDS = 2
"""How long a key lives where its expiry is explored: no deadline passes meanwhile."""
KEY_EXPIRES = KEY_LIFE_SECONDS + 1.0
INSERT_DEADLINE_PASSES, DAY_PASSES, AUTHORIZATION_EXPIRES = 16 * 60.0, 25 * 3600.0, 8 * 86400.0
"""Jumps of time, in seconds."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One small world.

    threads              how many may be in progress at once, recovery's among them
    faults               how many are injected into one history
    payer_actions        what payers may do, each once: "approve", "decline" (3D Secure), "other card"
    time_jumps           seconds by which time may jump, each once, in any order
    callers_disconnect   whether a caller may be gone when its intent is created
    late_effects_of_500  whether a 500 may take effect later
    no_card_tried_again  whether a declined card must not be confirmed again: where no key expires and
                         no 500 takes effect later
    rules                the processor's: how long a key lives
    delayed_replies      the calls whose replies may be delayed by a fault, while time passes
    pauses_after_claim   whether time may pass between the claim of a refund and its first call
    wrong_replies        what a creation may be answered by a fault: "a rejection", "another intent"
    alerts               the alerts that may be raised, besides those of what is overdue
    in_slice             whether it is explored with every change
    """

    name: str
    programs: tuple[Create | PaymentChange, ...]
    threads: int = 2
    faults: int = 1
    payer_actions: tuple[str, ...] = ()
    time_jumps: tuple[float, ...] = ()
    callers_disconnect: bool = False
    late_effects_of_500: bool = True
    no_card_tried_again: bool = False
    rules: Rules = field(default_factory=lambda: Rules(key_life=KEY_LIFE_SECONDS, history=False))
    delayed_replies: tuple[str, ...] = ()
    pauses_after_claim: bool = False
    wrong_replies: tuple[str, ...] = ()
    alerts: frozenset[Alert] = frozenset()
    in_slice: bool = True


def request(
    number: int, card: str = "pm_card_visa", *, manual: bool = False, reference: str = ""
) -> PaymentRequest:
    """A request to pay; the same number is the same request."""
    return payment_request(request_id(number), card, manual=manual, reference=reference)


def copies(count: int, payment: PaymentRequest, first: int = 1) -> tuple[Create, ...]:
    """One request, sent so many times."""
    return tuple(Create(number, payment) for number in range(first, first + count))


DECLINED_CARD = "pm_card_chargeDeclined"
VISA, DECLINED = request(1), request(1, DECLINED_CARD)
MANUAL = request(1, manual=True)
SECURE = request(1, "pm_card_authenticationRequired")
PROCESSING = request(1, "pm_sandbox_processing")
PROCESSING_DECLINED = request(1, "pm_sandbox_processingDeclined")
ORDER = request(1, reference="order")
DECLINED_ORDER = request(1, DECLINED_CARD, reference="order")
SAME_REFERENCE = Create(3, request(2, reference="order"))
CANCEL = Cancel(11, request_id(101))
CAPTURE_ALL = Capture(12, request_id(102))
CAPTURE_PART = Capture(13, request_id(103), euros(100))
REFUND_PART = CreateRefund(21, request_id(105), euros(100))
REFUND_MOST = CreateRefund(21, request_id(105), euros(200))
OTHER_REFUND = CreateRefund(22, request_id(106), euros(200))
REAL_KEYS = Rules(history=False)
"""Keys that live a day, as Stripe's."""

SCENARIOS = (
    Scenario(
        "automatic capture", copies(2, VISA), time_jumps=(KEY_EXPIRES,), callers_disconnect=True
    ),
    Scenario("automatic capture, keys live", copies(2, VISA), rules=REAL_KEYS),
    Scenario(
        "declined",
        copies(2, DECLINED),
        rules=REAL_KEYS,
        no_card_tried_again=True,
        late_effects_of_500=False,
    ),
    Scenario(
        "declined, two replicas recover",
        copies(1, DECLINED),
        threads=3,
        rules=REAL_KEYS,
        no_card_tried_again=True,
        late_effects_of_500=False,
    ),
    Scenario(
        "declined, keys expire", copies(2, DECLINED), time_jumps=(KEY_EXPIRES,), in_slice=False
    ),
    Scenario(
        "automatic capture, the insert's deadline passes",
        copies(2, VISA),
        time_jumps=(INSERT_DEADLINE_PASSES,),
        callers_disconnect=True,
    ),
    Scenario("cancel", (*copies(1, VISA), CANCEL), time_jumps=(KEY_EXPIRES,)),
    Scenario("declined, and canceled", (*copies(1, DECLINED), CANCEL), rules=REAL_KEYS),
    Scenario("3D Secure, the payer never acts", copies(1, SECURE), rules=REAL_KEYS),
    Scenario("3D Secure", (*copies(1, SECURE), CANCEL), payer_actions=("approve", "decline")),
    Scenario(
        "3D Secure, another card",
        copies(1, SECURE),
        payer_actions=("decline", "other card"),
        time_jumps=(DAY_PASSES,),
        in_slice=False,
    ),
    Scenario("processing", (*copies(1, PROCESSING), CANCEL), time_jumps=(4.0,)),
    Scenario(
        "processing, declined",
        (*copies(1, PROCESSING_DECLINED), CANCEL),
        time_jumps=(4.0,),
        in_slice=False,
    ),
    Scenario(
        "processing, declined, keys live",
        (*copies(1, PROCESSING_DECLINED), CANCEL),
        rules=REAL_KEYS,
        time_jumps=(4.0,),
    ),
    Scenario("manual capture", (*copies(1, MANUAL), CAPTURE_ALL, CAPTURE_PART, CANCEL)),
    Scenario(
        "one capture, sent twice",
        (*copies(1, MANUAL), CAPTURE_PART, replace(CAPTURE_PART, number=15)),
    ),
    Scenario(
        "manual capture, the authorization expires",
        (*copies(1, MANUAL), CAPTURE_PART),
        time_jumps=(AUTHORIZATION_EXPIRES,),
        in_slice=False,
    ),
    Scenario(
        "one reference, two requests",
        (*copies(2, ORDER), SAME_REFERENCE),
    ),
    Scenario(
        "one reference, two requests, one canceled",
        (*copies(1, ORDER), SAME_REFERENCE, CANCEL),
    ),
    Scenario(
        "one reference, a paused replica inserts late",
        (*copies(1, ORDER), SAME_REFERENCE),
        time_jumps=(INSERT_DEADLINE_PASSES,),
        in_slice=False,
    ),
    Scenario(
        "one reference, the first declined",
        (
            *copies(2, DECLINED_ORDER),
            SAME_REFERENCE,
        ),
        in_slice=False,
    ),
    Scenario(
        "deleted, and sent again",
        (
            *copies(2, DECLINED_ORDER),
            SAME_REFERENCE,
            Delete(14),
        ),
        faults=0,
    ),
    Scenario(
        "one request_id, two contents", (Create(1, VISA), Create(2, DECLINED)), rules=REAL_KEYS
    ),
    Scenario(
        "one request_id, two captures",
        (*copies(1, MANUAL), CAPTURE_PART, replace(CAPTURE_PART, number=15, amount=euros(200))),
        rules=REAL_KEYS,
    ),
    Scenario("rejected", copies(2, request(1, "pm_none")), time_jumps=(INSERT_DEADLINE_PASSES,)),
    Scenario("one attempt rejected", copies(2, VISA), wrong_replies=("a rejection",)),
    Scenario(
        "a reply names another intent",
        (*copies(1, VISA), Create(2, request(2))),
        wrong_replies=("another intent",),
        alerts=frozenset({Alert.INVARIANT_VIOLATED}),
    ),
    Scenario(
        "orphans are canceled",
        copies(2, VISA),
        time_jumps=(DAY_PASSES,),
        callers_disconnect=True,
        in_slice=False,
    ),
    Scenario(
        "two refunds, enough money for one",
        (*copies(1, VISA), REFUND_MOST, OTHER_REFUND),
        rules=REAL_KEYS,
    ),
    Scenario(
        "one refund of more than half, sent twice",
        (*copies(1, VISA), REFUND_MOST, replace(REFUND_MOST, number=22)),
        rules=REAL_KEYS,
    ),
    Scenario(
        "a refund, and a reply delayed by a day",
        (*copies(1, VISA), REFUND_PART),
        rules=REAL_KEYS,
        time_jumps=(DAY_PASSES,),
        delayed_replies=("refunds.insert", "processor.refunds"),
    ),
    Scenario(
        "a refund is rejected, and a day passes",
        (*copies(1, VISA), REFUND_PART),
        rules=REAL_KEYS,
        time_jumps=(DAY_PASSES,),
        pauses_after_claim=True,
    ),
    Scenario(
        "two refunds, a day passes",
        (*copies(1, VISA), REFUND_PART, OTHER_REFUND),
        rules=REAL_KEYS,
        time_jumps=(DAY_PASSES,),
        faults=0,
    ),
    Scenario(
        "a refund that the bank returns",
        (*copies(1, request(1, "pm_card_refundFail")), REFUND_PART),
        rules=REAL_KEYS,
        time_jumps=(4.0,),
    ),
    Scenario(
        "two refunds, enough money for one, a day passes",
        (*copies(1, VISA), REFUND_MOST, OTHER_REFUND),
        rules=REAL_KEYS,
        time_jumps=(DAY_PASSES,),
        in_slice=False,
    ),
    Scenario(
        "one refund, sent twice, a day passes",
        (*copies(1, VISA), REFUND_PART, replace(REFUND_PART, number=22)),
        rules=REAL_KEYS,
        time_jumps=(DAY_PASSES,),
        in_slice=False,
    ),
)


def larger(scenarios: Iterable[Scenario]) -> Iterable[Scenario]:
    """Each scenario with one fault more, and with one thread more."""
    for each in scenarios:
        yield replace(each, name=f"{each.name}, one fault more", faults=each.faults + 1)
        yield replace(each, name=f"{each.name}, one replica more", threads=each.threads + 1)
