"""What the service is told by its environment: one variable for each field, in capitals."""

from dataclasses import dataclass
from pathlib import Path

from chassis.settings import Secret, ServiceSettings, check_database_url


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ServiceSettings):
    """For `python -m customer`; the fields are the chassis's."""

    listen_address: str = "127.0.0.1:50051"
    database_url: str = "postgresql://customer@127.0.0.1:5432/customer"


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationSettings:
    """For `python -m customer migrate`: the database as its owner, and where the files are."""

    database_url: str = "postgresql://customer_owner@127.0.0.1:5432/customer"
    database_password: Secret
    migrations_directory: Path = Path(__file__).parents[2] / "migrations"

    def __post_init__(self) -> None:
        check_database_url(self.database_url)
