"""The customer, its registration, and the changes it allows.

Every change is a pure function: it returns the next version of the customer, or the very same
object where nothing is to be done, so that a repeated call makes no new version.
"""

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Any, Self, TypedDict
from uuid import UUID

from chassis.values import Metadata, Reference, RequestId
from customer.domain.errors import (
    CustomerDeleted,
    CustomerErased,
    EmailTaken,
    EtagMismatch,
    ReferenceTaken,
    RequestIdReused,
)
from customer.domain.values import CustomerName, DisplayName, EmailAddress, PhoneNumber


class State(Enum):
    """Whether a customer may start a payment."""

    ACTIVE = "ACTIVE"
    BLOCKED = "BLOCKED"


@dataclass(frozen=True, slots=True)
class PersonalDetails:
    """What is known of a person, and goes when the customer is erased."""

    display_name: DisplayName
    email: EmailAddress
    phone: PhoneNumber | None = None
    metadata: Metadata = field(default_factory=Metadata)


class Changes(TypedDict, total=False):
    """The new values of the fields that change; the others are not in it."""

    display_name: DisplayName
    email: EmailAddress
    phone: PhoneNumber | None
    reference: Reference | None
    metadata: Metadata
    state: State


@dataclass(frozen=True, slots=True)
class UniqueKeys:
    """What a customer wants for itself alone. Nobody else may have any of it.

    Attributes:
        email: only the living claim one.
    """

    email: EmailAddress | None = None
    reference: Reference | None = None
    request_id: RequestId | None = None


@dataclass(frozen=True, slots=True)
class Registration:
    """A caller's wish for a new customer. With a `request_id` it may come more than once."""

    details: PersonalDetails
    reference: Reference | None = None
    state: State = State.ACTIVE
    request_id: RequestId | None = None

    @property
    def claim(self) -> UniqueKeys:
        return UniqueKeys(self.details.email, self.reference, self.request_id)

    @property
    def fingerprint(self) -> bytes | None:
        """Tells whether a request that comes again has the same content; None without an id.

        Of the values, not of the bytes that brought them: those differ between clients. The list
        begins with its version. A field that is added later may join it only where it is said,
        or a request that is repeated across the upgrade would be refused.
        """
        if self.request_id is None:
            return None
        details = self.details
        content = [
            1,
            str(details.display_name),
            str(details.email),
            str(details.phone or ""),
            str(self.reference or ""),
            details.metadata.pairs,
            self.state.value,
        ]
        return hashlib.sha256(json.dumps(content).encode()).digest()


@dataclass(frozen=True, slots=True)
class Customer:
    """One customer. Frozen: whoever changes it makes the next version and saves that.

    Attributes:
        details: None once they are erased.
        version: grows by one with every change; the etag.
        request_id, fingerprint: of the registration; the fingerprint goes with the details.
    """

    id: UUID
    details: PersonalDetails | None
    reference: Reference | None
    state: State
    create_time: datetime
    update_time: datetime
    delete_time: datetime | None = None
    erase_time: datetime | None = None
    version: int = 1
    request_id: RequestId | None = None
    fingerprint: bytes | None = None

    def __post_init__(self) -> None:
        erased = self.erase_time is not None
        if erased != (self.details is None) or (erased and self.delete_time is None):
            raise AssertionError(f"{self.name}: erased means deleted and without details")
        if (self.fingerprint is None) != (erased or self.request_id is None):
            raise AssertionError(f"{self.name}: a request_id has a fingerprint until the erasure")

    @classmethod
    def registered(cls, new_id: UUID, registration: Registration, now: datetime) -> Self:
        """The first version of a customer."""
        return cls(
            id=new_id,
            details=registration.details,
            reference=registration.reference,
            state=registration.state,
            create_time=now,
            update_time=now,
            request_id=registration.request_id,
            fingerprint=registration.fingerprint,
        )

    @property
    def name(self) -> CustomerName:
        return CustomerName(self.id)

    @property
    def etag(self) -> str:
        """Changes with every change (AIP-154). In quotes: an entity-tag of RFC 9110."""
        return f'"{self.version}"'

    @property
    def claim(self) -> UniqueKeys:
        if self.details is None or self.delete_time is not None:
            return UniqueKeys(None, self.reference, self.request_id)
        return UniqueKeys(self.details.email, self.reference, self.request_id)

    def update(self, changes: Changes, etag: str, now: datetime) -> Self:
        """Gives some fields new values."""
        if self.details is None:
            raise CustomerErased(self.name)
        if self.delete_time is not None:
            raise CustomerDeleted(self.name)
        self._check(etag)
        details = PersonalDetails(
            display_name=changes.get("display_name", self.details.display_name),
            email=changes.get("email", self.details.email),
            phone=changes.get("phone", self.details.phone),
            metadata=changes.get("metadata", self.details.metadata),
        )
        after = replace(
            self,
            details=details,
            reference=changes.get("reference", self.reference),
            state=changes.get("state", self.state),
        )
        return self if after == self else after._next(now)

    def delete(self, etag: str, now: datetime) -> Self:
        """Deletes it softly (AIP-164). Its email is free for others from now on."""
        if self.delete_time is not None:
            return self
        self._check(etag)
        return self._next(now, delete_time=now)

    def undelete(self, etag: str, now: datetime) -> Self:
        """Brings it back. It claims its email again."""
        if self.erase_time is not None:
            raise CustomerErased(self.name)
        if self.delete_time is None:
            return self
        self._check(etag)
        return self._next(now, delete_time=None)

    def erase(self, etag: str, now: datetime) -> Self:
        """Forgets the person. What stays is what payments point at."""
        if self.erase_time is not None:
            return self
        self._check(etag)
        return self._next(
            now,
            details=None,
            fingerprint=None,
            delete_time=self.delete_time or now,
            erase_time=now,
        )

    def answer(self, registration: Registration) -> Self:
        """What a registration gets that this customer stands in the way of: this customer, if it
        is the one that the same request registered; else a refusal.

        Raises:
            RequestIdReused, EmailTaken, ReferenceTaken: in this order.
        """
        if registration.request_id is None or self.request_id != registration.request_id:
            raise self.refusal(registration.claim)
        # After the erasure there is no fingerprint to compare: the id alone decides.
        if self.fingerprint not in (None, registration.fingerprint):
            raise RequestIdReused(self.name)
        return self

    def refusal(self, claim: UniqueKeys) -> EmailTaken | ReferenceTaken:
        """Why another customer cannot have what it claims: this one has it."""
        mine = self.claim.email
        if mine is not None and claim.email is not None and mine.key == claim.email.key:
            return EmailTaken(self.name)
        return ReferenceTaken(self.name)

    def _check(self, etag: str) -> None:
        """Refuses a caller that saw another version; an empty etag is any."""
        if etag and etag != self.etag:
            raise EtagMismatch(self.name)

    def _next(self, now: datetime, **changes: Any) -> Self:
        return replace(self, version=self.version + 1, update_time=now, **changes)
