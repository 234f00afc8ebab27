"""The plans of one session: made once per key, on the placement that the first sizes decided."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from raygrad.proto.errors import ConfigurationError, ResourceError, SizeError
from raygrad.proto.graph import Graph
from raygrad.proto.limits import check_bound
from raygrad.proto.messages import PlanSummary, SessionOptions
from raygrad.proto.plan import PLANS_KEPT, Mode, Placement, Plan, PlanKey, Sizes
from raygrad.proto.tensor import TensorType

from .admission import admit
from .collecting import collecting_later
from .drawing import plan_svg
from .partition import choose
from .planner import Outline, make_plan, outline, owners, with_sizes
from .report import plan_table, stage_reports
from .simulator import simulate

if TYPE_CHECKING:
    from .scheduler import Scheduler


MINI_BATCHES_SHOWN = 8
"""Of the step that a summary simulates."""


@dataclass(frozen=True)
class Spread:
    """Where a session lives: which workers, and which stage accumulates which parameters."""

    sizes: Sizes  # that decided it
    placement: Placement
    workers: tuple[tuple[int, ...], ...]  # [replica][stage]
    owned: tuple[Mapping[str, TensorType], ...]  # by stage


class Plans:
    """A cache of plans by key: of those used latest. Thread-safe."""

    def __init__(self, session: str, graph: Graph, options: SessionOptions, scheduler: Scheduler) -> None:
        self._session = session
        self._graph = graph.prune(graph.outputs.values())
        self._options = options
        self._scheduler = scheduler
        self._plans: OrderedDict[PlanKey, Plan] = OrderedDict()
        self._laid_out: OrderedDict[tuple[object, ...], tuple[Outline, Plan]] = OrderedDict()
        self._spread: Spread | None = None
        self._last: tuple[Sizes, Graph] | None = None
        self._lock = threading.RLock()

    def __contains__(self, key: PlanKey) -> bool:
        return key in self._plans

    @property
    def spread(self) -> Spread:
        """Where the session lives; known from the first plan on."""
        if self._spread is None:
            raise ConfigurationError(
                "the session has no plan yet: its first mini-batch decides the placement"
            )
        return self._spread

    def get(self, key: PlanKey) -> Plan:
        """The plan of a key; made now if it was not made before."""
        with self._lock:
            if key not in self._plans:
                self._plans[key] = self._make(key)
                if len(self._plans) > PLANS_KEPT:
                    self._plans.popitem(last=False)
            self._plans.move_to_end(key)
            return self._plans[key]

    def _make(self, key: PlanKey) -> Plan:
        if not self._scheduler.cluster.workers:
            raise ResourceError("the cluster has no worker left")
        with collecting_later():
            check_bound(self._bound(key.sizes), self._scheduler.budgets.limits)
            spread = self._decide(key.sizes)
            plan = self._planned(spread.placement, key)
            self._admit(plan, spread)
        return plan

    def _planned(self, placement: Placement, key: PlanKey) -> Plan:
        """A plan for sizes: laid out once for all that differ in sizes only."""
        structure = key.mode, key.seeded, key.input_gradients
        if (like := self._laid_out.get(structure)) is not None:
            known, plan = like
            return with_sizes(plan, key, known)
        known = outline(self._graph, key)
        plan = make_plan(self._graph, placement, key, known)
        self._laid_out[structure] = known, plan
        if len(self._laid_out) > PLANS_KEPT:
            self._laid_out.popitem(last=False)
        return plan

    def _admit(self, plan: Plan, spread: Spread) -> None:
        memory = self.worker_memory
        needed = admit(plan, spread.owned, self._options.accumulation == "exact", memory)
        by_worker = {worker: needed[stage] for row in spread.workers for stage, worker in enumerate(row)}
        open_ = {session.id for session in self._scheduler.sessions()}
        self._scheduler.reservations.reserve(self._session, by_worker, memory, open_)

    @property
    def worker_memory(self) -> int:
        """Bytes that each worker may use: the device's, shared by the workers if it is the host."""
        cluster = self._scheduler.cluster
        info = cluster.info(cluster.workers[0])
        return info.memory if info.backend == "torch-cuda" else info.memory // len(cluster.workers)

    def output_types(self, sizes: Mapping[str, int]) -> dict[str, TensorType]:
        """The types of the outputs for these sizes."""
        bound = self._bound(tuple(sorted(sizes.items())))
        return {name: bound.type(ref) for name, ref in bound.outputs.items()}

    def _bound(self, sizes: Sizes) -> Graph:
        """The graph with these sizes. The last one is asked for several times for each plan."""
        with self._lock:
            if self._last is None or self._last[0] != sizes:
                self._last = sizes, self._graph.bind(dict(sizes))
            return self._last[1]

    def _decide(self, sizes: Sizes) -> Spread:
        """The placement, decided by the first sizes and kept: a smaller last mini-batch runs on the same."""
        if self._spread is None:
            placement, replicas = self._choose(dict(sizes))
            free = self._scheduler.least_used(replicas * placement.stages)
            rows = tuple(free[r * placement.stages : (r + 1) * placement.stages] for r in range(replicas))
            self._spread = Spread(sizes, placement, rows, self._owned(placement))
        return self._spread

    def _choose(self, sizes: Mapping[str, int]) -> tuple[Placement, int]:
        options, cluster = self._options, self._scheduler.cluster
        if options.placement is not None:
            return self._given(options.placement), options.replicas or 1
        return choose(
            self._graph,
            sizes,
            workers=len(cluster.workers),
            rates=cluster.rates(),
            link=cluster.link,
            loss=options.loss if options.loss in self._graph.outputs else None,
            stages=options.stages,
            replicas=options.replicas,
        )

    def _given(self, stage_of: Mapping[int, int]) -> Placement:
        """A client's placement: every forward node that is no source has a stage."""
        wanted = {n.home for n in self._graph if not n.operator.source}
        if missing := sorted(wanted - stage_of.keys()):
            raise ConfigurationError("the placement leaves this node out", node=self._graph[missing[0]].title)
        stages = max(stage_of.values(), default=0) + 1
        if min(stage_of.values(), default=0) < 0 or self._options.stages not in (None, stages):
            raise ConfigurationError(
                f"the placement has {stages} stages, the option says {self._options.stages}"
            )
        return Placement({n: stage_of[n] for n in sorted(wanted)}, stages)

    def _owned(self, placement: Placement) -> tuple[dict[str, TensorType], ...]:
        stage_of = owners(self._graph, placement)
        types = {name: node.types[0] for name, node in self._graph.parameters.items()}
        return tuple(
            {n: types[n] for n, s in stage_of.items() if s == stage} for stage in range(placement.stages)
        )

    def summary(self, sizes: Mapping[str, int] | None, *, drawn: bool) -> PlanSummary:
        """The placement, and what is predicted of one step on it; a picture only if it is wanted.

        For the sizes given, else those that decided the placement; `SizeError` if there are neither and the
        graph has named sizes.
        """
        plan = self.get(self._key(sizes))
        cluster, rows = self._scheduler.cluster, self.spread.workers
        timeline = simulate(plan, len(rows), MINI_BATCHES_SHOWN, cluster.rates(), cluster.link)
        reports = stage_reports(plan, self._graph, cluster.rates())
        info = cluster.info(rows[0][0])
        return PlanSummary(
            stages=plan.stages,
            replicas=len(rows),
            placement=dict(plan.placement.stage_of),
            workers=tuple(
                f"replica {r} stage {s}: worker {worker} ({cluster.info(worker).backend})"
                for r, row in enumerate(rows)
                for s, worker in enumerate(row)
            ),
            backend=info.backend,
            fingerprint=info.fingerprint,
            step_seconds=timeline.seconds_per_mini_batch,
            schedule=timeline.schedule_text(),
            text=plan_table(reports),
            svg=plan_svg(self._graph.bind(dict(plan.key.sizes)), plan.placement, reports) if drawn else "",
        )

    def _key(self, sizes: Mapping[str, int] | None) -> PlanKey:
        """The key of a whole step (of an evaluation, where there is no loss) for these sizes."""
        seeded = (self._options.loss,) if self._options.loss in self._graph.outputs else ()
        mode = Mode.STEP if seeded else Mode.EVALUATE
        if sizes is None:
            if self._spread is None and self._graph.sizes:
                names = sorted(self._graph.sizes)
                raise SizeError(f"there is no plan yet: say what {names} are (--size), or send a mini-batch")
            sizes = dict(self._spread.sizes if self._spread else ())
        return PlanKey(mode, tuple(sorted(sizes.items())), seeded)
