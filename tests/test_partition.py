"""The linear partition against brute force, what crosses cuts, and the choice of stages and replicas."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import pytest

from raygrad.proto.builder import Builder
from raygrad.proto.errors import ConfigurationError, ResourceError
from raygrad.proto.graph import Graph
from raygrad.proto.operators.elementwise import Relu, Tanh
from raygrad.proto.plan import Mode, Placement, PlanKey
from raygrad.scheduler.cost import DeviceRates, LinkRates, transfer_seconds
from raygrad.scheduler.partition import choose
from raygrad.scheduler.partition.chain import Chain, live_homes, make_chain
from raygrad.scheduler.partition.linear import partition
from raygrad.scheduler.planner import make_plan

RATES = DeviceRates(matmul_flops=1e11, convolution_flops=1e11, bytes=5e10, node_seconds=2e-6, sums=3e8)
FREE = LinkRates(call_seconds=0.0, hop_seconds=0.0, bytes_per_second=float("inf"))
RAY = LinkRates()


def random_chain(rng: random.Random) -> Chain:
    """Few different numbers, so that there are ties."""
    count = rng.randint(1, 8)
    numbers = [0.5, 1.0, 2.0, 3.0] if rng.random() < 0.5 else [rng.random() for _ in range(5)]
    cuts = [[rng.choice([0, 1, 2, 4]) for _ in range(count - 1)] for _ in range(2)]
    homes = tuple(sorted(rng.sample(range(50), count)))
    return Chain(homes, tuple(rng.choice(numbers) for _ in homes), tuple(cuts[0]), tuple(cuts[1]))


def partitions(homes: int, stages: int) -> Iterator[list[range]]:
    for cuts in itertools.combinations(range(1, homes), stages - 1):
        bounds = [0, *cuts, homes]
        yield [range(a, b) for a, b in itertools.pairwise(bounds)]


def judged(chain: Chain, runs: list[range], link: LinkRates) -> tuple[float, int]:
    """The bottleneck's seconds, and all bytes that cross cuts."""
    times = []
    for run in runs:
        received = chain.rightward[run.start - 1] if run.start else 0
        returned = chain.leftward[run.stop - 1] if run.stop < len(chain) else 0
        moved = transfer_seconds(received, link) + transfer_seconds(returned, link)
        times.append(sum(chain.seconds[i] for i in run) + moved)
    return max(times), sum(chain.rightward[r.start - 1] + chain.leftward[r.start - 1] for r in runs[1:])


@pytest.mark.parametrize("seed", range(150))
def test_no_partition_is_better(seed: int) -> None:
    rng = random.Random(seed)
    chain = random_chain(rng)
    stages = rng.randint(1, len(chain))
    link = LinkRates(bytes_per_second=rng.choice([float("inf"), 4.0, 1.0]))
    best_time, best_bytes = min(judged(chain, runs, link) for runs in partitions(len(chain), stages))
    placement = partition(chain, stages, link)
    found = [[i for i, h in enumerate(chain.homes) if placement.stage_of[h] == s] for s in range(stages)]
    assert all(run and run == list(range(run[0], run[-1] + 1)) for run in found)
    time, crossing = judged(chain, [range(r[0], r[-1] + 1) for r in found], link)
    assert time == pytest.approx(best_time, rel=1e-9)
    tied = [judged(chain, runs, link) for runs in partitions(len(chain), stages)]
    assert crossing == min(b for t, b in tied if t <= best_time * (1 + 1e-9))
    assert best_bytes >= crossing


def test_more_stages_than_nodes() -> None:
    chain = Chain((3, 5), (1.0, 1.0), (0,), (0,))
    with pytest.raises(ConfigurationError, match="3 stages were asked for, and the graph has 2 nodes"):
        partition(chain, 3, FREE)


# -- cuts -----------------------------------------------------------------------------------------


def network(layers: int = 6, width: int = 64) -> Graph:
    g = Builder()
    x = g.input("x", ("N", width))
    for i in range(layers):
        x = Tanh()(x @ g.parameter(f"w{i}", (width, width)) + g.parameter(f"b{i}", (width,)))
    g.output("loss", x.square().mean())
    return g.graph()


SIZES = {"N": 256}
STEP = PlanKey(Mode.STEP, tuple(SIZES.items()), ("loss",))


def cut_bytes(graph: Graph, chain: Chain, cut: int) -> tuple[int, int]:
    """What a plan of two stages really sends, forth and back, if it is cut there."""
    placement = Placement({h: int(i > cut) for i, h in enumerate(chain.homes)}, 2)
    sent = {0: 0, 1: 0}
    plan = make_plan(graph, placement, STEP)
    for segment in plan.segments:
        sent[segment.stage] += sum(plan.graph.type(r).nbytes for e in segment.sends for r in e.values)
    return sent[0], sent[1]


def skipping() -> Graph:
    """A value that is read far ahead, a shared parameter, and a broadcast that is cheaper to repeat."""
    g = Builder()
    w = g.parameter("w", (8, 8))
    x = Tanh()(g.input("x", ("N", 8)) @ w)
    scale = Tanh()(x.sum(axes=(1,))).reshape(("N", 1)).broadcast_to(("N", 8))
    y = Relu()(Tanh()(x * scale) @ w)
    g.output("loss", ((y + x) * scale).sum())
    return g.graph()


@pytest.mark.parametrize("graph", [network(3), skipping()], ids=["chain", "skips"])
def test_bytes_over_a_cut_are_those_that_a_plan_sends(graph: Graph) -> None:
    chain = make_chain(graph, STEP, RATES)
    for cut in range(len(chain) - 1):
        assert (chain.rightward[cut], chain.leftward[cut]) == cut_bytes(graph, chain, cut), f"cut {cut}"


def test_a_chain_covers_what_the_outputs_need() -> None:
    graph = network()
    assert make_chain(graph, STEP, RATES).homes == tuple(sorted(live_homes(graph)))
    assert all(s > 0 for s in make_chain(graph, STEP, RATES).seconds)


# -- the choice -----------------------------------------------------------------------------------


def test_replicas_win_where_links_cost() -> None:
    placement, replicas = choose(network(), SIZES, 4, RATES, RAY)
    assert (placement.stages, replicas) == (1, 4)


def test_one_worker_is_one_stage() -> None:
    placement, replicas = choose(network(), SIZES, 1, RATES, RAY)
    assert (placement.stages, replicas) == (1, 1)
    assert set(placement.stage_of) == live_homes(network())


@pytest.mark.parametrize(
    ("stages", "replicas", "expected"), [(2, None, (2, 2)), (None, 1, None), (3, 1, (3, 1)), (2, 2, (2, 2))]
)
def test_forced_numbers_are_kept_to(
    stages: int | None, replicas: int | None, expected: tuple[int, int] | None
) -> None:
    placement, count = choose(network(), SIZES, 4, RATES, RAY, stages, replicas)
    assert stages in (None, placement.stages)
    assert replicas in (None, count)
    assert expected in (None, (placement.stages, count))


def test_a_heavy_graph_on_free_links_uses_stages_if_replicas_are_forced() -> None:
    placement, _ = choose(network(width=512), SIZES, 3, RATES, FREE, replicas=1)
    assert placement.stages == 3


def test_without_a_loss_all_outputs_are_differentiated() -> None:
    g = Builder()
    g.output("y", g.input("x", ("N", 8)) @ g.parameter("w", (8, 8)))
    placement, replicas = choose(g.graph(), SIZES, 2, RATES, RAY, loss=None)
    assert (placement.stages, replicas) == (1, 2)


def test_a_graph_without_nodes() -> None:
    g = Builder()
    g.output("y", g.input("x", ("N", 8)))
    placement, _ = choose(g.graph(), SIZES, 2, RATES, RAY, loss=None)
    assert placement == Placement({}, 1)


def test_impossible_requests_name_numbers() -> None:
    with pytest.raises(ResourceError, match="2 stages × 3 replicas need 6 workers, and there are 4"):
        choose(network(), SIZES, 4, RATES, RAY, stages=2, replicas=3)
    nodes = len(live_homes(network()))
    with pytest.raises(
        ConfigurationError, match=f"99 stages were asked for, and the graph has {nodes} nodes"
    ):
        choose(network(), SIZES, 200, RATES, RAY, stages=99)
    with pytest.raises(ConfigurationError, match="replicas must be at least 1, got 0"):
        choose(network(), SIZES, 4, RATES, RAY, replicas=0)
