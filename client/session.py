"""Sessions: put parameters, run mini-batches, take gradients. Blocking; `aio` has the twin that awaits.

::

    with rg.connect("localhost:50051", graph) as session:
        session.put({"w": w})
        session.accumulate({"x": x, "y": y} for x, y in batches)
        w -= 0.1 * session.gradients(mean=True)["w"]
"""

from __future__ import annotations

import contextlib
import functools
import queue
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent import futures
from concurrent.futures import Future
from types import TracebackType
from typing import NoReturn, Protocol, Self, TypeVar

from raygrad.proto.arguments import public
from raygrad.proto.errors import (
    DeadlineError,
    GraphError,
    RaygradError,
    SessionNotFoundError,
    UnavailableError,
)
from raygrad.proto.graph import Graph
from raygrad.proto.identity import checked_expect, checked_index, checked_weight
from raygrad.proto.messages import ForwardResult, Gradients, MiniBatch, PlanSummary, StepResult
from raygrad.proto.tensor import Array

from .arrays import Feeds, Types, listed
from .progress import counted

T = TypeVar("T")

_SAYING_MORE = ("tensors", "feeds", "cotangents", "index", "weight", "expect")
checked = functools.partial(public, unchecked=_SAYING_MORE)
"""Methods of sessions with their arguments checked by types, but for those whose own errors say more."""

FAREWELL = 5.0
"""Seconds for telling a server that a session ends, if it has just not answered for a whole timeout."""


class Transport(Protocol):
    """What a session needs of the other side, be it a server or the scheduler in this process."""

    id: str
    inline: bool  # whether calls do their work before they return
    keeps: bool  # whether it holds on to the arrays that it is given, beyond the call

    def put(self, tensors: Mapping[str, Array]) -> Future[None]: ...

    def get(self) -> Future[Mapping[str, Array]]: ...

    def step_batch(self, batch: MiniBatch, step: int | None = None) -> Future[StepResult]: ...

    def forward(
        self,
        feeds: Mapping[str, Array],
        *,
        keep: bool = False,
        index: int | None = None,
        weight: float = 1.0,
        step: int | None = None,
    ) -> Future[ForwardResult]: ...

    def backward(
        self,
        lease: str,
        cotangents: Mapping[str, Array] | None = None,
        input_gradients: Sequence[str] = (),
    ) -> Future[Mapping[str, Array]]: ...

    def release(self, lease: str) -> Future[None]: ...

    def gradients(
        self,
        *,
        step: int | None = None,
        expect: int | Collection[int] | None = None,
        mean: bool = False,
        keep_open: bool = False,
    ) -> Future[Gradients]: ...

    def plan(self, sizes: Mapping[str, int] | None = None) -> Future[PlanSummary]: ...

    def room(self) -> Future[None]: ...

    def close(self) -> Future[None]: ...


class Session:
    """One graph on the workers. Made by `rg.connect` or `rg.local`; close it, or use it in a `with`.

    Methods wait for their result and raise the `RaygradError` that says what was wrong; the session
    stays usable. After `timeout` seconds without a result they raise `DeadlineError`. Thread-safe.

    What was handed in may be changed as soon as the call has returned (an item of an iterator: as soon as the
    next one is asked for), and what came out belongs to the caller, to be written to as well.
    """

    def __init__(self, transport: Transport, graph: Graph, timeout: float | None) -> None:
        self.graph = graph
        self.timeout = timeout
        self._other_side = transport
        self._types = Types(graph, copies=transport.keeps)
        self._closed = False

    @property
    def id(self) -> str:
        """The session's id on the server."""
        return self._other_side.id

    @property
    def _transport(self) -> Transport:
        if self._closed:
            raise SessionNotFoundError(f"session {self.id} was closed")
        return self._other_side

    # -- parameters and buffers ---------------------------------------------------------------

    @checked
    def put(self, tensors: Feeds) -> None:
        """Set parameters and buffers, some or all: between steps only.

        Raises `ParametersFixedError` within a step, or the `TensorError` that names the tensor.
        """
        self._wait(self._transport.put(self._types.tensors(tensors)), "put")

    def get(self) -> Mapping[str, Array]:
        """Parameters and buffers as last put, by name."""
        return self._wait(self._transport.get(), "get")

    # -- mini-batches -------------------------------------------------------------------------

    @checked
    def forward(
        self, feeds: Feeds, *, keep: bool = False, index: int | None = None, weight: float = 1.0
    ) -> ForwardResult:
        """The named outputs for one set of inputs.

        With `keep`, the activations stay on the workers under `lease`, for `backward`, and the
        mini-batch belongs to the step under `index`. Without, it is an evaluation.
        """
        arrays, identity = self._types.feeds(feeds), checked_index(index)
        forward = self._transport.forward(arrays, keep=keep, index=identity, weight=checked_weight(weight))
        return self._wait(forward, "forward")

    def evaluate(self, feeds: Mapping[str, Array]) -> Mapping[str, Array]:
        """The outputs for arrays that are known to fit, and that nobody will change."""
        return self._wait(self._transport.forward(feeds), "forward").outputs

    @checked
    def backward(
        self, lease: str, cotangents: Feeds | None = None, input_gradients: Sequence[str] | str = ()
    ) -> Mapping[str, Array]:
        """Add the parameter gradients of a lease to the step, and end the lease.

        `cotangents` maps outputs to the derivative of what is differentiated by them (same shape
        and dtype); without, it is 1 at the loss. Returns the gradients of the inputs that
        `input_gradients` names. Raises `LeaseError` for a lease that had its backward pass.
        """
        given = self._types.cotangents(cotangents)
        return self._wait(self._transport.backward(lease, given, listed(input_gradients)), "backward")

    @checked
    def release(self, lease: str) -> None:
        """End a lease without a backward pass; its mini-batch leaves the step."""
        self._wait(self._transport.release(lease), "release")

    @checked
    def accumulate(self, batches: Iterable[MiniBatch | Feeds], *, progress: bool = True) -> list[StepResult]:
        """Forward and backward of every mini-batch, pipelined; each adds its gradients to the step.

        Returns the outputs in the order of the mini-batches. `progress` shows a bar with
        mini-batches per second on a terminal. Raises the first mini-batch's error; those before it,
        and those on the way then, are in the step. Ctrl-C does not wait for those on the way: each may
        be in the step or not.
        """
        total = len(batches) if isinstance(batches, Sequence) else None
        return list(counted(self.stream(batches), total, show=progress))

    @checked
    def stream(self, batches: Iterable[MiniBatch | Feeds]) -> Iterator[StepResult]:
        """Like `accumulate`, but each result comes as soon as it is there, in order.

        `batches` is read on a thread of its own, as fast as the workers can take it, so it may itself
        wait for a result of a mini-batch that it gave before.
        """
        feeder = _Feeder(self._transport, map(self._types.mini_batch, batches), self.timeout)
        patient = True
        try:
            for future in feeder:
                yield self._wait(future, "a mini-batch")
        except KeyboardInterrupt:
            patient = False  # hundreds may be on the way, and somebody sits at the keyboard
            raise
        finally:
            feeder.stop(wait=patient)

    # -- gradients and plan -------------------------------------------------------------------

    @checked
    def gradients(
        self, *, mean: bool = False, keep_open: bool = False, expect: int | Collection[int] | None = None
    ) -> Gradients:
        """The sum over the step's mini-batches of weight · gradient, by parameter: a mapping.

        The sum is exact and rounded once. `mean` divides it by the sum of the weights. The step is
        closed, unless `keep_open`, and the next mini-batch begins another. With `expect` (how many
        mini-batches, or which indices), another set is an `IncompleteStepError`.
        """
        wanted = checked_expect(expect)
        return self._wait(
            self._transport.gradients(expect=wanted, mean=mean, keep_open=keep_open), "gradients"
        )

    @checked
    def plan(self, sizes: Mapping[str, int] | None = None) -> PlanSummary:
        """How the session is spread over the workers, and the times that the scheduler predicts.

        `sizes` gives numbers for named sizes; by default those of the first mini-batch.
        """
        return self._wait(self._transport.plan(sizes), "plan")

    # -- ending -------------------------------------------------------------------------------

    def close(self) -> None:
        """Free what the session holds. A second time does nothing."""
        self._close(self.timeout)

    def _close(self, timeout: float | None) -> None:
        if not self._closed:
            self._closed = True
            wait(self._other_side.close(), timeout, "close")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; an error on the way out does not hide the one that led there, nor keep it back for long."""
        with contextlib.suppress(RaygradError) if exc else contextlib.nullcontext():
            hopeless = isinstance(exc, (UnavailableError, KeyboardInterrupt))
            self._close(farewell(self.timeout) if hopeless else self.timeout)

    def __reduce__(self) -> NoReturn:
        raise GraphError("a session lives in this process and cannot be pickled or copied: open another one")

    def __repr__(self) -> str:
        return f"<Session {self.id}: {self.graph!r}{', closed' if self._closed else ''}>"

    def _repr_svg_(self) -> str:
        """What notebooks show: the graph."""
        return self.graph.svg()

    def _wait(self, future: Future[T], what: str) -> T:
        return wait(future, self.timeout, what)


def farewell(timeout: float | None) -> float:
    """Seconds for closing a session where a whole timeout is too much."""
    return FAREWELL if timeout is None else min(FAREWELL, timeout)


def wait(future: Future[T], timeout: float | None, what: str) -> T:
    """The result of a future; `DeadlineError`, and the work is cancelled, if it takes too long."""
    try:
        return future.result(timeout)
    except TimeoutError as exc:
        future.cancel()
        raise DeadlineError(f"{what} took longer than {timeout:g} s") from exc


class _Feeder:
    """Reads mini-batches on a thread and submits them; iterating gives their futures in order."""

    def __init__(self, transport: Transport, batches: Iterator[MiniBatch], timeout: float | None) -> None:
        self._transport = transport
        self._batches = batches
        self._timeout = timeout
        self._submitted: queue.SimpleQueue[Future[StepResult] | BaseException | None] = queue.SimpleQueue()
        self._unsettled: set[Future[StepResult]] = set()
        self._stopped = False
        self._lock = threading.Lock()  # around submitting, so that nothing follows `stop`
        threading.Thread(target=self._feed, name="raygrad-feeder", daemon=True).start()

    def __iter__(self) -> Iterator[Future[StepResult]]:
        while (item := self._submitted.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
            self._unsettled.discard(item)

    def stop(self, wait: bool = True) -> None:
        """Submit no more, and wait for all that is on the way: afterwards the step does not change.

        Without `wait`, nobody hears of it any more.
        """
        with self._lock:
            self._stopped = True
        for future in futures.wait(self._unsettled, self._timeout if wait else 0).not_done:
            future.cancel()

    def _feed(self) -> None:
        end: BaseException | None = None
        try:
            for batch in self._batches:
                wait(self._transport.room(), self._timeout, "room for a mini-batch")
                if not self._submit(batch):
                    return
        except BaseException as exc:  # of the program's iterable too: raised where its results are awaited
            end = exc
        self._submitted.put(end)

    def _submit(self, batch: MiniBatch) -> bool:
        """Submit a mini-batch, unless this is stopped; whether it was submitted."""
        with self._lock:
            if self._stopped:
                return False
            future = self._transport.step_batch(batch)  # takes what is in the arrays before it returns
            self._unsettled.add(future)
            self._submitted.put(future)
            return True
