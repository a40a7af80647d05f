"""Properties of any sequence of requests, on the immutable World and on the server's MutableWorld."""

from hypothesis import given
from hypothesis import strategies as st

from sandbox.actions import (
    Authenticate,
    CancelIntent,
    CaptureIntent,
    ConfirmIntent,
    CreateIntent,
    CreateRefund,
    InjectedFailure,
    List,
    PassTime,
    Request,
    Retrieve,
)
from sandbox.codec import decode_request, encode_request
from sandbox.mutable_world import MutableWorld
from sandbox.objects import Methods
from sandbox.transition import transition
from sandbox.world import Rules, World, identifier

RULES = Rules(key_life=50, hold_life=60, delay=5)
TOKENS = st.sampled_from(
    [
        None,
        "pm_card_visa",
        "pm_card_chargeDeclined",
        "pm_card_authenticationRequired",
        "pm_card_refundFail",
        "pm_card_pendingRefund",
        "pm_sandbox_processing",
        "pm_nobody",
    ]
)
intents = st.integers(1, 3).map(lambda number: identifier("pi", "Sandbox", number))
amounts = st.sampled_from([None, 1, 50, 100, 101])
actions = st.one_of(
    st.builds(
        CreateIntent,
        amount=st.just(100),
        currency=st.just("usd"),
        payment_method=TOKENS,
        methods=st.sampled_from(Methods),
        capture_method=st.sampled_from(["automatic", "manual"]),
        metadata=st.sampled_from([(), (("uuid", "1"),)]),
        confirm=st.booleans(),
    ),
    st.builds(ConfirmIntent, intents, payment_method=TOKENS, return_url=st.just("https://a/")),
    st.builds(CaptureIntent, intents, amounts),
    st.builds(CancelIntent, intents),
    st.builds(Authenticate, intents, st.booleans()),
    st.builds(CreateRefund, intents, amounts),
    st.builds(Retrieve, st.just("payment_intent"), intents),
    st.builds(
        List,
        st.sampled_from(["payment_intent", "refund", "event"]),
        limit=st.integers(1, 3),
        starting_after=st.none() | intents,
    ),
    st.just(PassTime()),
)
requests = st.builds(
    Request,
    actions,
    st.sampled_from([None, "a", "b"]),
    st.sampled_from([(), (), ("latest_charge",)]),
    failure=st.sampled_from([None, None, *InjectedFailure]),
)
Requests = list[tuple[Request, int]]
"""Requests, each with the seconds since the one before."""
sequences = st.lists(st.tuples(requests, st.integers(0, 40)), max_size=30)


@given(sequences)
def test_both_states_give_the_same_answers_and_objects(sequence: Requests) -> None:
    world, mutable, now = World(rules=RULES), MutableWorld("Sandbox", RULES), 1000
    for request, seconds in sequence:
        now += seconds
        world, expected = transition(world, request, now)
        _, answer = transition(mutable, request, now)
        assert answer == expected
    assert tuple(mutable.movements) == world.movements
    assert tuple(reversed(list(mutable.newest("event", None)))) == world.events
    assert tuple(reversed(list(mutable.newest("payment_intent", None)))) == world.intents


@given(sequences)
def test_movements_agree_with_the_intents_after_any_requests(sequence: Requests) -> None:
    world, now = World(rules=RULES), 1000
    for request, seconds in sequence:
        now += seconds
        world, _ = transition(world, request, now)
    for intent in world.intents:
        sums = dict.fromkeys(("authorized", "captured", "released", "refunded", "returned"), 0)
        for movement in world.movements:
            if movement.intent == intent.id:
                sums[movement.kind] += movement.amount
        assert sums["captured"] == intent.amount_received <= intent.amount
        if sums["authorized"]:
            authorized = sums["authorized"] - sums["captured"] - sums["released"]
            assert authorized == intent.amount_capturable
        assert 0 <= sums["refunded"] - sums["returned"] <= sums["captured"]
        if intent.status.value == "canceled":
            assert sums["captured"] == 0
            assert intent.amount_capturable == 0


@given(requests)
def test_a_request_is_decoded_as_it_was_encoded(request_: Request) -> None:
    decoded, at = decode_request(encode_request(request_, 7))
    is_read = isinstance(request_.action, (Retrieve, List, PassTime))
    assert decoded == (Request(PassTime()) if is_read else request_)
    assert at == 7
