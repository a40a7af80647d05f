"""Settings from the environment, read once, into a frozen dataclass.

A field `pool_size` is the variable POOL_SIZE, or the content of the file that POOL_SIZE_FILE
names, so that a secret need not stand in the environment. Nothing else reads the environment.
"""

import dataclasses
import types
import typing
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from chassis.startup_error import StartupError

Settings = TypeVar("Settings")


class SettingsError(StartupError):
    """Variables are missing or wrong; the message names each, with its rule."""


@dataclasses.dataclass(frozen=True, slots=True)
class Secret:
    """A text that no log, traceback or repr shows.

    Attributes:
        file: the file that it was read from, if it was.
    """

    _text: str = dataclasses.field(repr=False)
    file: Path | None = None

    def reveal(self) -> str:
        """The text, for the one place that sends it."""
        return self._text

    def reveal_anew(self) -> str:
        """The text as its file has it now, so that it can be changed while the service runs. The
        one that was read first, where there is no file or nothing in it just then.
        """
        with suppress(OSError, UnicodeDecodeError):
            return (self.file and self.file.read_text(encoding="utf-8").strip()) or self._text
        return self._text


@dataclasses.dataclass(frozen=True, slots=True)
class Between:
    """The bounds of a number: `Annotated[int, Between(1, 100)]`."""

    minimum: float
    maximum: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """Where the database is, and as whom to use it.

    Attributes:
        database_url: `postgresql://role@host:port/database`, without the password.
    """

    database_url: str
    database_password: Secret

    def __post_init__(self) -> None:
        url = urlsplit(self.database_url)
        has_names = url.username and url.path.strip("/")
        if (
            url.scheme not in ("postgresql", "postgres")
            or not has_names
            or url.password is not None
        ):
            raise SettingsError(
                "DATABASE_URL must be postgresql://role@host:port/database, without a password: "
                "that is DATABASE_PASSWORD, or a file named by DATABASE_PASSWORD_FILE."
            )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings(DatabaseSettings):
    """The settings of every service. A service adds its own fields and defaults.

    Attributes:
        listen_address: `host:port`. Loopback unless set otherwise: there is no TLS yet.
        drain_seconds: how long running calls may take to finish when the service stops.
    """

    listen_address: str
    database_pool_size: Annotated[int, Between(1, 200)] = 10
    drain_seconds: Annotated[float, Between(0, 600)] = 10
    log_format: Literal["auto", "json", "console"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OwnerSettings(DatabaseSettings):
    """The settings of the database's owner, to migrate or rebind it. A service adds its defaults.

    Attributes:
        migrations_directory: the service's numbered SQL files.
    """

    migrations_directory: Path


def read(wanted: type[Settings], environment: Mapping[str, str]) -> Settings:
    """Fills the dataclass `wanted` from the environment.

    An empty variable counts as absent, as Compose passes them. Types: str, int, float, Path,
    Secret, Literal; `| None` for what may be absent.

    Raises:
        SettingsError: names every variable that is missing or wrong, at once.
    """
    values: dict[str, object] = {}
    wrong: list[str] = []
    field_types = typing.get_type_hints(wanted, include_extras=True)
    for field in dataclasses.fields(wanted):  # type: ignore[arg-type]
        variable = field.name.upper()
        file = environment.get(f"{variable}_FILE")
        try:
            text = environment.get(variable)
            if text and file:
                raise ValueError(f"and {variable}_FILE are both set; set one of them")
            if file:
                text = _content(file, variable)
            if text:
                values[field.name] = _value(text, field_types[field.name], file)
            elif field.default is field.default_factory is dataclasses.MISSING:
                raise ValueError(f"is not set; set it, or {variable}_FILE to a file's path")
        except ValueError as error:
            wrong.append(f"{variable} {error}.")
    if wrong:
        raise SettingsError(" ".join(wrong))
    return wanted(**values)


def _content(file: str, variable: str) -> str:
    try:
        content = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ValueError(f"cannot be read from {variable}_FILE ({file}): {reason}") from None
    if not content:
        raise ValueError(f"is empty in the file that {variable}_FILE names ({file})")
    return content


def _value(text: str, kind: Any, file: str | None) -> object:
    """The text as a value of a type; the message of a ValueError goes on after the variable."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        kind = next(argument for argument in arguments if argument is not types.NoneType)
        return _value(text, kind, file)
    if origin is Annotated:
        number, bounds = _value(text, arguments[0], file), arguments[1]
        # Not-a-number compares false with everything, and so is refused too.
        if not bounds.minimum <= number <= bounds.maximum:
            raise ValueError(f"must be between {bounds.minimum:g} and {bounds.maximum:g}")
        return number
    if origin is Literal:
        if text not in arguments:
            raise ValueError(f"must be one of {', '.join(arguments)}")
        return text
    if kind is Secret:
        return Secret(text, Path(file) if file else None)
    try:
        return kind(text)
    except ValueError:
        noun = "whole number" if kind is int else "number"
        raise ValueError(f"must be a {noun}") from None
