"""`python -m verification.simulator --seeds N [--first K]`: run so many seeds, on every core. Exit code
1 where one violates a rule. `--seed K`: run that one, and print its trace.
"""

import argparse
import sys
from pathlib import Path

from verification.output import write_figures, write_line
from verification.simulator.runner import Tally, replay, simulate

PRINT_EVERY = 1000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m verification.simulator")
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="this one, with its trace")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    options = parser.parse_args()
    if options.seed is not None:
        violation = replay(options.seed)
        write_line(str(violation))
        return int(bool(violation.violations))
    tally = Tally()
    for tally in simulate(range(options.first, options.first + options.seeds)):
        if tally.seeds % PRINT_EVERY == 0:
            violated = len(tally.violations)
            write_line(f"{tally.seeds:,} of {options.seeds:,} seeds, {violated} with violations")
            write_figures(options.json, tally.figures())  # in case the run is ended early
    write_line(str(tally))
    for seed in list(tally.violations)[:1]:
        write_line(f"make simulate SEED={seed}   # prints the trace")
    write_figures(options.json, tally.figures())
    return int(bool(tally.violations))


if __name__ == "__main__":
    sys.exit(main())
