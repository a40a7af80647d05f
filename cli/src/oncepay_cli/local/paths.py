"""Where everything of one machine lies: below one folder, that `.gitignore` names."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# cli/src/oncepay_cli/local/paths.py: the package is installed editable, from the repository.
REPOSITORY = Path(__file__).resolve().parents[4]


@dataclass(frozen=True, slots=True)
class Paths:
    """The folders below `home`.

    Attributes:
        home: `.oncepay` in the repository, or what ONCEPAY_HOME says.
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
        """What the sandbox remembers."""
        return self.home / "data" / "sandbox"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def running(self) -> Path:
        """Who runs: the lock, and one file per process."""
        return self.home / "run"

    @property
    def secrets(self) -> Path:
        return self.home / "secrets"

    def make(self) -> None:
        """Make the folders that are not there.

        Raises:
            OSError: they cannot be made or written.
        """
        for folder in (self.postgresql.parent, self.sandbox, self.logs, self.running):
            folder.mkdir(parents=True, exist_ok=True)
