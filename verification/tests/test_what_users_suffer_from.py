"""What users of other payment systems suffered from, as specifications of ours.

Each is a public thread of theirs (project and number), told in our words, on the real services, a
real PostgreSQL and the sandbox; the processor's ledger says what happened to money. Three of them
are proven elsewhere, with what they need: webhooks that are dropped, doubled, late or out of order
(frappe/payments#240, dj-stripe#1239) in payment/tests and `make chaos`; events that are lost
(hyperswitch#3408) in payment/tests/integration/test_api_watching.py and test_events_survive.py; a
stand-in that forgets (stripe-mock#19) in sandbox/tests.
"""

import time
import uuid

import pytest
from grpc import StatusCode
from oncepay.customer.v1 import customer_service_pb2 as customers_pb
from oncepay.payment.v1 import payment_service_pb2 as pb
from oncepay.payment.v1.payment_pb2 import Money, Payment, Refund

from oncepay_cli.local import passwords
from oncepay_cli.local.installation import Installation
from oncepay_cli.local.postgresql import PostgreSQL
from verification.shop import Answer, Shop, a_request_id, answered, at_once

LOSE_CONFIRMS = {"kind": "lose_reply", "match": "/confirm$", "times": None}
NO_LOOKING = {"kind": "refuse", "match": "GET /v1/payment_intents", "times": None, "status": 503}


@pytest.fixture(scope="module")
def shop(house: Installation) -> Shop:
    return Shop(house)


def refunded(answers: list[Answer]) -> list[str]:
    return sorted(each.reason or "REFUNDED" for each in answers)


def a_refund(payment: Payment, minor_units: int) -> pb.CreateRefundRequest:
    amount = Money(minor_units=minor_units, currency_code="EUR")
    return pb.CreateRefundRequest(
        parent=payment.name, refund=Refund(amount=amount), request_id=a_request_id()
    )


def test_two_refunds_of_60_at_once_on_100_do_not_both_succeed(shop: Shop) -> None:
    """juspay/hyperswitch#13182: both did, and 120 of 100 went back."""
    payment = shop.pay()
    answers = at_once(shop.payments.CreateRefund, [a_refund(payment, 6_000) for _ in range(2)])
    assert refunded(answers) == ["AMOUNT_TOO_LARGE", "REFUNDED"]
    assert shop.moved(payment) == {"captured": [10_000], "refunded": [6_000]}


@pytest.mark.parametrize("minor_units", [-1, 0])
def test_a_refund_of_nothing_or_less_is_refused(shop: Shop, minor_units: int) -> None:
    """juspay/hyperswitch#11491: a negative refund passed."""
    payment = shop.pay()
    assert shop.refund(payment, minor_units).code is StatusCode.INVALID_ARGUMENT
    assert "refunded" not in shop.moved(payment)


def test_a_request_that_is_sent_again_and_again_charges_once(shop: Shop) -> None:
    """akash-network/console#3449: retries came with fresh keys, and charged two and three times."""
    creation = shop.creation()
    with shop.trouble(LOSE_CONFIRMS):
        answers = at_once(shop.payments.CreatePayment, [creation] * 8)
    answers += at_once(shop.payments.CreatePayment, [creation] * 2)
    names = {each.reply.name for each in answers if each.reply}
    assert len(names) == 1
    payment = shop.at_the_end(Payment(name=names.pop()))
    assert payment.state == Payment.SUCCEEDED
    assert shop.moved(payment) == {"captured": [10_000]}


def test_a_shop_that_makes_a_new_request_id_for_each_try_charges_once_by_its_reference(
    shop: Shop,
) -> None:
    """square/square-mcp-server#31, stripe/ai#402: a key that is not kept before the call is another
    one at the next try.
    """
    order = f"order-{uuid.uuid4()}"
    tries = [shop.creation(reference=order) for _ in range(6)]
    answers = at_once(shop.payments.CreatePayment, tries)
    taken = [each.reply for each in answers if each.reply]
    assert len(taken) == 1
    assert {each.reason for each in answers if not each.reply} == {"REFERENCE_TAKEN"}
    assert shop.moved(*taken) == {"captured": [10_000]}


def test_a_payment_is_captured_once_whoever_captures_it_at_the_same_time(shop: Shop) -> None:
    """medusajs/medusa#13301: a webhook and a call raced, and one order in twenty was captured twice."""
    payment = shop.pay(capture_method=Payment.MANUAL)
    assert payment.state == Payment.AUTHORIZED
    captures = [
        pb.CapturePaymentRequest(name=payment.name, request_id=a_request_id()) for _ in range(6)
    ]
    answers = at_once(shop.payments.CapturePayment, captures)
    assert sum(each.code is StatusCode.OK for each in answers) == 1
    assert {each.reason for each in answers if not each.reply} == {"PAYMENT_STATE"}
    assert shop.at_the_end(payment).amount_captured.minor_units == 10_000
    assert shop.moved(payment)["captured"] == [10_000]


def test_a_refund_whose_answer_is_lost_is_made_once_however_often_it_is_asked_for(
    shop: Shop,
) -> None:
    """saleor/apps#2446, ai-shifu#2901: the refund was sent before anything was kept, and again."""
    payment, request_id = shop.pay(), a_request_id()
    with shop.trouble({"kind": "lose_reply", "match": "POST /v1/refunds$", "times": None}):
        answers = [shop.refund(payment, 2_500, request_id) for _ in range(3)]
        assert {each.reply.state for each in answers} == {Refund.PENDING}
    assert len({each.reply.name for each in answers}) == 1
    until = time.monotonic() + 60
    while shop.refund(payment, 2_500, request_id).reply.state != Refund.SUCCEEDED:
        assert time.monotonic() < until
        time.sleep(0.2)
    assert shop.moved(payment)["refunded"] == [2_500]


def test_who_makes_the_request_id_is_said_by_the_refusal_of_a_request_without_one(
    shop: Shop,
) -> None:
    """saleor#14926, saleor-docs#1053: users did not know who makes the key, or when a new one."""
    creation = shop.creation()
    creation.ClearField("request_id")
    refused = answered(shop.payments.CreatePayment, creation)
    assert (refused.code, refused.fields) == (StatusCode.INVALID_ARGUMENT, ("request_id",))
    payment = shop.pay(request_id := a_request_id())
    other = answered(
        shop.payments.CreatePayment,
        shop.creation(request_id, amount=Money(minor_units=1, currency_code="EUR")),
    )
    assert (other.code, other.reason) == (StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")
    assert shop.moved(payment) == {"captured": [10_000]}


def test_what_is_not_known_is_never_called_failed(shop: Shop) -> None:
    """juspay/hyperswitch#2380, #3675: what got no answer was FAILED after some tries, and charged."""
    with shop.trouble(LOSE_CONFIRMS, NO_LOOKING):
        payment = shop.pay()
        for _ in range(20):  # some looks of recovery go by
            assert shop.get(payment).state == Payment.PROCESSING
            time.sleep(0.1)
        assert shop.moved(payment) == {"captured": [10_000]}, "it was charged all the while"
    assert shop.at_the_end(payment).state == Payment.SUCCEEDED


def test_nothing_is_stuck_that_nobody_asks_for(shop: Shop) -> None:
    """antiwork/gumroad#3814: 34 payouts, the oldest for more than a year."""
    with shop.trouble(LOSE_CONFIRMS):
        payments = [
            each.reply
            for each in at_once(shop.payments.CreatePayment, [shop.creation() for _ in range(10)])
        ]
    assert {shop.at_the_end(each).state for each in payments} == {Payment.SUCCEEDED}
    assert shop.moved(*payments) == {"captured": [10_000] * 10}


def test_a_payment_that_waits_for_its_customer_can_be_called_off(shop: Shop) -> None:
    """getlago/lago-api#3870: 3D Secure that was broken off stayed pending for ever."""
    payment = shop.pay(
        payment_method="pm_card_threeDSecure2Required", return_url="https://shop.example/back"
    )
    assert payment.state == Payment.REQUIRES_ACTION
    assert payment.next_action.redirect_url
    shop.payments.CancelPayment(
        pb.CancelPaymentRequest(name=payment.name, request_id=a_request_id())
    )
    assert shop.at_the_end(payment).state == Payment.CANCELED
    assert shop.moved(payment) == {}


def test_an_action_that_nobody_takes_ends_by_itself(shop: Shop, house: Installation) -> None:
    """worldmonitor#4440, adyen-magento2#1986: abandoned 3D Secure, and orders that waited on."""
    payment = shop.pay(
        payment_method="pm_card_threeDSecure2Required", return_url="https://shop.example/back"
    )
    database(house).run(
        """
        SET session_replication_role = replica;  -- past the triggers: time is what is turned here
        UPDATE payments SET action_by = now() - interval '1 second', due_time = now()
         WHERE id = :'payment'
        """,
        "payment",
        payment=payment.name.removeprefix("payments/"),
    )
    assert shop.at_the_end(payment).state == Payment.CANCELED
    assert shop.moved(payment) == {}


def test_callers_who_insist_and_recovery_do_not_get_in_each_others_way(shop: Shop) -> None:
    """killbill#338: two ways of mending a payment had no lock between them, and doubled it."""
    creation = shop.creation()
    cancel = {"request_id": a_request_id()}
    with shop.trouble(LOSE_CONFIRMS, NO_LOOKING):
        payment = shop.payments.CreatePayment(creation)
    for _ in range(5):
        at_once(shop.payments.CreatePayment, [creation] * 4)
        answered(shop.payments.CancelPayment, pb.CancelPaymentRequest(name=payment.name, **cancel))
    ended = shop.at_the_end(payment)
    assert ended.state == Payment.SUCCEEDED, "it was charged before it was called off"
    assert shop.moved(payment) == {"captured": [10_000]}


def test_what_is_told_is_what_is(shop: Shop) -> None:
    """juspay/hyperswitch#9278: what was sent out told of a state that was over."""
    payments = [
        shop.pay(),
        shop.pay(payment_method="pm_card_visa_chargeDeclined"),
        shop.pay(capture_method=Payment.MANUAL),
    ]
    for each in payments:
        told = shop.events(each)
        assert [event.sequence for event in told] == [*range(1, len(told) + 1)]
        assert told[-1].state == shop.get(each).state


@pytest.mark.parametrize(
    ("currency_code", "minor_units", "at_the_processor"),
    [("EUR", 500, 500), ("JPY", 500, 500), ("KWD", 5_000, 5_000), ("ISK", 500, 50_000)],
)
def test_an_amount_is_what_it_is_in_every_currency(
    shop: Shop, currency_code: str, minor_units: int, at_the_processor: int
) -> None:
    """Paymenter#1258, Dolibarr#37650, vendure#1630 and others: yen were charged a hundredfold.
    The processor counts the krona in hundredths, which do not exist; nobody else does.
    """
    amount = Money(minor_units=minor_units, currency_code=currency_code)
    payment = shop.pay(amount=amount)
    assert (payment.state, payment.amount_captured) == (Payment.SUCCEEDED, amount)
    assert shop.moved(payment) == {"captured": [at_the_processor]}


def test_an_erased_customer_leaves_payments_whole_and_nothing_personal(
    shop: Shop, house: Installation
) -> None:
    """EDD#5707: erasing broke the records of payments; PageSpace#910: the processor kept the customer."""
    customer = Shop(house)
    payment = customer.pay()
    customer.customers.EraseCustomer(customers_pb.EraseCustomerRequest(name=customer.customer))
    assert customer.refund(payment, 10_000).reply.state == Refund.SUCCEEDED
    assert customer.get(payment).customer == customer.customer
    assert customer.email not in database(house).run("TABLE payments", "payment")
    kept = [path for path in house.paths.sandbox.rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if customer.email.encode() in path.read_bytes()]


def database(house: Installation) -> PostgreSQL:
    """The house's PostgreSQL, for what is done or looked at past the services."""
    return PostgreSQL(
        data=house.paths.postgresql,
        log=house.paths.logs / "postgresql.log",
        port=house.ports.postgresql,
        password=passwords.read(house.paths.secrets, passwords.SUPERUSER),
    )
