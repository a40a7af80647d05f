"""Asks a service whether it is ready: what a container's health check runs.

    python -m chassis.probe 127.0.0.1:50051            exit code 0 if it is ready, 1 if not
    python -m chassis.probe 127.0.0.1:50051 --wait 60  waits so many seconds for it to be ready

Kubernetes asks by itself and needs none of this.
"""

import argparse
import sys
import time
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

ASK_SECONDS = 3.0
PAUSE_SECONDS = 0.2
READINESS = health_pb2.HealthCheckRequest(service="readiness")


def ask(address: str) -> str:
    """The state that the service reports, `SERVING`; the code of the error where it reports none."""
    # No proxy that the environment may name: it could only fail, or ask another service.
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        try:
            state = health.Check(READINESS, timeout=ASK_SECONDS).status
        except grpc.RpcError as error:
            return str(error.code().name)
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(state))


def main(arguments: list[str]) -> int:
    """Runs the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="probe", description="Is a service ready?")
    parser.add_argument("address", help="host:port")
    parser.add_argument("--wait", type=float, default=0, help="seconds to wait for it (0)")
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
