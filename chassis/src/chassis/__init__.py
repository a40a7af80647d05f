"""What every service stands on. It knows no service.

Start here:

server           a gRPC server that starts, reports its health, drains and stops
interceptor      what happens around every call: deadline, errors, one line in the log
open_streams     streams without an end of their own, which the drain ends
call             the current call: its id, and the time it has left
errors           every error as a `google.rpc.Status` with details
settings         the environment, read once into a frozen dataclass
startup_error    a process that must not start, with a sentence for a person
telemetry        structured logs that hold no personal detail
database         PostgreSQL: waited for, checked, pooled, watched
installation     the row that binds a database to the cluster it is in
database_errors  which errors say that the database did not answer
sql              statements with named parameters
migrate          the schema, brought forward by dbmate
rebinding        a restored or copied database, bound to the cluster it is in
probe            whether a service is ready, for a container's health check
pid1             a service as the first process of a container

and what requests are made of:

values           the values all services share; every value checks itself
identifiers      new resource ids
iso_4217         the decimals of currencies
aip              the common parts of Google's API Improvement Proposals
"""
