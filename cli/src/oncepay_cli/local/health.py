"""Readiness checks and free ports."""

import socket
import urllib.request

import grpc
from grpc_health.v1 import health_pb2

from oncepay_cli.connection import connect

HOST = "127.0.0.1"
CHECK_TIMEOUT_SECONDS = 1.0
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never through a proxy
_READINESS = health_pb2.HealthCheckRequest(service="readiness")


def service_is_ready(port: int) -> bool:
    """Whether a service has its database and accepts calls."""
    with connect(f"{HOST}:{port}") as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            health_pb2.HealthCheckRequest.SerializeToString,
            health_pb2.HealthCheckResponse.FromString,
        )
        try:
            answer = check(_READINESS, timeout=CHECK_TIMEOUT_SECONDS)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def web_answers(port: int, path: str) -> bool:
    """Whether an HTTP server answers on this path."""
    try:
        with opener.open(f"http://{HOST}:{port}{path}", timeout=CHECK_TIMEOUT_SECONDS):
            return True
    except OSError:
        return False


def is_free(port: int) -> bool:
    """Whether no process listens on a port of the loopback."""
    with socket.socket() as probe:
        # A port with recently closed connections counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port of the loopback that no process listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port
