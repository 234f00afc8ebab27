"""One session: a graph with its parameters, living on workers.

This is the domain behind the service and behind `rg.local()`. Methods may be called from any thread
and return futures; what they need checked or planned is done before the request joins the
scheduler's queue, so that a bad request disturbs nobody. Cancelling a future says that nobody waits
for it: what has not begun is dropped then, but what belongs to a step stays in it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor as Pool
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import numpy as np

from raygrad.proto.errors import RaygradError, words
from raygrad.proto.graph import Graph
from raygrad.proto.identity import checked_expect
from raygrad.proto.messages import (
    ForwardResult,
    Gradients,
    MiniBatch,
    PlanSummary,
    SessionOptions,
    StepResult,
    copied,
)
from raygrad.proto.plan import Mode, Plan, PlanKey
from raygrad.proto.tensor import Array, TensorType
from raygrad.workers.accumulator import merge

from .events import (
    Answer,
    BackwardRequested,
    Cancelled,
    Closed,
    Deliver,
    Event,
    GradientsRequested,
    Received,
    ReleaseRequested,
    TensorsPut,
    Token,
    WorkerGone,
)
from .machine import Layout, Machine
from .ordering import InOrder
from .plans import Plans
from .promises import Promises, compute, then
from .room import Room
from .signature import Signature

if TYPE_CHECKING:
    from .scheduler import Scheduler

SessionEvent = Event | Closed | Machine


class Session:
    """One graph on the workers. Made by `Scheduler.create_session`."""

    def __init__(self, id: str, graph: Graph, options: SessionOptions, scheduler: Scheduler) -> None:
        self.id = id
        self.graph = graph
        self.options = options
        self._scheduler = scheduler
        self._signature = Signature(graph, options.loss)
        self._tensors: dict[str, Array] = {}
        self._machine: Machine | None = None
        self._plans = Plans(id, graph, options, scheduler)
        self._promises = Promises(id, lambda token: scheduler.post(id, Cancelled(token)))
        self._taken: Deliver | None = None
        self._started = False
        self._out: Callable[[Any], Any] = copied if scheduler.cluster.inline else lambda result: result
        self._room = Room(self._has_room)
        self._order = InOrder(None if scheduler.cluster.inline else scheduler.planning, self._room.offer)
        self._used = scheduler.cluster.clock()  # when it was last asked for something, or answered

    # -- parameters ---------------------------------------------------------------------------

    def put(self, tensors: Mapping[str, Array]) -> Future[None]:
        """Set parameters and buffers, between steps. The arrays must not be changed afterwards."""

        def event(token: Token) -> TensorsPut:
            self._signature.check_tensors(tensors)
            return TensorsPut(token, dict(tensors))

        return self._request(event)

    def get(self) -> Mapping[str, Array]:
        """Parameters and buffers as they were last put."""
        self._use()
        return dict(self._out(dict(self._tensors)))

    # -- mini-batches -------------------------------------------------------------------------

    def step_batch(self, batch: MiniBatch, step: int | None = None) -> Future[StepResult]:
        """Forward, backward and one contribution to the step's gradients."""
        return self._planned(
            Mode.STEP,
            lambda: self._signature.check_step_batch(batch.feeds),
            lambda token, plan: Received(token, plan, dict(batch.feeds), batch.index, step, batch.weight),
            seeded=(self.options.loss,),
        )

    def forward(
        self,
        feeds: Mapping[str, Array],
        *,
        keep: bool = False,
        index: int | None = None,
        weight: float = 1.0,
        step: int | None = None,
    ) -> Future[ForwardResult]:
        """The outputs; with `keep`, the activations stay under a lease, and the mini-batch joins the step."""
        batch = MiniBatch(feeds, index, weight)
        return self._planned(
            Mode.FORWARD if keep else Mode.EVALUATE,
            lambda: self._signature.check_batch(batch.feeds),
            lambda token, plan: Received(token, plan, dict(batch.feeds), batch.index, step, batch.weight),
        )

    def backward(
        self, lease: str, cotangents: Mapping[str, Array] | None = None, input_gradients: Sequence[str] = ()
    ) -> Future[Mapping[str, Array]]:
        """The backward pass of a lease from these cotangents (1 at the loss by default).

        Returns the gradients of the inputs named in `input_gradients`.
        """
        given = self._signature.one() if cotangents is None else dict(cotangents)

        def sizes() -> dict[str, int]:
            bound = self._leased_sizes(lease)
            outputs = self._plans.output_types(bound)
            self._signature.check_cotangents(outputs, given)
            return bound

        return self._planned(
            Mode.BACKWARD,
            sizes,
            lambda token, plan: BackwardRequested(token, lease, plan, given),
            seeded=tuple(sorted(given)),
            wanted=tuple(sorted(set(input_gradients))),
        )

    def release(self, lease: str) -> Future[None]:
        """Give up a lease without a backward pass; its mini-batch leaves the step."""
        return self._request(lambda token: ReleaseRequested(token, lease))

    def gradients(
        self,
        *,
        step: int | None = None,
        expect: int | Collection[int] | None = None,
        mean: bool = False,
        keep_open: bool = False,
    ) -> Future[Gradients]:
        """Close the step, wait until all of it is committed, and take the sum (or mean) of its gradients.

        The result of the step taken last can be asked for again, by its number.
        """
        self._use()
        taken = self._taken
        if step is not None and taken is not None and taken.step == step:
            return compute(self._merging, lambda: self._merge(taken, mean))
        wanted = checked_expect(expect)
        delivered: Future[Deliver] = self._request(
            lambda token: GradientsRequested(token, step, wanted, keep_open, mean)
        )
        return then(delivered, self._merging, lambda parts: self._merge(parts, mean))

    def room(self) -> Future[None]:
        """Done when another mini-batch may come.

        The feeds kept for recovery must leave room for it, and none may wait, uncounted, for its plan.
        """
        return self._room.wait()

    # -- looking at it ------------------------------------------------------------------------

    def plan(self, sizes: Mapping[str, int] | None = None, *, drawn: bool = True) -> PlanSummary:
        """How the session is spread over workers, and what the scheduler predicts."""
        self._use()
        return self._plans.summary(dict(sizes) if sizes else None, drawn=drawn)

    @property
    def feed_types(self) -> Mapping[str, TensorType]:
        """What a mini-batch must feed."""
        return self._signature.feeds

    @property
    def output_types(self) -> Mapping[str, TensorType]:
        """What cotangents may be given for."""
        return self._signature.outputs

    @property
    def tensor_types(self) -> Mapping[str, TensorType]:
        """The types of parameters and buffers."""
        return self._signature.tensors

    @property
    def workers(self) -> tuple[int, ...]:
        """The workers that the session lives on."""
        machine = self._machine
        return tuple(slot.worker for slot in machine.slots()) if machine else ()

    def leased_on(self, worker: int) -> int:
        """Bytes of activations that leases keep on a worker."""
        machine = self._machine
        return machine.requests.leased_on(worker) if machine else 0

    def _leased_elsewhere(self, worker: int) -> int:
        return sum(other.leased_on(worker) for other in self._scheduler.sessions() if other is not self)

    @property
    def next_deadline(self) -> float | None:
        """When the session wants to hear of the time."""
        machine = self._machine
        deadlines = (machine.next_deadline if machine else None, self.expires)
        return min((d for d in deadlines if d is not None), default=None)

    @property
    def expires(self) -> float | None:
        """When the session ends if nothing is asked of it until then; None while an answer is owed."""
        return None if self._promises.owed else self._used + self._scheduler.budgets.idle_seconds

    def _use(self) -> None:
        self._used = self._scheduler.cluster.clock()

    @property
    def reruns(self) -> int:
        """How many attempts were needed beyond the first of each mini-batch."""
        machine = self._machine
        return machine.reruns if machine else 0

    # -- ending -------------------------------------------------------------------------------

    def close(self) -> Future[None]:
        """Free everything on the workers. What waits ends with an error."""
        if self._promises.close():
            self._scheduler.post(self.id, Closed())
        return compute(None, lambda: None)

    def wait_idle(self, timeout: float) -> None:
        """Until no request is unanswered; `DeadlineError` after `timeout` seconds."""
        self._promises.wait_idle(timeout)

    # -- requests and answers -----------------------------------------------------------------

    def _request(self, make: Callable[[Token], Any]) -> Future[Any]:
        """Check, and join the queue."""
        self._use()
        token, future = self._promises.make()
        self._order.submit(lambda: self._post(token, lambda: make(token)), is_long=False)
        return future

    def _planned(
        self,
        mode: Mode,
        sizes: Callable[[], dict[str, int]],
        make: Callable[[Token, Plan], Any],
        seeded: tuple[str, ...] = (),
        wanted: tuple[str, ...] = (),
    ) -> Future[Any]:
        """Check, plan, and join the queue. A new plan is made on a thread, in order of arrival."""
        self._use()
        token, future = self._promises.make()
        try:
            key = PlanKey(mode, tuple(sorted(sizes().items())), seeded, wanted)
        except RaygradError as exc:
            self._promises.settle(token, error=exc)
            return future
        self._order.submit(
            lambda: self._post(token, lambda: make(token, self._plan(key))),
            is_long=not (self._started and key in self._plans),
        )
        return future

    def _post(self, token: Token, make: Callable[[], Any]) -> None:
        try:
            self._scheduler.post(self.id, make())
        except RaygradError as exc:
            self._promises.settle(token, error=exc)
        except Exception as exc:
            self._promises.settle(token, error=RaygradError(words(exc)))

    def handle(self, event: SessionEvent) -> None:
        """On the scheduler's thread: let the machine react, carry out what it wants."""
        if isinstance(event, Machine):
            self._begin(event)
            return
        machine = self._machine
        if isinstance(event, Closed):
            self._end()
            return
        if machine is None:
            self._before_machine(event)
            return
        commands = machine.handle(event, self._scheduler.cluster.clock())
        if isinstance(event, TensorsPut):
            self._tensors = dict(machine.tensors)  # before the answer: who has it may read what it put
        for command in commands:
            if isinstance(command, Answer):
                self._use()
                self._promises.settle(command.token, self._out(command.result), command.error)
            elif isinstance(command, Deliver):
                self._use()
                self._taken = command if not command.keep_open else self._taken
                self._promises.settle(command.token, command)
            else:
                self._scheduler.cluster.execute(command)
        self._room.offer()

    def _begin(self, machine: Machine) -> None:
        """The first mini-batch comes. Since the placement was decided, workers may have gone for good."""
        if self._machine is None:
            self._machine = machine
            machine.adopt(self._tensors)
            for worker in sorted(set(self.workers) - set(self._scheduler.cluster.workers)):
                self.handle(WorkerGone(worker, f"worker {worker} was gone before the session began"))

    def abort(self, error: RaygradError) -> None:
        """The session cannot go on: whoever waits, and whoever comes, is told why."""
        self._promises.close(error)
        self._end()

    def _end(self) -> None:
        """On the scheduler's thread, behind everything asked before: free the workers."""
        machine = self._machine
        self._machine = self._taken = None  # snapshots may lie in memory that workers share with us
        self._scheduler.forget(self.id)
        self._room.open()
        for command in machine.close() if machine else ():
            self._scheduler.cluster.execute(command)

    def _before_machine(self, event: Event) -> None:
        """No mini-batch has come yet: parameters wait here, and everything else is too early."""
        if isinstance(event, TensorsPut):
            self._tensors = {**self._tensors, **event.tensors}
            self._promises.settle(event.token)
        elif isinstance(event, (GradientsRequested, ReleaseRequested, BackwardRequested)):
            machine = Machine(Layout(self.id, (), (self._signature.tensors,), {}, self.options))
            machine.adopt(self._tensors)
            answers = [c for c in machine.handle(event) if isinstance(c, Answer)]
            for answer in answers:
                self._promises.settle(answer.token, answer.result, answer.error)

    def _has_room(self) -> bool:
        machine = self._machine
        return not self._order.behind and (machine is None or machine.has_room)

    @property
    def _merging(self) -> Pool | None:
        """Where sums are merged and rounded: not on the scheduler's thread, unless all is inline."""
        return None if self._scheduler.cluster.inline else self._scheduler.pool

    def _merge(self, parts: Deliver, mean: bool) -> Gradients:
        """The parts of a step, added exactly and rounded once; zeros where no mini-batch contributed."""
        values: dict[str, Array] = {}
        for stage, snapshots in parts.parts.items():
            values.update(merge(snapshots, parts.expected.get(stage, frozenset()), mean))
        for name, node in self.graph.parameters.items():
            if name not in values:
                values[name] = np.zeros(node.types[0].static, node.types[0].dtype.numpy)
        ordered = {name: values[name] for name in self.graph.parameters}
        return Gradients(parts.step, parts.indices, float(sum(parts.weights)), ordered)

    # -- plans --------------------------------------------------------------------------------

    def _plan(self, key: PlanKey) -> Plan:
        """The plan; the first one also decides where the session lives."""
        plan = self._plans.get(key)
        if not self._started:
            self._scheduler.post(self.id, self._new_machine())
            self._started = True
        return plan

    def _new_machine(self) -> Machine:
        budgets = self._scheduler.budgets
        spread = self._plans.spread
        layout = Layout(
            self.id,
            spread.workers,
            spread.owned,
            self._signature.one(),
            self.options,
            budgets.feed_budget,
            budgets.call_timeout,
            self._plans.worker_memory,
            self._leased_elsewhere,
        )
        return Machine(layout)

    def _leased_sizes(self, lease: str) -> dict[str, int]:
        machine = self._machine
        index = machine.leases.get(lease) if machine else None
        batch = machine.batches.get(index) if machine and index is not None else None
        return dict(batch.forward.key.sizes) if batch else dict.fromkeys(self.graph.sizes, 1)
