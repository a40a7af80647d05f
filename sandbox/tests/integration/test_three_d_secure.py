"""3D Secure from end to end: the address, the page, the answer, the way back."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from .conftest import Running, Shop

BACK = "https://shop.example/order?number=7"


async def asked(shop: Shop, card: str = "pm_card_threeDSecure2Required", **given: Any) -> Any:
    intent = await shop.create(card, **given)
    return await shop.confirm(intent.id, return_url=BACK)


async def answer(web: aiohttp.ClientSession, url: str, said: str) -> tuple[int, str]:
    async with web.post(urlsplit(url).path, data={"answer": said}, allow_redirects=False) as reply:
        return reply.status, reply.headers.get("Location", "")


async def test_with_a_way_back_there_is_an_address_to_send_the_payer_to(
    shop: Shop, server: Running
) -> None:
    intent = await asked(shop)
    assert intent.status == "requires_action"
    assert intent.next_action.type == "redirect_to_url"
    assert intent.next_action.redirect_to_url.url.startswith(f"{server.url}/3ds/")
    assert intent.next_action.redirect_to_url.return_url == BACK


async def test_without_one_there_is_none(shop: Shop) -> None:
    intent = await shop.pay("pm_card_threeDSecure2Required")
    assert intent.next_action.type == "use_stripe_sdk"
    assert intent.next_action.to_dict().get("redirect_to_url") is None


async def test_the_page_shows_what_is_to_be_paid(shop: Shop, web: aiohttp.ClientSession) -> None:
    url = (await asked(shop, amount=123456)).next_action.redirect_to_url.url
    async with web.get(urlsplit(url).path) as reply:
        page = await reply.text()
    assert "1,234.56 USD" in page
    assert "3220" in page
    assert page.count("<button") == 2


@pytest.mark.parametrize(
    ("said", "status", "word"),
    [("approve", "succeeded", "succeeded"), ("decline", "requires_payment_method", "failed")],
)
async def test_the_payer_comes_back_with_stripes_words(
    shop: Shop, web: aiohttp.ClientSession, said: str, status: str, word: str
) -> None:
    intent = await asked(shop)
    code, location = await answer(web, intent.next_action.redirect_to_url.url, said)
    query = parse_qs(urlsplit(location).query)
    assert code == 303
    assert location.startswith("https://shop.example/order?")
    assert query["number"] == ["7"], "the shop's own query stays"
    assert query["payment_intent"] == [intent.id]
    assert query["payment_intent_client_secret"] == [intent.client_secret]
    assert query["redirect_status"] == [word]
    assert (await shop.intents.retrieve_async(intent.id)).status == status


async def test_a_refusal_is_an_authentication_failure_without_a_charge(
    shop: Shop, web: aiohttp.ClientSession
) -> None:
    intent = await asked(shop)
    await answer(web, intent.next_action.redirect_to_url.url, "decline")
    after = await shop.intents.retrieve_async(intent.id)
    assert after.last_payment_error.code == "payment_intent_authentication_failure"
    assert after.latest_charge is None


async def test_a_double_click_approves_once(
    shop: Shop, web: aiohttp.ClientSession, server: Running
) -> None:
    url = (await asked(shop)).next_action.redirect_to_url.url
    first, second = await answer(web, url, "approve"), await answer(web, url, "approve")
    assert first == second
    assert len(server.sandbox.world.movements) == 1


@pytest.mark.parametrize("path", ["/3ds/pi_nobody", "/3ds/%3Cscript%3E"])
async def test_a_page_for_nothing_says_so(web: aiohttp.ClientSession, path: str) -> None:
    async with web.get(path) as reply:
        assert reply.status == 404
        assert "<script>" not in await reply.text()


async def test_other_answers_than_two_are_none(shop: Shop, web: aiohttp.ClientSession) -> None:
    intent = await asked(shop)
    code, _ = await answer(web, intent.next_action.redirect_to_url.url, "perhaps")
    assert code == 400
    assert (await shop.intents.retrieve_async(intent.id)).status == "requires_action"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://a/\r\nX: y", "/relative"])
async def test_a_payer_is_sent_to_addresses_only(shop: Shop, url: str) -> None:
    intent = await shop.create()
    with pytest.raises(Exception, match="Not a valid URL"):
        await shop.confirm(intent.id, return_url=url)
