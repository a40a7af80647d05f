"""An older backup is restored: real pg_dump and pg_restore, the commands as processes, the sandbox as
the processor that forgets nothing.
"""

import asyncio
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from commands import adopted, compared, intents_of, refund_in_the_dashboard, sandbox_on
from grpc import StatusCode
from oncepay.payment.v1 import payment_pb2 as pb
from oncepay.payment.v1 import payment_service_pb2 as service_pb
from whole_service import WholeService, refusal, whole_service

from chassis.database import Database, DatabaseUnusable
from chassis.settings import Secret
from oncepay_cli.local.databases import Roles, make_database
from oncepay_cli.local.postgresql import PostgreSQL, binary
from payment.repository.postgresql import SCHEMA_VERSION

SURE = "--the-old-one-is-stopped"


async def copied(server: PostgreSQL, roles: Roles, backup: Path, of: Any) -> Any:
    """A new database with what the backup holds."""
    name = f"{of.name}_restored"
    make_database(server, name, roles)
    place = {"name": name} | {
        url: getattr(of, url).replace(f"/{of.name}", f"/{name}")
        for url in ("url", "owner_url", "superuser_url")
    }
    restored = replace(of, **place)
    restore = [str(binary("pg_restore")), "--exit-on-error", "--dbname", restored.superuser_url]
    await asyncio.to_thread(subprocess.run, [*restore, str(backup)], check=True)
    return restored


async def backed_up(database: Any, file: Path) -> None:
    dump = [str(binary("pg_dump")), "--format=custom", "--file", str(file), database.superuser_url]
    await asyncio.to_thread(subprocess.run, dump, check=True)


async def all_events(service: WholeService, number: int) -> list[pb.PaymentEvent]:
    """The first so many events of the stream of all."""
    watching = service.stub.WatchPaymentEvents(
        service_pb.WatchPaymentEventsRequest(parent="payments/-"), timeout=30
    )
    found: list[pb.PaymentEvent] = []
    async for each in watching:
        found.append(each.payment_event)
        if len(found) == number:
            break
    watching.cancel()
    return found


# As in a cluster that has lived for long: a new one's transaction ids begin far below.
LIVED_LONG = """
SET session_replication_role = replica;
UPDATE payment_events SET xid = (xid::text::bigint + 1000000000)::text::xid8;
UPDATE payments SET event_xid = (event_xid::text::bigint + 1000000000)::text::xid8;
"""


async def test_an_older_backup_is_restored_adopted_compared_and_goes_on(
    postgresql: PostgreSQL,
    payment_template: Roles,
    payment_database: Any,
    free_port: Callable[[], int],
    tmp_path: Path,
) -> None:
    # given payments, a backup, and a payment after it
    backup, folder = tmp_path / "backup", tmp_path / "sandbox"
    folder.mkdir()
    async with whole_service(payment_database, f"127.0.0.1:{free_port()}", folder) as service:
        kept = [await service.pay(reference=f"order-{number}") for number in range(3)]
        cursor = (await all_events(service, 4))[-1].cursor
        token = (
            await service.stub.ListPaymentEvents(
                service_pb.ListPaymentEventsRequest(parent="payments/-", page_size=1)
            )
        ).next_page_token
        connection = await asyncpg.connect(payment_database.superuser_url)
        await connection.execute(LIVED_LONG)
        await connection.close()
        await backed_up(payment_database, backup)
        lost = await service.pay(reference="order-lost")
        lost_intent = (await intents_of(payment_database))[lost.name]

    # when it is restored, then nothing acts on it
    restored = await copied(postgresql, payment_template, backup, payment_database)
    with pytest.raises(DatabaseUnusable, match="is a copy"):
        async with Database.open(
            restored.url, Secret(restored.password), pool_size=1, schema_version=SCHEMA_VERSION
        ):
            pass
    code, _, told = await adopted(restored)
    assert code == 1
    assert SURE in told

    # and once it is adopted, it is closed until it was compared from before the backup on
    code, said, _ = await adopted(restored, SURE)
    assert code == 0
    found = re.search(r"--since (\S+Z)", said)
    assert found is not None
    since = found[1]
    async with sandbox_on(folder) as processor:
        code, report, _ = await compared(restored, processor, "--since", since)
        assert code == 1
        assert f"Charged, and not recorded here: intent {lost_intent}" in report
        assert "EUR 10.00 at the processor" in report
        assert "1 difference:" in report
        assert "open now" not in report
        await refund_in_the_dashboard(processor, lost_intent, 1000)
        code, report, _ = await compared(restored, processor, "--since", since)
        assert (code, "open now" in report) == (0, True)

    # then it goes on, and its stream has the old events before the new ones, and each once
    async with whole_service(restored, f"127.0.0.1:{free_port()}", folder) as service:
        new = await service.pay(reference="order-lost")
        assert new.state == pb.Payment.SUCCEEDED
        events = await all_events(service, 8)
        names = [each.payment for each in events]
        assert names[6:] == [new.name, new.name]
        assert set(names[:6]) == {each.name for each in kept}
        assert [each.sequence for each in events[6:]] == [1, 2]
        error = await refusal(
            anext(
                aiter(
                    service.stub.WatchPaymentEvents(
                        service_pb.WatchPaymentEventsRequest(parent="payments/-", cursor=cursor)
                    )
                )
            )
        )
        assert (error.code, error.fields) == (
            StatusCode.INVALID_ARGUMENT,
            [("cursor", "CURSOR")],
        )
        error = await refusal(
            service.stub.ListPaymentEvents(
                service_pb.ListPaymentEventsRequest(parent="payments/-", page_token=token)
            )
        )
        assert error.fields == [("page_token", "PAGE_TOKEN")]
        assert "restored" in error.message
        await service.stub.CreateRefund(
            service_pb.CreateRefundRequest(
                parent=kept[0].name, refund=pb.Refund(), request_id=service.creation().request_id
            )
        )
