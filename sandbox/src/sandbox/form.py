"""One request's parameters, taken one by one; what is left over at the end is unknown.

Stripe's requests are forms, also in the query of a GET: `metadata[uuid]=...`, `expand[0]=...` or
`expand[]=...`. What is wrong with a value is said in Stripe's sentences.
"""

import re
from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

from sandbox.errors import Error, Rejection
from sandbox.objects import Metadata

_INTEGER = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_PRINTABLE = re.compile(r"[!-~]+")
_NOT_WEB = {"javascript", "data", "vbscript"}

# https://docs.stripe.com/api/metadata
METADATA_KEYS = 50
METADATA_KEY_LENGTH = 40
METADATA_VALUE_LENGTH = 500


def wrong(message: str, param: str, code: str | None = None) -> Rejection:
    """A parameter that is not as it must be."""
    return Rejection(Error(400, message, code=code, param=param))


class Form:
    """The parameters of one request. Taking one raises `Rejection` where it is wrong."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._pairs = list(pairs)

    def text(self, name: str, longest: int = 5000) -> str | None:
        """A string. An empty one unsets, which is the same as not giving it."""
        value = self._take(name)
        if value is not None and len(value) > longest:
            raise wrong(f"Invalid string: {name} must be at most {longest} characters", name)
        return value or None

    def required_text(self, name: str) -> str:
        """A string that must be there."""
        value = self._required(name)
        if not value:
            raise wrong(
                f"You passed an empty string for '{name}'. We assume empty values are an attempt "
                f"to unset a parameter; however '{name}' cannot be unset. You should remove "
                f"'{name}' from your request or supply a non-empty value.",
                name,
                "parameter_invalid_empty",
            )
        return value

    def integer(self, name: str, least: int = 1) -> int | None:
        """A whole number."""
        value = self._take(name)
        return None if value is None else self._integer(name, value, least)

    def required_integer(self, name: str, least: int = 1) -> int:
        """A whole number that must be there."""
        return self._integer(name, self._required(name), least)

    def choice(self, name: str, allowed: Collection[str]) -> str | None:
        """One of a few words."""
        value = self.text(name)
        if value is not None and value not in allowed:
            *others, last = allowed
            raise wrong(f"Invalid {name}: must be one of {', '.join(others)}, or {last}", name)
        return value

    def boolean(self, name: str) -> bool:
        """true or false; false where it is not given."""
        value = self._take(name)
        if value not in (None, "true", "false"):
            raise wrong(f"Invalid boolean: {value}", name)
        return value == "true"

    def url(self, name: str) -> str | None:
        """An address to send a person to: of the web or, as Stripe allows, of an app."""
        value = self.text(name)
        if value is None:
            return None
        parts = urlsplit(value)
        if not _PRINTABLE.fullmatch(value) or not parts.scheme or parts.scheme in _NOT_WEB:
            raise wrong("Not a valid URL", name, "url_invalid")
        return value

    def many(self, name: str) -> tuple[str, ...]:
        """A list: name[0], name[1], ... or name[] again and again."""
        numbered = re.compile(re.escape(name) + r"\[[0-9]*\]")
        found = [(key, value) for key, value in self._pairs if numbered.fullmatch(key)]
        self._pairs = [pair for pair in self._pairs if pair not in found]
        return tuple(value for _, value in found)

    def metadata(self) -> Metadata:
        """metadata[key]=value, within Stripe's limits, sorted by key; an empty value unsets."""
        found = [
            (key.removeprefix("metadata[").removesuffix("]"), value)
            for key, value in self._pairs
            if key.startswith("metadata[")
        ]
        self._pairs = [pair for pair in self._pairs if not pair[0].startswith("metadata[")]
        if len(found) > METADATA_KEYS:
            raise wrong(f"You may only have up to {METADATA_KEYS} metadata keys.", "metadata")
        for key, value in found:
            if len(key) > METADATA_KEY_LENGTH:
                raise wrong(f"Metadata keys must be under 40 characters: {key[:40]}...", "metadata")
            if len(value) > METADATA_VALUE_LENGTH:
                raise wrong(
                    f"Metadata values can have up to 500 characters, but you passed in a value "
                    f"that is {len(value)} characters.",
                    f"metadata[{key}]",
                )
        return tuple(sorted((key, value) for key, value in found if value))

    def finish(self) -> None:
        """Refuse what nobody took."""
        if self._pairs:
            name = self._pairs[0][0]
            raise wrong(f"Received unknown parameter: {name}", name, "parameter_unknown")

    def _take(self, name: str) -> str | None:
        for pair in self._pairs:
            if pair[0] == name:
                self._pairs.remove(pair)
                return pair[1]
        return None

    def _required(self, name: str) -> str:
        value = self._take(name)
        if value is None:
            raise wrong(f"Missing required param: {name}.", name, "parameter_missing")
        return value

    def _integer(self, name: str, value: str, least: int) -> int:
        if not _INTEGER.fullmatch(value):
            raise wrong(f"Invalid integer: {value[:40]}", name, "parameter_invalid_integer")
        number = int(value)
        if number < least:
            message = f"This value must be greater than or equal to {least}."
            raise wrong(message, name, "parameter_invalid_integer")
        return number
