"""The customer, the request that creates it, and the changes that it allows.

Every change is a pure function from a customer to a customer. One that is equal to the customer
before means that there is nothing to do, so that a repeated call makes no new version.
"""

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import Self, TypedDict
from uuid import UUID

from chassis.aip.resources import etag_of, matches_etag
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
    """What the service knows of a person. The erasure removes it."""

    display_name: DisplayName
    email: EmailAddress
    phone: PhoneNumber | None = None
    metadata: Metadata = field(default_factory=Metadata)


class CustomerChanges(TypedDict, total=False):
    """The new values of the fields that change; the other fields are absent."""

    display_name: DisplayName
    email: EmailAddress
    phone: PhoneNumber | None
    reference: Reference | None
    metadata: Metadata
    state: State


@dataclass(frozen=True, slots=True)
class UniqueKeys:
    """What no two customers may share.

    Attributes:
        email: of customers that are not deleted.
    """

    email: EmailAddress | None = None
    reference: Reference | None = None
    request_id: RequestId | None = None


@dataclass(frozen=True, slots=True)
class CustomerRequest:
    """What CreateCustomer asks for. With a `request_id` it may be sent more than once."""

    details: PersonalDetails
    reference: Reference | None = None
    state: State = State.ACTIVE
    request_id: RequestId | None = None

    @property
    def unique_keys(self) -> UniqueKeys:
        return UniqueKeys(self.details.email, self.reference, self.request_id)

    @property
    def fingerprint(self) -> bytes | None:
        """Shows whether a repeated request has the same content; None without a request_id.

        It is made of the values, not of the bytes that carried them: those differ between clients.
        The first element is the fingerprint's own version. A field that is added later may join the
        list only where it has a value, or a request that is repeated across the upgrade would be
        refused.
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
    """One customer. Its version and update_time are the repository's: a change leaves them alone.

    Attributes:
        details: None once they are erased.
        version: grows by one with every change; the etag.
        request_id, fingerprint: of the request that created it; the erasure removes the
            fingerprint.
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

    @property
    def name(self) -> CustomerName:
        return CustomerName(self.id)

    @property
    def etag(self) -> str:
        return etag_of(self.version)

    @property
    def unique_keys(self) -> UniqueKeys:
        if self.details is None or self.delete_time is not None:
            return UniqueKeys(None, self.reference, self.request_id)
        return UniqueKeys(self.details.email, self.reference, self.request_id)

    def check_etag(self, etag: str) -> None:
        """Raises EtagMismatch if the caller saw another version; the empty etag is any."""
        if not matches_etag(etag, self.version):
            raise EtagMismatch(self.name)

    def update(self, changes: CustomerChanges) -> Self:
        """Gives some fields new values.

        Raises:
            CustomerErased, CustomerDeleted.
        """
        if self.details is None:
            raise CustomerErased(self.name)
        if self.delete_time is not None:
            raise CustomerDeleted(self.name)
        details = PersonalDetails(
            display_name=changes.get("display_name", self.details.display_name),
            email=changes.get("email", self.details.email),
            phone=changes.get("phone", self.details.phone),
            metadata=changes.get("metadata", self.details.metadata),
        )
        return replace(
            self,
            details=details,
            reference=changes.get("reference", self.reference),
            state=changes.get("state", self.state),
        )

    def delete(self, now: datetime) -> Self:
        """Deletes it softly (AIP-164). From now on its email is free for others."""
        return self if self.delete_time is not None else replace(self, delete_time=now)

    def undelete(self) -> Self:
        """Brings it back, with its email.

        Raises:
            CustomerErased.
        """
        if self.erase_time is not None:
            raise CustomerErased(self.name)
        return replace(self, delete_time=None)

    def erase(self, now: datetime) -> Self:
        """Removes the person's details. What stays is what payments refer to."""
        if self.erase_time is not None:
            return self
        return replace(
            self,
            details=None,
            fingerprint=None,
            delete_time=self.delete_time or now,
            erase_time=now,
        )

    def answer_to(self, request: CustomerRequest) -> Self:
        """What a request gets that conflicts with this customer: this customer, if the same request
        created it; otherwise an error.

        Raises:
            RequestIdReused, EmailTaken, ReferenceTaken: the first that applies.
        """
        if request.request_id is None or self.request_id != request.request_id:
            raise self.error_for(request.unique_keys)
        # After the erasure there is no fingerprint to compare: the id alone decides.
        if self.fingerprint not in (None, request.fingerprint):
            raise RequestIdReused(self.name)
        return self

    def error_for(self, keys: UniqueKeys) -> EmailTaken | ReferenceTaken:
        """Why another customer cannot have these keys: this one has the email or the reference."""
        own = self.unique_keys.email
        if own is not None and keys.email is not None and own.key == keys.email.key:
            return EmailTaken(self.name)
        return ReferenceTaken(self.name)
