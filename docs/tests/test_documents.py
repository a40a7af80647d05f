"""The documents, checked against the repository: what they name exists."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from payment.domain import machine
from payment.domain.payment import CANCELABLE, State

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("kubernetes/*.md")]
TARGETS = set(re.findall(r"^([a-z -]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
PICTURES = ROOT / "docs" / "pictures"
TRACKED = [
    f"/{name}/"
    for name in subprocess.run(
        ["git", "ls-files"], cwd=ROOT, text=True, capture_output=True, check=False
    ).stdout.splitlines()
]
NOT_TRACKED = (
    ".oncepay",
    "/var/lib/oncepay/",
    "customer/password",
    "customer/owner_password",
    "kubernetes.io/",
)
"""What `make` makes, and what looks like a path and is none."""
FOLDERS = [
    file.parent
    for package in ("chassis", "customer", "payment")
    for file in sorted((ROOT / package / "src").rglob("__init__.py"))
]


def of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("document", DOCUMENTS, ids=of)
def test_every_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text())
    missing = [link for link in links if not (document.parent / link).exists()]
    assert not [link for link in missing if "://" not in link]


@pytest.mark.parametrize("document", DOCUMENTS, ids=of)
def test_a_link_to_code_names_what_is_there(document: Path) -> None:
    """[`name`](file.py): a name in that file, or the file's own."""
    links = re.findall(r"\[`([^`]+)`\]\(([^)#]+\.(?:py|sql))\)", document.read_text())
    for name, link in links:
        file = (document.parent / link).resolve()
        if file.as_posix().endswith(f"/{name}") or is_module(name, file):
            continue
        last = name.rpartition(".")[2]
        assert re.search(rf"\b{last}\b", file.read_text()), f"{link}: no {name}"


def is_module(name: str, file: Path) -> bool:
    path = file.with_suffix("").as_posix().removesuffix("/__init__")
    return path.endswith("/" + name.replace(".", "/"))


def test_a_link_to_a_line_leads_to_the_definition_of_its_name() -> None:
    """[`name`](file.py#L12): the line that defines it."""
    check = [sys.executable, str(ROOT / "docs" / "line_links.py"), "--check"]
    done = subprocess.run(check, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not TRACKED, reason="this folder is no repository")
@pytest.mark.parametrize("document", DOCUMENTS, ids=of)
def test_every_path_in_the_text_exists(document: Path) -> None:
    """`file.py` and `folder/file`, from whatever folder they are named."""
    named = re.findall(
        r"`([\w./-]+/[\w.-]*|[\w-]+\.(?:json|md|py|sql|toml|yaml))`", document.read_text()
    )
    missing = [name for name in named if not any(end(name) in path for path in TRACKED)]
    assert not [name for name in missing if not name.startswith(NOT_TRACKED) and "NAME" not in name]


def end(name: str) -> str:
    """What a path has in it that the name names: whole parts."""
    return f"/{name}" if name.endswith("/") else f"/{name}/"


@pytest.mark.parametrize("document", DOCUMENTS, ids=of)
def test_every_target_of_make_exists(document: Path) -> None:
    known = {target for line in TARGETS for target in line.split()}
    code = re.findall(r"`(make [^`]+)`|^(make .+)$", document.read_text(), re.MULTILINE)
    named = {word for found in code for word in "".join(found).split()[1:] if "=" not in word}
    assert named <= known


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text()
    listed = set(re.findall(r"\]\(([^)]+\.md)\)", index))
    assert listed == {path.name for path in folder.glob("*.md")} - {"README.md"}


@pytest.mark.parametrize("folder", FOLDERS, ids=of)
def test_every_folder_of_code_has_an_index_of_what_is_in_it(folder: Path) -> None:
    index = re.findall(r"^(\w+)  +\S", (folder / "__init__.py").read_text(), re.MULTILINE)
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    folders = {path.parent.name for path in folder.glob("*/__init__.py")}
    assert sorted(index) == sorted(modules | folders)


def test_every_picture_is_what_its_source_says() -> None:
    draw = [sys.executable, str(PICTURES / "draw.py"), "--check"]
    done = subprocess.run(draw, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


# Stated below the picture, and not drawn.
RARE = {
    (State.CONFIRMING, State.CANCELED),
    (State.REQUIRES_ACTION, State.CANCELED),
    (State.AUTHORIZED, State.CANCELED),
    (State.CAPTURING, State.CANCELED),
    (State.AUTHORIZED, State.SUCCEEDED),
    (State.CANCELING, State.SUCCEEDED),
}
LEADS_TO: dict[object, State] = {
    machine.require_action: State.REQUIRES_ACTION,
    machine.authorize: State.AUTHORIZED,
    machine.succeed: State.SUCCEEDED,
    machine.decline: State.CANCELING,
    machine.end_without_money: State.CANCELED,
}


def test_the_picture_of_a_payments_states_has_the_arrows_of_the_domain() -> None:
    picture = tomllib.loads((PICTURES / "payment-states.toml").read_text())
    drawn = {
        (State[arrow["from"].split()[0]], State[arrow["to"].split()[0]])
        for arrow in picture["arrows"]
    }
    by_the_processor = {
        (before, LEADS_TO[move]) for (before, _), move in machine.TRANSITIONS.items()
    }
    by_people = {(before, State.CANCELING) for before in CANCELABLE}
    by_people |= {(State.AUTHORIZED, State.CAPTURING)}
    after_a_decline = {(State.CANCELING, State.FAILED)}
    assert drawn | RARE == by_the_processor | by_people | after_a_decline
    assert not drawn & RARE
