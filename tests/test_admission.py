"""Memory is admitted before anything runs: plans and leases that do not fit are refused, by name."""

from __future__ import annotations

import numpy as np
import pytest

import raygrad as rg
from raygrad.proto.errors import ResourceError
from raygrad.proto.plan import Mode, Placement, Plan, PlanKey
from raygrad.scheduler.admission import EXACT_BYTES, USABLE, admit, admit_lease, resident_bytes
from raygrad.scheduler.planner import make_plan
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


def test_resident_bytes_are_parameters_sums_and_a_snapshot() -> None:
    plan = chain_plan(Mode.STEP)
    owned = {name: node.types[0] for name, node in plan.graph.parameters.items()}
    assert resident_bytes(owned, exact=True) == 128 * (4 + 2 * EXACT_BYTES)
    assert resident_bytes(owned, exact=False) == 128 * 12


@pytest.mark.parametrize("stages", [1, 2])
def test_a_plan_is_admitted_exactly_if_it_fits(stages: int) -> None:
    plan = chain_plan(Mode.STEP, stages)
    owned = [dict.fromkeys(()) for _ in range(stages)]
    needed = max(plan.peak_bytes[s] * (stages - s) for s in range(stages))
    admit(plan, owned, True, int(needed / USABLE) + 2)
    with pytest.raises(ResourceError, match=r"stage \d needs .* MiB"):
        admit(plan, owned, True, int(needed / USABLE) - 2)


def test_leases_share_half_of_the_memory() -> None:
    plan = chain_plan(Mode.FORWARD)
    memory = int(4 * plan.saved_bytes[0] / USABLE) + 4
    admit_lease(plan, [plan.saved_bytes[0]], memory)
    with pytest.raises(ResourceError, match="release some"):
        admit_lease(plan, [2 * plan.saved_bytes[0]], memory)


def test_a_session_refuses_what_cannot_fit_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "host_memory", lambda: 1 << 20)
    g = rg.Builder()
    g.output("loss", (g.input("x", ("N", 4)) @ g.parameter("w", (4, 4))).square().mean())
    with rg.local(g, backend="numpy") as session:
        session.put({"w": np.eye(4, dtype=np.float32)})
        with pytest.raises(ResourceError, match="1 mini-batches of activations"):
            session.forward({"x": np.ones((1 << 17, 4), np.float32)})
        assert session.forward({"x": np.ones((2, 4), np.float32)}).outputs["loss"] == 1.0
