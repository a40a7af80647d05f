"""The parameters of one request, read one by one; parameters that nobody read are unknown.

Stripe's requests are form-encoded, also the query of a GET: `metadata[uuid]=...`, `expand[0]=...` or
`expand[]=...`. Error messages are Stripe's.
"""

import re
from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

from sandbox.errors import ApiError, Error
from sandbox.objects import Metadata

_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_PRINTABLE = re.compile(r"[!-~]+")
_FORBIDDEN_SCHEMES = {"javascript", "data", "vbscript"}

# https://docs.stripe.com/api/metadata
MAX_METADATA_KEYS = 50
MAX_METADATA_KEY_LENGTH = 40
MAX_METADATA_VALUE_LENGTH = 500


def invalid(message: str, param: str, code: str | None = None) -> ApiError:
    """The error for an invalid parameter."""
    return ApiError(Error(400, message, code=code, param=param))


class Form:
    """The parameters of one request. Reading one raises `ApiError` where it is invalid."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._pairs = list(pairs)

    def text(self, name: str, max_length: int = 5000) -> str | None:
        """A string. An empty string unsets the parameter: None."""
        value = self._take(name)
        if value is not None and len(value) > max_length:
            raise invalid(f"Invalid string: {name} must be at most {max_length} characters", name)
        return value or None

    def required_text(self, name: str) -> str:
        """A required string."""
        value = self._required(name)
        if not value:
            raise invalid(
                f"You passed an empty string for '{name}'. We assume empty values are an attempt "
                f"to unset a parameter; however '{name}' cannot be unset. You should remove "
                f"'{name}' from your request or supply a non-empty value.",
                name,
                "parameter_invalid_empty",
            )
        return value

    def integer(self, name: str, minimum: int = 1) -> int | None:
        """An integer."""
        value = self._take(name)
        return None if value is None else self._integer(name, value, minimum)

    def required_integer(self, name: str, minimum: int = 1) -> int:
        """A required integer."""
        return self._integer(name, self._required(name), minimum)

    def choice(self, name: str, allowed: Collection[str]) -> str | None:
        """One of the allowed strings."""
        value = self.text(name)
        if value is not None and value not in allowed:
            *others, last = allowed
            raise invalid(f"Invalid {name}: must be one of {', '.join(others)}, or {last}", name)
        return value

    def boolean(self, name: str) -> bool:
        """A boolean; False by default."""
        value = self._take(name)
        if value not in (None, "true", "false"):
            raise invalid(f"Invalid boolean: {value}", name)
        return value == "true"

    def url(self, name: str) -> str | None:
        """A URL to redirect the payer to: of the web or, as Stripe allows, of an app."""
        value = self.text(name)
        if value is None:
            return None
        parts = urlsplit(value)
        if (
            not _PRINTABLE.fullmatch(value)
            or not parts.scheme
            or parts.scheme in _FORBIDDEN_SCHEMES
        ):
            raise invalid("Not a valid URL", name, "url_invalid")
        return value

    def many(self, name: str) -> tuple[str, ...]:
        """A list: name[0], name[1], ... or repeated name[]."""
        numbered = re.compile(re.escape(name) + r"\[[0-9]*\]")
        found = [(key, value) for key, value in self._pairs if numbered.fullmatch(key)]
        self._pairs = [pair for pair in self._pairs if pair not in found]
        return tuple(value for _, value in found)

    def metadata(self) -> Metadata:
        """The pairs of metadata[key]=value, sorted by key, within Stripe's limits; without empty values."""
        found = [
            (key.removeprefix("metadata[").removesuffix("]"), value)
            for key, value in self._pairs
            if key.startswith("metadata[")
        ]
        self._pairs = [pair for pair in self._pairs if not pair[0].startswith("metadata[")]
        if len(found) > MAX_METADATA_KEYS:
            raise invalid(f"You may only have up to {MAX_METADATA_KEYS} metadata keys.", "metadata")
        for key, value in found:
            if len(key) > MAX_METADATA_KEY_LENGTH:
                raise invalid(
                    f"Metadata keys must be under 40 characters: {key[:40]}...", "metadata"
                )
            if len(value) > MAX_METADATA_VALUE_LENGTH:
                raise invalid(
                    f"Metadata values can have up to 500 characters, but you passed in a value "
                    f"that is {len(value)} characters.",
                    f"metadata[{key}]",
                )
        return tuple(sorted((key, value) for key, value in found if value))

    def finish(self) -> None:
        """Reject parameters that nobody read."""
        if self._pairs:
            name = self._pairs[0][0]
            raise invalid(f"Received unknown parameter: {name}", name, "parameter_unknown")

    def _take(self, name: str) -> str | None:
        for pair in self._pairs:
            if pair[0] == name:
                self._pairs.remove(pair)
                return pair[1]
        return None

    def _required(self, name: str) -> str:
        value = self._take(name)
        if value is None:
            raise invalid(f"Missing required param: {name}.", name, "parameter_missing")
        return value

    def _integer(self, name: str, value: str, minimum: int) -> int:
        if not _INTEGER.fullmatch(value):
            raise invalid(f"Invalid integer: {value[:40]}", name, "parameter_invalid_integer")
        number = int(value)
        if number < minimum:
            message = f"This value must be greater than or equal to {minimum}."
            raise invalid(message, name, "parameter_invalid_integer")
        return number
