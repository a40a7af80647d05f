"""What users of other payment systems reported, as specifications of ours.

Each is a public issue of theirs (project and number), told in our words, on the real services, a
real PostgreSQL and the sandbox; the processor's ledger says what happened to money. Three of them
are proven elsewhere, with what they need: webhooks that are dropped, doubled, late or out of order
(frappe/payments#240, dj-stripe#1239) in payment/tests and `make chaos`; events that are lost
(hyperswitch#3408) in payment/tests/integration/test_api_watching.py and
test_event_stream_survives_crashes.py; a sandbox that forgets (stripe-mock#19) in sandbox/tests.
"""

import time
import uuid

import pytest
from grpc import StatusCode
from oncepay.customer.v1 import customer_service_pb2 as customers_pb
from oncepay.payment.v1 import payment_service_pb2 as pb
from oncepay.payment.v1.payment_pb2 import Money, Payment, Refund

from oncepay_cli.local.installation import Installation
from verification.client import (
    Answer,
    Client,
    call,
    call_concurrently,
    new_request_id,
    refund_request,
)
from verification.local_stack import postgresql
from verification.waiting import wait_until

LOSE_CONFIRMS = {"kind": "lose_reply", "match": "/confirm$", "times": None}
REFUSE_READS = {"kind": "refuse", "match": "GET /v1/payment_intents", "times": None, "status": 503}


@pytest.fixture(scope="module")
def client(stack: Installation) -> Client:
    return Client(stack.ports)


def outcomes(answers: list[Answer]) -> list[str]:
    return sorted(answer.reason or "REFUNDED" for answer in answers)


def three_d_secure_payment(client: Client) -> Payment:
    payment = client.pay(
        payment_method="pm_card_threeDSecure2Required", return_url="https://shop.example/back"
    )
    assert payment.state == Payment.REQUIRES_ACTION
    assert payment.next_action.redirect_url
    return payment


def test_two_refunds_of_60_at_once_on_100_do_not_both_succeed(client: Client) -> None:
    """juspay/hyperswitch#13182: both did, and 120 of 100 went back."""
    payment = client.pay()
    answers = call_concurrently(
        client.payments.CreateRefund, [refund_request(payment, 6_000) for _ in range(2)]
    )
    assert outcomes(answers) == ["AMOUNT_TOO_LARGE", "REFUNDED"]
    assert client.money_moved(payment) == {"captured": [10_000], "refunded": [6_000]}


@pytest.mark.parametrize("minor_units", [-1, 0])
def test_a_refund_of_nothing_or_less_is_refused(client: Client, minor_units: int) -> None:
    """juspay/hyperswitch#11491: a negative refund passed."""
    payment = client.pay()
    assert client.refund(payment, minor_units).code is StatusCode.INVALID_ARGUMENT
    assert "refunded" not in client.money_moved(payment)


def test_a_repeated_request_charges_once(client: Client) -> None:
    """akash-network/console#3449: retries came with fresh keys, and charged two and three times."""
    request = client.payment_request()
    with client.processor_faults(LOSE_CONFIRMS):
        answers = call_concurrently(client.payments.CreatePayment, [request] * 8)
    answers += call_concurrently(client.payments.CreatePayment, [request] * 2)
    names = {answer.reply.name for answer in answers if answer.reply}
    assert len(names) == 1
    payment = client.wait_until_final(Payment(name=names.pop()))
    assert payment.state == Payment.SUCCEEDED
    assert client.money_moved(payment) == {"captured": [10_000]}


def test_a_merchant_that_makes_a_new_request_id_for_each_try_charges_once_by_its_reference(
    client: Client,
) -> None:
    """square/square-mcp-server#31, stripe/ai#402: a key that is not kept before the call is another
    one at the next try.
    """
    order = f"order-{uuid.uuid4()}"
    requests = [client.payment_request(reference=order) for _ in range(6)]
    answers = call_concurrently(client.payments.CreatePayment, requests)
    taken = [answer.reply for answer in answers if answer.reply]
    assert len(taken) == 1
    assert {answer.reason for answer in answers if not answer.reply} == {"REFERENCE_TAKEN"}
    assert client.money_moved(*taken) == {"captured": [10_000]}


def test_a_payment_is_captured_once_by_concurrent_requests(client: Client) -> None:
    """medusajs/medusa#13301: a webhook and a call raced, and one order in twenty was captured twice."""
    payment = client.pay(capture_method=Payment.MANUAL)
    assert payment.state == Payment.AUTHORIZED
    captures = [
        pb.CapturePaymentRequest(name=payment.name, request_id=new_request_id()) for _ in range(6)
    ]
    answers = call_concurrently(client.payments.CapturePayment, captures)
    assert sum(answer.code is StatusCode.OK for answer in answers) == 1
    assert {answer.reason for answer in answers if not answer.reply} == {"PAYMENT_STATE"}
    assert client.wait_until_final(payment).amount_captured.minor_units == 10_000
    assert client.money_moved(payment)["captured"] == [10_000]


def test_a_refund_whose_answer_is_lost_is_paid_out_once_however_often_it_is_repeated(
    client: Client,
) -> None:
    """saleor/apps#2446, ai-shifu#2901: the refund was sent before anything was kept, and again."""
    payment, request_id = client.pay(), new_request_id()
    with client.processor_faults(
        {"kind": "lose_reply", "match": "POST /v1/refunds$", "times": None}
    ):
        answers = [client.refund(payment, 2_500, request_id) for _ in range(3)]
        assert {answer.reply.state for answer in answers} == {Refund.PENDING}
    assert len({answer.reply.name for answer in answers}) == 1
    wait_until(
        lambda: client.refund(payment, 2_500, request_id).reply.state == Refund.SUCCEEDED,
        "the refund is stuck",
    )
    assert client.money_moved(payment)["refunded"] == [2_500]


def test_a_request_without_request_id_or_with_another_payments_is_refused_by_name(
    client: Client,
) -> None:
    """saleor#14926, saleor-docs#1053: users did not know who makes the key, or when a new one."""
    request = client.payment_request()
    request.ClearField("request_id")
    refused = call(client.payments.CreatePayment, request)
    assert (refused.code, refused.fields) == (StatusCode.INVALID_ARGUMENT, ("request_id",))
    payment = client.pay(request_id := new_request_id())
    other = call(
        client.payments.CreatePayment,
        client.payment_request(request_id, amount=Money(minor_units=1, currency_code="EUR")),
    )
    assert (other.code, other.reason) == (StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")
    assert client.money_moved(payment) == {"captured": [10_000]}


def test_an_unknown_outcome_is_processing_and_never_failed(client: Client) -> None:
    """juspay/hyperswitch#2380, #3675: what got no answer was FAILED after some tries, and charged."""
    with client.processor_faults(LOSE_CONFIRMS, REFUSE_READS):
        payment = client.pay()
        for _ in range(20):  # recovery retries meanwhile
            assert client.get(payment).state == Payment.PROCESSING
            time.sleep(0.1)
        assert client.money_moved(payment) == {"captured": [10_000]}, "it was charged all the while"
    assert client.wait_until_final(payment).state == Payment.SUCCEEDED


def test_payments_whose_callers_left_become_final_by_themselves(client: Client) -> None:
    """antiwork/gumroad#3814: 34 payouts, the oldest for more than a year."""
    with client.processor_faults(LOSE_CONFIRMS):
        payments = [
            answer.reply
            for answer in call_concurrently(
                client.payments.CreatePayment, [client.payment_request() for _ in range(10)]
            )
        ]
    assert {client.wait_until_final(each).state for each in payments} == {Payment.SUCCEEDED}
    assert client.money_moved(*payments) == {"captured": [10_000] * 10}


def test_a_payment_that_waits_for_3d_secure_can_be_canceled(client: Client) -> None:
    """getlago/lago-api#3870: abandoned 3D Secure stayed pending for ever."""
    payment = three_d_secure_payment(client)
    cancel = pb.CancelPaymentRequest(name=payment.name, request_id=new_request_id())
    assert call(client.payments.CancelPayment, cancel).code is StatusCode.OK
    assert client.wait_until_final(payment).state == Payment.CANCELED
    assert client.money_moved(payment) == {}


def test_abandoned_3d_secure_is_canceled_by_itself(client: Client, stack: Installation) -> None:
    """worldmonitor#4440, adyen-magento2#1986: abandoned 3D Secure, and orders that waited on."""
    payment = three_d_secure_payment(client)
    postgresql(stack.paths, stack.ports.postgresql).run(
        """
        SET session_replication_role = replica;  -- past the triggers: the test advances time
        UPDATE payments SET action_by = now() - interval '1 second', due_time = now()
         WHERE id = :'payment'
        """,
        "payment",
        payment=payment.name.removeprefix("payments/"),
    )
    assert client.wait_until_final(payment).state == Payment.CANCELED
    assert client.money_moved(payment) == {}


def test_repeated_requests_and_recovery_do_not_interfere(client: Client) -> None:
    """killbill#338: two ways of repairing a payment had no lock between them, and doubled it."""
    request = client.payment_request()
    cancel = {"request_id": new_request_id()}
    with client.processor_faults(LOSE_CONFIRMS, REFUSE_READS):
        payment = call(client.payments.CreatePayment, request).reply
    for _ in range(5):
        call_concurrently(client.payments.CreatePayment, [request] * 4)
        call(client.payments.CancelPayment, pb.CancelPaymentRequest(name=payment.name, **cancel))
    ended = client.wait_until_final(payment)
    assert ended.state == Payment.SUCCEEDED, "it was charged before it was canceled"
    assert client.money_moved(payment) == {"captured": [10_000]}


def test_the_last_event_has_the_payments_state(client: Client) -> None:
    """juspay/hyperswitch#9278: webhooks told of a state that was over."""
    payments = [
        client.pay(),
        client.pay(payment_method="pm_card_visa_chargeDeclined"),
        client.pay(capture_method=Payment.MANUAL),
    ]
    for each in payments:
        events = client.events(each)
        assert [event.sequence for event in events] == [*range(1, len(events) + 1)]
        assert events[-1].state == client.get(each).state


@pytest.mark.parametrize(
    ("currency_code", "minor_units", "at_the_processor"),
    [("EUR", 500, 500), ("JPY", 500, 500), ("KWD", 5_000, 5_000), ("ISK", 500, 50_000)],
)
def test_an_amount_is_charged_exactly_in_every_currency(
    client: Client, currency_code: str, minor_units: int, at_the_processor: int
) -> None:
    """Paymenter#1258, Dolibarr#37650, vendure#1630 and others: yen were charged a hundredfold.
    The processor counts the krona in hundredths, which do not exist; nobody else does.
    """
    amount = Money(minor_units=minor_units, currency_code=currency_code)
    payment = client.pay(amount=amount)
    assert (payment.state, payment.amount_captured) == (Payment.SUCCEEDED, amount)
    assert client.money_moved(payment) == {"captured": [at_the_processor]}


def test_an_erased_customer_leaves_payments_whole_and_no_personal_data(
    stack: Installation,
) -> None:
    """EDD#5707: erasing broke the records of payments; PageSpace#910: the processor kept the customer."""
    erased = Client(stack.ports)
    payment = erased.pay()
    erased.customers.EraseCustomer(customers_pb.EraseCustomerRequest(name=erased.customer))
    assert erased.refund(payment, 10_000).reply.state == Refund.SUCCEEDED
    assert erased.get(payment).customer == erased.customer
    database = postgresql(stack.paths, stack.ports.postgresql)
    assert erased.email not in database.run("TABLE payments", "payment")
    kept = [path for path in stack.paths.sandbox.rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if erased.email.encode() in path.read_bytes()]
