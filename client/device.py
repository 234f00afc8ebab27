"""Where define-by-run tensors are computed: in this process, or on a server.

A session is one graph, so a device keeps the sessions of the structures that it ran last: a computation whose
structure came before is not sent, planned or compiled again.
"""

from __future__ import annotations

import html
import threading
import weakref
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from types import TracebackType
from typing import Any, NoReturn, Self

from raygrad.proto.arguments import public
from raygrad.proto.errors import ConfigurationError, GraphError, SessionNotFoundError
from raygrad.proto.graph import Graph
from raygrad.proto.messages import SessionOptions
from raygrad.proto.suggestions import did_you_mean
from raygrad.proto.tensor import Array

from .excerpt import Excerpt, Key, excerpt
from .options import Options
from .recording import Output
from .session import Session
from .sessions import Sessions
from .tape import Tape

_OF_ONE_GRAPH = ("loss", "placement")
"""Options that name what is in a graph: tensors have none to name it in."""


class Device:
    """This process, or a server at `target` ("host:port"), with the options of `local` or `connect`.

    ::

        with rg.Device("localhost:50051", stages=2):
            x = rg.tensor([1.0, 2.0, 2.0], requires_grad=True)

    Inside `with`, new tensors belong to the device; what they are computed with must too. A graph of fewer
    nodes than `stages` gets as many stages as it has nodes. `seed` is that of all that tensors draw at
    random (dropout), in the order in which the program draws it. At most `sessions` graphs are kept open at a
    time, those used last; they are closed by `close`, or when the program ends. Thread-safe.

    Raises `ConfigurationError` for options that do not exist, or that name parts of one graph.
    """

    @public
    def __init__(self, target: str | None = None, *, sessions: int = 16, **options: Any) -> None:
        self.target = target
        self._options = _checked(target, options)
        self.tape = Tape(self, options.get("seed", 0))
        self._sessions = Sessions(sessions)
        self._lock = threading.RLock()
        weakref.finalize(self, self._sessions.close)

    def __enter__(self) -> Self:
        _entered.set((*_entered.get(), self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        _entered.set(_entered.get()[:-1])

    def __reduce__(self) -> NoReturn:
        raise GraphError("a device lives in this process and cannot be pickled or copied: make another one")

    def __repr__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self._options.items())
        where = self.target or "in this process"
        return f"<Device {where}: {len(self._sessions)} of its sessions open{options}>"

    def __str__(self) -> str:
        return f"<Device {self.target or 'in this process'}>"

    def _repr_html_(self) -> str:
        """What notebooks show: where it is, and the graphs that it keeps, those used last at the end."""
        rows = "".join(f"<tr><td>{html.escape(repr(session))}</td></tr>" for session in self._sessions)
        return f"<table><caption>{html.escape(repr(self))}</caption>{rows}</table>"

    def close(self) -> None:
        """Close the sessions. What is computed afterwards opens new ones."""
        with self._lock:
            self._sessions.close()

    def evaluate(self, outputs: Iterable[Output]) -> None:
        """Compute what is not known yet of `outputs`, and what belongs to it, in one run.

        With a value come those that were to be computed together with it, and those on the way to it that
        would only have to be computed again.
        """
        with self._lock:
            wanted = {output for asked in outputs for output in _with_company(asked)}
            if all(output.value is not None for output in wanted):
                return
            part = excerpt(wanted, _is_known)
            asked = [o for o in part.unknown() if o in wanted or o.is_needed_after(part.uses)]
            feeds = {f"x{number}": leaf.value for number, leaf in enumerate(part.leaves)}
            found = self._run(part, asked, feeds)
            for number, output in enumerate(asked):
                output.of.learn(output.port, found[f"y{number}"])

    def _run(self, part: Excerpt, asked: Sequence[Output], feeds: Mapping[str, Any]) -> Mapping[str, Array]:
        """The outputs asked for; once more if the server has closed the session in the meantime."""
        key = part.key, tuple(map(part.ref, asked))
        try:
            return self._session(key, part, asked).evaluate(feeds)
        except SessionNotFoundError:
            self._sessions.forget(key)
            return self._session(key, part, asked).evaluate(feeds)

    def _session(self, key: Key, part: Excerpt, asked: Sequence[Output]) -> Session:
        if (known := self._sessions.get(key)) is not None:
            return known
        named = {f"y{number}": part.ref(output) for number, output in enumerate(asked)}
        return self._sessions.keep(key, self._open(Graph(part.graph.nodes, named)))

    def _open(self, graph: Graph) -> Session:
        """A session for a graph. The modules are imported here: this process needs no gRPC for itself."""
        options = dict(self._options)
        if (stages := options.get("stages")) is not None:
            placed = {node.home for node in graph if not node.operator.source}
            options["stages"] = min(stages, max(len(placed), 1))
        if self.target is None:
            from .local import local

            return local(graph, **options)
        from .connect import connect

        return connect(self.target, graph, **options)


_entered: ContextVar[tuple[Device, ...]] = ContextVar("entered", default=())


def current_device() -> Device:
    """The device of the innermost `with` around the caller, in this thread or task; else this process."""
    entered = _entered.get()
    return entered[-1] if entered else _THIS_PROCESS


def _is_known(output: Output) -> bool:
    return output.of.values[output.port] is not None


def _with_company(output: Output) -> list[Output]:
    """An output, and those that the program still holds of what is computed together with it."""
    tensors = (ref() for ref in output.of.together)
    return [output, *(tensor.output for tensor in tensors if tensor is not None)]


def _checked(target: str | None, options: dict[str, Any]) -> dict[str, Any]:
    """The options, all of which exist and make sense for any graph."""
    shared = Options.__annotations__.keys() - set(_OF_ONE_GRAPH)
    own = {"backend", "workers", "timeout"} if target is None else {"timeout", "token", "tls"}
    if unknown := sorted(options.keys() - shared - own):
        raise ConfigurationError(
            f"a device {'in this process' if target is None else 'on a server'} has no option "
            f"{unknown[0]!r}; it has {sorted(shared | own)}{did_you_mean(unknown[0], shared | own)}"
        )
    SessionOptions(**{name: value for name, value in options.items() if name in shared})
    return options


_THIS_PROCESS = Device()
"""Made with the module: threads that begin at the same time share it."""
