"""Rows as domain values, and domain values as columns."""

import asyncpg

from chassis.values import Metadata, Reference, RequestId, from_trusted
from customer.domain.customer import Customer, CustomerRequest, PersonalDetails, State
from customer.domain.values import DisplayName, EmailAddress, PhoneNumber


def columns(customer: CustomerRequest | Customer) -> dict[str, object]:
    """The columns that an insert and a save have in common, by name."""
    details = customer.details
    return {
        "state": customer.state.value,
        "fingerprint": customer.fingerprint,
        "display_name": details and details.display_name.text,
        "email": details and details.email.text,
        "email_key": details and details.email.key,
        "phone": details and details.phone and details.phone.text,
        "reference": customer.reference and customer.reference.text,
        "metadata": details.metadata.as_dict() if details else {},
    }


def customer(row: asyncpg.Record) -> Customer:
    reference, phone, request_id = row["reference"], row["phone"], row["request_id"]
    details = None
    if row["erase_time"] is None:
        details = PersonalDetails(
            display_name=from_trusted(DisplayName, text=row["display_name"]),
            email=from_trusted(EmailAddress, text=row["email"], key=row["email_key"]),
            phone=from_trusted(PhoneNumber, text=phone) if phone else None,
            metadata=from_trusted(Metadata, pairs=tuple(sorted(row["metadata"].items()))),
        )
    return Customer(
        id=row["id"],
        details=details,
        reference=from_trusted(Reference, text=reference) if reference else None,
        state=State(row["state"]),
        create_time=row["create_time"],
        update_time=row["update_time"],
        delete_time=row["delete_time"],
        erase_time=row["erase_time"],
        version=row["version"],
        request_id=from_trusted(RequestId, text=str(request_id)) if request_id else None,
        fingerprint=row["fingerprint"],
    )
