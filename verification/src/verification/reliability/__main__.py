"""`python -m verification.reliability`: write what was measured into the pages and the picture."""

from pathlib import Path

from oncepay_cli.local.paths import REPOSITORY
from verification.reliability.figures import Figures, read
from verification.reliability.plot import plot
from verification.reliability.tables import fill, tables

DOCS = REPOSITORY / "docs"
FIGURES = DOCS / "figures"
PAGES = (DOCS / "reliability.md", DOCS / "reliability-figures.md")
"""The page that one reads, and its appendix; each table has its place in one of them."""
PICTURE = DOCS / "pictures" / "reliability.svg"


def report(figures: Figures) -> dict[Path, str]:
    """The text of each file that shows figures."""
    texts = fill([page.read_text() for page in PAGES], tables(figures))
    return {**dict(zip(PAGES, texts, strict=True)), PICTURE: plot(figures)}


if __name__ == "__main__":
    for path, text in report(read(FIGURES)).items():
        path.write_text(text)
