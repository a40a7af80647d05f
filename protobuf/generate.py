"""Generates the Python of the contracts, and checks the contracts by their rules.

    python protobuf/generate.py            write protobuf/src/oncepay
    python protobuf/generate.py --check    change nothing; fail where the generated Python is
                                           stale, or buf's lint, format or breaking rules object
    python protobuf/generate.py --release  take today's contract as the released one

Everything works on a descriptor set that protoc makes from this folder and from the `google/api`
files that the package googleapis-common-protos brings, so that nothing is downloaded.
"""

import argparse
import filecmp
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from grpc_tools import protoc

FOLDER = Path(__file__).resolve().parent
GENERATED = FOLDER / "src" / "oncepay"
RELEASED = FOLDER / "released.json"
CONFIGURATION = FOLDER / "buf.yaml"
# Beside the interpreter, not on PATH: the version that requirements/development.txt pins.
SCRIPTS = Path(sysconfig.get_path("scripts"))
PURELIB = Path(sysconfig.get_path("purelib"))


def contracts() -> list[str]:
    """The .proto files, as protoc wants them named: relative to this folder."""
    return sorted(
        path.relative_to(FOLDER).as_posix() for path in (FOLDER / "oncepay").rglob("*.proto")
    )


def run_protoc(*arguments: str) -> None:
    bundled = PURELIB / "grpc_tools" / "_proto"  # google/protobuf/*.proto
    command = ["protoc", f"-I{FOLDER}", f"-I{PURELIB}", f"-I{bundled}", *arguments, *contracts()]
    if protoc.main(command) != 0:
        raise SystemExit("protoc refused the contracts: see its words above.")


def generate(into: Path) -> None:
    """Write the modules and their type stubs below `into`, marked as typed (PEP 561)."""
    run_protoc(
        f"--plugin=protoc-gen-mypy={SCRIPTS / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={SCRIPTS / 'protoc-gen-mypy_grpc'}",
        f"--python_out={into}",
        f"--grpc_python_out={into}",
        f"--mypy_out=quiet:{into}",
        f"--mypy_grpc_out=quiet:{into}",
    )
    for package in {path.parent for path in (into / "oncepay").rglob("*_pb2.py")}:
        (package / "py.typed").touch()


def descriptor_set(into: Path) -> Path:
    path = into / "oncepay.binpb"
    run_protoc("--include_imports", "--include_source_info", f"--descriptor_set_out={path}")
    return path


def buf(*arguments: str | Path) -> int:
    return subprocess.run([SCRIPTS / "buf", *arguments], check=False).returncode  # noqa: S603


def differences(one: filecmp.dircmp[str]) -> list[str]:
    """What differs between two folders, by path; what Python itself compiles is passed over."""
    names = [*one.left_only, *one.right_only, *one.diff_files, *one.funny_files]
    found = [f"{one.left}/{name}" for name in names if name != "__pycache__"]
    for name, below in one.subdirs.items():
        found += [] if name == "__pycache__" else differences(below)
    return found


def check(scratch: Path) -> int:
    generate(scratch)
    failed = False
    for path in differences(filecmp.dircmp(GENERATED, scratch / "oncepay")):
        print(f"stale: {path}: run `make generate`", file=sys.stderr)  # noqa: T201
        failed = True
    image = descriptor_set(scratch)
    configuration = ("--config", CONFIGURATION)
    failed |= buf("lint", image, *configuration) != 0
    failed |= buf("format", "--diff", "--exit-code", FOLDER) != 0
    failed |= buf("breaking", image, "--against", RELEASED, *configuration) != 0
    return int(failed)


def main() -> int:
    parser = argparse.ArgumentParser(description="Generate and check the contracts' Python.")
    parser.add_argument("--check", action="store_true", help="change nothing, fail where stale")
    parser.add_argument("--release", action="store_true", help="write released.json anew")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        if arguments.check:
            return check(scratch)
        if arguments.release:
            image = descriptor_set(scratch)
            return buf("build", image, "--exclude-source-info", "-o", RELEASED)
        generate(scratch)
        shutil.rmtree(GENERATED, ignore_errors=True)
        shutil.copytree(scratch / "oncepay", GENERATED)
    return 0


if __name__ == "__main__":
    sys.exit(main())
