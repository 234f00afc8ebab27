"""Converting a model: node by node, in the order in which they stand, into one graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from raygrad.proto.builder import Builder
from raygrad.proto.errors import AttributeValueError, InvalidReferenceError, RaygradError
from raygrad.proto.operators.source import INLINE_BYTES
from raygrad.proto.tensor import Array, DType, Size
from raygrad.proto.value import Value

from ...functions import concatenate
from .bodies import Node, expanded
from .call import Call
from .folding import fold
from .functions import function_of
from .operand import Known, Operand, plain
from .table import Result, rule_of

Chooser = Callable[[str, Array, bool], bool]
"""Whether an array is a parameter: its name, itself, and whether it is an initializer or else a constant."""


_ILL_FORMED = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""What Python and NumPy raise where a conversion meets a node that the operator's page does not allow."""


class Conversion:
    """A graph that is being written, and what the names of the model stand for."""

    def __init__(self, chosen: Chooser) -> None:
        self.chosen = chosen
        self.builder = Builder()
        self.operands: dict[str, Operand] = {"": None}
        self.parameters: dict[str, Array] = {}
        self.buffers: dict[str, Array] = {}
        self.folded = 0  # elements computed while the model is read
        self._lifted: dict[str, Value] = {}

    # -- names --------------------------------------------------------------------------------

    def define(self, name: str, operand: Operand) -> None:
        """What a name stands for; it is given once."""
        if name in self.operands:
            raise InvalidReferenceError(f"two values of the model are called {name!r}")
        self.operands[name] = operand

    def look_up(self, name: str) -> Operand:
        """What a name stands for."""
        try:
            return self.operands[name]
        except KeyError:
            raise InvalidReferenceError(f"{name!r} is used before anything defines it") from None

    def given(self, name: str) -> Value | Known:
        """What a name stands for, which must be a tensor."""
        found = self.look_up(name)
        if found is None:
            raise InvalidReferenceError(f"{name!r} is no tensor that the model makes")
        return found

    # -- nodes --------------------------------------------------------------------------------

    def run(self, nodes: Iterable[Node]) -> None:
        """Convert nodes; an error names the node it happened in."""
        for node in nodes:
            try:
                self._convert(node)
            except RaygradError as exc:
                raise exc.at(node.title) from None
            except _ILL_FORMED as exc:
                why = f"its operands and attributes do not go together: {type(exc).__name__}: {exc}"
                raise AttributeValueError(why, node=node.title) from exc

    def _convert(self, node: Node) -> None:
        operands = tuple(map(self.look_up, node.inputs))
        rule = rule_of(node.domain, node.operator, node.opset)
        if rule is None:
            self.run(expanded(node, function_of(node, operands)))
            return
        call = Call(node, operands, self)
        with self.builder.label(node.name):
            result = fold(call)
            self._name(node, rule.convert(call) if result is None else result)

    def _name(self, node: Node, result: Result) -> None:
        results: Sequence[Operand | Array] = result if isinstance(result, tuple) else (result,)
        for name, made in zip(node.outputs, results, strict=False):
            if name:
                self.define(name, self._known(node, name, made) if isinstance(made, np.ndarray) else made)

    def _known(self, node: Node, name: str, array: Array) -> Known:
        """A weight, if it is a constant of the model itself, or an array computed while it is read."""
        weight = node.operator == "Constant" and node.frame.depth == 0
        return Known(plain(array), name, weight and self.chosen(name, array, False))

    # -- values -------------------------------------------------------------------------------

    def lift(self, operand: Value | Known) -> Value:
        """The operand as a value: a known array becomes a parameter, a constant or a buffer."""
        if isinstance(operand, Value):
            return operand
        if operand.symbolic:
            return self._sizes(operand.array)
        if operand.parameter:
            return self._source(operand, self.builder.parameter, self.parameters)
        if operand.array.nbytes <= INLINE_BYTES:
            return self.builder.constant(operand.array)
        return self._source(operand, self.builder.buffer, self.buffers)

    def _source(
        self, known: Known, declare: Callable[[str, Sequence[int], DType], Value], arrays: dict[str, Array]
    ) -> Value:
        if known.name not in self._lifted:
            dtype = DType.of(known.array.dtype)
            self._lifted[known.name] = declare(known.name, known.array.shape, dtype)
            arrays[known.name] = known.array
        return self._lifted[known.name]

    def _sizes(self, array: Array) -> Value:
        """Sizes that are not numbers yet, as int64 elements."""
        scalars = [self._size(s) for s in array.reshape(-1).tolist()]
        if array.ndim == 0:
            return scalars[0]
        return concatenate([s.reshape((1,)) for s in scalars]).reshape(array.shape)

    def _size(self, size: Size) -> Value:
        if isinstance(size, str):
            return self.builder.size_of((size,), DType.int64)
        return self.builder.constant(np.int64(size))
