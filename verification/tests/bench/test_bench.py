"""The bench: what it measures of a system that is up, and the ratios that it makes of the figures."""

import pytest
import uvloop
from rich.console import Console

from oncepay_cli.local.installation import Installation
from verification.bench.measure import COMPONENTS, ECHO, Cost, measure_rounds
from verification.bench.pgbench import transactions_per_second
from verification.bench.report import (
    comparison_table,
    cpu_of,
    cpu_of_all,
    rate,
    ratio,
    reference_ratios,
)
from verification.bench.systems import System, checkout, echoing
from verification.commands import CommandFailed

KINDS = ("GetCustomer", "CreatePayment")


def cost(calls_per_second: float, *cpu: float) -> Cost:
    return Cost(calls_per_second, dict(zip(COMPONENTS, cpu, strict=True)))


def test_two_systems_and_the_echo_are_measured_in_each_round(stack: Installation) -> None:
    systems = [System(name, stack.ports, stack.paths) for name in ("this", "base")]
    with echoing() as echo:
        costs = uvloop.run(measure_rounds(systems, echo, rounds=2, seconds=0.01, warm_up=0.01))

    assert costs.keys() == {ECHO, *((name, kind) for name in ("this", "base") for kind in KINDS)}
    for key, rounds in costs.items():
        assert len(rounds) == 2
        for measured in rounds:
            assert measured.rate > 0
            assert [*measured.cpu] == (["echo"] if key == ECHO else [*COMPONENTS])


def test_pgbench_runs_on_the_database_of_the_system(stack: Installation) -> None:
    system = System("this", stack.ports, stack.paths)

    assert transactions_per_second(system, clients=2, seconds=1) > 0


def test_a_commit_that_does_not_exist_is_named() -> None:
    with pytest.raises(CommandFailed, match="no-such-commit"):
        checkout("no-such-commit")


def test_a_ratio_is_the_median_of_the_ratios_of_each_round() -> None:
    base = [cost(100, 1, 10, 1, 1), cost(200, 1, 20, 1, 1), cost(50, 1, 40, 1, 1)]
    this = [cost(50, 1, 20, 1, 1), cost(100, 1, 40, 1, 1), cost(50, 1, 4, 1, 1)]

    assert ratio(this, base, rate, rate) == 0.5
    assert ratio(this, base, cpu_of("payment"), cpu_of("payment")) == 2.0


def test_a_round_without_cpu_has_no_ratio() -> None:
    idle, busy = cost(1, 0, 0, 0, 0), cost(1, 1, 1, 1, 1)

    assert ratio([busy, busy], [idle, busy], cpu_of_all, cpu_of_all) == 1.0


def test_the_comparison_leaves_out_a_component_that_did_nothing() -> None:
    costs = {
        ("this", "GetCustomer"): [cost(150, 40, 0, 0, 4)],
        ("base", "GetCustomer"): [cost(100, 80, 0, 0, 8)],
    }
    console = Console(width=200)
    with console.capture() as shown:
        console.print(comparison_table(costs, "this", "base"))

    row = next(line for line in shown.get().splitlines() if "GetCustomer" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        *("GetCustomer", "1.50"),
        *("0.50", "", "", "0.50", "0.50"),
    ]


def test_the_reference_ratios_are_to_the_echo_and_to_pgbench() -> None:
    costs = {
        ECHO: [Cost(1_000, {"echo": 100})],
        ("this", "GetCustomer"): [cost(500, 300, 0, 0, 50)],
        ("this", "CreatePayment"): [cost(100, 500, 2_000, 1_000, 1_500)],
    }

    assert [*reference_ratios(costs, "this", pgbench=400)] == [
        "GetCustomer, the service's CPU to an echo's: 3.00",
        "CreatePayment, the service's CPU to an echo's: 20.00",
        "CreatePayment, payments/s to pgbench's 400/s: 0.250",
        "CreatePayment, payments per core-second of all processes: 200",
    ]
