"""What every service stands on. It knows no service.

Start here:

server       a gRPC server that starts, tells its health, drains and stops
watches      health watches and reflection, which only a stop ends
handling     what happens around every call: deadline, errors, one line in the log
call         the call that runs now: its id, and the time it has left
errors       every error as a `google.rpc.Status` with details
settings     the environment, read once into a frozen dataclass
refusal      a start that was refused, with a sentence for a person
telemetry    structured logs that hold no personal detail
database     PostgreSQL: waited for, examined, pooled, watched
migrate      the schema, brought forward by dbmate
adoption     a database that was restored or copied, taken over
probe        whether a service is ready, for a container's health check
first        a service as the first process of a container

and what requests are made of:

values       the values all services share; every value checks itself
identifiers  new resource ids
pages        page sizes, and page tokens that cannot be forged
filters      `filter` and `order_by`
masks        `update_mask`
messages     protobuf's messages: what must be in one, and times
"""
