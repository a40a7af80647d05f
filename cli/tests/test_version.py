"""The version of Oncepay: the file VERSION, and every place that repeats it."""

import importlib.metadata
import re
from pathlib import Path

import pytest

from oncepay_cli.local.paths import REPOSITORY

VERSION = (REPOSITORY / "VERSION").read_text().strip()
PACKAGES = ("chassis", "cli", "customer", "payment", "protobuf", "sandbox", "verification")
IMAGES = ("customer", "payment", "sandbox")
# Static files cannot read VERSION. Each pattern captures one.
STATED_VERSIONS = {
    "kubernetes/README.md": r"oncepay/\w+:([\w.-]+)",
    "docs/kubernetes.md": r"oncepay/\w+:([\w.-]+)",
    "kubernetes/base/*/kustomization.yaml": r"app\.kubernetes\.io/version: (\S+)",
    "kubernetes/base/*/migrate.yaml": r"name: migrate-(\d\S*)",
    "kubernetes/overlays/development/kustomization.yaml": r"newName: oncepay/\w+\n +newTag: (\S+)",
    "docs/*.md": r"migrate-(\d+-\d+-\d+)",
    "CHANGELOG.md": r"\A.*?^## ([\w.]+)",
}


@pytest.mark.parametrize("package", PACKAGES)
def test_an_installed_package_knows_the_version(package: str) -> None:
    assert importlib.metadata.version(f"oncepay-{package}") == VERSION


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_reads_the_version_and_does_not_state_it(package: str) -> None:
    configuration = (REPOSITORY / package / "src" / "pyproject.toml").read_text()

    assert 'dynamic = ["version"]' in configuration
    assert VERSION not in configuration


@pytest.mark.parametrize("files", STATED_VERSIONS)
def test_a_static_file_states_the_current_version(files: str) -> None:
    stated = {
        version.replace("-", ".")
        for path in REPOSITORY.glob(files)
        for version in re.findall(STATED_VERSIONS[files], _text(path), re.MULTILINE | re.DOTALL)
    }

    assert stated == {VERSION}


@pytest.mark.parametrize(
    "file", ["Makefile", "docker-compose.yml", *(f"{name}/Dockerfile" for name in IMAGES)]
)
def test_a_build_file_reads_the_version_and_does_not_state_it(file: str) -> None:
    assert VERSION not in _text(REPOSITORY / file)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
