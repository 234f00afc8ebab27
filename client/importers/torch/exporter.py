"""Capturing a module with `torch.export`, in ATen operators that the table knows where it knows them."""

from __future__ import annotations

import contextlib
import inspect
import itertools
import logging
import re
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch._higher_order_ops.wrap import wrap_with_set_grad_enabled
from torch.export import ExportedProgram, default_decompositions
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode
from torch.utils import _pytree as pytree

from raygrad.proto.errors import ConfigurationError, GraphError

from .guards import Guards
from .registry import TABLE
from .sizes import Dims, Named, names_of
from .watch import Watch

LOCK = threading.RLock()
"""Held while a module is captured: `torch.export` changes the module and PyTorch's own state meanwhile."""


@dataclass(frozen=True)
class Captured:
    """A program in ATen operators, names for its symbols, and what the module's code read."""

    program: ExportedProgram
    names: Mapping[str, str]
    guards: Guards | None = None


def capture(
    model: torch.nn.Module | ExportedProgram,
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None,
    dynamic_shapes: Any,
) -> Captured:
    """A module on example inputs, or a program that is exported already, without what the table lacks."""
    if isinstance(model, ExportedProgram):
        if args or kwargs or dynamic_shapes is not None:
            raise ConfigurationError(
                "an exported program has its inputs and sizes: give them to torch.export"
            )
        return Captured(_decomposed(model), {})
    if not isinstance(model, torch.nn.Module):
        raise ConfigurationError(f"needs a torch.nn.Module or an ExportedProgram, got {type(model).__name__}")
    given = dict(kwargs or {})
    spec = Dims().of(dynamic_shapes)
    with LOCK:
        watch = Watch(model)
        program = _exported(model, tuple(args), given, spec, watch)
        names = _symbols(program, model, tuple(args), given, spec)
        return Captured(_decomposed(program), names, watch.guards())


def _exported(
    model: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], spec: Any, watch: Watch
) -> ExportedProgram:
    """What `torch.export` makes of a module; `GraphError` if that is not what the module does."""
    try:
        # Under `no_grad`, the module's own `no_grad` would leave no trace.
        with watch.watching(), _quiet(), torch.enable_grad():
            program = torch.export.export(model, args, kwargs, dynamic_shapes=spec, strict=False)
    except Exception as exc:
        watch.check()
        raise GraphError(f"torch.export cannot capture {type(model).__name__}: {_told(exc)}") from None
    watch.check()
    return program


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without PyTorch's logs of tracebacks and graphs for errors that it raises as well."""
    logs = [logging.getLogger(f"torch.{name}") for name in _LOGGING_ERRORS]
    before = [log.disabled for log in logs]
    for log in logs:
        log.disabled = True
    try:
        yield
    finally:
        for log, disabled in zip(logs, before, strict=True):
            log.disabled = disabled


_LOGGING_ERRORS = (
    "_subclasses.fake_tensor",
    "fx.experimental.symbolic_shapes",
    "fx.experimental.proxy_tensor",
)


_ABOUT_TORCH = re.compile(
    r"^(File |While executing|Original traceback|For more |To |The error above|Framework )"
)


def _told(exc: Exception) -> str:
    """What an error of PyTorch says of the module, in one line: without its tracebacks and advice on logs."""
    if isinstance(exc, GuardOnDataDependentSymNode):
        return f"what it does depends on the elements of a tensor (`if`, `item()`): {exc.cond}"
    lines = (line.strip() for line in str(exc).splitlines())
    said = list(itertools.takewhile(lambda line: not _ABOUT_TORCH.match(line), filter(None, lines)))
    return f"{type(exc).__name__}: {' '.join(said)[:600]}"


def _decomposed(program: ExportedProgram) -> ExportedProgram:
    """Without mutation, and in operators of the table where torch can write the others in them."""
    _detach_results(program.graph_module)
    table = default_decompositions()
    known = [operator for operator in table if str(operator) in TABLE]
    for operator in known:
        del table[operator]
    # PyTorch copies what it has itself deprecated, and says so to users.
    with _whole(known), warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)`", FutureWarning)
        decomposed: ExportedProgram = program.run_decompositions(table)
    return decomposed


@contextlib.contextmanager
def _whole(operators: Sequence[Any]) -> Iterator[None]:
    """Without what PyTorch, asked for gradients, writes some operators in, whatever the table says."""
    key = torch._C.DispatchKey.Autograd
    held = [(o, o.py_kernels.pop(key)) for o in operators if key in getattr(o, "py_kernels", {})]
    try:
        for operator, _ in held:
            operator._dispatch_cache.clear()
        yield
    finally:
        for operator, kernel in held:
            operator.py_kernels[key] = kernel
            operator._dispatch_cache.clear()


def _detach_results(module: Any) -> None:
    """Detach what regions of `no_grad` give, which changes no value: decomposition drops the regions."""
    for call in module.graph.find_nodes(op="call_function", target=wrap_with_set_grad_enabled):
        enabled, region, *_ = call.args
        if not enabled:
            _detach_outputs(module.get_submodule(region.target))


def _detach_outputs(region: Any) -> None:
    output = region.graph.output_node()
    with region.graph.inserting_before(output):
        output.args = (tuple(map(_detached, output.args[0])),)
    region.recompile()


def _detached(result: Any) -> Any:
    """A node of the region, detached if it is a tensor that is not yet."""
    detach = torch.ops.aten.detach.default
    if not isinstance(result.meta.get("val"), torch.Tensor) or result.target is detach:
        return result
    found = result.graph.call_function(detach, (result,))
    found.meta = dict(result.meta)
    return found


def _symbols(
    program: ExportedProgram, model: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], spec: Any
) -> dict[str, str]:
    """The names that the dynamic shapes give to the program's symbols."""
    named = pytree.tree_leaves(named_arguments(model, args, kwargs, spec))
    values = {n.name: n.meta.get("val") for n in program.graph.nodes if n.op == "placeholder"}
    inputs = [s.arg.name for s in program.graph_signature.input_specs if s.kind.name == "USER_INPUT"]
    found: dict[str, str] = {}
    for name, axes in zip(inputs, named, strict=True):
        if isinstance(axes, Named):
            sizes = zip(values[name].shape, axes.axes, strict=True)
            found.update((str(s), axis) for s, axis in sizes if axis and isinstance(s, torch.SymInt))
    return found


def named_arguments(model: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], spec: Any) -> Any:
    """The arguments with the names of their axes instead of tensors."""
    try:
        order = list(inspect.signature(model.forward).bind(*args, **kwargs).arguments)
    except TypeError as exc:
        raise ConfigurationError(f"the inputs do not fit {type(model).__name__}.forward: {exc}") from None
    if isinstance(spec, Mapping):
        specs = [spec.get(name) for name in order]
    else:
        specs = list(spec or ()) + [None] * (len(args) + len(kwargs))
    by_position = tuple(names_of(s, a) for s, a in zip(specs, args, strict=False))
    by_name = dict(zip(kwargs, specs[len(args) :], strict=False))
    if isinstance(spec, Mapping):
        by_name = {key: spec.get(key) for key in kwargs}
    return by_position, {key: names_of(by_name.get(key), value) for key, value in kwargs.items()}
