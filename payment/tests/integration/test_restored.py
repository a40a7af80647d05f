"""An older backup is restored, rebound and reconciled: real pg_dump and pg_restore, the commands as
processes, and the sandbox as the processor, which loses nothing.
"""

import asyncio
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from grpc import StatusCode
from oncepay.payment.v1 import payment_pb2 as pb
from oncepay.payment.v1 import payment_service_pb2 as service_pb
from support.commands import intent_ids, rebind, reconcile, refund_in_dashboard, running_sandbox
from support.running_service import error_of, running_service

from chassis.database import Database, DatabaseUnusable
from chassis.rebinding import CONFIRMATION
from chassis.settings import Secret
from oncepay_cli.local.databases import Roles, make_database
from oncepay_cli.local.postgresql import PostgreSQL, binary
from payment.reconciliation.command import ExitCode
from payment.repository.postgresql import SCHEMA_VERSION

# As in a cluster that has run for long: the transaction ids of a new one begin far below.
RAISE_TRANSACTION_IDS = """
SET session_replication_role = replica;
UPDATE payment_events SET xid = (xid::text::bigint + 1000000000)::text::xid8;
UPDATE payments SET event_xid = (event_xid::text::bigint + 1000000000)::text::xid8;
"""


async def raise_transaction_ids(database: Any) -> None:
    connection = await asyncpg.connect(database.superuser_url)
    await connection.execute(RAISE_TRANSACTION_IDS)
    await connection.close()


async def back_up(database: Any, file: Path) -> None:
    dump = [str(binary("pg_dump")), "--format=custom", "--file", str(file), database.superuser_url]
    await asyncio.to_thread(subprocess.run, dump, check=True)


async def restore(server: PostgreSQL, roles: Roles, backup: Path, original: Any) -> Any:
    """A new database beside the original, from a backup of it."""
    name = f"{original.name}_restored"
    make_database(server, name, roles)
    addresses = {
        field: getattr(original, field).replace(f"/{original.name}", f"/{name}")
        for field in ("url", "owner_url", "superuser_url")
    }
    restored = replace(original, name=name, **addresses)
    command = [str(binary("pg_restore")), "--exit-on-error", "--dbname", restored.superuser_url]
    await asyncio.to_thread(subprocess.run, [*command, str(backup)], check=True)
    return restored


async def test_an_older_backup_is_restored_rebound_and_reconciled_and_the_service_goes_on(
    postgresql: PostgreSQL,
    payment_template: Roles,
    payment_database: Any,
    free_port: Callable[[], int],
    tmp_path: Path,
) -> None:
    # given three payments, a backup, and a payment after it
    backup, folder = tmp_path / "backup", tmp_path / "sandbox"
    folder.mkdir()
    async with running_service(payment_database, f"127.0.0.1:{free_port()}", folder) as service:
        kept = [await service.pay(reference=f"order-{number}") for number in range(3)]
        old_cursor = (await service.first_events(4))[-1].cursor
        request = service_pb.ListPaymentEventsRequest(parent="payments/-", page_size=1)
        old_page_token = (await service.stub.ListPaymentEvents(request)).next_page_token
        await raise_transaction_ids(payment_database)
        await back_up(payment_database, backup)
        paid_after_backup = await service.pay(reference="order-lost")
        intent_after_backup = (await intent_ids(payment_database))[paid_after_backup.name]

    # when the backup is restored, then no service starts on it
    restored = await restore(postgresql, payment_template, backup, payment_database)
    opening = Database.open(
        restored.url, Secret(restored.password), pool_size=1, schema_version=SCHEMA_VERSION
    )
    with pytest.raises(DatabaseUnusable, match="is a copy"):
        async with opening:
            pass

    # when it is rebound, then it is closed, and the message says from when it has to be reconciled
    unconfirmed = await rebind(restored)
    assert (unconfirmed.exit_code, CONFIRMATION in unconfirmed.log) == (1, True)
    rebound = await rebind(restored, CONFIRMATION)
    assert rebound.exit_code == 0
    since = re.search(r"--since (\S+Z)", rebound.output)
    assert since is not None

    # when it is reconciled, then the lost payment is a difference, and the database stays closed
    async with running_sandbox(folder) as processor_address:
        first = await reconcile(restored, processor_address, "--since", since[1])
        assert first.exit_code == ExitCode.DIFFERENCES
        assert f"Charged, but no payment recorded: intent {intent_after_backup}" in first.output
        assert "processor: EUR 10.00" in first.output
        assert "1 difference:" in first.output
        assert "open now" not in first.output

        # when its charge is refunded, then the two sides agree, and the database is open
        await refund_in_dashboard(processor_address, intent_after_backup, 1000)
        second = await reconcile(restored, processor_address, "--since", since[1])
        assert second.exit_code == ExitCode.NO_DIFFERENCES
        assert "open now" in second.output

    async with running_service(restored, f"127.0.0.1:{free_port()}", folder) as service:
        # then a new payment is accepted, and the stream has its events after the old ones
        new = await service.pay(reference="order-lost")
        assert new.state == pb.Payment.SUCCEEDED
        events = await service.first_events(8)
        assert {each.payment for each in events[:6]} == {each.name for each in kept}
        assert [(each.payment, each.sequence) for each in events[6:]] == [
            (new.name, 1),
            (new.name, 2),
        ]

        # and cursors and page tokens of the time before are refused
        error = await error_of(service.first_events(1, cursor=old_cursor))
        assert error.code is StatusCode.INVALID_ARGUMENT
        assert error.fields == [("cursor", "CURSOR")]
        request = service_pb.ListPaymentEventsRequest(
            parent="payments/-", page_token=old_page_token
        )
        error = await error_of(service.stub.ListPaymentEvents(request))
        assert error.fields == [("page_token", "PAGE_TOKEN")]
        assert "restored" in error.message

        # and an old payment is refunded
        await service.stub.CreateRefund(
            service_pb.CreateRefundRequest(
                parent=kept[0].name,
                refund=pb.Refund(),
                request_id=str(uuid4()),
            )
        )
