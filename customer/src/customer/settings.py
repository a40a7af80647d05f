"""The settings of the service: one environment variable for each field, in capitals."""

from dataclasses import dataclass
from pathlib import Path

from chassis.settings import OwnerSettings, ServiceSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(ServiceSettings):
    """The settings of `python -m customer`; the chassis has the fields."""

    listen_address: str = "127.0.0.1:50051"
    database_url: str = "postgresql://customer@127.0.0.1:5432/customer"


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationSettings(OwnerSettings):
    """The settings of `python -m customer migrate` and `rebind`; the chassis has the fields."""

    database_url: str = "postgresql://customer_owner@127.0.0.1:5432/customer"
    migrations_directory: Path = Path(__file__).parents[2] / "migrations"
