"""The answers that a service's table of errors is made of, one function for each gRPC status code."""

from functools import partial

from grpc import StatusCode

from chassis.errors import Answer

invalid_argument = partial(Answer, StatusCode.INVALID_ARGUMENT)
not_found = partial(Answer, StatusCode.NOT_FOUND)
already_exists = partial(Answer, StatusCode.ALREADY_EXISTS)
failed_precondition = partial(Answer, StatusCode.FAILED_PRECONDITION)
aborted = partial(Answer, StatusCode.ABORTED)
unavailable = partial(Answer, StatusCode.UNAVAILABLE)
internal = partial(Answer, StatusCode.INTERNAL)
