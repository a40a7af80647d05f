"""The two keepers, a frozen World and the server's MutableWorld, give the same answers to the same requests."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

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

UNHURRIED = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
RULES = Rules(key_life=50, hold_life=60, delay=5)
TOKENS = some.sampled_from(
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
intents = some.integers(1, 3).map(lambda number: identifier("pi", "Sandbox", number))
amounts = some.sampled_from([None, 1, 50, 100, 101])
actions = some.one_of(
    some.builds(
        CreateIntent,
        amount=some.just(100),
        currency=some.just("usd"),
        payment_method=TOKENS,
        methods=some.sampled_from(Methods),
        capture_method=some.sampled_from(["automatic", "manual"]),
        metadata=some.sampled_from([(), (("uuid", "1"),)]),
        confirm=some.booleans(),
    ),
    some.builds(ConfirmIntent, intents, payment_method=TOKENS, return_url=some.just("https://a/")),
    some.builds(CaptureIntent, intents, amounts),
    some.builds(CancelIntent, intents),
    some.builds(Authenticate, intents, some.booleans()),
    some.builds(CreateRefund, intents, amounts),
    some.builds(Retrieve, some.just("payment_intent"), intents),
    some.builds(
        List,
        some.sampled_from(["payment_intent", "refund", "event"]),
        limit=some.integers(1, 3),
        starting_after=some.none() | intents,
    ),
    some.just(PassTime()),
)
requests = some.builds(
    Request,
    actions,
    some.sampled_from([None, "a", "b"]),
    some.sampled_from([(), (), ("latest_charge",)]),
    failure=some.sampled_from([None, None, *InjectedFailure]),
)
Story = list[tuple[Request, int]]
stories = some.lists(some.tuples(requests, some.integers(0, 40)), max_size=30)


@given(stories)
@UNHURRIED
def test_a_world_and_the_books_answer_alike_and_keep_the_same(story: Story) -> None:
    world, books, now = World(rules=RULES), MutableWorld("Sandbox", RULES), 1000
    for request, seconds in story:
        now += seconds
        world, expected = transition(world, request, now)
        _, answer = transition(books, request, now)
        assert answer == expected
    assert tuple(books.movements) == world.movements
    assert tuple(reversed(list(books.newest("event", None)))) == world.events
    assert tuple(reversed(list(books.newest("payment_intent", None)))) == world.intents


@given(stories)
@UNHURRIED
def test_money_adds_up_whatever_is_asked(story: Story) -> None:
    world, now = World(rules=RULES), 1000
    for request, seconds in story:
        now += seconds
        world, _ = transition(world, request, now)
    for intent in world.intents:
        moved = dict.fromkeys(("authorized", "captured", "released", "refunded", "returned"), 0)
        for movement in world.movements:
            if movement.intent == intent.id:
                moved[movement.kind] += movement.amount
        assert moved["captured"] == intent.amount_received <= intent.amount
        if moved["authorized"]:
            held = moved["authorized"] - moved["captured"] - moved["released"]
            assert held == intent.amount_capturable
        assert 0 <= moved["refunded"] - moved["returned"] <= moved["captured"]
        if intent.status.value == "canceled":
            assert moved["captured"] == 0
            assert intent.amount_capturable == 0


@given(requests)
@UNHURRIED
def test_a_request_comes_back_from_the_ledger_as_it_was(request_: Request) -> None:
    back, at = decode_request(encode_request(request_, 7))
    reads = isinstance(request_.action, (Retrieve, List, PassTime))
    assert back == (Request(PassTime()) if reads else request_)
    assert at == 7
