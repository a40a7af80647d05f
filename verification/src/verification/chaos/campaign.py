"""One run, from the first process to the verdict."""

import asyncio
import time
import uuid
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
from grpc import aio
from oncepay.customer.v1.customer_pb2 import Customer
from oncepay.customer.v1.customer_service_pb2 import CreateCustomerRequest
from oncepay.customer.v1.customer_service_pb2_grpc import CustomerServiceStub

from verification.chaos import ledger
from verification.chaos.arena import ONCEPAY, Arena
from verification.chaos.callers import Callers
from verification.chaos.facts import EventRow, Facts, PaymentRow, RefundRow
from verification.chaos.oracle import judge
from verification.chaos.orders import OrderBook
from verification.chaos.peace import Rest, come_to_rest, resolutions, under_way
from verification.chaos.plan import CALLERS, Plan
from verification.chaos.proxy import HOST
from verification.chaos.reader import Reader
from verification.chaos.report import Report, alarms, commit
from verification.chaos.shared_rules import broken_rules
from verification.chaos.storm import Storm

CHANNEL = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)
"""Over both replicas in turn; one that comes back is found within a second."""
NOTIFICATIONS = "SELECT count(*) AS many FROM webhook_notifications"
ASKED_AGAIN = 200
"""How many requests are sent once more at the end, at most."""
CATCH_UP_SECONDS = 60.0


async def run(plan: Plan) -> Report:
    """Everything up, a storm, peace, the verdict."""
    async with Arena.open(plan) as arena, AsyncExitStack() as endings:
        channel = await endings.enter_async_context(
            aio.insecure_channel(arena.target, options=CHANNEL)
        )
        web = await endings.enter_async_context(
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5))
        )
        book, storm, reader = OrderBook(), Storm(arena), Reader(channel)
        callers = Callers(plan, channel, web, await _customer(arena), book)
        watching = asyncio.create_task(reader.read()) if plan.design == ONCEPAY else None
        working = [asyncio.create_task(callers.work()) for _ in range(CALLERS)]
        if plan.refunds_at_once:
            crowd = callers.refunded_by_many(plan.refunds_at_once)
            working.append(asyncio.create_task(crowd))
        try:
            await storm.rage()
            callers.ending.set()
            rest = await _peace(arena, working)
            if plan.design == ONCEPAY:
                await callers.ask_again(ASKED_AGAIN)
            facts = await _facts(arena, book, reader)
        finally:
            for task in [*working, *([watching] if watching else [])]:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)
        return await _report(arena, storm, facts, rest, reader.resumed)


async def _report(arena: Arena, storm: Storm, facts: Facts, rest: Rest, resumed: int) -> Report:
    """The verdict, and everything that was counted."""
    plan, book = arena.plan, facts.orders
    findings, under_fire, after = judge(facts), list[float](), list[float]()
    if plan.design == ONCEPAY:
        findings += await broken_rules(arena)
        under_fire, after = await resolutions(arena, book.first_unknown(), rest.began)
    return Report(
        plan=plan,
        commit=commit(),
        kills={service.name: service.kills for service in arena.services},
        database_kills=arena.database.kills,
        points=dict(storm.points),
        faults=dict(storm.done),
        passed=dict(arena.traps.passed),
        orders=len(book.orders),
        calls=sum(sum(order.asked.values()) for order in book.orders),
        codes=dict(Counter(told.code for order in book.orders for told in order.told)),
        payments=dict(Counter(row.state for row in facts.payments)),
        refunds=dict(Counter(refund.state for refund in facts.refunds)),
        refund_codes=dict(Counter(code for asked in book.refunds for code in asked.codes)),
        notifications=(await arena.rows(NOTIFICATIONS))[0]["many"] if plan.design == ONCEPAY else 0,
        charged=sum(one.has_money for one in facts.money.values()),
        events=len(facts.events),
        resumed=resumed,
        rest=rest,
        under_fire=under_fire,
        after=after,
        alarms=alarms(arena.paths.logs),
        findings=findings,
    )


async def _customer(arena: Arena) -> str:
    async with aio.insecure_channel(f"{HOST}:{arena.customer.port}", options=CHANNEL) as channel:
        customer = Customer(display_name="Grace", email=f"{uuid.uuid4()}@example.com")
        request = CreateCustomerRequest(customer=customer, request_id=str(uuid.uuid4()))
        made = await CustomerServiceStub(channel).CreateCustomer(request, timeout=30)
    return str(made.name)


async def _peace(arena: Arena, working: list[asyncio.Task[None]]) -> Rest:
    """Callers end their stories while everything comes to rest."""
    if arena.plan.design != ONCEPAY:
        rest = Rest(0.0, 0)
        await asyncio.gather(*working)
        await asyncio.sleep(arena.plan.peace)
        return rest
    rest = await come_to_rest(arena, arena.plan.peace)
    await asyncio.gather(*working)
    if await under_way(arena):  # what they began last
        again = await come_to_rest(arena, arena.plan.peace)
        rest.put_forward += again.put_forward
        rest.left = again.left
        rest.seconds = time.time() - rest.began
    return rest


async def _facts(arena: Arena, book: OrderBook, reader: Reader) -> Facts:
    moved = ledger.movements(arena.paths.sandbox / "ledger.jsonl")
    if arena.plan.design != ONCEPAY:
        rows = await arena.rows("SELECT * FROM payments")
        return Facts(book, ledger.money(moved), [_baseline_row(row) for row in rows])
    payments = [PaymentRow.of(row) for row in await arena.rows("SELECT * FROM payments")]
    refunds = [
        RefundRow(str(row["id"]), f"payments/{row['payment_id']}", row["amount"], row["state"])
        for row in await arena.rows("SELECT * FROM refunds")
    ]
    events = await _events(arena)
    for _ in range(int(CATCH_UP_SECONDS)):
        if len(reader.seen) >= len(events):
            break
        await asyncio.sleep(1.0)
    return Facts(book, ledger.money(moved), payments, refunds, events, list(reader.seen))


async def _events(arena: Arena) -> list[EventRow]:
    rows = await arena.rows("SELECT payment_id, sequence, type, state FROM payment_events")
    return [
        EventRow(
            f"payments/{row['payment_id']}",
            row["sequence"],
            row["type"],
            PaymentRow.shown(row["state"]),
        )
        for row in rows
    ]


def _baseline_row(row: dict[str, Any]) -> PaymentRow:
    return PaymentRow(
        name=f"payments/{row['id']}",
        request_id=str(row["request_id"]),
        reference=row["reference"] or "",
        intent=row["intent_id"] or "",
        state=row["state"],
        amount=row["amount"],
        captured=row["amount"] if row["state"] == "SUCCEEDED" else 0,
    )
