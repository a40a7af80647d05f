"""The files that a forge, an editor or a container reads, held to what is in this repository."""

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def test_the_forge_runs_what_a_laptop_runs() -> None:
    assert re.search(r"^ +- run: \.ci/run$", WORKFLOWS[0].read_text(), re.MULTILINE)
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_pins_each_action_by_its_commit(workflow: Path) -> None:
    used = re.findall(r"uses: (\S+)(.*)", workflow.read_text())
    assert used
    for action, comment in used:
        assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action), f"{action} can be moved"
        assert re.fullmatch(r" # v[0-9.]+", comment), f"{action} does not say which release it is"


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_states_its_permissions(workflow: Path) -> None:
    assert "\npermissions:\n" in workflow.read_text()


def test_the_hooks_before_a_commit_use_the_tools_of_make_check() -> None:
    entries = re.findall(
        r"^ +entry: (.+)$", (ROOT / ".pre-commit-config.yaml").read_text(), re.MULTILINE
    )
    makefile = (ROOT / "Makefile").read_text()
    for entry in entries:
        program, verb = entry.split()[:2]
        if program == "make":
            assert f"\n{verb}:" in makefile
        else:
            name = program.removeprefix(".oncepay/environment/bin/")
            assert f"$(BIN)/{name} {verb} " in makefile


def test_dependency_updates_look_where_the_images_are_built() -> None:
    configuration = (ROOT / ".github" / "dependabot.yml").read_text()
    folders = re.findall(r"/([.\w/-]+)", re.findall(r"directories: \[(.+)\]", configuration)[0])
    listed = subprocess.run(
        ["git", "ls-files", "*Dockerfile"], cwd=ROOT, text=True, capture_output=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("this folder is no repository")
    built = {Path(path).parent.as_posix() for path in listed.stdout.split()}
    assert set(folders) == built


def test_the_dev_container_uses_the_environment_of_make() -> None:
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    python = container["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"]
    assert f"BIN := {python.rpartition('/')[0]}\n" in (ROOT / "Makefile").read_text()
    assert container["postCreateCommand"] == "make check"
