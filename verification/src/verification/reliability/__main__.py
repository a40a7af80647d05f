"""`python -m verification.reliability`: write what was measured into the pages and the picture.

--figures FOLDER   where the tools' JSON is (docs/figures)
--check            change nothing; exit code 1 where a page is not what the figures say
"""

import argparse
import sys
from pathlib import Path

from oncepay_cli.local.paths import REPOSITORY
from verification.reliability.figures import Figures, read
from verification.reliability.plot import plot
from verification.reliability.tables import fill, tables

DOCS = REPOSITORY / "docs"
PAGES = (DOCS / "reliability.md", DOCS / "reliability-figures.md")
"""The page that one reads, and its appendix; each table has its place in one of them."""
PICTURE = DOCS / "pictures" / "reliability.svg"


def main() -> int:
    """Write the pages and the picture, or check that they are up to date."""
    parser = argparse.ArgumentParser(prog="python -m verification.reliability", description=__doc__)
    parser.add_argument("--figures", type=Path, default=DOCS / "figures")
    parser.add_argument("--check", action="store_true", help="change nothing")
    asked = parser.parse_args()
    made = report(read(asked.figures))
    if asked.check:
        wrong = [path for path, text in made.items() if path.read_text() != text]
        for path in wrong:
            sys.stderr.write(f"{path.name} is not what the figures say: `make report`\n")
        return 1 if wrong else 0
    for path, text in made.items():
        path.write_text(text)
    return 0


def report(figures: Figures) -> dict[Path, str]:
    """The text of each file that shows figures."""
    texts = fill([page.read_text() for page in PAGES], tables(figures))
    return {**dict(zip(PAGES, texts, strict=True)), PICTURE: plot(figures)}


if __name__ == "__main__":
    sys.exit(main())
