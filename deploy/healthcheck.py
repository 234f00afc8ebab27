"""Ask a raygrad server whether it serves, by the standard gRPC health service; exit 0 if it does.

    python healthcheck.py HOST:PORT

With RAYGRAD_HEALTH_CA in the environment (a PEM file) the connection uses TLS and trusts that certificate.
"""

import os
import sys
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

DEADLINE = 4.0  # seconds


def open_channel(target: str) -> grpc.Channel:
    """A channel to `target`, with TLS if RAYGRAD_HEALTH_CA names a certificate."""
    authority = os.environ.get("RAYGRAD_HEALTH_CA")
    if authority is None:
        return grpc.insecure_channel(target)
    credentials = grpc.ssl_channel_credentials(Path(authority).read_bytes())
    return grpc.secure_channel(target, credentials)


def is_serving(target: str) -> bool:
    """Whether the server as a whole (the empty service name) says SERVING within the deadline."""
    with open_channel(target) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        try:
            answer = health.Check(health_pb2.HealthCheckRequest(), timeout=DEADLINE)
        except grpc.RpcError as error:
            sys.stderr.write(f"{target}: {error}\n")
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


if __name__ == "__main__":
    sys.exit(0 if is_serving(sys.argv[1]) else 1)
