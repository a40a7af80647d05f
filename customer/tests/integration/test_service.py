"""The whole service as its clients see it: gRPC in, PostgreSQL behind."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.rpc import error_details_pb2 as details
from grpc import StatusCode, aio
from grpc_status import rpc_status
from oncepay.customer.v1.customer_pb2 import Customer
from oncepay.customer.v1.customer_service_pb2 import (
    CreateCustomerRequest,
    DeleteCustomerRequest,
    EraseCustomerRequest,
    GetCustomerRequest,
    ListCustomersRequest,
    UndeleteCustomerRequest,
    UpdateCustomerRequest,
)

from ..conftest import REQUEST_ID

if TYPE_CHECKING:  # the stubs alone have the class of an asynchronous client
    from oncepay.customer.v1.customer_service_pb2_grpc import CustomerServiceAsyncStub

numbers = itertools.count(1)
UNKNOWN = f"customers/{REQUEST_ID}"


def creation(request_id: str = "", **fields: Any) -> CreateCustomerRequest:
    fields = {"display_name": "Alice", "email": f"alice{next(numbers)}@example.com"} | fields
    return CreateCustomerRequest(customer=Customer(**fields), request_id=request_id)


class Failure:
    """The error of a call as its client reads it."""

    def __init__(self, error: aio.AioRpcError) -> None:
        status = rpc_status.from_call(error)  # type: ignore[arg-type]
        assert status is not None, "every error has a status with details"
        self.code = error.code()
        self.message = status.message
        self.info = details.ErrorInfo()
        self.resource = details.ResourceInfo()
        bad, self.retry = details.BadRequest(), details.RetryInfo()
        for detail in status.details:
            for kind in (self.info, self.resource, bad, self.retry):
                detail.Unpack(kind)
        self.fields = [(violation.field, violation.reason) for violation in bad.field_violations]
        assert self.info.domain == "oncepay.customer"


async def failure(call: Awaitable[object]) -> Failure:
    """The error of a call that must fail."""
    with pytest.raises(aio.AioRpcError) as error:
        await call
    return Failure(error.value)


async def test_a_customer_is_created_blocked_deleted_undeleted_and_erased(
    service: "CustomerServiceAsyncStub",
) -> None:
    request = creation(
        email="Alice@Example.com", phone="+49301", reference="A-1", metadata={"k": "v"}
    )
    alice = await service.CreateCustomer(request)
    assert alice.name.startswith("customers/")
    assert (alice.email, alice.state, alice.etag) == ("Alice@Example.com", Customer.ACTIVE, '"1"')
    assert alice.create_time == alice.update_time
    assert not alice.HasField("delete_time")
    name = alice.name
    assert await service.GetCustomer(GetCustomerRequest(name=name)) == alice

    wanted = Customer(name=name, state=Customer.BLOCKED, etag=alice.etag)
    blocked = await service.UpdateCustomer(UpdateCustomerRequest(customer=wanted))
    assert (blocked.state, blocked.display_name) == (Customer.BLOCKED, "Alice")

    deletion = DeleteCustomerRequest(name=name, etag=blocked.etag)
    deleted = await service.DeleteCustomer(deletion)
    assert deleted.HasField("delete_time")
    assert await service.DeleteCustomer(deletion) == deleted, "a repeated call, answered alike"
    assert await service.GetCustomer(GetCustomerRequest(name=name)) == deleted
    assert not (await service.ListCustomers(ListCustomersRequest())).customers
    shown = await service.ListCustomers(ListCustomersRequest(show_deleted=True))
    assert list(shown.customers) == [deleted]

    back = await service.UndeleteCustomer(UndeleteCustomerRequest(name=name, etag=deleted.etag))
    assert not back.HasField("delete_time")

    erased = await service.EraseCustomer(EraseCustomerRequest(name=name, etag=back.etag))
    assert erased == Customer(
        name=name,
        reference="A-1",
        state=Customer.BLOCKED,
        create_time=alice.create_time,
        update_time=erased.update_time,
        delete_time=erased.delete_time,
        erase_time=erased.erase_time,
        etag='"5"',
    )
    assert erased.HasField("delete_time")
    assert erased.HasField("erase_time")
    assert await service.EraseCustomer(EraseCustomerRequest(name=name)) == erased


async def test_the_erasure_leaves_no_personal_detail_in_the_database(
    service: "CustomerServiceAsyncStub", superuser: Any
) -> None:
    fields = {"display_name": "Zebedee", "phone": "+4999999", "metadata": {"zebra": "zebra"}}
    request = creation(request_id=REQUEST_ID, email="Zebedee@example.com", **fields)
    alice = await service.CreateCustomer(request)
    await service.EraseCustomer(EraseCustomerRequest(name=alice.name))
    row = str(await superuser.fetchrow("SELECT * FROM customers")).lower()
    assert "zeb" not in row
    assert "99999" not in row
    assert "fingerprint=none" in row
    again = await service.CreateCustomer(request)
    assert again.HasField("erase_time"), "the request_id alone decides"


async def test_of_twenty_requests_with_one_email_one_succeeds_and_the_others_name_the_field(
    service: "CustomerServiceAsyncStub",
) -> None:
    emails = [f"{'Alice' if number % 2 else 'ALICE'}@example.com" for number in range(20)]
    answers = await asyncio.gather(
        *(service.CreateCustomer(creation(email=email)) for email in emails),
        return_exceptions=True,
    )
    (created,) = [answer for answer in answers if isinstance(answer, Customer)]
    errors = [Failure(answer) for answer in answers if isinstance(answer, aio.AioRpcError)]
    assert len(errors) == 19
    for error in errors:
        assert error.code is StatusCode.ALREADY_EXISTS
        assert error.info.reason == "EMAIL_TAKEN"
        assert error.fields == [("customer.email", "EMAIL_TAKEN")]
        assert error.resource.resource_type == "oncepay.customer/Customer"
        assert error.resource.resource_name == created.name


async def test_one_request_sent_twenty_times_creates_one_customer(
    service: "CustomerServiceAsyncStub",
) -> None:
    request = creation(request_id=str(uuid4()), reference="A-1")
    answers = await asyncio.gather(*(service.CreateCustomer(request) for _ in range(20)))
    assert answers == [answers[0]] * 20
    everybody = await service.ListCustomers(ListCustomersRequest(show_deleted=True))
    assert list(everybody.customers) == [answers[0]]


async def test_each_error_has_its_code_reason_field_and_resource(
    service: "CustomerServiceAsyncStub", subtests: Any
) -> None:
    request = creation(request_id=REQUEST_ID, email="alice@example.com", reference="A-1")
    alice = (await service.CreateCustomer(request)).name
    bob = (await service.CreateCustomer(creation(email="bob@example.com"))).name
    erased = (await service.CreateCustomer(creation())).name
    await service.EraseCustomer(EraseCustomerRequest(name=erased))
    deleted = (await service.CreateCustomer(creation(email="late@example.com"))).name
    await service.DeleteCustomer(DeleteCustomerRequest(name=deleted))
    new = (await service.CreateCustomer(creation(email="LATE@example.com"))).name

    def update(**fields: Any) -> Awaitable[Customer]:
        return service.UpdateCustomer(UpdateCustomerRequest(customer=Customer(**fields)))

    expected: list[tuple[Awaitable[Customer], StatusCode, str, list[str], str]] = [
        (
            service.CreateCustomer(creation(request_id=REQUEST_ID)),
            *(StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED", ["request_id"], alice),
        ),
        (
            service.CreateCustomer(creation(reference="A-1")),
            *(StatusCode.ALREADY_EXISTS, "REFERENCE_TAKEN", ["customer.reference"], alice),
        ),
        (
            update(name=bob, email="ALICE@example.com"),
            *(StatusCode.ALREADY_EXISTS, "EMAIL_TAKEN", ["customer.email"], alice),
        ),
        (
            update(name=bob, reference="A-1"),
            *(StatusCode.ALREADY_EXISTS, "REFERENCE_TAKEN", ["customer.reference"], alice),
        ),
        (
            service.UndeleteCustomer(UndeleteCustomerRequest(name=deleted)),
            *(StatusCode.ALREADY_EXISTS, "EMAIL_TAKEN", ["customer.email"], new),
        ),
        (
            service.GetCustomer(GetCustomerRequest(name=UNKNOWN)),
            *(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", [], UNKNOWN),
        ),
        (
            update(name=UNKNOWN, display_name="Nobody"),
            *(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", [], UNKNOWN),
        ),
        (
            update(name=deleted, display_name="Bob"),
            *(StatusCode.FAILED_PRECONDITION, "CUSTOMER_DELETED", [], deleted),
        ),
        (
            update(name=erased, display_name="Bob"),
            *(StatusCode.FAILED_PRECONDITION, "CUSTOMER_ERASED", [], erased),
        ),
        (
            service.UndeleteCustomer(UndeleteCustomerRequest(name=erased)),
            *(StatusCode.FAILED_PRECONDITION, "CUSTOMER_ERASED", [], erased),
        ),
        (
            update(name=bob, display_name="Bob", etag='"9"'),
            *(StatusCode.ABORTED, "ETAG_MISMATCH", [], bob),
        ),
        (
            service.DeleteCustomer(DeleteCustomerRequest(name=bob, etag='"9"')),
            *(StatusCode.ABORTED, "ETAG_MISMATCH", [], bob),
        ),
    ]
    for call, code, reason, fields, resource in expected:
        with subtests.test(reason):
            refused = await failure(call)
            assert (refused.code, refused.info.reason) == (code, reason)
            assert [field for field, _ in refused.fields] == fields
            assert refused.resource.resource_name == resource
            assert resource in refused.message


async def test_an_invalid_field_is_named(
    service: "CustomerServiceAsyncStub", subtests: Any
) -> None:
    create, update = service.CreateCustomer, service.UpdateCustomer
    masked = UpdateCustomerRequest(
        customer=Customer(name=UNKNOWN), update_mask=FieldMask(paths=["nonsense"])
    )
    huge = {str(number): "x" * 500 for number in range(200)}
    expected: list[tuple[Awaitable[object], str, str]] = [
        (create(CreateCustomerRequest()), "customer", "REQUIRED"),
        (create(creation(email="nobody")), "customer.email", "EMAIL"),
        (create(creation(display_name="a\0b")), "customer.display_name", "UNPRINTABLE"),
        (create(creation(metadata=huge)), "customer.metadata", "TOO_MANY_PAIRS"),
        (create(creation(state=7)), "customer.state", "STATE"),
        (create(creation(request_id="x")), "request_id", "UUID"),
        (update(UpdateCustomerRequest()), "customer", "REQUIRED"),
        (update(masked), "update_mask", "MASK_PATH"),
        (service.GetCustomer(GetCustomerRequest()), "name", "RESOURCE_NAME"),
        (service.DeleteCustomer(DeleteCustomerRequest(name="x")), "name", "RESOURCE_NAME"),
        (service.UndeleteCustomer(UndeleteCustomerRequest(name="x")), "name", "RESOURCE_NAME"),
        (service.EraseCustomer(EraseCustomerRequest(name="x")), "name", "RESOURCE_NAME"),
        (service.ListCustomers(ListCustomersRequest(page_size=-1)), "page_size", "NEGATIVE"),
        (service.ListCustomers(ListCustomersRequest(filter="x")), "filter", "FILTER_SYNTAX"),
        (service.ListCustomers(ListCustomersRequest(order_by="x")), "order_by", "ORDER_BY"),
        (service.ListCustomers(ListCustomersRequest(page_token="x")), "page_token", "PAGE_TOKEN"),
    ]
    for call, field, rule in expected:
        with subtests.test(f"{field} {rule}"):
            refused = await failure(call)
            assert refused.code is StatusCode.INVALID_ARGUMENT
            assert refused.fields == [(field, rule)]
            assert refused.info.reason == rule


async def test_an_update_changes_what_its_mask_names(service: "CustomerServiceAsyncStub") -> None:
    request = creation(phone="+49301", reference="A-1", metadata={"k": "v"}, state=Customer.BLOCKED)
    alice = await service.CreateCustomer(request)

    async def update(paths: list[str], **fields: Any) -> Customer:
        customer = Customer(name=alice.name, **fields)
        mask = FieldMask(paths=paths)
        return await service.UpdateCustomer(
            UpdateCustomerRequest(customer=customer, update_mask=mask)
        )

    renamed = await update(["display_name"], display_name="Bob", phone="ignored")
    assert (renamed.display_name, renamed.phone, renamed.etag) == ("Bob", "+49301", '"2"')
    assert await update(["display_name"], display_name="Bob") == renamed, "nothing changed"
    without_phone = await update(["phone"])
    assert (without_phone.phone, without_phone.reference) == ("", "A-1")
    replaced = await update(["*"], display_name="Carol", email="carol@example.com")
    assert (replaced.reference, dict(replaced.metadata)) == ("", {})
    assert replaced.state == Customer.ACTIVE


async def test_pages_lead_through_the_whole_list_and_only_with_the_same_filter_and_order(
    service: "CustomerServiceAsyncStub",
) -> None:
    created = [await service.CreateCustomer(creation()) for _ in range(5)]
    listed: list[Customer] = []
    request = ListCustomersRequest(page_size=2)
    while True:
        reply = await service.ListCustomers(request)
        listed += reply.customers
        if not reply.next_page_token:
            break
        request.page_token = reply.next_page_token
        request.page_size = 1  # the size may change on the way (AIP-158)
    assert listed == created[::-1]
    for other in ({"order_by": "create_time"}, {"show_deleted": True}, {"filter": "state=ACTIVE"}):
        changed = ListCustomersRequest(page_token=request.page_token, **other)
        refused = await failure(service.ListCustomers(changed))
        assert refused.fields == [("page_token", "PAGE_TOKEN")]


async def test_lists_are_filtered(service: "CustomerServiceAsyncStub") -> None:
    alice = await service.CreateCustomer(creation(email="alice@example.com", reference="A-1"))
    bob = await service.CreateCustomer(creation(state=Customer.BLOCKED))

    async def found(condition: str) -> list[Customer]:
        reply = await service.ListCustomers(ListCustomersRequest(filter=condition))
        return list(reply.customers)

    time = bob.create_time.ToJsonString()
    assert await found('email = "ALICE@example.com"') == [alice]
    assert await found('reference = "A-1" AND state = ACTIVE') == [alice]
    assert await found('state = "BLOCKED"') == [bob]
    assert await found(f'create_time < "{time}"') == [alice]
    assert await found(f'create_time >= "{time}"') == [bob]
    assert await found("") == [bob, alice]


@pytest.mark.parametrize("size", [0, 1, 1_000, 2**31 - 1])
async def test_any_page_size_that_is_not_negative_is_accepted(
    service: "CustomerServiceAsyncStub", size: int
) -> None:
    alice = await service.CreateCustomer(creation())
    reply = await service.ListCustomers(ListCustomersRequest(page_size=size))
    assert list(reply.customers) == [alice]


async def test_concurrent_updates_of_one_customer_all_succeed(
    service: "CustomerServiceAsyncStub",
) -> None:
    alice = await service.CreateCustomer(creation())
    updates: list[Callable[[], Customer]] = [
        lambda: Customer(name=alice.name, display_name="Bob"),
        lambda: Customer(name=alice.name, phone="+49301"),
        lambda: Customer(name=alice.name, reference="B-1"),
        lambda: Customer(name=alice.name, state=Customer.BLOCKED),
    ]
    await asyncio.gather(
        *(service.UpdateCustomer(UpdateCustomerRequest(customer=make())) for make in updates)
    )
    after = await service.GetCustomer(GetCustomerRequest(name=alice.name))
    assert (after.display_name, after.phone, after.reference) == ("Bob", "+49301", "B-1")
    assert (after.state, after.etag) == (Customer.BLOCKED, '"5"')
