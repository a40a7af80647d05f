"""`python -m verification.kubernetes`: check every overlay; exit code 1 where something is wrong."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

from verification.kubernetes import network, placeholders, schemas
from verification.kubernetes.rendering import (
    KUBERNETES,
    OVERLAYS,
    NotRendered,
    Rendering,
    read,
    render,
)
from verification.kubernetes.rules import RULES
from verification.output import write_line


def main() -> int:
    folder = Path(os.environ["CRDS"]) if os.environ.get("CRDS") else None
    definitions = schemas.Definitions(folder)
    count = 0
    try:
        renderings = {overlay: render(overlay) for overlay in OVERLAYS}
    except NotRendered as error:
        write_line(f"✗ {error}")
        return 1
    with ThreadPoolExecutor() as pool:  # the schemas and the scanner are processes of their own
        checks = pool.map(check, renderings, renderings.values(), repeat(definitions))
        for rendering, faults in checks:
            unset = list(placeholders.unset(rendering))
            if os.environ.get("RELEASE"):
                faults.extend(unset)
                unset = []
            count += len(faults)
            report(rendering, faults, definitions.missing(rendering), unset)
    write_line(f"{count} faults" if count else "✓ no fault")
    return int(bool(count))


def check(overlay: str, text: str, definitions: schemas.Definitions) -> tuple[Rendering, list[str]]:
    rendering = read(overlay, text)
    return rendering, list(dict.fromkeys(find_faults(rendering, text, definitions)))


def report(rendering: Rendering, faults: list[str], missing: list[str], unset: list[str]) -> None:
    for fault in faults:
        write_line(f"✗ {rendering.overlay}: {fault}")
    arrows = len(set(network.possible_arrows(rendering)))
    write_line(
        f"{rendering.overlay}: {len(rendering.objects)} objects, schemas of Kubernetes "
        f"{' and '.join(schemas.VERSIONS)}, trivy, {len(RULES)} rules, {arrows} arrows"
    )
    if missing:
        write_line(
            f"  not checked: the fields of {', '.join(missing)}. Their schemas are their "
            "operators': CRDS= names a folder of their CustomResourceDefinitions"
        )
    if unset:
        write_line(f"  not set yet: {len(unset)} placeholders, which RELEASE=yes rejects")


def find_faults(rendering: Rendering, text: str, definitions: schemas.Definitions) -> Iterator[str]:
    for rule in RULES:
        for fault in rule(rendering):
            yield f"{fault} ({rule.__name__})"
    yield from network.differences(rendering)
    yield from definitions.faults(rendering)
    with tempfile.TemporaryDirectory() as folder:
        rendered = Path(folder) / f"{rendering.overlay}.yaml"
        rendered.write_text(text, encoding="utf-8")
        for version in schemas.VERSIONS:
            yield from schemas.faults(rendered, version)
        yield from scanner_faults(rendered)


def scanner_faults(rendered: Path) -> Iterator[str]:
    """What trivy reports, by its built-in checks: it downloads nothing."""
    program = Path(sys.executable).with_name("trivy")
    offline = ["--skip-check-update", "--skip-version-check", "--quiet", "--disable-telemetry"]
    ignored = ["--ignorefile", str(KUBERNETES / ".trivyignore")]
    command = [str(program), "config", *offline, *ignored, "--exit-code", "1", str(rendered)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        yield f"trivy: {(result.stdout + result.stderr).strip()}"


if __name__ == "__main__":
    sys.exit(main())
