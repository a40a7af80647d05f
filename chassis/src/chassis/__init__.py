"""The parts that every service is built on. They know no service.

Running a service:

server           a gRPC server that starts, reports its health, drains and stops
interceptor      what happens around every call: id, deadline, errors, one line in the log
open_streams     streams that last until the server ends them
call             the current call: its id, and the time that it has left
errors           errors as a `google.rpc.Status` with details, by one table for each service
answers          the answers that a table of errors is made of
settings         the environment, read once into a frozen dataclass
startup_error    the error of a process that must not start
telemetry        structured logs without personal details
probe            asks a service whether it is ready: a container's health check
pid1             a service as the first process of a container

Its database:

database         PostgreSQL: waited for, pooled, watched
installation     whether a database may be used, and the installation that it belongs to
database_errors  which errors say that the database did not answer
sql              statements with named parameters
migrate          migrates the schema by dbmate
rebinding        binds a restored or copied database to the cluster that it is in

Its requests:

values           the values that all services share; every value checks itself
identifiers      new resource ids
iso_4217         the decimals of currencies
aip              the common parts of Google's API Improvement Proposals
"""
