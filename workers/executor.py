"""The executor: carries out what the scheduler tells one worker, in the order in which it is told.

It holds, per session: parameters as tensors of its backend, compiled programs, the accumulators of
the open step, and (in the store) the activations between segments. It knows nothing of Ray.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from raygrad.proto.codec import catalogue_digest
from raygrad.proto.errors import KernelError, RaygradError, SessionNotFoundError, StepError, words
from raygrad.proto.graph import Ref
from raygrad.proto.plan import Segment, StagePlan
from raygrad.proto.tensor import Array

from .accumulator import Accumulator, Snapshot
from .calls import Call, Reply, Setup, WorkerInfo
from .kernels.base import Backend, Tensor
from .kernels.philox import mini_batch_key
from .program import Layout, Program
from .store import RunKey, Store

Bundle = tuple[Array, ...]
"""The values of one edge, in the edge's order."""


@dataclass
class _Session:
    setup: Setup
    parameters: dict[str, Tensor | RaygradError] = field(default_factory=dict)
    programs: dict[tuple[str, int], Program | RaygradError] = field(default_factory=dict)
    accumulators: dict[int, Accumulator] = field(default_factory=dict)  # by step
    keeping: set[str] = field(default_factory=set)  # plans whose activations stay, under a lease
    epoch: int = 0


class Executor:
    """One worker's state. Calls come one after the other, never at once."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.store = Store()
        self._sessions: dict[str, _Session] = {}

    def info(self) -> WorkerInfo:
        """What the worker is: compared when it joins, since bits depend on it."""
        return WorkerInfo(
            version("raygrad"),
            catalogue_digest(),
            self.backend.name,
            self.backend.fingerprint(),
            os.getpid(),
            self.backend.memory(),
        )

    # -- a session's life ---------------------------------------------------------------------

    def open(self, setup: Setup) -> None:
        """Prepare for a session's stage; what an earlier stage of the session left here is dropped."""
        self.close(setup.session)
        self._sessions[setup.session] = _Session(setup)

    def close(self, session: str) -> None:
        """Forget a session and free all of it."""
        self._sessions.pop(session, None)
        self.store.release_session(session)

    def load(self, session: str, plan: StagePlan) -> None:
        """Compile the segments of a plan that this stage runs. What fails to compile fails when run."""
        state = self._state(session)
        if plan.keeps:
            state.keeping.add(plan.plan)
        with self.backend.scope():
            for segment in plan.segments:
                state.programs[plan.plan, segment.id] = self._compile(state, plan, segment)

    def unload(self, session: str, plan: str) -> None:
        """Forget a plan's programs; activations that its runs left stay."""
        state = self._state(session)
        state.keeping.discard(plan)
        state.programs = {key: program for key, program in state.programs.items() if key[0] != plan}

    def _compile(self, state: _Session, plan: StagePlan, segment: Segment) -> Program | RaygradError:
        try:
            return Program(segment, plan.graph, self.backend, check_finite=state.setup.check_finite)
        except RaygradError as exc:
            return exc

    def put(self, session: str, tensors: Mapping[str, Array]) -> None:
        """Take new values of parameters and buffers."""
        state = self._state(session)
        with self.backend.scope():
            state.parameters.update({name: self._taken(name, a) for name, a in tensors.items()})

    def _taken(self, name: str, array: Array) -> Tensor | RaygradError:
        """A tensor of the backend. What cannot be taken fails those that read it; the worker goes on."""
        try:
            return self.backend.from_host(array)
        except Exception as exc:
            return KernelError(f"the worker cannot take {name!r}: {words(exc)}", node=name)

    # -- running ------------------------------------------------------------------------------

    def run(self, call: Call, bundles: Sequence[Bundle] = ()) -> tuple[Reply, tuple[Bundle, ...]]:
        """Run one segment; returns the reply and a bundle for each edge that the segment sends.

        Whatever goes wrong is a `RaygradError`.
        """
        try:
            return self._run(call, bundles)
        except RaygradError:
            raise
        except Exception as exc:
            raise KernelError(words(exc)) from exc

    def _run(self, call: Call, bundles: Sequence[Bundle]) -> tuple[Reply, tuple[Bundle, ...]]:
        state = self._state(call.run.session)
        if call.epoch < state.epoch:
            raise StepError(f"call of epoch {call.epoch} after a fence to epoch {state.epoch}")
        program = state.programs[call.plan, call.segment]
        if isinstance(program, RaygradError):
            raise program
        start = time.perf_counter()
        with self.backend.scope():
            slots = self._fill(program, state, call, bundles)
            program.run(slots)
            reply, sent = self._collect(program, call, slots)
            self._keep(program, call, slots, keeps=call.plan in state.keeping)
            added = self._add(program.segment, state, call, reply.pop("gradients"))
        snapshot = self.snapshot(call.run.session, call.run.step) if call.snapshot else None
        seconds = time.perf_counter() - start
        return Reply(added=added, seconds=seconds, snapshot=snapshot, **reply), sent

    def _fill(self, program: Program, state: _Session, call: Call, bundles: Sequence[Bundle]) -> list[Tensor]:
        """The slots with everything that comes from outside the segment."""
        slots = program.new_slots()
        for name, ref in program.parameters:
            slots[program.slot(ref)] = self._parameter(state, name)
        for named, given in ((program.feeds, call.feeds), (program.cotangents, call.cotangents)):
            for name, ref in named:
                slots[program.slot(ref)] = self._import(program, ref, given[name])
        for ref in program.random_keys:
            key = mini_batch_key(state.setup.seed, call.run.step, call.run.index)
            slots[program.slot(ref)] = self._import(program, ref, key)
        for edge, bundle in zip(program.segment.receives, bundles, strict=True):
            for ref, array in zip(edge.values, bundle, strict=True):
                slots[program.slot(ref)] = self._import(program, ref, array)
        for ref in program.segment.reads:
            slots[program.slot(ref)] = self.store.read(call.run, ref)
        return slots

    def _parameter(self, state: _Session, name: str) -> Tensor:
        found = state.parameters.get(name)
        if found is None:
            raise StepError(f"parameter or buffer {name!r} has not reached this worker")
        if isinstance(found, RaygradError):
            raise found
        return found

    def _import(self, program: Program, ref: Ref, array: Array) -> Tensor:
        layout: Layout = program.layout(ref)
        return layout(self.backend.from_host(array))

    def _collect(
        self, program: Program, call: Call, slots: list[Tensor]
    ) -> tuple[dict[str, Any], tuple[Bundle, ...]]:
        """What leaves the worker, as host arrays."""
        segment = program.segment
        wanted = segment.gradients if call.add else {}
        parts = {"outputs": segment.outputs, "input_gradients": segment.input_gradients, "gradients": wanted}
        leaving = [ref for edge in segment.sends for ref in edge.values]
        leaving += [ref for named in parts.values() for ref in named.values()]
        host = self._fetch(program, slots, leaving)
        sent = tuple(tuple(host[ref] for ref in edge.values) for edge in segment.sends)
        return {part: {name: host[ref] for name, ref in named.items()} for part, named in parts.items()}, sent

    def _fetch(self, program: Program, slots: list[Tensor], refs: Iterable[Ref]) -> dict[Ref, Array]:
        """These values as host arrays, all at once, each once."""
        distinct = list(dict.fromkeys(refs))
        arrays = self.backend.all_to_host([slots[program.slot(ref)] for ref in distinct])
        return dict(zip(distinct, arrays, strict=True))

    def _keep(self, program: Program, call: Call, slots: list[Tensor], *, keeps: bool) -> None:
        """Save what later segments read, free what none reads any more."""
        segment = program.segment
        for ref in segment.saves:
            self.store.save(call.run, ref, slots[program.slot(ref)])
        self.store.drop(call.run, segment.drops)
        if segment.last and not keeps:
            self.store.release(call.run)

    def _add(self, segment: Segment, state: _Session, call: Call, gradients: Mapping[str, Array]) -> bool:
        """One atomic addition ends the stage's work for the mini-batch."""
        if not (call.add and segment.last):
            return False
        self._accumulator(state, call.run.step).add(call.run.index, gradients, call.weight)
        return True

    def _accumulator(self, state: _Session, step: int) -> Accumulator:
        found = state.accumulators.get(step)
        if found is None:
            types = {name: (t.static, t.dtype.numpy) for name, t in state.setup.owned.items()}
            found = state.accumulators[step] = Accumulator(types, state.setup.exact)
        return found

    # -- steps and recovery -------------------------------------------------------------------

    def fence(self, session: str, epoch: int, step: int, discard: bool = False) -> frozenset[int]:
        """End all attempts before `epoch`: drop their activations; returns the step's ledger.

        `discard` also drops the step's sums: their contributions will be computed again.
        """
        state = self._state(session)
        state.epoch = epoch
        self.store.release_session(session)
        if discard:
            state.accumulators.pop(step, None)
        held = state.accumulators.get(step)
        return held.ledger if held else frozenset()

    def snapshot(self, session: str, step: int) -> Snapshot:
        """What the step's accumulator holds now."""
        return self._accumulator(self._state(session), step).snapshot()

    def restore(self, session: str, step: int, snapshot: Snapshot) -> None:
        """Go on from a snapshot that an earlier worker of this stage left."""
        self._state(session).accumulators[step] = Accumulator.restore(snapshot)

    def end_step(self, session: str, step: int) -> None:
        """The step's gradients were taken: free its accumulators."""
        self._state(session).accumulators.pop(step, None)

    def release(self, run: RunKey) -> None:
        """Free the activations of a run that will not go on."""
        self.store.release(run)

    def _state(self, session: str) -> _Session:
        try:
            return self._sessions[session]
        except KeyError:
            raise SessionNotFoundError(f"session {session} is not open on this worker") from None
