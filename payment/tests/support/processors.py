"""The targets of the processor's contract, and the one table of what each cannot do.

- `simulated`: the sandbox's decision in this process, without HTTP.
- `sandbox`: the adapter of Stripe, and the sandbox as a process.
- `localstripe`: the same adapter and a stand-in for Stripe by other authors (GPL-3: a process in an
  environment of its own, for tests only).
- `stripe`: the same adapter and Stripe's own test mode; only where STRIPE_TEST_KEY is set.

A test that is in the table must fail where the table says so, so that a repaired target is noticed.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Protocol

import aiohttp
from support.examples import INSTALLATION

from chassis.settings import Secret
from payment.processors.stripe.adapter import StripeProcessor
from payment.service_layer.ports import Processor
from sandbox.actions import Authenticate, Request
from sandbox.transition import transition
from verification.processor import SimulatedProcessor

ROOT = Path(__file__).parents[3]
ANY_KEY = "sk_test_any"
STRIPE_KEY = os.environ.get("STRIPE_TEST_KEY", "")

NO_IDEMPOTENCY_KEYS = "it knows no idempotency keys: the same call again is a second call"
NO_FORM_PARSING = (
    "it begins behind the reading of Stripe's forms, where amounts and currencies are checked"
)
NO_CREATED_FILTER = "its list of intents takes no `created`"
NO_BROWSER = "the answer to Stripe's 3D Secure page is given in a browser"
CANNOT: dict[str, dict[str, str]] = {
    "simulated": {
        "test_a_currency_that_stripe_does_not_support_is_refused_by_its_part": NO_FORM_PARSING,
        "test_an_amount_above_stripes_maximum_is_refused_by_its_part": NO_FORM_PARSING,
    },
    "sandbox": {},
    "localstripe": {
        "test_a_creation_sent_again_gets_the_same_intent": NO_IDEMPOTENCY_KEYS,
        "test_a_creation_under_a_used_key_with_other_content_is_a_conflict": NO_IDEMPOTENCY_KEYS,
        "test_a_confirmation_sent_again_gets_the_same_reply": NO_IDEMPOTENCY_KEYS,
        "test_a_refund_sent_again_is_made_once": NO_IDEMPOTENCY_KEYS,
        "test_a_declined_confirmation_is_answered_with_the_intent": "its 402 does not carry the intent",
        "test_a_declined_intent_has_the_issuers_decline_code": "it has no decline_code",
        "test_3d_secure_with_a_return_url_gives_the_address_where_the_customer_acts": "it refuses return_url",
        "test_an_authorization_has_the_time_of_its_end": "its charge has no payment_method_details",
        "test_a_capture_of_a_part_receives_that_part": "it has no amount_received, and no amount_captured",
        "test_a_capture_of_a_canceled_authorization_is_refused": "it captures a canceled intent",
        "test_an_unknown_payment_method_is_refused_by_its_part": "its 404 has no param",
        "test_a_currency_that_stripe_does_not_support_is_refused_by_its_part": "it takes any currency",
        "test_an_amount_above_stripes_maximum_is_refused_by_its_part": "it takes any amount",
        "test_an_unconfirmed_intent_has_an_empty_list_of_refunds": "it crashes, and answers 500",
        "test_a_refund_of_more_than_is_left_is_refused": "it refunds more than was paid",
        "test_a_refund_before_the_charge_is_refused": "it crashes, and answers 500",
        "test_a_refund_may_have_a_reason": "it refuses the parameter",
        "test_a_listed_intent_names_its_payment_installation_and_request": NO_CREATED_FILTER,
        "test_a_listed_intent_is_the_same_as_a_retrieved_one": NO_CREATED_FILTER,
        "test_a_listed_authorization_has_its_end": NO_CREATED_FILTER,
        "test_a_refund_is_listed_with_its_intent_and_for_itself": NO_CREATED_FILTER,
        "test_only_what_was_created_in_the_time_is_listed": NO_CREATED_FILTER,
        "test_a_long_listing_comes_in_pages": NO_CREATED_FILTER,
        "test_an_intent_without_a_payment_is_listed": NO_CREATED_FILTER,
    },
    "stripe": {
        "test_an_approved_3d_secure_makes_the_intent_succeed": NO_BROWSER,
        "test_a_declined_3d_secure_needs_another_payment_method": NO_BROWSER,
    },
}

NAMES = ("simulated", "sandbox", "localstripe", *(["stripe"] if STRIPE_KEY else []))


class Target(Protocol):
    """A processor under the contract, and what tests need beside the port."""

    @property
    def processor(self) -> Processor: ...

    async def card(self, kind: str) -> str:
        """The token of a card: good, declined, without_funds or authenticated (by 3D Secure)."""
        ...

    async def authenticate(self, intent_id: str, *, approved: bool) -> None:
        """Answer the page of 3D Secure, as the customer does."""
        ...


STRIPE_CARDS = {
    "good": "pm_card_visa",
    "declined": "pm_card_visa_chargeDeclined",
    "without_funds": "pm_card_visa_chargeDeclinedInsufficientFunds",
    "authenticated": "pm_card_authenticationRequired",
}
"""https://docs.stripe.com/testing"""


class Simulated:
    """Without HTTP."""

    def __init__(self) -> None:
        self.processor = SimulatedProcessor(INSTALLATION, self._now)

    def _now(self) -> int:
        return int(time.time())

    async def card(self, kind: str) -> str:
        return STRIPE_CARDS[kind]

    async def authenticate(self, intent_id: str, *, approved: bool) -> None:
        action = Authenticate(intent_id, approved)
        self.processor.view, _ = transition(self.processor.view, Request(action), self._now())


class OverHttp:
    """The adapter of Stripe, and the sandbox at an address, or Stripe itself."""

    def __init__(self, processor: StripeProcessor, address: str | None) -> None:
        self.processor = processor
        self._address = address

    async def card(self, kind: str) -> str:
        return STRIPE_CARDS[kind]

    async def authenticate(self, intent_id: str, *, approved: bool) -> None:
        assert self._address, NO_BROWSER
        answer = {"answer": "approve" if approved else "decline"}
        async with (
            aiohttp.ClientSession(self._address) as browser,
            browser.post(f"/3ds/{intent_id}", data=answer) as page,
        ):
            assert page.status == 200


LOCALSTRIPE_CARDS = {
    "declined": "4000000000000341",
    "without_funds": "4000000000000341",
    "authenticated": "4000002500003155",
}
"""Numbers out of the same page: it knows no tokens of cards that are not simply good."""


class LocalStripe:
    """The adapter of Stripe, and localstripe."""

    def __init__(self, processor: StripeProcessor, address: str) -> None:
        self.processor = processor
        self._address = address

    async def card(self, kind: str) -> str:
        if kind == "good":
            return STRIPE_CARDS[kind]
        card = {
            "number": LOCALSTRIPE_CARDS[kind],
            "exp_month": "12",
            "exp_year": "2034",
            "cvc": "123",
        }
        form = {"type": "card"} | {f"card[{name}]": value for name, value in card.items()}
        return str((await self._ask("POST", "/v1/payment_methods", form))["id"])

    async def authenticate(self, intent_id: str, *, approved: bool) -> None:
        intent = await self._ask("GET", f"/v1/payment_intents/{intent_id}")
        form = {"success": str(approved).lower(), "client_secret": intent["client_secret"]}
        await self._ask("POST", f"/v1/payment_intents/{intent_id}/_authenticate", form)

    async def _ask(
        self, method: str, path: str, form: dict[str, str] | None = None
    ) -> dict[str, str]:
        headers = {"Authorization": f"Bearer {ANY_KEY}"}
        async with (
            aiohttp.ClientSession(self._address, headers=headers) as session,
            session.request(method, path, data=form) as reply,
        ):
            assert reply.status == 200, await reply.text()
            found: dict[str, str] = await reply.json()
            return found


@asynccontextmanager
async def opened(name: str, address: str | None) -> AsyncIterator[Target]:
    """The target of this name; `address` is where its server listens."""
    if name == "simulated":
        yield Simulated()
        return
    key = STRIPE_KEY if name == "stripe" else ANY_KEY
    if not key.startswith(("sk_test_", "rk_test_")):  # no assert: pytest would show the key
        raise RuntimeError("STRIPE_TEST_KEY must be a key of Stripe's test mode")
    async with StripeProcessor(Secret(key), address, INSTALLATION) as processor:
        if name == "localstripe":
            assert address
            yield LocalStripe(processor, address)
        else:
            yield OverHttp(processor, address)


@contextmanager
def sandbox_process(data: Path) -> Iterator[str]:
    """The address of a sandbox that is a process of its own."""
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--data", str(data)]
    with _listening(command, data) as line:
        yield line.split()[-1]


START_LOCALSTRIPE = """
import socket
from aiohttp import web
from localstripe import resources
resources.Store.dump_to_disk = lambda store: None  # else it writes to one fixed file
from localstripe.server import app
door = socket.create_server(("127.0.0.1", 0))  # of itself it listens on every interface
print(f"http://127.0.0.1:{door.getsockname()[1]}", flush=True)
web.run_app(app, sock=door, access_log=None, print=None)
"""


@contextmanager
def localstripe_process(folder: Path) -> Iterator[str]:
    """The address of a localstripe that is a process of its own. Raises CannotBeMade."""
    with _listening([str(localstripe_python()), "-c", START_LOCALSTRIPE], folder) as line:
        yield line


class CannotInstall(Exception):
    """localstripe's environment: the sentence says why."""


def localstripe_python() -> Path:
    """The interpreter of localstripe's own environment, which is made where it is not there."""
    pinned = ROOT / "requirements" / "localstripe.txt"
    environment = ROOT / ".oncepay" / "localstripe"
    python = environment / "bin" / "python"
    environment.parent.mkdir(exist_ok=True)
    # One test process makes it; the others wait for it.
    with environment.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _make_environment(environment, python, pinned)
    return python


def _make_environment(environment: Path, python: Path, pinned: Path) -> None:
    stamp = environment / "stamp"
    wanted = hashlib.sha256(pinned.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    install = [str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "-r"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(environment)],
        [*install, str(pinned)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
            raise CannotInstall(f"localstripe's environment cannot be made: {last[0]}")
    stamp.write_text(wanted)


@contextmanager
def _listening(command: list[str], folder: Path) -> Iterator[str]:
    """A process in `folder`, and the first line that it says; killed at the end."""
    with (folder / "log").open("w") as errors:
        process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    try:
        assert process.stdout
        line = process.stdout.readline().strip()
        assert line, (folder / "log").read_text()
        yield line
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
