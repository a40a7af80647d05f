"""Witnesses that nobody here wrote: Stripe's own example objects, and the official library's types.

Every object has exactly the fields of Stripe's example (or also some that the library declares),
with values of the example's types, or null where the library allows none.
"""

import inspect
import json
import typing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import stripe

from .conftest import Shop

FIXTURES = Path(__file__).parents[4] / "shared" / "stripe" / "fixtures.json"
CLASSES: dict[str, type[stripe.StripeObject]] = {
    "payment_intent": stripe.PaymentIntent,
    "charge": stripe.Charge,
    "refund": stripe.Refund,
    "payment_method": stripe.PaymentMethod,
    "event": stripe.Event,
}
Objects = dict[str, list[dict[str, Any]]]


@pytest.fixture
async def objects(shop: Shop, web: aiohttp.ClientSession) -> Objects:
    """One object of each kind in each of its moods, as JSON."""
    found: Objects = {kind: [] for kind in CLASSES}

    def take(thing: dict[str, Any]) -> None:
        found[thing["object"]].append(thing)

    async def read(name: str) -> None:
        intent = await shop.intents.retrieve_async(name)
        take(intent.to_dict())
        whole = {"expand": ["latest_charge", "payment_method"]}
        intent = (await shop.intents.retrieve_async(name, whole)).to_dict()
        for part in ("latest_charge", "payment_method"):
            if intent[part]:
                take(intent[part])

    await read((await shop.create(None)).id)
    await read((await shop.create(description="d", receipt_email="a@b.c")).id)
    await read((await shop.pay()).id)
    await read((await shop.pay("pm_sandbox_processing")).id)
    held = await shop.pay(capture_method="manual")
    await read(held.id)
    await shop.intents.cancel_async(held.id)
    await read(held.id)
    declined = await shop.create("pm_card_visa_chargeDeclined")
    with pytest.raises(stripe.CardError) as caught:
        await shop.confirm(declined.id)
    said: Any = caught.value.json_body
    take(said["error"]["payment_intent"])
    take(said["error"]["payment_method"])
    await read(declined.id)
    asked = await shop.create("pm_card_authenticationRequired")
    await shop.confirm(asked.id, return_url="https://shop.example/")
    await read(asked.id)
    async with web.post(f"/3ds/{asked.id}", data={"answer": "approve"}, allow_redirects=False):
        await read(asked.id)
    await read((await shop.pay("pm_card_authenticationRequired")).id)
    for token in ("pm_card_visa", "pm_card_pendingRefund", "pm_card_refundFail"):
        take((await shop.refund((await shop.pay(token)).id)).to_dict())
    async with web.post("/_sandbox/clock", json={"advance": 100}):
        for refund in (await shop.refunds.list_async()).data:
            take(refund.to_dict())
    async for event in (await shop.client.v1.events.list_async({"limit": 100})).auto_paging_iter():
        take(event.to_dict())
        take(event.to_dict()["data"]["object"])
    return found


def test_the_objects_are_of_every_kind_and_mood(objects: Objects) -> None:
    statuses = {one["status"] for one in objects["payment_intent"]}
    assert statuses == {
        "requires_payment_method",
        "requires_confirmation",
        "requires_action",
        "processing",
        "requires_capture",
        "canceled",
        "succeeded",
    }
    assert {one["status"] for one in objects["charge"]} == {"pending", "failed", "succeeded"}
    assert {one["status"] for one in objects["refund"]} == {"pending", "failed", "succeeded"}


@pytest.mark.skipif(not FIXTURES.exists(), reason="Stripe's fixtures are not on this machine")
@pytest.mark.parametrize("kind", CLASSES)
def test_every_object_has_the_fields_of_stripes_own_example(objects: Objects, kind: str) -> None:
    example = json.loads(FIXTURES.read_text())[kind]
    declared = hints(CLASSES[kind])
    assert objects[kind]
    for thing in objects[kind]:
        assert set(example) <= set(thing)
        assert set(thing) - set(example) <= set(declared)
        for name, value in example.items():
            if name not in ("source", "object") and not (kind == "event" and name == "data"):
                check_like(value, thing[name], f"{kind}.{name}")


def check_like(example: object, value: object, path: str) -> None:
    """The same JSON type, or null; within an object, no field that the example has not or ..."""
    if value is None or example is None:
        return
    if isinstance(example, bool) or isinstance(value, bool):
        assert type(example) is type(value), path
    elif isinstance(example, dict) and isinstance(value, dict):
        for name in set(example) & set(value):
            check_like(example[name], value[name], f"{path}.{name}")
    elif not isinstance(value, dict):  # an expanded object stands where the example has its id
        assert type(example) is type(value), path


class Names(dict[str, Any]):
    """The names of one class and its module, and those that the library loads when asked."""

    def __missing__(self, name: str) -> Any:
        try:
            return getattr(stripe, name.removesuffix("Resource"))  # its alias for a few classes
        except AttributeError:
            raise KeyError(name) from None


def hints(cls: type[stripe.StripeObject]) -> dict[str, tuple[Any, Names]]:
    found = {}
    for base in reversed(cls.__mro__):
        if issubclass(base, stripe.StripeObject) and base is not stripe.StripeObject:
            scope = Names({**vars(inspect.getmodule(base)), **vars(base)})
            for name, hint in base.__annotations__.items():
                found[name] = (hint, scope)
    return found


@pytest.mark.parametrize("kind", CLASSES)
def test_every_value_is_of_the_type_that_the_official_library_declares(
    objects: Objects, kind: str
) -> None:
    for thing in objects[kind]:
        walk(CLASSES[kind], thing, kind)


def walk(cls: type[stripe.StripeObject], value: dict[str, Any], path: str) -> None:
    declared = hints(cls)
    for name, inner in value.items():
        assert name in declared, f"{path}.{name} is not declared by the library"
        hint, scope = declared[name]
        assert fits(resolve(hint, scope), inner, scope, f"{path}.{name}"), f"{path}.{name}: {inner}"


def resolve(hint: Any, scope: Names) -> Any:
    return eval(hint, {}, scope) if isinstance(hint, str) else hint  # noqa: S307 - the library's own


def fits(hint: Any, value: object, scope: Names, path: str) -> bool:
    """Whether a JSON value is what an annotation of the library says, all the way down."""
    if isinstance(hint, typing.ForwardRef):
        hint = resolve(hint.__forward_arg__, scope)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Union:
        return any(fits(one, value, scope, path) for one in arguments)
    if origin is typing.Literal:
        return value in arguments
    if origin is list:
        return isinstance(value, list) and all(
            fits(arguments[0], one, scope, path) for one in value
        )
    if hint is type(None):
        return value is None
    if hint in (typing.Any, object):
        return True
    if hint is bool or hint is int or hint is str or hint is float:
        return type(value) is hint
    if not isinstance(value, dict):
        return False
    cls = origin or hint
    if cls is dict or arguments or cls is stripe.StripeObject:
        return True
    walk(cls, value, path)
    return True
