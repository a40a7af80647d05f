"""Tables and ratios of what was measured. A ratio is the median of the ratios round by round: what drifts,
drifts in both.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence

from rich.table import Table

from verification.bench.measure import COMPONENTS, ECHO, Cost, Costs

MIN_SHARE = 0.01
"""A component that has less of a call's CPU is left out of a comparison: it is noise."""


def costs_table(costs: Costs) -> Table:
    """Calls per second, and CPU microseconds a call, by system and component."""
    table = Table("system", "call", "calls/s", *(f"{name}, µs" for name in COMPONENTS), "all, µs")
    for (system, kind), rounds in costs.items():
        there = [name in rounds[0].cpu for name in COMPONENTS]
        cpu = (
            f"{median(rounds, cpu_of(name)):.0f}" if is_there else ""
            for name, is_there in zip(COMPONENTS, there, strict=True)
        )
        all_of_it = f"{median(rounds, cpu_of_all):.0f}"
        table.add_row(system, kind, f"{median(rounds, rate):.0f}", *cpu, all_of_it)
    return table


def reference_ratios(costs: Costs, system: str, pgbench: float) -> Iterator[str]:
    """The ratios that the budgets are about: to the echo and to pgbench."""
    echo, get = costs[ECHO], costs[system, "GetCustomer"]
    create = costs[system, "CreatePayment"]
    customer = ratio(get, echo, cpu_of("customer"), cpu_of_all)
    payment = ratio(create, echo, cpu_of("payment"), cpu_of_all)
    yield f"GetCustomer, the service's CPU to an echo's: {customer:.2f}"
    yield f"CreatePayment, the service's CPU to an echo's: {payment:.2f}"
    yield f"CreatePayment, payments/s to pgbench's {pgbench:.0f}/s: {median(create, rate) / pgbench:.3f}"
    per_core_second = 1e6 / median(create, cpu_of_all)
    yield f"CreatePayment, payments per core-second of all processes: {per_core_second:.0f}"


def comparison_table(costs: Costs, system: str, base: str) -> Table:
    """The ratios of one system's figures to another's, by kind of call."""
    table = Table(
        f"{system} to {base}", "calls/s", *(f"CPU of {name}" for name in COMPONENTS), "CPU of all"
    )
    for kind in [kind for name, kind in costs if name == system]:
        ours, theirs = costs[system, kind], costs[base, kind]
        all_of_it = median(theirs, cpu_of_all)
        cpu = (
            f"{ratio(ours, theirs, cpu_of(name), cpu_of(name)):.2f}"
            if median(theirs, cpu_of(name)) > MIN_SHARE * all_of_it
            else ""
            for name in COMPONENTS
        )
        table.add_row(
            kind,
            f"{ratio(ours, theirs, rate, rate):.2f}",
            *cpu,
            f"{ratio(ours, theirs, cpu_of_all, cpu_of_all):.2f}",
        )
    return table


Figure = Callable[[Cost], float]


def rate(cost: Cost) -> float:
    return cost.rate


def cpu_of_all(cost: Cost) -> float:
    return sum(cost.cpu.values())


def cpu_of(component: str) -> Figure:
    return lambda cost: cost.cpu[component]


def median(rounds: Sequence[Cost], figure: Figure) -> float:
    return statistics.median(figure(cost) for cost in rounds)


def ratio(
    ours: Sequence[Cost], theirs: Sequence[Cost], our_figure: Figure, their_figure: Figure
) -> float:
    """The median of the ratios of each round; of rounds in which theirs was below a clock tick, none."""
    ratios = [
        our_figure(our_cost) / their_figure(their_cost)
        for our_cost, their_cost in zip(ours, theirs, strict=True)
        if their_figure(their_cost)
    ]
    return statistics.median(ratios) if ratios else float("nan")
