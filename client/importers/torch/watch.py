"""Watching a module's forward pass while it is captured: what it reads, and what a capture would drop.

A captured forward pass is a graph. Python does not run again when the graph does: what the module's code
reads is frozen, what it changes happens once, and what only PyTorch's engine sees (a backward pass of the
module's own, hooks) is not in it. So the functions that run are noted, to guard what they read (`guards`),
and what cannot be kept is refused by name.
"""

from __future__ import annotations

import contextlib
import dis
import gc
import random
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch.nn.modules import module as modules

from raygrad.proto.errors import GraphError

from .backup import Backup
from .description import is_library
from .guards import Guards, Root, function_root, module_roots

_BY_NAME = frozenset({"vars", "__dict__", "getattr", "attrgetter", "__getattribute__"})
"""Where code names one of these, any attribute may be read."""


class Watch:
    """Watches `model` within `with`; afterwards, `refused` says what a capture would drop."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._model = model
        self._names: set[str] = set()
        self._reads_any = False  # whether attributes may be read by names that are computed
        self._codes: dict[types.CodeType, Mapping[str, Any]] = {}  # of the program, with its globals
        self._seen: set[types.CodeType] = set()
        self._before: list[Guards] = []
        self._random: tuple[Any, Any] = (None, None)
        self._autocast = 0
        self._depth = 0
        self.refused: dict[str, None] = {}

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """The forward pass that runs inside leaves the module as it was."""
        self._refuse_hooks()
        with Backup(self._model) as backup:
            begin = self._model.register_forward_pre_hook(self._begin, prepend=True)
            end = self._model.register_forward_hook(self._end, always_call=True)
            try:
                yield
            finally:
                begin.remove()
                end.remove()
                self._stop()
        for name in backup.written:
            self._refuse(f"writes to the tensor {name!r}, which is no buffer: register it as one")

    def check(self) -> None:
        """Raise `GraphError` if the capture would not be what the module does."""
        if self.refused:
            kind = type(self._model).__name__
            raise GraphError(f"{kind} cannot be captured: forward {'; it '.join(self.refused)}")

    def guards(self) -> Guards:
        """What the forward pass read."""
        names = None if self._reads_any else self._names
        return Guards([*module_roots(self._model, names), *self._function_roots()], names)

    def _function_roots(self) -> Iterator[Root]:
        for code, namespace in self._codes.items():
            yield _globals(code, namespace)
        outer = [code for code in self._codes if code.co_freevars or code.co_argcount]
        for found in gc.get_referrers(*outer) if outer else ():
            if isinstance(found, types.FunctionType) and (found.__closure__ or found.__defaults__):
                yield function_root(found)

    # -- while it runs ------------------------------------------------------------------------

    def _begin(self, *_: Any) -> None:
        self._depth += 1
        if self._depth > 1:
            return
        self._profile = sys.getprofile()
        self._collects = gc.isenabled()
        gc.disable()  # a collection calls functions that are not forward's
        self._before = [Guards(module_roots(self._model, None), None, tracing=True)]
        self._random = random.getstate(), np.random.get_state(legacy=False)
        sys.setprofile(self._called)

    def _end(self, *_: Any) -> None:
        self._depth -= 1
        if not self._depth:
            self._look_away()
            self._compare()

    def _stop(self) -> None:
        """A forward pass that failed may not have come to its end."""
        if self._depth:
            self._depth = 0
            self._look_away()

    def _look_away(self) -> None:
        sys.setprofile(self._profile)
        if self._collects:
            gc.enable()

    def _compare(self) -> None:
        for guards in self._before:
            if (found := guards.changed()) is not None:
                self._refuse(f"changes {found}, which a graph would not do again")
        python, numpy = self._random
        if random.getstate() != python:
            random.setstate(python)
            self._refuse("draws from Python's `random`, which a graph would not do again: draw with torch")
        if repr(np.random.get_state(legacy=False)) != repr(numpy):
            np.random.set_state(numpy)
            self._refuse("draws from `numpy.random`, which a graph would not do again: draw with torch")
        self._before = []

    def _called(self, frame: types.FrameType, event: str, _: Any) -> None:
        if event != "call":
            return
        code = frame.f_code
        if (concern := _CONCERNS.get(code)) is not None:
            concern(self, frame)
        if code not in self._seen:
            self._seen.add(code)
            self._note(code, frame)

    def _note(self, code: types.CodeType, frame: types.FrameType) -> None:
        """What a function that runs for the first time may read."""
        home = frame.f_globals.get("__name__")
        if is_library(home) and (not str(home).startswith("torch.nn.") or home == modules.__name__):
            return
        self._names.update(code.co_names)
        self._names.update(c for c in code.co_consts if isinstance(c, str) and c.isidentifier())
        if is_library(home):
            return
        self._reads_any |= not _BY_NAME.isdisjoint(code.co_names)
        self._codes[code] = frame.f_globals
        around = {n: v for n, v in frame.f_locals.items() if n in code.co_freevars}
        roots = [
            _globals(code, frame.f_globals),
            Root(f"what is around {code.co_qualname}", around, lambda: around),
        ]
        self._before.append(Guards(roots, None, tracing=True))
        for name in _rebound(code):
            self._refuse(f"changes {name!r} around {code.co_qualname}, which a graph would not do again")

    def _refuse(self, what: str) -> None:
        self.refused[what] = None

    # -- what is refused by name --------------------------------------------------------------

    def _refuse_hooks(self) -> None:
        for path, part in self._model.named_modules():
            if part._backward_hooks or part._backward_pre_hooks:
                self._refuse(f"has backward hooks on {_titled(path)}: a graph calls none, remove them")
        if modules._global_backward_hooks or modules._global_backward_pre_hooks:
            self._refuse("has backward hooks on all modules: a graph calls none, remove them")

    def function(self, frame: types.FrameType) -> None:
        """A backward pass of the program's own."""
        kind = frame.f_locals["cls"]
        if not str(kind.__module__).startswith("torch."):
            self._refuse(
                f"calls {kind.__qualname__}, an autograd.Function, at {_line(frame)}: a graph has the "
                "derivatives of what its forward computes, and not its backward"
            )

    def hook(self, frame: types.FrameType) -> None:
        """A hook on a tensor in between."""
        if _by_program(frame):
            name = frame.f_code.co_name
            self._refuse(f"calls {name} on a tensor, at {_line(frame)}: a graph calls no hooks")

    def no_grad(self, frame: types.FrameType) -> None:
        """What export drops inside of `autocast`."""
        if self._autocast and _by_program(frame):
            self._refuse(
                f"uses no_grad (or the like) inside of autocast, at {_line(frame)}, where torch.export "
                "drops it: use it around, or `detach` the results"
            )

    def inference(self, frame: types.FrameType) -> None:
        """What export drops everywhere."""
        if _by_program(frame):
            self._refuse(f"uses inference_mode, at {_line(frame)}, which torch.export drops: use no_grad")

    def enter_autocast(self, _: types.FrameType) -> None:
        """An `autocast` begins."""
        self._autocast += 1

    def leave_autocast(self, _: types.FrameType) -> None:
        """An `autocast` ends."""
        self._autocast -= 1


Concern = Callable[[Watch, types.FrameType], None]

_CONCERNS: dict[types.CodeType, Concern] = {
    torch.autograd.Function.apply.__func__.__code__: Watch.function,  # type: ignore[attr-defined]
    torch.Tensor.register_hook.__code__: Watch.hook,
    torch.Tensor.register_post_accumulate_grad_hook.__code__: Watch.hook,
    torch.set_grad_enabled.__init__.__code__: Watch.no_grad,
    torch.inference_mode.__enter__.__code__: Watch.inference,
    torch.amp.autocast_mode.autocast.__enter__.__code__: Watch.enter_autocast,
    torch.amp.autocast_mode.autocast.__exit__.__code__: Watch.leave_autocast,
}
"""Functions of PyTorch that leave no trace in a graph, or one that depends on where they are called."""


def _by_program(frame: types.FrameType) -> bool:
    """Whether the program called this, or had it called by a decorator or a context of PyTorch."""
    caller = frame.f_back
    while caller is not None and caller.f_globals.get("__name__") in _BETWEEN:
        caller = caller.f_back
    return caller is not None and not is_library(caller.f_globals.get("__name__"))


_BETWEEN = frozenset({"torch.utils._contextlib", "contextlib", "torch.autograd.grad_mode"})


def _line(frame: types.FrameType) -> str:
    """The program's line that is running."""
    found: types.FrameType | None = frame.f_back
    while found is not None and is_library(found.f_globals.get("__name__")):
        found = found.f_back
    found = found or frame
    return f"{found.f_code.co_filename.rsplit('/', 1)[-1]}:{found.f_lineno}"


def _titled(path: str) -> str:
    return f"module {path!r}" if path else "the module"


def _globals(code: types.CodeType, namespace: Mapping[str, Any]) -> Root:
    """The global names that a function reads or sets."""
    names = dict.fromkeys(i.argval for i in dis.get_instructions(code) if i.opname in _GLOBAL)
    return Root(f"the globals of {code.co_qualname}", namespace, lambda: names)


_GLOBAL = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "STORE_NAME"})


def _rebound(code: types.CodeType) -> list[str]:
    """The variables of functions around it that a function sets."""
    stored = (i.argval for i in dis.get_instructions(code) if i.opname in ("STORE_DEREF", "DELETE_DEREF"))
    return [name for name in dict.fromkeys(stored) if name in code.co_freevars]
