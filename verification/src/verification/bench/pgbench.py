"""The reference for payments per second: a payment's SQL, in two commits, on a system's own PostgreSQL."""

import subprocess

from oncepay_cli.local.health import HOST
from oncepay_cli.local.postgresql import SUPERUSER, binary
from verification.bench.systems import System
from verification.local_stack import postgresql

TABLE = """
DROP TABLE IF EXISTS bench_payments;
CREATE TABLE bench_payments (id uuid PRIMARY KEY, request_id uuid NOT NULL UNIQUE,
                             state text NOT NULL, amount bigint NOT NULL);
"""
TRANSACTION = """
SELECT id FROM bench_payments WHERE request_id = gen_random_uuid();
INSERT INTO bench_payments (id, request_id, state, amount)
VALUES (gen_random_uuid(), gen_random_uuid(), 'CONFIRMING', 1000) RETURNING id \\gset
UPDATE bench_payments SET state = 'SUCCEEDED' WHERE id = :id;
"""


def transactions_per_second(system: System, clients: int, seconds: float) -> float:
    server = postgresql(system.paths, system.ports.postgresql)
    server.run(TABLE)
    address = ["-h", HOST, "-p", str(server.port), "-U", SUPERUSER]
    done = subprocess.run(
        [
            *(str(binary("pgbench")), *address, "-n", "-M", "prepared", "-f", "/dev/stdin"),
            *("-c", str(clients), "-j", "2", "-T", str(max(int(seconds), 1)), "postgres"),
        ],
        input=TRANSACTION,
        env={"PGPASSWORD": server.password},
        capture_output=True,
        text=True,
        check=True,
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("tps"))
    return float(line.split()[2])
