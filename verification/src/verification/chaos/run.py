"""One run, from the first process to the verdict."""

import asyncio
import time
import uuid
from collections import Counter
from contextlib import AsyncExitStack

import aiohttp
from grpc import aio
from oncepay.customer.v1.customer_pb2 import Customer
from oncepay.customer.v1.customer_service_pb2 import CreateCustomerRequest
from oncepay.customer.v1.customer_service_pb2_grpc import CustomerServiceStub

from oncepay_cli.local.health import HOST
from verification.chaos.clients import Clients
from verification.chaos.event_reader import EventReader
from verification.chaos.fault_injection import FaultInjector
from verification.chaos.ledger import money_by_intent, movements
from verification.chaos.oracle import findings
from verification.chaos.plan import CLIENTS, Plan
from verification.chaos.quiescence import (
    Quiescence,
    decision_times,
    in_progress,
    reach_quiescence,
)
from verification.chaos.report import Report, alarms, commit
from verification.chaos.requests import RequestLog
from verification.chaos.shared_invariants import broken_invariants
from verification.chaos.snapshot import EventRow, FinalSnapshot, PaymentRow, RefundRow
from verification.chaos.testbed import Testbed

CHANNEL_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)
"""Over both replicas in turn; one that comes back is found within a second."""
NOTIFICATIONS = "SELECT count(*) AS count FROM webhook_notifications"
MAX_REPEATED = 200
"""How many requests are sent once more at the end, at most."""
CATCH_UP_SECONDS = 60


async def run(plan: Plan) -> Report:
    """Everything up, faults, quiescence, the verdict."""
    async with Testbed.open(plan) as testbed, AsyncExitStack() as endings:
        channel = await endings.enter_async_context(
            aio.insecure_channel(testbed.target, options=CHANNEL_OPTIONS)
        )
        web = await endings.enter_async_context(
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5))
        )
        log, injector, reader = RequestLog(), FaultInjector(testbed), EventReader(channel)
        clients = Clients(plan, channel, web, await _customer(testbed), log)
        working = [asyncio.create_task(clients.work()) for _ in range(CLIENTS)]
        if plan.concurrent_refunds:
            crowd = clients.refund_concurrently(plan.concurrent_refunds)
            working.append(asyncio.create_task(crowd))
        reading = [] if plan.is_baseline else [asyncio.create_task(reader.read())]
        try:
            await injector.run(lambda: len({answer.payment for _, answer in log.acknowledged()}))
            clients.stopping.set()
            quiescence = await _come_to_rest(testbed, working)
            if not plan.is_baseline:
                await clients.repeat_answered_requests(MAX_REPEATED)
            snapshot = await _snapshot(testbed, log, reader)
        finally:
            for task in [*working, *reading]:
                task.cancel()
            await asyncio.gather(*working, *reading, return_exceptions=True)
        return await _report(testbed, injector, snapshot, quiescence, reader.resumed)


async def _customer(testbed: Testbed) -> str:
    address = f"{HOST}:{testbed.customer.port}"
    async with aio.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
        customer = Customer(display_name="Grace", email=f"{uuid.uuid4()}@example.com")
        request = CreateCustomerRequest(customer=customer, request_id=str(uuid.uuid4()))
        created = await CustomerServiceStub(channel).CreateCustomer(request, timeout=60)
    return str(created.name)


async def _come_to_rest(testbed: Testbed, working: list[asyncio.Task[None]]) -> Quiescence:
    """Clients end their scenarios while everything comes to rest."""
    patience = testbed.plan.quiescence
    if testbed.plan.is_baseline:
        await asyncio.gather(*working)
        await asyncio.sleep(patience)
        return Quiescence(0.0)
    found = await reach_quiescence(testbed, patience)
    await asyncio.gather(*working)
    if await in_progress(testbed):  # what they began last
        again = await reach_quiescence(testbed, patience)
        found.brought_forward += again.brought_forward
        found.unfinished = again.unfinished
        found.seconds = time.time() - found.began
    return found


async def _snapshot(testbed: Testbed, log: RequestLog, reader: EventReader) -> FinalSnapshot:
    money = money_by_intent(movements(testbed.ledger))
    payments = await testbed.rows("SELECT * FROM payments")
    if testbed.plan.is_baseline:
        return FinalSnapshot(log, money, [PaymentRow.of_baseline(row) for row in payments])
    refunds = await testbed.rows("SELECT * FROM refunds")
    events = await testbed.rows("SELECT payment_id, sequence, type, state FROM payment_events")
    for _ in range(CATCH_UP_SECONDS):
        if len(reader.received) >= len(events):
            break
        await asyncio.sleep(1.0)
    return FinalSnapshot(
        log,
        money,
        [PaymentRow.of(row) for row in payments],
        [RefundRow.of(row) for row in refunds],
        [EventRow.of(row) for row in events],
        list(reader.received),
    )


async def _report(
    testbed: Testbed,
    injector: FaultInjector,
    snapshot: FinalSnapshot,
    quiescence: Quiescence,
    resumed: int,
) -> Report:
    """The verdict, and everything that was counted."""
    plan, log = testbed.plan, snapshot.log
    found, notifications = findings(snapshot), 0
    during_faults, after_faults = list[float](), list[float]()
    if not plan.is_baseline:
        found += await broken_invariants(testbed)
        during_faults, after_faults = await decision_times(
            testbed, log.first_unknown(), quiescence.began
        )
        notifications = (await testbed.rows(NOTIFICATIONS))[0]["count"]
    return Report(
        plan=plan,
        commit=commit(),
        kills={service.name: service.kills for service in testbed.services},
        database_kills=testbed.database.kills,
        points=dict(injector.points),
        faults=dict(injector.faults),
        passed=dict(testbed.fault_points.passed),
        orders=len(log.orders),
        calls=sum(sum(order.attempts.values()) for order in log.orders),
        codes=dict(Counter(answer.code for order in log.orders for answer in order.answers)),
        payments=dict(Counter(row.state for row in snapshot.payments)),
        refunds=dict(Counter(refund.state for refund in snapshot.refunds)),
        refund_codes=dict(Counter(code for attempt in log.refunds for code in attempt.codes)),
        notifications=notifications,
        charged=sum(money.was_taken for money in snapshot.money.values()),
        events=len(snapshot.events),
        resumed=resumed,
        quiescence=quiescence,
        decided_during_faults=during_faults,
        decided_after_faults=after_faults,
        alarms=alarms(testbed.paths.logs),
        findings=found,
    )
