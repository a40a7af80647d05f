"""The folders of a local installation, all below one that git ignores."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# This file is cli/src/oncepay_cli/local/paths.py: the package is installed editable.
REPOSITORY = Path(__file__).resolve().parents[4]


@dataclass(frozen=True, slots=True)
class Paths:
    """The folders below `home`.

    Attributes:
        home: `.oncepay` in the repository, or the value of ONCEPAY_HOME.
    """

    home: Path

    @classmethod
    def of(cls, environ: Mapping[str, str] = os.environ) -> "Paths":
        return cls(Path(environ.get("ONCEPAY_HOME") or REPOSITORY / ".oncepay").resolve())

    @property
    def postgresql(self) -> Path:
        """The cluster's data folder."""
        return self.home / "data" / "postgresql"

    @property
    def sandbox(self) -> Path:
        """The folder of the sandbox's ledger."""
        return self.home / "data" / "sandbox"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def running(self) -> Path:
        """The folder of the lock and of one record per running process."""
        return self.home / "run"

    @property
    def secrets(self) -> Path:
        return self.home / "secrets"

    def make(self) -> None:
        """Create the missing folders.

        Raises:
            OSError: one cannot be created.
        """
        for folder in (self.postgresql.parent, self.sandbox, self.logs, self.running):
            folder.mkdir(parents=True, exist_ok=True)
