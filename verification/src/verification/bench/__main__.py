"""`python -m verification.bench`: measure this tree, and compare it with another commit (--base)."""

import argparse
import sys
from contextlib import ExitStack

import uvloop

from oncepay_cli.local.paths import REPOSITORY
from oncepay_cli.output import Output
from verification.bench.measure import (
    CLIENTS,
    ROUNDS,
    SECONDS,
    components_of,
    measure_rounds,
)
from verification.bench.pgbench import transactions_per_second
from verification.bench.report import comparison_table, costs_table, reference_ratios
from verification.bench.systems import NotStarted, checkout, echoing, running
from verification.commands import CommandFailed

OURS, BASE = "this", "base"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m verification.bench", description=__doc__)
    parser.add_argument("--base", default="", help="a commit, built in a git worktree of its own")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of one measurement")
    asked = parser.parse_args()
    output = Output()
    trees = {OURS: REPOSITORY}
    if asked.base:
        with output.step(f"Building {asked.base}"):
            trees[BASE] = checkout(asked.base)
    with ExitStack() as endings:
        systems = [endings.enter_context(running(tree, name)) for name, tree in trees.items()]
        echo = endings.enter_context(echoing())
        for system in systems:
            for component in components_of(system):
                if component.name in ("customer", "payment"):
                    megabytes = component.resident_megabytes()
                    output.print_line(
                        f"{system.name}, {component.name}, idle: {megabytes:.0f} MB resident"
                    )
        costs = uvloop.run(measure_rounds(systems, echo, asked.rounds, asked.seconds))
        pgbench = transactions_per_second(systems[0], CLIENTS, asked.seconds)
    output.console.print(costs_table(costs))
    for line in reference_ratios(costs, OURS, pgbench):
        output.print_line(line)
    if asked.base:
        output.console.print(comparison_table(costs, OURS, BASE))


if __name__ == "__main__":
    try:
        main()
    except (NotStarted, CommandFailed) as error:
        sys.exit(str(error))
