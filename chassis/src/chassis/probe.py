"""Whether a service is ready, asked from beside it: what a container's health check runs.

    python -m chassis.probe 127.0.0.1:50051            exit code 0 if it is, 1 and a word if not
    python -m chassis.probe 127.0.0.1:50051 --wait 60  the same, but so many seconds' patience

Kubernetes asks by itself and needs none of this.
"""

import argparse
import sys
import time

import grpc
from grpc_health.v1 import health_pb2

ASK_SECONDS = 3.0
PAUSE_SECONDS = 0.2
READINESS = health_pb2.HealthCheckRequest(service="readiness")


def ask(address: str) -> str:
    """The state that the service tells of itself, `SERVING`; or why it tells none."""
    # No proxy that the environment may name: it could only fail, or ask somebody else.
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            health_pb2.HealthCheckRequest.SerializeToString,
            health_pb2.HealthCheckResponse.FromString,
        )
        try:
            answer = check(READINESS, timeout=ASK_SECONDS)
        except grpc.RpcError as error:
            return str(error.code().name)
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def main(arguments: list[str]) -> int:
    """Does what the command line says; returns the exit code."""
    parser = argparse.ArgumentParser(prog="probe", description="Is a service ready?")
    parser.add_argument("address", help="host:port")
    parser.add_argument("--wait", type=float, default=0, help="how long to ask again, seconds (0)")
    options = parser.parse_args(arguments)
    until = time.monotonic() + options.wait
    while (state := ask(options.address)) != "SERVING":
        if time.monotonic() >= until:
            sys.stderr.write(f"{options.address} is not ready: {state}\n")
            return 1
        time.sleep(PAUSE_SECONDS)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
