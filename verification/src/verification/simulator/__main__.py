"""`python -m verification.simulator --seeds N [--first K]`: so many runs, on every core; exit 1 where one
breaks a rule. `--seed K`: that one again, told to its end.
"""

import argparse
import json
import sys
from pathlib import Path

from verification.simulator.running import Tally, replay, simulate, told

TELL_EVERY = 1000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m verification.simulator")
    parser.add_argument("--seeds", type=int, default=1000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="this one, told to its end")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    asked = parser.parse_args()
    if asked.seed is not None:
        violation = replay(asked.seed)
        say(str(violation))
        return int(bool(violation.broken))
    tally = Tally()
    for tally in simulate(range(asked.first, asked.first + asked.seeds)):
        if tally.seeds % TELL_EVERY == 0:
            say(f"{tally.seeds:,} of {asked.seeds:,} seeds, {len(tally.broken)} violations")
            keep(tally, asked.json)  # a long run that is ended leaves what it has
    say(told(tally))
    for seed in list(tally.broken)[:1]:
        say(f"make simulate SEED={seed}   # tells how it came to that")
    keep(tally, asked.json)
    return int(bool(tally.broken))


def keep(tally: Tally, file: Path | None) -> None:
    if file:
        file.write_text(json.dumps(tally.figures(), indent=2) + "\n", encoding="utf-8")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
