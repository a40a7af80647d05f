"""Whatever is asked of the store in memory and of PostgreSQL, both answer the same. The explorer and
the simulator work on the first: what they show of the second holds because of this.

`EXAMPLES=2000` tries more sequences of calls than an ordinary run does.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as some
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.both_repositories import (
    BothRepositories,
    Side,
    as_list,
    changes,
    hint_taken_by,
    inserted_by,
    postponed_by,
    refund_postponed_by,
    refund_saved_by,
    saved_by,
)
from support.repositories import PATHS, moved, request_record, unsaved_payment, unsaved_refund

from chassis.aip.filters import Comparison
from chassis.aip.pages import Position
from chassis.database import Connection, Database
from chassis.settings import Secret
from chassis.values import Reference, RequestId
from oncepay_cli.local.databases import Roles
from oncepay_cli.local.postgresql import SUPERUSER, PostgreSQL
from payment.domain.events import event_for, refund_event_for
from payment.domain.evidence import ProcessorRefund, RefundStatus
from payment.domain.payment import Payment, PublicState, State
from payment.domain.values import CustomerName
from payment.domain.webhook_notification import WebhookNotification
from payment.repository.postgresql import SCHEMA_VERSION
from payment.service_layer.ports import PaymentQuery, RequestRecord

if TYPE_CHECKING:
    from payment.domain.refund import Refund

Answer = TypeVar("Answer")

HOUR = timedelta(hours=1)
CUSTOMERS = [CustomerName(UUID(int=number)) for number in (1, 2)]
REFERENCES = [None, Reference("order-1"), Reference("order-2")]
pick = some.integers(0, 11)
"""One of what there is, counted from the newest on."""
maybe = some.none() | pick
# Nothing becomes due by chance: its time has passed, or will not while a test runs.
waits = some.sampled_from([-HOUR, -HOUR, None, HOUR])


def picked(things: Sequence[Answer], number: int) -> Answer:
    return things[-1 - number % len(things)]


class BothStores(RuleBasedStateMachine):
    """Makes up calls, out of what earlier ones brought: most often the newest, so that payments get
    somewhere, and now and then what is long outdated.
    """

    runner: asyncio.Runner
    database: Database
    superuser: Connection

    def __init__(self) -> None:
        super().__init__()
        self.runner.run(self.superuser.execute(EMPTY))
        self.stores = BothRepositories(self.database.pool, self.database.installation.generation)
        self.payments: list[Payment] = []  # every version that was ever seen
        self.refunds: list[Refund] = []
        self.requests: list[RequestId] = []

    def ask(self, call: Callable[[Side], Awaitable[Answer]]) -> Answer | None:
        return self.runner.run(self.stores.ask(call))

    def read(self, payment_id: UUID) -> None:
        if seen := self.ask(lambda side: side.payments.get(payment_id)):
            self.payments.append(seen.resource)

    # ------------------------------------------------------------------ payments

    @initialize(
        states=some.lists(some.sampled_from([*State, State.SUCCEEDED]), max_size=3),
        words=some.lists(some.sampled_from(RefundStatus), max_size=2),
    )
    def begin(self, states: Sequence[State], words: Sequence[RefundStatus]) -> None:
        """Some payments that have come somewhere, and a refund that was heard of."""
        for state in states:
            payment = unsaved_payment()
            insert_by = payment.create_time + timedelta(days=365_000)
            build_payment = self.ask(partial(inserted_by, payment, insert_by))
            assert build_payment is not None
            self.payments.append(build_payment)
            self.requests.append(build_payment.request.request_id)
            for step in PATHS[state]:
                before = self.payments[-1]
                after = moved(before, step)
                what = event_for(before, after)
                saved = self.ask(partial(saved_by, before, after, what, None))
                assert saved is not None
                self.payments.append(saved)
        if State.SUCCEEDED in states:
            self.insert_refund(which=0, amount=400, request=None)
            self.save_refund(which=0, words=words, name=1)

    @rule(
        customer=some.sampled_from(CUSTOMERS),
        reference=some.sampled_from(REFERENCES),
        request=maybe,
        takes_the_id_of=maybe,
        takes_the_intent_of=maybe,
        in_time=some.sampled_from([True, True, True, False]),
    )
    def insert(
        self,
        customer: CustomerName,
        reference: Reference | None,
        request: int | None,
        takes_the_id_of: int | None,
        takes_the_intent_of: int | None,
        in_time: bool,
    ) -> None:
        """Most are new; some want what another has: its request_id, id, intent, reference."""
        taken: dict[str, Any] = {}
        if request is not None and request > 7 and self.requests:
            taken["request_id"] = picked(self.requests, request)
        if takes_the_id_of is not None and takes_the_id_of > 9 and self.payments:
            taken["id"] = picked(self.payments, takes_the_id_of).id
        if takes_the_intent_of is not None and takes_the_intent_of > 9 and self.payments:
            taken["intent_id"] = picked(self.payments, takes_the_intent_of).intent_id
        payment = unsaved_payment(customer=customer, reference=reference, **taken)
        clock = self.ask(
            lambda side: side.payments.find_conflicts(payment.request.request_id, reference)
        )
        assert clock is not None
        insert_by = clock.now + (HOUR if in_time else -HOUR)
        build_payment = self.ask(lambda side: side.payments.insert(payment, insert_by))
        self.ask(lambda side: side.find_conflicts(payment))
        if build_payment is not None:
            self.payments.append(build_payment)
            self.requests.append(payment.request.request_id)

    @precondition(lambda self: self.payments)
    @rule(
        moves=some.lists(some.tuples(some.integers(0, 4), pick, maybe), min_size=1, max_size=5),
        reference=some.sampled_from(REFERENCES),
    )
    def save(
        self, moves: Sequence[tuple[int, int, int | None]], reference: Reference | None
    ) -> None:
        """Versions that were seen go on, or try to: others may have been faster."""
        for which, where, request in moves:
            before = picked(self.payments, which)
            after, what = picked(changes(before, reference), where)
            record = self.record_of(before, request)
            saved = self.ask(partial(saved_by, before, after, what, record))
            if saved is not None:
                self.payments.append(saved)
                self.requests += [record.request_id] if record else []

    def record_of(self, payment: Payment, request: int | None) -> RequestRecord | None:
        """None, one of a new request, or of one that was used."""
        if request is None:
            return None
        record = request_record(payment)
        if request > 7 and self.requests:
            record = replace(record, request_id=picked(self.requests, request))
        return record

    @precondition(lambda self: self.payments)
    @rule(which=pick)
    def get(self, which: int) -> None:
        self.read(picked(self.payments, which).id)

    @rule()
    def get_what_is_not_there(self) -> None:
        nobody = UUID(int=0)
        assert self.ask(lambda side: side.payments.get(nobody)) is None
        assert self.ask(lambda side: side.refunds.get(nobody, nobody)) is None

    @precondition(lambda self: self.requests)
    @rule(which=pick, reference=some.sampled_from(REFERENCES))
    def find(self, which: int, reference: Reference | None) -> None:
        request_id = picked(self.requests, which)
        self.ask(lambda side: side.payments.find_request(request_id))
        self.ask(lambda side: side.payments.find_conflicts(request_id, reference))

    @precondition(lambda self: self.payments)
    @rule(
        seen=some.lists(some.tuples(pick, waits, some.integers(1, 9)), max_size=3),
        limit=some.sampled_from([3, 3, 1, 0]),
    )
    def postpone_and_claim(
        self, seen: Sequence[tuple[int, timedelta | None, int]], limit: int
    ) -> None:
        """What ends an attempt, and whose turn it is then; the order of turns does not matter."""
        for which, wait, attempt in seen:
            payment = picked(self.payments, which)
            self.ask(partial(postponed_by, payment, wait, attempt))
            self.claim(limit)

    def claim(self, limit: int) -> None:
        """How manieth time it is for each is part of the answer."""

        async def claimed(side: Side) -> Any:
            payments = await side.payments.claim_due(limit)
            refunds = await side.refunds.claim_due(limit)
            return {*payments}, {*refunds}

        self.ask(claimed)

    @rule(
        limit=some.integers(1, 4),
        newest_first=some.booleans(),
        show_deleted=some.booleans(),
        customer=some.none() | some.sampled_from(CUSTOMERS),
        state=some.none() | some.sampled_from(PublicState),
        reference=some.sampled_from([*REFERENCES, Reference("order-3")]),
        held=some.sampled_from([None, None, True, False]),
        after=maybe,
        ranges=some.lists(some.tuples(some.sampled_from(Comparison), pick), max_size=2),
    )
    def list(self, after: int | None, ranges: Any, **restrictions: Any) -> None:
        place = None
        create_time: Sequence[tuple[Comparison, datetime]] = ()
        if self.payments:
            times = [payment.create_time for payment in self.payments]
            create_time = tuple((how, picked(times, number)) for how, number in ranges)
            if after is not None:
                last = picked(self.payments, after)
                place = Position(last.create_time, last.id)
        query = PaymentQuery(after=place, create_time=create_time, **restrictions)
        self.ask(lambda side: as_list(side.payments.list(query)))

    # ------------------------------------------------------------------ refunds

    @precondition(lambda self: self.payments)
    @rule(which=pick, amount=some.sampled_from([400, 600, 1, 1000, 1001]), request=maybe)
    def insert_refund(self, which: int, amount: int, request: int | None) -> None:
        """Of a payment that succeeded, if there is one; up to its amount, and over it."""
        succeeded = [each for each in self.payments if each.state is State.SUCCEEDED]
        payment = picked(succeeded or self.payments, which)
        refund = unsaved_refund(payment, amount)
        record = request_record(payment, refund)
        if request is not None and request > 7 and self.requests:
            record = replace(record, request_id=picked(self.requests, request))
        build_payment = self.ask(lambda side: side.refunds.insert(refund, record))
        if build_payment is not None:
            self.refunds.append(build_payment)
            self.requests.append(record.request_id)
            self.read(payment.id)

    @precondition(lambda self: self.refunds)
    @rule(
        which=pick,
        words=some.lists(some.sampled_from([*RefundStatus, RefundStatus.FAILED]), max_size=3),
        name=some.integers(0, 20),
    )
    def save_refund(self, which: int, words: Sequence[RefundStatus], name: int) -> None:
        """The processor's words on a version that was seen; its names are sometimes doubled."""
        before = picked(self.refunds, which)
        known = before.processor_id or f"re_{name}"
        for status in words:
            after = before.apply(ProcessorRefund(known, status, before.amount, before.id))
            what = refund_event_for(before, after)
            saved = self.ask(partial(refund_saved_by, before, after, what)) if what else None
            if saved is not None:
                self.refunds.append(saved)
                self.read(saved.payment_id)
                before = saved

    @precondition(lambda self: self.refunds)
    @rule(
        seen=some.lists(some.tuples(pick, waits, some.integers(1, 9)), max_size=3),
        limit=some.sampled_from([3, 3, 1, 0]),
    )
    def postpone_refunds_and_claim(
        self, seen: Sequence[tuple[int, timedelta | None, int]], limit: int
    ) -> None:
        """The same for refunds."""
        for which, wait, attempt in seen:
            refund = picked(self.refunds, which)
            self.ask(partial(refund_postponed_by, refund, wait, attempt))
            self.claim(limit)

    @precondition(lambda self: self.refunds)
    @rule(which=pick, limit=some.integers(1, 3), after=maybe)
    def list_refunds(self, which: int, limit: int, after: int | None) -> None:
        refund = picked(self.refunds, which)
        last = None if after is None else picked(self.refunds, after)
        place = Position(last.create_time, last.id) if last else None
        self.ask(lambda side: as_list(side.refunds.list(refund.payment_id, limit, place)))
        self.ask(lambda side: side.refunds.get(refund.payment_id, refund.id))

    # ------------------------------------------------------------------ hints and events

    @rule(
        name=some.integers(0, 5),
        which=maybe,
        refund=some.sampled_from(["", "re_1", "re_9"]),
        times=some.integers(1, 3),
    )
    def record_notification(self, name: int, which: int | None, refund: str, times: int) -> None:
        """Of a payment that is there, or not; of a refund whose name is known, or not; again."""
        intent_id = "pi_nobody" if which is None else "pi_none"
        if which is not None and self.payments:
            intent_id = picked(self.payments, which).intent_id
        if refund and self.refunds:
            about = picked(self.refunds, name)
            intent_id = about.intent_id
            refund = about.processor_id if refund == "re_1" and about.processor_id else refund
        hint = WebhookNotification(f"evt_{name}", "charge.updated", intent_id, refund)
        for _ in range(times):
            self.ask(partial(hint_taken_by, hint))
            self.claim(3)

    @rule(which=maybe, limit=some.integers(1, 5), after=some.integers(0, 9), place=pick)
    def events(self, which: int | None, limit: int, after: int, place: int) -> None:
        payment_id = None
        if which is not None and self.payments:
            payment_id = picked(self.payments, which).id
            of = payment_id
            self.ask(lambda side: as_list(side.events.of_payment(of, limit, after)))
        self.runner.run(self.stores.settled())
        self.ask(lambda side: side.stream(payment_id, limit, place))

    def teardown(self) -> None:
        """At the end, everything that both have."""
        self.runner.run(self.stores.settled())
        self.ask(lambda side: side.stream(None, 10_000, 0))
        self.ask(lambda side: as_list(side.payments.list(PaymentQuery(1000, show_deleted=True))))
        for payment_id in {payment.id for payment in self.payments}:
            self.read(payment_id)
            of = payment_id
            self.ask(lambda side, of=of: as_list(side.refunds.list(of, 1000, None)))  # type: ignore[misc]


# Without the triggers that keep every row for ever.
EMPTY = """
SET session_replication_role = replica;
DELETE FROM webhook_notifications; DELETE FROM payment_events; DELETE FROM requests; DELETE FROM refunds; DELETE FROM payments;
SET session_replication_role = origin
"""


@pytest.fixture
def both_stores(
    postgresql: PostgreSQL, payment_template: Roles, address: str
) -> Iterator[type[BothStores]]:
    """The calls' maker, on an event loop of its own: Hypothesis waits for nothing."""

    async def connect(stack: AsyncExitStack) -> None:
        url, password = f"postgresql://{SUPERUSER}@{address}", postgresql.password
        BothStores.superuser = await asyncpg.connect(url, password=password)
        stack.push_async_callback(BothStores.superuser.close)
        BothStores.database = await stack.enter_async_context(
            Database.open(
                f"postgresql://{payment_template.user}@{address}",
                Secret(payment_template.password),
                pool_size=2,
                schema_version=SCHEMA_VERSION,
            )
        )

    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        runner.run(connect(stack))
        BothStores.runner = runner
        yield BothStores
        runner.run(stack.aclose())


def test_whatever_is_asked_both_stores_answer_the_same(both_stores: type[BothStores]) -> None:
    run_state_machine_as_test(
        both_stores,
        settings=settings(
            max_examples=int(os.environ.get("EXAMPLES", "25")),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[*HealthCheck],
        ),
    )
