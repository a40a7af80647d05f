"""Pins third-party packages by hash: every `*.in` becomes a `*.txt`.

    python requirements/compile.py            bring every file up to its `*.in`; pins stay
    python requirements/compile.py --upgrade  the same, with the newest versions of everything
    python requirements/compile.py --check    offline; fail where a `*.txt` cannot have come
                                              from its `*.in`, or the files disagree

Both services, the command line and the tools use one set of versions, constraints.txt. No file
names an index: packages are installed from whichever one the machine is configured for.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent
CONSTRAINTS = FOLDER / "constraints.txt"

SHARED = [FOLDER / "run", FOLDER / "development", ROOT / "customer" / "requirements"]
SHARED += [ROOT / "payment" / "requirements", ROOT / "sandbox" / "requirements"]
SHARED += [FOLDER / "kubernetes"]
# Separate: a tool that must not restrict the others, and a server in an environment of its own.
ALONE = [FOLDER / "uv", FOLDER / "localstripe"]

OPTIONS = ["--quiet", "--universal", "--python-version", "3.11"]
OPTIONS += ["--no-emit-index-url", "--no-header", "--no-annotate"]


def compile_one(source: Path, result: Path, *options: str) -> None:
    command = [sys.executable, "-m", "uv", "pip", "compile", *OPTIONS, *options]
    subprocess.run([*command, str(source), "-o", str(result)], check=True)  # noqa: S603


def compile_all(*upgrade: str) -> None:
    # The widest file: it includes every other.
    compile_one(FOLDER / "kubernetes.in", CONSTRAINTS, *upgrade)
    hashed = ("--generate-hashes", *upgrade)
    for stem in SHARED:
        compile_one(Path(f"{stem}.in"), Path(f"{stem}.txt"), *hashed, "-c", str(CONSTRAINTS))
    for stem in ALONE:
        compile_one(Path(f"{stem}.in"), Path(f"{stem}.txt"), *hashed)


def wanted(path: Path) -> set[str]:
    """The packages that an `*.in` names, and those of the files it includes."""
    names: set[str] = set()
    for line in path.read_text().splitlines():
        if line.startswith("-r "):
            names |= wanted(path.parent / line.removeprefix("-r "))
        elif line and not line.startswith("#"):
            names.add(re.split(r"[^A-Za-z0-9._-]", line)[0].lower())
    return names


def pinned(path: Path) -> dict[str, str]:
    """Package and version, line by line, of a compiled file."""
    pins = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", path.read_text(), re.MULTILINE)
    return {name.lower(): version for name, version in pins}


def complaints() -> list[str]:
    constraints = pinned(CONSTRAINTS)
    found = []
    for stem in (*SHARED, *ALONE):
        source, result = Path(f"{stem}.in"), Path(f"{stem}.txt")
        pins = pinned(result)
        found += [f"{result}: {name} is missing" for name in sorted(wanted(source) - pins.keys())]
        if stem in SHARED:
            found += [
                f"{result}: {name}=={version}, but constraints.txt has {constraints.get(name)}"
                for name, version in pins.items()
                if constraints.get(name) != version
            ]
        if result.read_text().count("--hash=") < len(pins):
            found.append(f"{result}: not every package has a hash")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description="Pin third-party packages.")
    parser.add_argument("--check", action="store_true", help="offline; fail where stale")
    parser.add_argument("--upgrade", action="store_true", help="take the newest of everything")
    arguments = parser.parse_args()
    if not arguments.check:
        compile_all(*(["--upgrade"] if arguments.upgrade else []))
        return 0
    found = complaints()
    for line in found:
        print(f"{line}: run `make requirements`", file=sys.stderr)  # noqa: T201
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
