"""Pins the dependencies of every package, with hashes: compiles each `*.in` to a `*.txt`.

    python requirements/compile.py            compile every file; existing pins stay
    python requirements/compile.py --upgrade  compile every file with the newest versions
    python requirements/compile.py --check    without a network: fail where a `*.txt` does not match
                                              its `*.in` or constraints.txt

Both services, the command line and the tools share one set of versions, constraints.txt. The files name no
package index, so that pip uses the one that the machine is configured for.
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
# Without the constraints: a tool that must not hold the others back, and a server in its own environment.
UNCONSTRAINED = [FOLDER / "uv", FOLDER / "localstripe"]

OPTIONS = ["--quiet", "--universal", "--python-version", "3.11"]
OPTIONS += ["--no-emit-index-url", "--no-header", "--no-annotate"]


def compile_one(source: Path, result: Path, *options: str) -> None:
    command = [sys.executable, "-m", "uv", "pip", "compile", *OPTIONS, *options]
    subprocess.run([*command, str(source), "-o", str(result)], check=True)  # noqa: S603


def compile_all(*upgrade: str) -> None:
    # It includes every other one.
    compile_one(FOLDER / "kubernetes.in", CONSTRAINTS, *upgrade)
    hashed = ("--generate-hashes", *upgrade)
    for stem in SHARED:
        compile_one(Path(f"{stem}.in"), Path(f"{stem}.txt"), *hashed, "-c", str(CONSTRAINTS))
    for stem in UNCONSTRAINED:
        compile_one(Path(f"{stem}.in"), Path(f"{stem}.txt"), *hashed)


def required(path: Path) -> set[str]:
    """The packages that an `*.in` requires, including those of the files it includes."""
    names: set[str] = set()
    for line in path.read_text().splitlines():
        if line.startswith("-r "):
            names |= required(path.parent / line.removeprefix("-r "))
        elif line and not line.startswith("#"):
            names.add(re.split(r"[^A-Za-z0-9._-]", line)[0].lower())
    return names


def pinned(path: Path) -> dict[str, str]:
    """The version of each package in a compiled file."""
    pins = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", path.read_text(), re.MULTILINE)
    return {name.lower(): version for name, version in pins}


def mismatches() -> list[str]:
    """What is wrong with the compiled files, one sentence each."""
    constraints = pinned(CONSTRAINTS)
    found = []
    for stem in (*SHARED, *UNCONSTRAINED):
        source, result = Path(f"{stem}.in"), Path(f"{stem}.txt")
        pins = pinned(result)
        found += [f"{result}: {name} is missing" for name in sorted(required(source) - pins.keys())]
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
    parser = argparse.ArgumentParser(description="Pin the dependencies, with hashes.")
    parser.add_argument(
        "--check", action="store_true", help="without a network, fail where a file is stale"
    )
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    arguments = parser.parse_args()
    if not arguments.check:
        compile_all(*(["--upgrade"] if arguments.upgrade else []))
        return 0
    found = mismatches()
    for line in found:
        print(f"{line}: run `make requirements`", file=sys.stderr)  # noqa: T201
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
