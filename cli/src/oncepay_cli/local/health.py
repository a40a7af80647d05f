"""Whether something serves yet."""

import socket
import urllib.request

import grpc
from grpc_health.v1 import health_pb2

from oncepay_cli.connection import connect

HOST = "127.0.0.1"
PATIENCE_SECONDS = 1.0
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never through a proxy
_READINESS = health_pb2.HealthCheckRequest(service="readiness")


def service_is_ready(port: int) -> bool:
    """Whether a service of ours has its database and takes calls."""
    with connect(f"{HOST}:{port}") as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            health_pb2.HealthCheckRequest.SerializeToString,
            health_pb2.HealthCheckResponse.FromString,
        )
        try:
            answer = check(_READINESS, timeout=PATIENCE_SECONDS)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def web_answers(port: int, path: str) -> bool:
    """Whether a web server of ours answers."""
    try:
        with opener.open(f"http://{HOST}:{port}{path}", timeout=PATIENCE_SECONDS):
            return True
    except OSError:
        return False


def is_free(port: int) -> bool:
    """Whether nobody listens on a port of the loopback."""
    with socket.socket() as probe:
        # A connection that was just closed does not hold the port against us.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port of the loopback that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port
