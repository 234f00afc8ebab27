"""How many stages, how many replicas: every combination that the workers allow is simulated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from raygrad.proto.errors import ConfigurationError, ResourceError
from raygrad.proto.graph import Graph
from raygrad.proto.plan import Mode, Placement, PlanKey

from ..cost import DeviceRates, LinkRates
from ..planner import make_plan, outline
from ..simulator import simulate
from .chain import Chain, live_homes, make_chain
from .linear import partition


def choose(
    graph: Graph,
    sizes: Mapping[str, int],
    workers: int,
    rates: DeviceRates,
    link: LinkRates,
    stages: int | None = None,
    replicas: int | None = None,
    *,
    loss: str | None = "loss",
) -> tuple[Placement, int]:
    """The placement and the number of replicas with the shortest simulated step.

    A step has four mini-batches per worker; without a `loss`, all outputs are differentiated. Of equals,
    the one with fewer stages wins, then with fewer workers. `stages` and `replicas` are kept to if
    given. Raises `ConfigurationError` for more stages than there are nodes to place, `ResourceError` for
    more workers than there are.
    """
    key = _step(graph, sizes, loss)
    homes = tuple(sorted(live_homes(graph)))
    _check(homes, workers, stages, replicas)
    if (stages or workers) == 1 and (replicas or workers) == 1:
        return Placement(dict.fromkeys(homes, 0), 1), 1
    known = outline(graph, key)
    chain = make_chain(graph, key, rates, known)
    found: list[tuple[float, int, int, Placement]] = []
    for stage_count in _stage_counts(chain, workers, stages, replicas):
        placement = partition(chain, stage_count, link)
        plan = make_plan(graph, placement, key, known)
        for replica_count in _replica_counts(workers // stage_count, replicas):
            step = simulate(plan, replica_count, 4 * workers, rates, link).step_seconds
            found.append((step, stage_count, replica_count, placement))
    _, _, count, placement = min(found, key=lambda f: f[:3])
    return placement, count


def _step(graph: Graph, sizes: Mapping[str, int], loss: str | None) -> PlanKey:
    floating = (name for name, ref in graph.outputs.items() if graph.type(ref).dtype.is_floating)
    seeded = (loss,) if loss is not None else tuple(sorted(floating))
    return PlanKey(Mode.STEP, tuple(sorted(sizes.items())), seeded)


def _check(homes: Sequence[int], workers: int, stages: int | None, replicas: int | None) -> None:
    for name, number in (("stages", stages), ("replicas", replicas)):
        if number is not None and number < 1:
            raise ConfigurationError(f"{name} must be at least 1, got {number}")
    if stages is not None and stages > max(len(homes), 1):
        raise ConfigurationError(
            f"{stages} stages were asked for, and the graph has {len(homes)} nodes to place"
        )
    needed = (stages or 1) * (replicas or 1)
    if needed > workers:
        asked = f"{stages or 1} stages × {replicas or 1} replicas need {needed} workers"
        raise ResourceError(f"{asked}, and there are {workers}")


def _stage_counts(chain: Chain, workers: int, stages: int | None, replicas: int | None) -> Iterator[int]:
    if stages is not None:
        yield stages
        return
    yield from range(1, min(workers // (replicas or 1), max(len(chain), 1)) + 1)


def _replica_counts(most: int, replicas: int | None) -> range:
    return range(1, most + 1) if replicas is None else range(replicas, replicas + 1)
