"""`python -m verification.reliability`: put what was measured into docs/reliability.md and its picture.

--figures FOLDER   where the tools' JSON is (docs/figures)
--check            change nothing; exit code 1 where the page is not what the figures say
"""

import argparse
import sys
from pathlib import Path

from oncepay_cli.local.paths import REPOSITORY
from verification.reliability.figures import read
from verification.reliability.plot import plot
from verification.reliability.tables import put_into, tables

PAGE = REPOSITORY / "docs" / "reliability.md"
PICTURE = REPOSITORY / "docs" / "pictures" / "reliability.svg"


def main() -> int:
    """Write both, or look whether both are so."""
    parser = argparse.ArgumentParser(prog="python -m verification.reliability", description=__doc__)
    parser.add_argument("--figures", type=Path, default=REPOSITORY / "docs" / "figures")
    parser.add_argument("--check", action="store_true", help="change nothing")
    asked = parser.parse_args()
    figures = read(asked.figures)
    made = {PAGE: put_into(PAGE.read_text(), tables(figures)), PICTURE: plot(figures)}
    if asked.check:
        wrong = [path for path, text in made.items() if path.read_text() != text]
        for path in wrong:
            sys.stderr.write(f"{path.name} is not what the figures say: `make report`\n")
        return 1 if wrong else 0
    for path, text in made.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
