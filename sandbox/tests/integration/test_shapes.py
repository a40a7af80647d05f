"""The JSON against independent references: Stripe's own example objects and the official library's types.

Every object has all fields of Stripe's example, and otherwise only fields that the library declares; values
have the example's type, or are null.
"""

import inspect
import json
import typing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import stripe

from .conftest import Client

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
async def objects(client: Client, web: aiohttp.ClientSession) -> Objects:
    """Objects of each kind in each status, as JSON."""
    found: Objects = {kind: [] for kind in CLASSES}

    def add(example: dict[str, Any]) -> None:
        found[example["object"]].append(example)

    async def read(name: str) -> None:
        intent = await client.intents.retrieve_async(name)
        add(intent.to_dict())
        whole = {"expand": ["latest_charge", "payment_method"]}
        intent = (await client.intents.retrieve_async(name, whole)).to_dict()
        for part in ("latest_charge", "payment_method"):
            if intent[part]:
                add(intent[part])

    await read((await client.create(None)).id)
    await read((await client.create(description="d", receipt_email="a@b.c")).id)
    await read((await client.pay()).id)
    await read((await client.pay("pm_sandbox_processing")).id)
    held = await client.pay(capture_method="manual")
    await read(held.id)
    await client.intents.cancel_async(held.id)
    await read(held.id)
    declined = await client.create("pm_card_visa_chargeDeclined")
    with pytest.raises(stripe.CardError) as caught:
        await client.confirm(declined.id)
    body: Any = caught.value.json_body
    add(body["error"]["payment_intent"])
    add(body["error"]["payment_method"])
    await read(declined.id)
    secured = await client.create("pm_card_authenticationRequired")
    await client.confirm(secured.id, return_url="https://shop.example/")
    await read(secured.id)
    async with web.post(f"/3ds/{secured.id}", data={"answer": "approve"}, allow_redirects=False):
        await read(secured.id)
    await read((await client.pay("pm_card_authenticationRequired")).id)
    for token in ("pm_card_visa", "pm_card_pendingRefund", "pm_card_refundFail"):
        add((await client.refund((await client.pay(token)).id)).to_dict())
    async with web.post("/_sandbox/clock", json={"advance": 100}):
        for refund in (await client.refunds.list_async()).data:
            add(refund.to_dict())
    async for event in (
        await client.library.v1.events.list_async({"limit": 100})
    ).auto_paging_iter():
        add(event.to_dict())
        add(event.to_dict()["data"]["object"])
    return found


def test_the_examples_cover_every_status(objects: Objects) -> None:
    statuses = {item["status"] for item in objects["payment_intent"]}
    assert statuses == {
        "requires_payment_method",
        "requires_confirmation",
        "requires_action",
        "processing",
        "requires_capture",
        "canceled",
        "succeeded",
    }
    assert {item["status"] for item in objects["charge"]} == {"pending", "failed", "succeeded"}
    assert {item["status"] for item in objects["refund"]} == {"pending", "failed", "succeeded"}


@pytest.mark.skipif(not FIXTURES.exists(), reason="Stripe's fixtures are not on this machine")
@pytest.mark.parametrize("kind", CLASSES)
def test_every_object_has_the_fields_of_stripes_own_example(objects: Objects, kind: str) -> None:
    example = json.loads(FIXTURES.read_text())[kind]
    declared = annotations(CLASSES[kind])
    assert objects[kind]
    for rendered in objects[kind]:
        assert set(example) <= set(rendered)
        assert set(rendered) - set(example) <= set(declared)
        for name, value in example.items():
            if name not in ("source", "object") and not (kind == "event" and name == "data"):
                check_like(value, rendered[name], f"{kind}.{name}")


def check_like(example: object, value: object, path: str) -> None:
    """Assert that a value has the example's JSON type or is null, recursively."""
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
    """The names of one class and its module, and those that the library loads lazily."""

    def __missing__(self, name: str) -> Any:
        try:
            return getattr(stripe, name.removesuffix("Resource"))  # its alias for a few classes
        except AttributeError:
            raise KeyError(name) from None


def annotations(cls: type[stripe.StripeObject]) -> dict[str, tuple[Any, Names]]:
    found = {}
    for base in reversed(cls.__mro__):
        if issubclass(base, stripe.StripeObject) and base is not stripe.StripeObject:
            scope = Names({**vars(inspect.getmodule(base)), **vars(base)})
            for name, annotation in base.__annotations__.items():
                found[name] = (annotation, scope)
    return found


@pytest.mark.parametrize("kind", CLASSES)
def test_every_value_has_the_type_that_the_official_library_declares(
    objects: Objects, kind: str
) -> None:
    for rendered in objects[kind]:
        walk(CLASSES[kind], rendered, kind)


def walk(cls: type[stripe.StripeObject], value: dict[str, Any], path: str) -> None:
    declared = annotations(cls)
    for name, inner in value.items():
        assert name in declared, f"{path}.{name} is not declared by the library"
        annotation, scope = declared[name]
        assert fits(resolve(annotation, scope), inner, scope, f"{path}.{name}"), (
            f"{path}.{name}: {inner}"
        )


def resolve(annotation: Any, scope: Names) -> Any:
    return eval(annotation, {}, scope) if isinstance(annotation, str) else annotation  # noqa: S307 - the library's own


def fits(annotation: Any, value: object, scope: Names, path: str) -> bool:
    """Whether a JSON value has the type of an annotation of the library, recursively."""
    if isinstance(annotation, typing.ForwardRef):
        annotation = resolve(annotation.__forward_arg__, scope)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Union:
        return any(fits(argument, value, scope, path) for argument in arguments)
    if origin is typing.Literal:
        return value in arguments
    if origin is list:
        return isinstance(value, list) and all(
            fits(arguments[0], item, scope, path) for item in value
        )
    if annotation is type(None):
        return value is None
    if annotation in (typing.Any, object):
        return True
    if annotation is bool or annotation is int or annotation is str or annotation is float:
        return type(value) is annotation
    if not isinstance(value, dict):
        return False
    cls = origin or annotation
    if cls is dict or arguments or cls is stripe.StripeObject:
        return True
    walk(cls, value, path)
    return True
