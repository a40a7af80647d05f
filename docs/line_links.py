"""Keeps the line numbers in the documents' links to code: [`name`](path.py#L12).

python docs/line_links.py            write the number of the line that defines each name; `make links`
python docs/line_links.py --check    write nothing; fail where a number is wrong
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\[`([\w.]+)`\]\(([^)#]+\.(?:py|sql))#L(\d+)\)")


class NotDefined(Exception):
    """A file does not define the name that a link gives it."""


def corrected(document: Path) -> str:
    """The document's text, with the numbers of today.

    Raises:
        NotDefined.
    """

    def link(found: re.Match[str]) -> str:
        name, path, _ = found.groups()
        lines = (document.parent / path).resolve().read_text().splitlines()
        try:
            number = line_of(name, lines)
        except NotDefined:
            raise NotDefined(f"{document.name}: {path} does not define {name}") from None
        return f"[`{name}`]({path}#L{number})"

    return LINK.sub(link, document.read_text())


def line_of(name: str, lines: list[str]) -> int:
    """The line, from 1, that defines a name; of `Class.method`, the method within the class."""
    begin = 0
    for part in name.split("."):
        defines = re.compile(
            rf"\s*(async def|def|class) {part}\b"
            rf"|{part}\b[^=]*= "
            rf"|\s*(CREATE (UNIQUE )?(TABLE|INDEX|TRIGGER|FUNCTION)|CONSTRAINT) {part}\b"
        )
        found = next((at for at in range(begin, len(lines)) if defines.match(lines[at])), None)
        if found is None:
            raise NotDefined(name)
        begin = found
    return begin + 1


def main() -> int:
    wrong = 0
    for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        text = corrected(document)
        if text == document.read_text():
            continue
        if "--check" not in sys.argv[1:]:
            document.write_text(text)
            continue
        print(f"{document}: line numbers are stale: run `make links`", file=sys.stderr)  # noqa: T201
        wrong = 1
    return wrong


if __name__ == "__main__":
    sys.exit(main())
