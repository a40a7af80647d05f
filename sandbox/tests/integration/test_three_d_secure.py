"""3D Secure from end to end: the next action, the page, the answer, the redirect."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from .conftest import Client, Running

RETURN_URL = "https://shop.example/order?number=7"


async def secured(client: Client, card: str = "pm_card_threeDSecure2Required", **given: Any) -> Any:
    intent = await client.create(card, **given)
    return await client.confirm(intent.id, return_url=RETURN_URL)


async def submit(web: aiohttp.ClientSession, url: str, answer: str) -> tuple[int, str]:
    async with web.post(
        urlsplit(url).path, data={"answer": answer}, allow_redirects=False
    ) as reply:
        return reply.status, reply.headers.get("Location", "")


async def test_with_a_return_url_the_next_action_is_a_redirect_to_the_page(
    client: Client, server: Running
) -> None:
    intent = await secured(client)
    assert intent.status == "requires_action"
    assert intent.next_action.type == "redirect_to_url"
    assert intent.next_action.redirect_to_url.url.startswith(f"{server.url}/3ds/")
    assert intent.next_action.redirect_to_url.return_url == RETURN_URL


async def test_without_a_return_url_the_next_action_has_no_redirect(client: Client) -> None:
    intent = await client.pay("pm_card_threeDSecure2Required")
    assert intent.next_action.type == "use_stripe_sdk"
    assert intent.next_action.to_dict().get("redirect_to_url") is None


async def test_the_page_shows_amount_card_and_two_buttons(
    client: Client, web: aiohttp.ClientSession
) -> None:
    url = (await secured(client, amount=123456)).next_action.redirect_to_url.url
    async with web.get(urlsplit(url).path) as reply:
        page = await reply.text()
    assert "1,234.56 USD" in page
    assert "3220" in page
    assert page.count("<button") == 2


@pytest.mark.parametrize(
    ("answer", "status", "redirect_status"),
    [("approve", "succeeded", "succeeded"), ("decline", "requires_payment_method", "failed")],
)
async def test_the_payer_is_redirected_to_the_return_url_with_stripes_parameters(
    client: Client, web: aiohttp.ClientSession, answer: str, status: str, redirect_status: str
) -> None:
    intent = await secured(client)
    code, location = await submit(web, intent.next_action.redirect_to_url.url, answer)
    query = parse_qs(urlsplit(location).query)
    assert code == 303
    assert location.startswith("https://shop.example/order?")
    assert query["number"] == ["7"], "the query of the return_url is kept"
    assert query["payment_intent"] == [intent.id]
    assert query["payment_intent_client_secret"] == [intent.client_secret]
    assert query["redirect_status"] == [redirect_status]
    assert (await client.intents.retrieve_async(intent.id)).status == status


async def test_declining_is_an_authentication_failure_without_a_charge(
    client: Client, web: aiohttp.ClientSession
) -> None:
    intent = await secured(client)
    await submit(web, intent.next_action.redirect_to_url.url, "decline")
    after = await client.intents.retrieve_async(intent.id)
    assert after.last_payment_error.code == "payment_intent_authentication_failure"
    assert after.latest_charge is None


async def test_approving_twice_charges_once(
    client: Client, web: aiohttp.ClientSession, server: Running
) -> None:
    url = (await secured(client)).next_action.redirect_to_url.url
    first, second = await submit(web, url, "approve"), await submit(web, url, "approve")
    assert first == second
    assert len(server.sandbox.world.movements) == 1


@pytest.mark.parametrize("path", ["/3ds/pi_nobody", "/3ds/%3Cscript%3E"])
async def test_the_page_of_an_unknown_intent_is_a_404_without_markup_of_the_id(
    web: aiohttp.ClientSession, path: str
) -> None:
    async with web.get(path) as reply:
        assert reply.status == 404
        assert "<script>" not in await reply.text()


async def test_an_unknown_answer_is_rejected_and_changes_nothing(
    client: Client, web: aiohttp.ClientSession
) -> None:
    intent = await secured(client)
    code, _ = await submit(web, intent.next_action.redirect_to_url.url, "perhaps")
    assert code == 400
    assert (await client.intents.retrieve_async(intent.id)).status == "requires_action"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://a/\r\nX: y", "/relative"])
async def test_a_return_url_must_be_a_url(client: Client, url: str) -> None:
    intent = await client.create()
    with pytest.raises(Exception, match="Not a valid URL"):
        await client.confirm(intent.id, return_url=url)
