"""Memory is admitted before anything runs: plans and leases that do not fit are refused, by name."""

from __future__ import annotations

import numpy as np
import pytest

import raygrad as rg
from raygrad.proto.errors import ResourceError
from raygrad.proto.messages import SessionOptions
from raygrad.proto.operators.pooling import AvgPool
from raygrad.proto.plan import Mode, Placement, Plan, PlanKey
from raygrad.proto.tensor import Array
from raygrad.scheduler.admission import EXACT_BYTES, USABLE, Need, admit, admit_lease, needs
from raygrad.scheduler.local_cluster import LocalCluster
from raygrad.scheduler.planner import make_plan
from raygrad.scheduler.reservations import Reservations
from raygrad.scheduler.scheduler import Scheduler
from raygrad.workers.kernels import base


def chain_plan(mode: Mode, stages: int = 1) -> Plan:
    """Two products with a square in between."""
    g = rg.Builder()
    x = g.input("x", ("N", 8))
    h = (x @ g.parameter("a", (8, 8))).square()
    g.output("loss", (h @ g.parameter("b", (8, 8))).square().mean())
    graph = g.graph()
    nodes = [n.id for n in graph if not n.operator.source]
    placement = Placement({n: i * stages // len(nodes) for i, n in enumerate(nodes)}, stages)
    return make_plan(graph, placement, PlanKey(mode, (("N", 1024),), ("loss",) if mode is Mode.STEP else ()))


def test_fixed_bytes_are_parameters_sums_and_a_snapshot() -> None:
    plan = chain_plan(Mode.STEP)
    owned = {name: node.types[0] for name, node in plan.graph.parameters.items()}
    assert needs(plan, [owned], exact=True)[0].fixed == 128 * (4 + 2 * EXACT_BYTES)
    assert needs(plan, [owned], exact=False)[0].fixed == 128 * 12


def test_a_stage_counts_what_it_reads_though_another_accumulates_it() -> None:
    plan = chain_plan(Mode.STEP, stages=2)
    assert sum(need.fixed for need in needs(plan, [{}, {}], exact=True)) == 2 * 64 * 4


@pytest.mark.parametrize("stages", [1, 2])
def test_a_plan_is_admitted_exactly_if_it_fits(stages: int) -> None:
    plan = chain_plan(Mode.STEP, stages)
    owned = [dict.fromkeys(()) for _ in range(stages)]
    needed = max(need.total for need in needs(plan, owned, True))
    assert needed >= max(plan.peak_bytes[s] * (stages - s) for s in range(stages))
    admit(plan, owned, True, int(needed / USABLE) + 2)
    with pytest.raises(ResourceError, match=r"stage \d needs .* MiB"):
        admit(plan, owned, True, int(needed / USABLE) - 2)


def test_leases_share_half_of_the_memory() -> None:
    plan = chain_plan(Mode.FORWARD)
    memory = int(4 * plan.saved_bytes[0] / USABLE) + 4
    admit_lease(plan, [plan.saved_bytes[0]], [0], memory)
    with pytest.raises(ResourceError, match="release some"):
        admit_lease(plan, [2 * plan.saved_bytes[0]], [0], memory)
    with pytest.raises(ResourceError, match="of other sessions"):
        admit_lease(plan, [plan.saved_bytes[0]], [plan.saved_bytes[0]], memory)


def test_a_session_refuses_what_cannot_fit_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "host_memory", lambda: 1 << 20)
    g = rg.Builder()
    g.output("loss", (g.input("x", ("N", 4)) @ g.parameter("w", (4, 4))).square().mean())
    with rg.local(g, backend="numpy") as session:
        session.put({"w": np.eye(4, dtype=np.float32)})
        with pytest.raises(ResourceError, match="1 mini-batches of activations"):
            session.forward({"x": np.ones((1 << 17, 4), np.float32)})
        assert session.forward({"x": np.ones((2, 4), np.float32)}).outputs["loss"] == 1.0


def test_what_a_kernel_pads_is_admitted_too() -> None:
    """Small operands do not show it."""
    g = rg.Builder()
    x = g.input("x", ("N", 1, 4))
    g.output("y", AvgPool((1 << 30,), ((2, 1 << 28),), (3,), False)(x))
    with rg.local(g, backend="numpy") as session, pytest.raises(ResourceError, match="mini-batches"):
        session.forward({"x": np.ones((100, 1, 4), np.float32)})


# -- several sessions -----------------------------------------------------------------------------


def test_sessions_on_a_worker_are_added_up() -> None:
    reservations, memory = Reservations(), int(100 / USABLE) + 1
    reservations.reserve("a", {0: Need(20, 20), 1: Need(10, 0)}, memory, ["a", "b"])
    with pytest.raises(ResourceError, match=r"worker 0 .* others hold .* \(session a .*close one"):
        reservations.reserve("b", {0: Need(30, 31)}, memory, ["a", "b"])
    reservations.reserve("b", {1: Need(30, 31)}, memory, ["a", "b"])
    reservations.reserve("b", {0: Need(30, 30)}, memory, ["a", "b"])
    reservations.reserve("b", {0: Need(60, 40)}, memory, ["b"])  # the other one is closed


def test_the_plans_of_a_session_run_one_at_a_time() -> None:
    reservations, memory = Reservations(), int(100 / USABLE) + 1
    reservations.reserve("a", {0: Need(20, 60)}, memory, ["a", "b"])
    reservations.reserve("a", {0: Need(20, 50)}, memory, ["a", "b"])
    with pytest.raises(ResourceError):
        reservations.reserve("b", {0: Need(21, 0)}, memory, ["a", "b"])
    reservations.reserve("b", {0: Need(20, 0)}, memory, ["a", "b"])


def chain(rows: int) -> tuple[rg.Graph, dict[str, Array]]:
    g = rg.Builder()
    g.output("loss", (g.input("x", ("N", 4)) @ g.parameter("w", (4, 4))).square().mean())
    return g.graph(), {"x": np.ones((rows, 4), np.float32)}


def test_a_session_too_many_says_which_others_are_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "host_memory", lambda: 1 << 20)
    graph, feeds = chain(20_000)
    scheduler = Scheduler(LocalCluster(1, "numpy"))
    first, second = (scheduler.create_session(rg.encode(graph), SessionOptions()).result(0) for _ in range(2))
    for session in (first, second):
        session.put({"w": np.eye(4, dtype=np.float32)}).result(0)
    first.forward(feeds).result(0)
    with pytest.raises(ResourceError, match=first.id):
        second.forward(feeds).result(0)
    second.forward(chain(2)[1]).result(0)
    first.close()
    second.forward(feeds).result(0)
    scheduler.close()


def test_leases_of_all_sessions_share_half_of_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "host_memory", lambda: 1 << 20)
    graph, feeds = chain(5_000)
    scheduler = Scheduler(LocalCluster(1, "numpy"))
    first, second = (scheduler.create_session(rg.encode(graph), SessionOptions()).result(0) for _ in range(2))
    for session in (first, second):
        session.put({"w": np.eye(4, dtype=np.float32)}).result(0)
    leases = [first.forward(feeds, keep=True).result(0).lease for _ in range(2)]
    asked = [second.forward(feeds, keep=True) for _ in range(4)]
    assert "those of other sessions" in str(asked[-1].exception(0))
    for lease in leases:
        first.release(lease).result(0)
    second.forward(feeds, keep=True).result(0)
    scheduler.close()
