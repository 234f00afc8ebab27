"""Gradients of define-by-run tensors: `grad` returns them, `backward` adds them into the leaves."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from raygrad.proto.arguments import public
from raygrad.proto.autodiff import gradients
from raygrad.proto.builder import Builder
from raygrad.proto.errors import DifferentiationError, GraphError
from raygrad.proto.value import Value

from .continuation import Continuation
from .excerpt import excerpt
from .recording import Output, Recorded, grad_mode
from .tensor import Tensor, like

_public = functools.partial(public, unchecked=("outputs", "inputs"))

Tensors: TypeAlias = Tensor | Sequence[Tensor]


@_public
def grad(
    outputs: Tensors,
    inputs: Tensors,
    grad_outputs: Any = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """The sum over the outputs of their gradients by each of the inputs, always as a tuple.

    `grad_outputs` has the cotangent of each output, of its type (of a single output, without a list); where
    it is `None`, the output must have one element, and its cotangent is 1. With `create_graph` the gradients
    can be differentiated in turn. What was recorded stays, so the same outputs can be differentiated again.

    Raises `DifferentiationError` for an output or input that does not require a gradient, and for an input
    that no output depends on; with `allow_unused`, that one's gradient is `None`.
    """
    ys, xs = _listed(outputs, "output"), _listed(inputs, "input")
    sweep = _Sweep(ys, _cotangents(outputs, ys, grad_outputs))
    for number, x in enumerate(xs):
        if not x.requires_grad:
            raise DifferentiationError(f"input {number}, {x.type}, does not require a gradient")
        if not allow_unused and not sweep.reaches(x.output):
            raise DifferentiationError(
                f"no output depends on input {number}, {x.type}: with allow_unused=True its gradient is None"
            )
    found = sweep.gradients([x.output for x in xs], create_graph)
    _compute_together([*ys, *(g for g in found if g is not None)])
    return tuple(found)


@_public
def backward(outputs: Tensors, grad_outputs: Any = None, create_graph: bool = False) -> None:
    """Add the outputs' gradients into `grad` of every leaf that requires one; otherwise like `grad`."""
    ys = _listed(outputs, "output")
    sweep = _Sweep(ys, _cotangents(outputs, ys, grad_outputs))
    leaves = sweep.leaves()
    totals = []
    for leaf, found in zip(leaves, sweep.gradients(leaves, create_graph), strict=True):
        assert found is not None  # a leaf is reached
        with grad_mode(create_graph):
            totals.append(leaf.of.total.add(found))
    _compute_together([*ys, *totals])


class _Sweep:
    """Outputs with their cotangents, and what lies between them and the leaves."""

    def __init__(self, ys: Sequence[Tensor], seeds: Sequence[Tensor | None]) -> None:
        for number, y in enumerate(ys):
            if not y.requires_grad:
                raise DifferentiationError(
                    f"output {number}, {y.type}, does not require a gradient: it depends on no tensor that "
                    "does, or was recorded under no_grad"
                )
        self._tape = ys[0].builder
        for y in ys:
            if y.builder is not self._tape:
                raise GraphError(f"the outputs are on two devices, {ys[0].device} and {y.device}")
        self._part = excerpt((y.output for y in ys), _is_leaf, (s.output for s in seeds if s is not None))
        self._seeds = [(self._part.ref(y.output), s) for y, s in zip(ys, seeds, strict=True)]
        self._reached = _ancestors(y.output.of for y in ys)

    def reaches(self, output: Output) -> bool:
        """Whether an output depends on this."""
        return output.of in self._reached and output in self._part

    def leaves(self) -> list[Output]:
        """The leaves that require a gradient."""
        return [leaf for leaf in self._part.leaves if leaf.of.requires_grad and self.reaches(leaf)]

    def gradients(self, wanted: Sequence[Output], create_graph: bool) -> list[Tensor | None]:
        """The gradients, recorded; `None` by what is not reached."""
        inside = [output for output in dict.fromkeys(wanted) if self.reaches(output)]
        continuation = self._continuation(inside)
        with grad_mode(create_graph):
            tensors = [self._tape.tensor(o) for o in continuation.record(self._tape, self._part)]
        # One that is a cotangent itself, or a value of the program, may have a history: it is cut off.
        constant = [t if create_graph or not t.requires_grad else t.detach() for t in tensors]
        by = dict(zip(inside, constant, strict=True))
        return [by.get(output) for output in wanted]

    def _continuation(self, inside: Sequence[Output]) -> Continuation:
        """What the gradients by these outputs add to the excerpt."""
        place = self._part.ref
        seeds = [(ref, None if s is None else place(s.output)) for ref, s in self._seeds]
        key = (self._part.key, tuple(seeds), tuple(map(place, inside)))
        known = self._tape.continuations
        return known.get(key) or known.keep(key, self._differentiated(inside))

    def _differentiated(self, inside: Sequence[Output]) -> Continuation:
        builder = Builder(self._part.graph)
        xs = [builder.value(self._part.ref(output)) for output in inside]
        by_rules = gradients(self._cotangents(builder), xs)
        # A derivative that a rule leaves out is 0 everywhere, like that of `sign`.
        found = [_full(x, 0) if g is None else g for x, g in zip(xs, by_rules, strict=True)]
        refs = [g.ref for g in found]
        return Continuation(self._part, builder.graph(), refs, self._tape.vocabulary)

    def _cotangents(self, builder: Builder) -> dict[Value, Value]:
        """By output; one that is listed twice counts twice."""
        found = {}
        for ref, seed in self._seeds:
            y = builder.value(ref)
            found[y] = _ones(y) if seed is None else builder.value(self._part.ref(seed.output))
        return found


def _ancestors(uses: Iterable[Recorded]) -> set[Recorded]:
    """These, and all that they depend on, as far as it is differentiated."""
    todo, found = list(uses), set[Recorded]()
    while todo:
        use = todo.pop()
        if use not in found:
            found.add(use)
            if use.history:
                todo += [of for of, _ in use.inputs]
    return found


def _is_leaf(output: Output) -> bool:
    return not output.of.history


def _ones(y: Value) -> Value:
    if np.prod(y.type.static) != 1:
        raise DifferentiationError(f"an output is {y.type}, not a scalar: give its cotangent")
    return _full(y, 1)


def _full(like: Value, number: int) -> Value:
    """A number in each element of a tensor like this."""
    return like.builder.constant(like.dtype.numpy.type(number)).broadcast_to(like.shape)


def _listed(tensors: Tensors, what: str) -> list[Tensor]:
    """One tensor or several as a list; `DifferentiationError` for anything else."""
    found = _items(tensors)
    for number, tensor in enumerate(found):
        if not isinstance(tensor, Tensor):
            raise DifferentiationError(
                f"{what} {number} is no tensor: {tensor!r} (graphs have `rg.gradients`)"
            )
    if not found:
        raise DifferentiationError(f"there is no {what} to differentiate")
    return found


def _items(given: Any) -> list[Any]:
    """What was given one by one; a single tensor, or something else without parts, is the only item."""
    one = isinstance(given, Value) or not isinstance(given, Iterable)
    return [given] if one else list(given)


def _cotangents(outputs: Tensors, ys: Sequence[Tensor], given: Any) -> list[Tensor | None]:
    """The cotangents as tensors, each of its output's type; of a single tensor it need not be in a list."""
    if given is None:
        return [None] * len(ys)
    one = isinstance(outputs, Tensor) and not (isinstance(given, (list, tuple)) and _holds_tensors(given))
    listed = [given] if one else _items(given)
    if len(listed) != len(ys):
        raise DifferentiationError(f"there are {len(listed)} cotangents for {len(ys)} outputs")
    pairs = enumerate(zip(ys, listed, strict=True))
    return [None if g is None else _cotangent(number, y, g) for number, (y, g) in pairs]


def _holds_tensors(given: Sequence[Any]) -> bool:
    return all(g is None or isinstance(g, Tensor) for g in given)


def _cotangent(number: int, y: Tensor, given: Any) -> Tensor:
    found = given if isinstance(given, Tensor) else like(y, given)
    if found.type != y.type or found.builder is not y.builder:
        raise DifferentiationError(
            f"the cotangent of output {number} must be {y.type} on {y.device}, got {found.type} on "
            f"{found.device}"
        )
    return found


def _compute_together(tensors: Sequence[Tensor]) -> None:
    """Whoever asks for one of these gets the others too: they share most of their work."""
    for tensor in tensors:
        of = tensor.output.of
        before = [ref for ref in of.together if ref() is not None]
        of.together = before + [weakref.ref(other) for other in tensors if other is not tensor]
