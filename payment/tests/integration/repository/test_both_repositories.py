"""Any sequence of calls gets the same answers from the repositories in memory and in PostgreSQL.

The explorer and the simulator run on those in memory: because of this, what they show holds for
PostgreSQL too. `EXAMPLES=2000` tries more sequences than an ordinary run does.
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
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.both_repositories import (
    BothRepositories,
    Implementation,
    as_list,
    changes,
    insert_payment,
    record_notification_of,
    reschedule_payment,
    reschedule_refund,
    save_payment,
    save_refund,
)
from support.repositories import (
    DELETE_ALL,
    PATHS_TO,
    moved_to,
    request_record,
    unsaved_payment,
    unsaved_refund,
)

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

Value = TypeVar("Value")
Reschedules = Sequence[tuple[int, timedelta | None, int]]
"""For each: which version, how long to wait, and the number of the attempt."""

HOUR = timedelta(hours=1)
CUSTOMERS = [CustomerName(UUID(int=number)) for number in (1, 2)]
REFERENCES = [None, Reference("order-1"), Reference("order-2")]
INDEX = st.integers(0, 11)
"""Which one of those there are, counted from the newest."""
OPTIONAL_INDEX = st.none() | INDEX
# Nothing becomes due by chance: its time has passed, or does not pass while a test runs.
WAITS = st.sampled_from([-HOUR, -HOUR, None, HOUR])
RESCHEDULES = st.lists(st.tuples(INDEX, WAITS, st.integers(1, 9)), max_size=3)


def at(values: Sequence[Value], index: int) -> Value:
    """The value of this index, counted from the newest; beyond the oldest it begins anew."""
    return values[-1 - index % len(values)]


class Calls(RuleBasedStateMachine):
    """Makes up sequences of calls out of what earlier calls returned: mostly of the newest versions, so
    that payments proceed, and sometimes of outdated ones.
    """

    runner: asyncio.Runner
    database: Database
    superuser: Connection

    def __init__(self) -> None:
        super().__init__()
        self.runner.run(self.superuser.execute(DELETE_ALL))
        generation = self.database.installation.generation
        self.repositories = BothRepositories(self.database.pool, generation)
        self.payments: list[Payment] = []  # every version that was ever returned
        self.refunds: list[Refund] = []
        self.requests: list[RequestId] = []

    def call(self, call: Callable[[Implementation], Awaitable[Value]]) -> Value | None:
        return self.runner.run(self.repositories.call(call))

    def read(self, payment_id: UUID) -> None:
        if read := self.call(lambda of: of.payments.get(payment_id)):
            self.payments.append(read.resource)

    # ------------------------------------------------------------------ payments

    @initialize(
        states=st.lists(st.sampled_from([*State, State.SUCCEEDED]), max_size=3),
        statuses=st.lists(st.sampled_from(RefundStatus), max_size=2),
    )
    def begin(self, states: Sequence[State], statuses: Sequence[RefundStatus]) -> None:
        """Create payments in these states, and a refund that the processor has reported."""
        for state in states:
            payment = unsaved_payment()
            insert_by = payment.create_time + timedelta(days=365_000)
            created = self.call(partial(insert_payment, payment, insert_by))
            assert created is not None
            self.payments.append(created)
            self.requests.append(created.request.request_id)
            for step in PATHS_TO[state]:
                before = self.payments[-1]
                after = moved_to(before, step)
                event = event_for(before, after)
                saved = self.call(partial(save_payment, before, after, event, None))
                assert saved is not None
                self.payments.append(saved)
        if State.SUCCEEDED in states:
            self.insert_refund(payment=0, amount=400, request=None)
            self.save_refund(refund=0, statuses=statuses, number=1)

    @rule(
        customer=st.sampled_from(CUSTOMERS),
        reference=st.sampled_from(REFERENCES),
        request_of=OPTIONAL_INDEX,
        id_of=OPTIONAL_INDEX,
        intent_of=OPTIONAL_INDEX,
        in_time=st.sampled_from([True, True, True, False]),
    )
    def insert(
        self,
        customer: CustomerName,
        reference: Reference | None,
        request_of: int | None,
        id_of: int | None,
        intent_of: int | None,
        in_time: bool,
    ) -> None:
        """Insert a new payment; some have the request_id, id, intent or reference of another."""
        shared: dict[str, Any] = {}
        if request_of is not None and request_of > 7 and self.requests:
            shared["request_id"] = at(self.requests, request_of)
        if id_of is not None and id_of > 9 and self.payments:
            shared["id"] = at(self.payments, id_of).id
        if intent_of is not None and intent_of > 9 and self.payments:
            shared["intent_id"] = at(self.payments, intent_of).intent_id
        payment = unsaved_payment(customer=customer, reference=reference, **shared)
        request_id = payment.request.request_id
        conflicts = self.call(lambda of: of.payments.find_conflicts(request_id, reference))
        assert conflicts is not None
        insert_by = conflicts.now + (HOUR if in_time else -HOUR)
        created = self.call(partial(insert_payment, payment, insert_by))
        self.call(lambda of: of.find_conflicts(payment))
        if created is not None:
            self.payments.append(created)
            self.requests.append(request_id)

    @precondition(lambda self: self.payments)
    @rule(
        saves=st.lists(st.tuples(st.integers(0, 4), INDEX, OPTIONAL_INDEX), min_size=1, max_size=5),
        reference=st.sampled_from(REFERENCES),
    )
    def save(
        self, saves: Sequence[tuple[int, int, int | None]], reference: Reference | None
    ) -> None:
        """Save changes of returned versions; another save may have been faster."""
        for version, change, request in saves:
            before = at(self.payments, version)
            after, event = at(changes(before, reference), change)
            record = self.record_of(before, request)
            saved = self.call(partial(save_payment, before, after, event, record))
            if saved is not None:
                self.payments.append(saved)
                self.requests += [record.request_id] if record else []

    def record_of(self, payment: Payment, request: int | None) -> RequestRecord | None:
        """No record, that of a new request, or that of a used one."""
        if request is None:
            return None
        record = request_record(payment)
        if request > 7 and self.requests:
            record = replace(record, request_id=at(self.requests, request))
        return record

    @precondition(lambda self: self.payments)
    @rule(payment=INDEX)
    def get(self, payment: int) -> None:
        self.read(at(self.payments, payment).id)

    @rule()
    def get_unknown(self) -> None:
        unknown = UUID(int=0)
        assert self.call(lambda of: of.payments.get(unknown)) is None
        assert self.call(lambda of: of.refunds.get(unknown, unknown)) is None

    @precondition(lambda self: self.requests)
    @rule(request=INDEX, reference=st.sampled_from(REFERENCES))
    def find(self, request: int, reference: Reference | None) -> None:
        request_id = at(self.requests, request)
        self.call(lambda of: of.payments.find_request(request_id))
        self.call(lambda of: of.payments.find_conflicts(request_id, reference))

    @precondition(lambda self: self.payments)
    @rule(reschedules=RESCHEDULES, limit=st.sampled_from([3, 3, 1, 0]))
    def reschedule_and_claim(self, reschedules: Reschedules, limit: int) -> None:
        for version, wait, attempt in reschedules:
            payment = at(self.payments, version)
            self.call(partial(reschedule_payment, payment, wait, attempt))
            self.claim(limit)

    def claim(self, limit: int) -> None:
        """Claim what is due, in whatever order."""

        async def claimed(of: Implementation) -> Any:
            payments = await of.payments.claim_due(limit)
            refunds = await of.refunds.claim_due(limit)
            return {*payments}, {*refunds}

        self.call(claimed)

    @rule(
        limit=st.integers(1, 4),
        newest_first=st.booleans(),
        show_deleted=st.booleans(),
        customer=st.none() | st.sampled_from(CUSTOMERS),
        state=st.none() | st.sampled_from(PublicState),
        reference=st.sampled_from([*REFERENCES, Reference("order-3")]),
        held=st.sampled_from([None, None, True, False]),
        after=OPTIONAL_INDEX,
        ranges=st.lists(st.tuples(st.sampled_from(Comparison), INDEX), max_size=2),
    )
    def list(self, after: int | None, ranges: Any, **restrictions: Any) -> None:
        position = None
        create_time: Sequence[tuple[Comparison, datetime]] = ()
        if self.payments:
            times = [payment.create_time for payment in self.payments]
            create_time = tuple((comparison, at(times, index)) for comparison, index in ranges)
            if after is not None:
                last = at(self.payments, after)
                position = Position(last.create_time, last.id)
        query = PaymentQuery(after=position, create_time=create_time, **restrictions)
        self.call(lambda of: as_list(of.payments.list(query)))

    # ------------------------------------------------------------------ refunds

    @precondition(lambda self: self.payments)
    @rule(payment=INDEX, amount=st.sampled_from([400, 600, 1, 1000, 1001]), request=OPTIONAL_INDEX)
    def insert_refund(self, payment: int, amount: int, request: int | None) -> None:
        """Insert a refund of a payment that succeeded, if there is one; some exceed its amount."""
        succeeded = [each for each in self.payments if each.state is State.SUCCEEDED]
        of_payment = at(succeeded or self.payments, payment)
        refund = unsaved_refund(of_payment, amount)
        record = request_record(of_payment, refund)
        if request is not None and request > 7 and self.requests:
            record = replace(record, request_id=at(self.requests, request))
        created = self.call(lambda of: of.refunds.insert(refund, record))
        if created is not None:
            self.refunds.append(created)
            self.requests.append(record.request_id)
            self.read(of_payment.id)

    @precondition(lambda self: self.refunds)
    @rule(
        refund=INDEX,
        statuses=st.lists(st.sampled_from([*RefundStatus, RefundStatus.FAILED]), max_size=3),
        number=st.integers(0, 20),
    )
    def save_refund(self, refund: int, statuses: Sequence[RefundStatus], number: int) -> None:
        """Save what the processor reports of a returned version; some ids are those of another refund."""
        before = at(self.refunds, refund)
        processor_id = before.processor_id or f"re_{number}"
        for status in statuses:
            after = before.apply(ProcessorRefund(processor_id, status, before.amount, before.id))
            event = refund_event_for(before, after)
            saved = self.call(partial(save_refund, before, after, event)) if event else None
            if saved is not None:
                self.refunds.append(saved)
                self.read(saved.payment_id)
                before = saved

    @precondition(lambda self: self.refunds)
    @rule(reschedules=RESCHEDULES, limit=st.sampled_from([3, 3, 1, 0]))
    def reschedule_refunds_and_claim(self, reschedules: Reschedules, limit: int) -> None:
        for version, wait, attempt in reschedules:
            refund = at(self.refunds, version)
            self.call(partial(reschedule_refund, refund, wait, attempt))
            self.claim(limit)

    @precondition(lambda self: self.refunds)
    @rule(refund=INDEX, limit=st.integers(1, 3), after=OPTIONAL_INDEX)
    def list_refunds(self, refund: int, limit: int, after: int | None) -> None:
        listed = at(self.refunds, refund)
        last = None if after is None else at(self.refunds, after)
        position = Position(last.create_time, last.id) if last else None
        self.call(lambda of: as_list(of.refunds.list(listed.payment_id, limit, position)))
        self.call(lambda of: of.refunds.get(listed.payment_id, listed.id))

    # ------------------------------------------------------------------ webhooks and events

    @rule(
        number=st.integers(0, 5),
        payment=OPTIONAL_INDEX,
        processor_id=st.sampled_from(["", "re_1", "re_9"]),
        times=st.integers(1, 3),
    )
    def record_notification(
        self, number: int, payment: int | None, processor_id: str, times: int
    ) -> None:
        """Record a notification once or again; some are of unknown payments and refunds."""
        intent_id = "pi_unknown" if payment is None else "pi_none"
        if payment is not None and self.payments:
            intent_id = at(self.payments, payment).intent_id
        if processor_id and self.refunds:
            refund = at(self.refunds, number)
            intent_id = refund.intent_id
            if processor_id == "re_1" and refund.processor_id:
                processor_id = refund.processor_id
        notification = WebhookNotification(
            f"evt_{number}", "charge.updated", intent_id, processor_id
        )
        for _ in range(times):
            self.call(partial(record_notification_of, notification))
            self.claim(3)

    @rule(payment=OPTIONAL_INDEX, limit=st.integers(1, 5), after=st.integers(0, 9), cursor=INDEX)
    def events(self, payment: int | None, limit: int, after: int, cursor: int) -> None:
        payment_id = None
        if payment is not None and self.payments:
            payment_id = listed_id = at(self.payments, payment).id
            self.call(lambda of: as_list(of.events.of_payment(listed_id, limit, after)))
        self.runner.run(self.repositories.until_stream_is_complete())
        self.call(lambda of: of.stream(payment_id, limit, cursor))

    def teardown(self) -> None:
        """Compare everything at the end."""
        self.runner.run(self.repositories.until_stream_is_complete())
        self.call(lambda of: of.stream(None, 10_000, 0))
        self.call(lambda of: as_list(of.payments.list(PaymentQuery(1000, show_deleted=True))))
        for payment_id in {payment.id for payment in self.payments}:
            self.read(payment_id)
            self.call(partial(list_all_refunds, payment_id))


async def list_all_refunds(payment_id: UUID, of: Implementation) -> Any:
    return await as_list(of.refunds.list(payment_id, 1000, None))


@pytest.fixture
def calls(postgresql: PostgreSQL, payment_template: Roles, address: str) -> Iterator[type[Calls]]:
    """The generator of calls, on an event loop of its own, since Hypothesis is synchronous."""

    async def connect(stack: AsyncExitStack) -> None:
        url, password = f"postgresql://{SUPERUSER}@{address}", postgresql.password
        Calls.superuser = await asyncpg.connect(url, password=password)
        stack.push_async_callback(Calls.superuser.close)
        Calls.database = await stack.enter_async_context(
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
        Calls.runner = runner
        yield Calls
        runner.run(stack.aclose())


def test_any_sequence_of_calls_gets_the_same_answers_from_memory_and_from_postgresql(
    calls: type[Calls],
) -> None:
    run_state_machine_as_test(
        calls,
        settings=settings(
            max_examples=int(os.environ.get("EXAMPLES", "25")),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[*HealthCheck],
        ),
    )
