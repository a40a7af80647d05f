"""The API through the official `stripe` library: objects, classes of errors, headers, lists."""

import asyncio
import json
from collections.abc import Awaitable
from typing import Any

import aiohttp
import pytest
import stripe

from sandbox.rendering import API_VERSION

from .conftest import Client, OpenLibrary, Running


async def error_of(kind: type[stripe.StripeError], coroutine: Awaitable[object]) -> Any:
    with pytest.raises(kind) as caught:
        await coroutine
    return caught.value


async def test_an_intent_is_created_confirmed_and_retrieved(client: Client) -> None:
    intent = await client.create(metadata={"uuid": "1"}, description="Two books")
    assert (intent.status, intent.amount, intent.currency) == ("requires_confirmation", 1099, "usd")
    assert intent.metadata["uuid"] == "1"
    paid = await client.confirm(intent.id)
    assert (paid.status, paid.amount_received) == ("succeeded", 1099)
    read = await client.intents.retrieve_async(intent.id)
    assert read.to_dict() == paid.to_dict()


async def test_the_charge_is_an_id_and_an_object_where_expanded(client: Client) -> None:
    intent = await client.pay(capture_method="manual")
    assert intent.latest_charge.startswith("ch_")
    read = await client.intents.retrieve_async(intent.id, {"expand": ["latest_charge"]})
    assert read.latest_charge.id == intent.latest_charge
    assert read.latest_charge.payment_method_details.card.capture_before > read.created
    listed = await client.intents.list_async({"expand": ["data.latest_charge"]})
    assert listed.data[0].latest_charge.id == intent.latest_charge


async def test_the_payment_method_has_an_id_that_differs_from_its_token(client: Client) -> None:
    intent = await client.create("pm_card_mastercard")
    assert intent.payment_method != "pm_card_mastercard"
    method = await client.library.v1.payment_methods.retrieve_async(intent.payment_method)
    assert (method.id, method.card.brand) == (intent.payment_method, "mastercard")


async def test_an_authorization_is_captured_in_part_and_refunded_within_it(client: Client) -> None:
    held = await client.pay(capture_method="manual")
    assert (held.status, held.amount_capturable) == ("requires_capture", 1099)
    taken = await client.intents.capture_async(held.id, {"amount_to_capture": 1000})
    assert (taken.status, taken.amount_received) == ("succeeded", 1000)
    refund = await client.refund(held.id, amount=400, reason="duplicate", metadata={"refund": "r"})
    assert (refund.status, refund.amount, refund.reason) == ("succeeded", 400, "duplicate")
    assert refund.metadata["refund"] == "r"
    error = await error_of(stripe.InvalidRequestError, client.refund(held.id, amount=601))
    assert error.param == "amount"
    listed = await client.refunds.list_async({"payment_intent": held.id})
    assert [item.id for item in listed.data] == [refund.id]


async def test_a_decline_is_a_card_error_that_contains_the_intent(client: Client) -> None:
    intent = await client.create("pm_card_visa_chargeDeclinedInsufficientFunds")
    error = await error_of(stripe.CardError, client.confirm(intent.id))
    assert (error.http_status, error.code) == (402, "card_declined")
    assert error.error.decline_code == "insufficient_funds"
    assert error.error.payment_intent.status == "requires_payment_method"
    assert error.error.payment_intent.last_payment_error.code == "card_declined"


async def test_an_unexpected_state_is_an_error_that_contains_the_intent(client: Client) -> None:
    intent = await client.pay()
    error = await error_of(stripe.InvalidRequestError, client.intents.cancel_async(intent.id))
    assert (error.http_status, error.code) == (400, "payment_intent_unexpected_state")
    assert error.error.payment_intent.id == intent.id


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"amount": None}, "parameter_missing", "amount"),
        ({"amount": "ten"}, "parameter_invalid_integer", "amount"),
        ({"amount": 0}, "parameter_invalid_integer", "amount"),
        ({"amount": -1}, "parameter_invalid_integer", "amount"),
        ({"amount": 100_000_000}, "amount_too_large", "amount"),
        ({"amount": 1_234, "currency": "kwd"}, None, "amount"),
        ({"amount": 101, "currency": "isk"}, None, "amount"),
        ({"currency": None}, "parameter_missing", "currency"),
        ({"currency": "xyz"}, None, "currency"),
        ({"capture_method": "sometime"}, None, "capture_method"),
        ({"colour": "red"}, "parameter_unknown", "colour"),
        ({"payment_method": "pm_card_nobody"}, "resource_missing", "payment_method"),
        ({"return_url": "not an address", "confirm": True}, "url_invalid", "return_url"),
        ({"metadata": {"k": "v" * 501}}, None, "metadata[k]"),
        ({"metadata": {str(number): "v" for number in range(51)}}, None, "metadata"),
        ({"expand": ["nothing"]}, None, "expand"),
    ],
)
async def test_an_invalid_parameter_is_named_and_nothing_is_created(
    client: Client, server: Running, params: dict[str, Any], code: str | None, param: str
) -> None:
    token = params.pop("payment_method", "pm_card_visa")
    error = await error_of(stripe.InvalidRequestError, client.create(token, **params))
    assert (error.http_status, error.code, error.param) == (400, code, param)
    assert server.sandbox.world.count("payment_intent") == 0


@pytest.mark.parametrize(
    ("amount", "currency"), [(500, "jpy"), (1_230, "kwd"), (500, "isk"), (500, "ugx"), (1, "mga")]
)
async def test_amounts_are_in_stripes_minor_units(
    client: Client, amount: int, currency: str
) -> None:
    intent = await client.create(amount=amount, currency=currency)
    assert (intent.amount, intent.currency) == (amount, currency)


async def test_a_failed_validation_stores_nothing_under_its_key(client: Client) -> None:
    await error_of(stripe.InvalidRequestError, client.create(key="k", amount=0))
    assert (await client.create(key="k")).status == "requires_confirmation"


async def test_a_replay_has_stripes_header_and_the_first_body_byte_for_byte(client: Client) -> None:
    first = await client.create(key="k")
    await client.confirm(first.id)
    again = await client.create(key="k")
    assert again.last_response.body == first.last_response.body
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.last_response.headers


async def test_a_key_with_other_parameters_is_an_idempotency_error(client: Client) -> None:
    await client.create(key="k")
    error = await error_of(stripe.IdempotencyError, client.create(key="k", amount=5))
    assert error.http_status == 400


async def test_an_unknown_id_is_a_404(client: Client) -> None:
    for call in (
        client.intents.retrieve_async("pi_nobody"),
        client.refunds.retrieve_async("re_nobody"),
        client.library.v1.events.retrieve_async("evt_nobody"),
        client.library.v1.payment_methods.retrieve_async("pm_nobody"),
    ):
        error = await error_of(stripe.InvalidRequestError, call)
        assert (error.http_status, error.code) == (404, "resource_missing")


async def test_an_unsupported_path_is_a_404(client: Client) -> None:
    error = await error_of(stripe.InvalidRequestError, client.library.v1.customers.list_async())
    assert error.http_status == 404


async def test_a_live_key_is_rejected_and_not_repeated_in_the_error(
    server: Running, open_library: OpenLibrary
) -> None:
    async with open_library(server.url, key="sk_live_real") as client:
        error = await error_of(
            stripe.AuthenticationError, client.v1.payment_intents.retrieve_async("pi_x")
        )
        assert error.http_status == 401
        assert "sk_live_real" not in str(error)


@pytest.mark.parametrize("header", [None, "Bearer", "Basic ###", "Basic c2tfbGl2ZV94Og=="])
async def test_a_missing_or_malformed_authorization_is_a_401(
    server: Running, header: str | None
) -> None:
    headers = {"Authorization": header} if header else {}
    async with (
        aiohttp.ClientSession(server.url, headers=headers) as web,
        web.get("/v1/payment_intents") as reply,
    ):
        assert reply.status == 401
        assert (await reply.json())["error"]["type"] == "invalid_request_error"


async def test_basic_authentication_with_a_test_key_as_user_works(server: Running) -> None:
    headers = {"Authorization": aiohttp.encode_basic_auth("sk_test_any", "")}
    async with (
        aiohttp.ClientSession(server.url, headers=headers) as web,
        web.get("/v1/payment_intents") as reply,
    ):
        assert (await reply.json())["data"] == []


async def test_every_response_has_stripes_headers(client: Client) -> None:
    first, second = await client.create(), await client.create()
    headers = first.last_response.headers
    assert headers["Request-Id"].startswith("req_")
    assert headers["Request-Id"] != second.last_response.headers["Request-Id"]
    assert headers["Stripe-Version"] == API_VERSION, "the version that the library sent"
    error = await error_of(stripe.InvalidRequestError, client.intents.retrieve_async("pi_nobody"))
    assert error.request_id.startswith("req_")


async def test_auto_paging_returns_every_object_newest_first(client: Client) -> None:
    names = [(await client.create()).id for _ in range(5)]
    read = [
        item.id async for item in (await client.intents.list_async({"limit": 2})).auto_paging_iter()
    ]
    assert read == names[::-1]
    first_created = (await client.intents.retrieve_async(names[0])).created
    assert (await client.intents.list_async({"created": {"gt": first_created + 3600}})).data == []
    assert len((await client.intents.list_async({"created": {"gte": first_created}})).data) == 5


@pytest.mark.parametrize("limit", [0, 101])
async def test_a_page_has_1_to_100_objects(client: Client, limit: int) -> None:
    error = await error_of(stripe.InvalidRequestError, client.intents.list_async({"limit": limit}))
    assert error.param == "limit"


async def test_events_contain_the_object_as_it_was_then(client: Client) -> None:
    intent = await client.pay()
    events = (await client.library.v1.events.list_async()).data
    kinds = [event.type for event in events]
    assert kinds == ["payment_intent.succeeded", "charge.succeeded", "payment_intent.created"]
    assert events[2].data.object["status"] == "requires_confirmation"
    assert events[0].data.object["status"] == "succeeded"
    assert events[1].data.object["payment_intent"] == intent.id
    read = await client.library.v1.events.retrieve_async(events[0].id)
    assert read.to_dict() == events[0].to_dict()


async def test_concurrent_payments_are_each_charged_once(client: Client, server: Running) -> None:
    paid = await asyncio.gather(*(client.pay() for _ in range(50)))
    assert len({intent.id for intent in paid}) == 50
    movements = server.sandbox.world.movements
    assert [(movement.kind, movement.amount) for movement in movements] == [("captured", 1099)] * 50


async def test_an_error_has_stripes_body(web: aiohttp.ClientSession) -> None:
    async with web.post("/v1/payment_intents", data={"amount": "1"}) as reply:
        error = json.loads(await reply.text())["error"]
    assert error == {
        "code": "parameter_missing",
        "doc_url": "https://docs.stripe.com/error-codes/parameter-missing",
        "message": "Missing required param: currency.",
        "param": "currency",
        "type": "invalid_request_error",
    }
