"""The time of one small request: a graph of one addition, in process, through the service, and the floor.

The floor is what the service cannot go below: an empty gRPC call to a server in another process, plus
an empty call of a Ray actor, made one after the other in the same run. A request to the service makes
one gRPC call and, behind it, one actor call.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence

import grpc
import harness
import numpy as np
import ray
from grpc_health.v1 import health_pb2, health_pb2_grpc
from serving import server

import raygrad as rg

CALL_SECONDS = 10.0


def addition() -> rg.Graph:
    """a + b, for scalars."""
    g = rg.Builder()
    g.output("sum", g.input("a", ()) + g.input("b", ()))
    return g.graph()


@ray.remote
class Nothing:
    """An actor that does nothing."""

    def call(self) -> None:
        """Nothing."""


def empty_calls(address: str) -> Callable[[], None]:
    """One empty gRPC call (a health check, over TCP) and one empty actor call."""
    stub = health_pb2_grpc.HealthStub(grpc.insecure_channel(address))
    request = health_pb2.HealthCheckRequest()
    actor = Nothing.remote()  # type: ignore[attr-defined]

    def call() -> None:
        stub.Check(request, timeout=CALL_SECONDS)
        ray.get(actor.call.remote(), timeout=CALL_SECONDS)

    return call


def request_of(session: rg.Session) -> Callable[[], object]:
    """One forward pass."""
    feeds = {"a": np.float32(1.0).reshape(()), "b": np.float32(2.0).reshape(())}
    return lambda: session.forward(feeds)


def figures(seconds: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Median and 95th percentile in milliseconds, and the service as a multiple of the floor."""
    found: dict[str, float] = {}
    for name, values in seconds.items():
        found[f"round_trip.{name}.median_ms"] = 1e3 * statistics.median(values)
        found[f"round_trip.{name}.p95_ms"] = 1e3 * statistics.quantiles(values, n=20)[-1]
    found["round_trip.ratio_to_floor"] = (
        found["round_trip.service.median_ms"] / found["round_trip.floor.median_ms"]
    )
    return found


def main() -> None:
    """Run, print, and write the figures if asked to."""
    options = harness.parser(__doc__, rounds=300).parse_args()
    graph = addition()
    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    with (
        server(workers=1, backend="numpy") as running,
        rg.connect(running.address, graph) as remote,
        rg.local(graph, backend="numpy") as local,
    ):
        candidates = {
            "local": request_of(local),
            "service": request_of(remote),
            "floor": empty_calls(running.address),
        }
        seconds = harness.interleave(candidates, options.rounds)
    ray.shutdown()
    harness.report(figures(seconds), options.json)


if __name__ == "__main__":
    main()
