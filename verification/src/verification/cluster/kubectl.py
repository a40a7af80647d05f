"""A thin wrapper of `kubectl`, as it is on the PATH: what is asked of a cluster goes through it."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from verification.commands import CommandFailed, run

PROGRAM = "kubectl"
COMMAND_SECONDS = 120.0
FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


class Kubectl:
    """Commands to one cluster, which KUBECONFIG names."""

    @staticmethod
    def is_installed() -> bool:
        return shutil.which(PROGRAM) is not None

    def run(
        self, *arguments: str, stdin: str | None = None, seconds: float = COMMAND_SECONDS
    ) -> tuple[str, str]:
        """Its standard output and its standard error.

        Raises:
            CommandFailed: kubectl, or the cluster, refused it; or it took longer than that.
        """
        done = run(PROGRAM, *arguments, stdin=stdin, seconds=seconds)
        return done.stdout, done.stderr

    def get(self, *arguments: str) -> Any:
        """An object, or a list of them."""
        return json.loads(self.run("get", *arguments, "--output=json")[0])

    @contextmanager
    def forwarded_port(self, namespace: str, service: str, port: int) -> Iterator[int]:
        """A port of this machine that leads to one pod of a Service."""
        command = [PROGRAM, "-n", namespace, "port-forward", f"service/{service}", f":{port}"]
        with subprocess.Popen(command, text=True, stdout=subprocess.PIPE) as forwarding:
            try:
                output = forwarding.stdout.readline() if forwarding.stdout else ""
                found = FORWARDING.match(output)
                if found is None:
                    raise CommandFailed(
                        f"{' '.join(command)}: {output.strip() or 'see its output above'}"
                    )
                yield int(found[1])
            finally:
                forwarding.terminate()
