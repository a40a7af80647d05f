"""The methods of CustomerService: read the request, call the use case, write the reply.

Deadlines, logs and errors are the chassis's: it runs around every method, and turns what is raised
into a status.
"""

from collections.abc import Callable
from uuid import UUID

from oncepay.customer.v1.customer_pb2 import Customer
from oncepay.customer.v1.customer_service_pb2 import (
    CreateCustomerRequest,
    DeleteCustomerRequest,
    EraseCustomerRequest,
    GetCustomerRequest,
    ListCustomersRequest,
    ListCustomersResponse,
    UndeleteCustomerRequest,
    UpdateCustomerRequest,
)
from oncepay.customer.v1.customer_service_pb2_grpc import CustomerServiceServicer

from chassis.aip.pages import PageTokens, page_size
from chassis.call_handling import Context
from customer.api import conversions
from customer.service_layer import changes, registration
from customer.service_layer.ports import CustomerRepository


class CustomerServicer(CustomerServiceServicer):
    """CustomerService on a repository."""

    def __init__(
        self, customers: CustomerRepository, tokens: PageTokens, *, new_id: Callable[[], UUID]
    ) -> None:
        self._customers = customers
        self._tokens = tokens
        self._new_id = new_id

    async def CreateCustomer(self, request: CreateCustomerRequest, context: Context) -> Customer:
        customer = await registration.register(
            conversions.registration(request), customers=self._customers, new_id=self._new_id
        )
        return conversions.message(customer)

    async def GetCustomer(self, request: GetCustomerRequest, context: Context) -> Customer:
        name = conversions.customer_name(request.name)
        return conversions.message(await self._customers.get(name))

    async def ListCustomers(
        self, request: ListCustomersRequest, context: Context
    ) -> ListCustomersResponse:
        query = conversions.query(request)
        size = page_size(request.page_size)
        listed = "ListCustomers", request.filter, request.order_by, str(request.show_deleted)
        after = self._tokens.after(request.page_token, listed)
        found = await self._customers.list(query, after, size + 1)
        return ListCustomersResponse(
            customers=map(conversions.message, found[:size]),
            next_page_token=self._tokens.next(listed, found, size),
        )

    async def UpdateCustomer(self, request: UpdateCustomerRequest, context: Context) -> Customer:
        name, wanted = conversions.changes(request)
        etag = request.customer.etag
        customer = await changes.update(name, wanted, etag, customers=self._customers)
        return conversions.message(customer)

    async def DeleteCustomer(self, request: DeleteCustomerRequest, context: Context) -> Customer:
        name = conversions.customer_name(request.name)
        customer = await changes.delete(name, request.etag, customers=self._customers)
        return conversions.message(customer)

    async def UndeleteCustomer(
        self, request: UndeleteCustomerRequest, context: Context
    ) -> Customer:
        name = conversions.customer_name(request.name)
        customer = await changes.undelete(name, request.etag, customers=self._customers)
        return conversions.message(customer)

    async def EraseCustomer(self, request: EraseCustomerRequest, context: Context) -> Customer:
        name = conversions.customer_name(request.name)
        customer = await changes.erase(name, request.etag, customers=self._customers)
        return conversions.message(customer)
