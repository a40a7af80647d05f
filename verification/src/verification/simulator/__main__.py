"""`python -m verification.simulator --seeds N [--first K]`: run so many seeds, on every core. Exit code
1 where one violates a rule. `--seed K`: run that one, and print its trace.
"""

import argparse
import json
import sys
from pathlib import Path

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
        write(str(violation))
        return int(bool(violation.violations))
    tally = Tally()
    for tally in simulate(range(options.first, options.first + options.seeds)):
        if tally.seeds % PRINT_EVERY == 0:
            violated = len(tally.violations)
            write(f"{tally.seeds:,} of {options.seeds:,} seeds, {violated} with violations")
            save(tally, options.json)  # a long run that is ended leaves what it has
    write(str(tally))
    for seed in list(tally.violations)[:1]:
        write(f"make simulate SEED={seed}   # prints the trace")
    save(tally, options.json)
    return int(bool(tally.violations))


def save(tally: Tally, file: Path | None) -> None:
    """Write the figures, where a file is given."""
    if file:
        file.write_text(json.dumps(tally.figures(), indent=2) + "\n", encoding="utf-8")


def write(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
