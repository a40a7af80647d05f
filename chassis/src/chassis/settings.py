"""Settings from the environment, read once, into a frozen dataclass.

A field `pool_size` is the variable POOL_SIZE, or the content of the file that POOL_SIZE_FILE
names (so that a secret need not stand in the environment). Nothing else reads the environment.
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
    """Variables are missing or wrong; the sentence names each, with its rule."""


@dataclasses.dataclass(frozen=True, slots=True)
class Secret:
    """A text that no log, traceback or repr shows. `file`: where it was read, if it was."""

    _text: str = dataclasses.field(repr=False)
    file: Path | None = None

    def reveal(self) -> str:
        """The text itself, for the one place that sends it."""
        return self._text

    def reveal_anew(self) -> str:
        """The same as its file has it by now, for what is sent again and again: so it can be changed
        while the service runs. As it was, where the file has nothing to read just then.
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
class ServiceSettings:
    """What every service is told. A service adds its own fields and defaults.

    Attributes:
        listen_address: `host:port`. Loopback unless said otherwise: there is no TLS yet.
        database_url: `postgresql://role@host:port/database`, without the password.
        drain_seconds: how long running calls may take to finish when the service stops.
    """

    listen_address: str
    database_url: str
    database_password: Secret
    database_pool_size: Annotated[int, Between(1, 200)] = 10
    drain_seconds: Annotated[float, Between(0, 600)] = 10
    log_format: Literal["auto", "json", "console"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    def __post_init__(self) -> None:
        check_database_url(self.database_url)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OwnerSettings:
    """What the database's owner is told, to migrate or rebind it. A service adds its own defaults.

    Attributes:
        migrations_directory: the service's numbered SQL files.
    """

    database_url: str
    database_password: Secret
    migrations_directory: Path

    def __post_init__(self) -> None:
        check_database_url(self.database_url)


def check_database_url(url: str) -> None:
    """Raises SettingsError unless the URL names a role and a database, and no password."""
    parts = urlsplit(url)
    named = parts.username and parts.path.strip("/")
    if parts.scheme not in ("postgresql", "postgres") or not named or parts.password is not None:
        raise SettingsError(
            "DATABASE_URL must be postgresql://role@host:port/database, without a password: "
            "that is DATABASE_PASSWORD, or a file named by DATABASE_PASSWORD_FILE."
        )


def read(wanted: type[Settings], environment: Mapping[str, str]) -> Settings:
    """Fills the dataclass `wanted` from the environment.

    An empty variable counts as absent, as Compose passes them. Types: str, int, float, Path,
    Secret, Literal; `| None` for what may be absent.

    Raises:
        SettingsError: names every variable that is missing or wrong, at once.
    """
    values: dict[str, object] = {}
    wrong: list[str] = []
    types = typing.get_type_hints(wanted, include_extras=True)
    for field in dataclasses.fields(wanted):  # type: ignore[arg-type]
        variable = field.name.upper()
        try:
            text = _text(variable, environment)
            if text is not None:
                value = _value(text, types[field.name])
                file = environment.get(f"{variable}_FILE")
                if isinstance(value, Secret) and file:
                    value = dataclasses.replace(value, file=Path(file))
                values[field.name] = value
            elif field.default is field.default_factory is dataclasses.MISSING:
                wrong.append(f"{variable} is not set; set it, or {variable}_FILE to a file's path.")
        except ValueError as error:
            wrong.append(f"{variable} {error}.")
    if wrong:
        raise SettingsError(" ".join(wrong))
    return wanted(**values)


def _text(variable: str, environment: Mapping[str, str]) -> str | None:
    text, file = environment.get(variable), environment.get(f"{variable}_FILE")
    if text and file:
        raise ValueError(f"and {variable}_FILE are both set; set one of them")
    if not file:
        return text or None
    try:
        content = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ValueError(f"cannot be read from {variable}_FILE ({file}): {reason}") from None
    if not content:
        raise ValueError(f"is empty in the file that {variable}_FILE names ({file})")
    return content


def _value(text: str, kind: Any) -> object:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return _within(_value(text, arguments[0]), arguments[1])
    if origin in (types.UnionType, typing.Union):
        return _value(text, next(each for each in arguments if each is not types.NoneType))
    if origin is Literal:
        if text not in arguments:
            raise ValueError(f"must be one of {', '.join(arguments)}")
        return text
    try:
        return kind(text)
    except ValueError:
        noun = "whole number" if kind is int else "number"
        raise ValueError(f"must be a {noun}") from None


def _within(value: object, bounds: Between) -> object:
    # Not-a-number compares false with everything, and so is refused too.
    if not isinstance(value, int | float) or not bounds.minimum <= value <= bounds.maximum:
        raise ValueError(f"must be between {bounds.minimum:g} and {bounds.maximum:g}")
    return value
