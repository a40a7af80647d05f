"""The methods of CustomerService: read the request, call the use case, write the reply.

Deadlines, logs and errors are the chassis's: it runs around every method, and turns what is raised
into a status.
"""

from dataclasses import dataclass

from oncepay.customer.v1 import customer_service_pb2 as pb
from oncepay.customer.v1.customer_pb2 import Customer
from oncepay.customer.v1.customer_service_pb2_grpc import CustomerServiceServicer

from chassis.aip.pages import PageTokens
from chassis.interceptor import Context
from customer.api import conversions
from customer.service_layer.change_customer import ChangeCustomer
from customer.service_layer.create_customer import CreateCustomer
from customer.service_layer.ports import CustomerRepository


@dataclass(frozen=True, slots=True)
class CustomerServicer(CustomerServiceServicer):
    """CustomerService on its use cases."""

    customers: CustomerRepository
    create: CreateCustomer
    change: ChangeCustomer
    tokens: PageTokens

    async def CreateCustomer(self, request: pb.CreateCustomerRequest, context: Context) -> Customer:
        customer = await self.create(conversions.customer_request(request))
        return conversions.customer_message(customer)

    async def GetCustomer(self, request: pb.GetCustomerRequest, context: Context) -> Customer:
        name = conversions.customer_name(request.name)
        return conversions.customer_message((await self.customers.get(name.id)).resource)

    async def ListCustomers(
        self, request: pb.ListCustomersRequest, context: Context
    ) -> pb.ListCustomersResponse:
        customers, next_page_token = await self.tokens.page(
            request,
            lambda limit, after: self.customers.list(conversions.query(request, limit, after)),
        )
        return pb.ListCustomersResponse(
            customers=map(conversions.customer_message, customers), next_page_token=next_page_token
        )

    async def UpdateCustomer(self, request: pb.UpdateCustomerRequest, context: Context) -> Customer:
        name, changes = conversions.changes(request)
        customer = await self.change.update(name, changes, request.customer.etag)
        return conversions.customer_message(customer)

    async def DeleteCustomer(self, request: pb.DeleteCustomerRequest, context: Context) -> Customer:
        name = conversions.customer_name(request.name)
        return conversions.customer_message(await self.change.delete(name, request.etag))

    async def UndeleteCustomer(
        self, request: pb.UndeleteCustomerRequest, context: Context
    ) -> Customer:
        name = conversions.customer_name(request.name)
        return conversions.customer_message(await self.change.undelete(name, request.etag))

    async def EraseCustomer(self, request: pb.EraseCustomerRequest, context: Context) -> Customer:
        name = conversions.customer_name(request.name)
        return conversions.customer_message(await self.change.erase(name, request.etag))
