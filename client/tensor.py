"""Define-by-run tensors: they record what is done with them, and compute it when a value is asked for.

::

    x = rg.tensor([1.0, 2.0, 2.0], requires_grad=True)
    y = rg.functions.norm(x)
    y.backward()
    print(y.item(), x.grad)

A tensor is a value like those of a graph, so all their methods, and all of `rg.functions`, work on it.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import numpy.typing as npt

from raygrad.proto.arguments import public
from raygrad.proto.errors import DifferentiationError, GraphError, TensorShapeError, TypeMismatchError
from raygrad.proto.given import fitted
from raygrad.proto.graph import Graph, Ref
from raygrad.proto.tensor import Array, DType, TensorType
from raygrad.proto.value import Operand, Value

from .device import Device, current_device
from .excerpt import excerpt
from .recording import Output, Recorded, grad_mode

if TYPE_CHECKING:
    from .tape import Tape


class Tensor(Value):
    """An array that may not be computed yet. Made by `rg.tensor`, and by computing with others.

    Its elements never change. `x += 1` makes another tensor, but not for a leaf that requires a gradient:
    give that one other `data`.
    """

    __slots__ = ("__weakref__", "output")

    builder: Tape
    output: Output

    def __init__(self, builder: Tape, output: Output) -> None:
        _set_builder(self, builder)
        self._be(output)

    def _be(self, output: Output) -> None:
        _set_output(self, output)
        output.of.stands_for(output.port, weakref.ref(self))

    @property
    def ref(self) -> Ref:
        """Where it is recorded: the number of the use, which no graph has, and the port."""
        return Ref(self.output.of.id, self.output.port)

    def __setattr__(self, name: str, value: Any) -> None:
        """Of a tensor only `data` and `grad` can be set."""
        if name not in ("data", "grad"):
            raise AttributeError(f"{name!r} of a tensor cannot be set")
        object.__setattr__(self, name, value)

    @property
    def type(self) -> TensorType:
        of, port = self.output
        return of.types[port]

    @property
    def device(self) -> Device:
        """Where it is computed."""
        return self.builder.device

    # -- values -------------------------------------------------------------------------------

    def numpy(self) -> Array:
        """The elements as a read-only array, computed now if they were not before."""
        if self.output.value is None:
            self.device.evaluate([self.output])
        found = self.output.value
        assert found is not None
        view = found.view()
        view.flags.writeable = False
        return view

    def item(self) -> Any:
        """The only element as a Python number; `TensorShapeError` if there are others."""
        found = self.type
        if found.elements != 1:
            raise TensorShapeError(f"{found} has {found.elements} elements: only one can be a number")
        return self.numpy().item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return self.numpy().tolist()

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        """For NumPy's functions; `DifferentiationError` if what they make would silently have no history."""
        if self.requires_grad:
            raise DifferentiationError(
                f"an array of {self.type}, which requires a gradient, has no history: compute with "
                "`rg.functions`, or take its elements by `numpy()`"
            )
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __bool__(self) -> bool:
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if not self.dtype.is_integer:
            raise TypeError(f"{self.type} is no integer")
        return int(self.item())

    def __len__(self) -> int:
        if not self.rank:
            raise TypeError("a scalar has no length")
        return self.type.static[0]

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec and not self.rank else format(str(self), spec)

    def __repr__(self) -> str:
        """The elements, computed now if they were not before."""
        shown = np.array2string(self.numpy(), separator=", ", prefix="tensor(")
        dtype = "" if self.dtype in (DType.float32, DType.int64, DType.bool) else f", dtype={self.dtype!r}"
        return f"tensor({shown}{dtype}{', requires_grad=True' if self.requires_grad else ''})"

    def graph(self) -> Graph:
        """What is recorded of it, as a graph with the output `y`: to print, to draw, to run with other data.

        It begins at inputs `x0`, `x1` … for the data that the program gave, and for what was computed already
        and has no history.
        """
        part = excerpt([self.output], lambda o: o.value is not None and not o.of.history)
        return Graph(part.graph.nodes, {"y": part.ref(self.output)})

    # -- gradients ----------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether it is differentiated by: as it was made, or as one that it depends on."""
        return self.output.requires_grad

    @property
    def is_leaf(self) -> bool:
        """Whether it has no history to differentiate."""
        return not self.output.of.history

    @property
    def grad(self) -> Tensor | None:
        """The sum of the gradients of what was differentiated since this was `None`; of leaves only."""
        return self.output.of.total.tensor

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None and (not isinstance(value, Tensor) or value.type != self.type):
            raise TypeMismatchError(f"the gradient of {self.type} is a tensor of that type, or None")
        self.output.of.total.tensor = value

    def zero_grad(self) -> None:
        """Begin a new sum: `grad` is `None` until the next `backward`."""
        self.grad = None

    @public
    def backward(self, gradient: Any = None, create_graph: bool = False) -> None:
        """Add the gradient of this into `grad` of every leaf that it depends on and that requires one.

        `gradient` is the cotangent, of the type of this tensor, which without it must have one element. With
        `create_graph` the gradients can be differentiated in turn. A second time is fine: what was recorded
        stays. Raises `DifferentiationError` if this does not require a gradient.
        """
        from .autograd import backward

        backward(self, gradient, create_graph)

    def detach(self) -> Tensor:
        """The same elements without history."""
        with grad_mode(False):
            return super().detach()

    @public
    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """This tensor, as a leaf that does or does not require a gradient.

        Raises `GraphError` for one with a history, `TypeMismatchError` for one without derivatives.
        """
        if not self.is_leaf:
            raise GraphError("only a leaf can change whether it requires a gradient: `detach` it first")
        self._replace(self.detach(), requires_grad)
        return self

    @property
    def data(self) -> Tensor:
        """The same elements without history. Setting it gives a leaf other elements, from then on.

        What was recorded before goes on with those that were there then.
        """
        return self.detach()

    @data.setter
    def data(self, value: Any) -> None:
        if not self.is_leaf:
            raise GraphError("only a leaf can be given other data: this tensor was computed from others")
        new = value if isinstance(value, Tensor) else like(self, value)
        if new.type != self.type or new.builder is not self.builder:
            raise TypeMismatchError(
                f"the data of {self.type} on {self.device} cannot be {new.type} on {new.device}"
            )
        self._replace(new.detach(), self.requires_grad)

    def _replace(self, new: Tensor, requires_grad: bool) -> None:
        """Go on as a leaf with the elements of `new`, a fresh one, and the gradient so far."""
        leaf = new.output.of
        leaf.total = self.output.of.total
        _require_grad(leaf, requires_grad)
        self._be(new.output)

    # -- what it is not -----------------------------------------------------------------------

    @public
    def to(self, device: Device) -> Tensor:
        """The same elements as a leaf on another device (itself on its own); they are computed now."""
        return self if device is self.device else device.tape.constant(self.numpy())

    def __copy__(self) -> Tensor:
        """Another leaf with the same elements and gradient; `GraphError` for one that was computed."""
        if not self.is_leaf:
            raise GraphError("only a leaf can be copied: `detach` this tensor first")
        found = self.detach()
        _require_grad(found.output.of, self.requires_grad)
        found.grad = self.grad
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        """A leaf travels by `pickle` as its elements, to whatever device is current where it arrives."""
        if not self.is_leaf:
            raise GraphError("only a leaf can be pickled: `detach` this tensor first")
        return tensor, (self.numpy(), self.dtype.value, self.requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return self.__copy__()

    def __iadd__(self, other: Operand) -> Tensor:
        return self._changed(self + other)

    def __isub__(self, other: Operand) -> Tensor:
        return self._changed(self - other)

    def __imul__(self, other: Operand) -> Tensor:
        return self._changed(self * other)

    def __itruediv__(self, other: Operand) -> Tensor:
        return self._changed(self / other)

    def __ifloordiv__(self, other: Operand) -> Tensor:
        return self._changed(self // other)

    def __imod__(self, other: Operand) -> Tensor:
        return self._changed(self % other)

    def __ipow__(self, other: Operand) -> Tensor:
        return self._changed(self**other)

    def _changed(self, other: Value) -> Tensor:
        """What a name stands for after `name += …`; a program that trains means another thing with it."""
        if self.is_leaf and self.requires_grad:
            raise GraphError("a leaf that requires a gradient does not change: set its `data`")
        assert isinstance(other, Tensor)
        return other

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise GraphError("a tensor does not change: make another one, with `where` or `concatenate`")


_set_builder = vars(Value)["builder"].__set__
_set_output = vars(Tensor)["output"].__set__
"""How slots are set that programs cannot set: in half the time of `object.__setattr__`."""


@public
def tensor(
    data: Any,
    dtype: npt.DTypeLike | DType | None = None,
    requires_grad: bool = False,
    device: Device | None = None,
) -> Tensor:
    """A leaf with a copy of `data`: numbers in lists, an array, or another tensor.

    Arrays keep their dtype; Python floats become float32, integers int64. With `requires_grad`, `backward`
    adds gradients into its `grad`. It belongs to `device`, or to that of the `with` around; by default, to
    this process. Raises `TensorError` for what makes no array, `TypeMismatchError` for dtypes that do not
    exist here or have no derivatives.
    """
    tape = (device or current_device()).tape
    made = tape.constant(data.numpy() if isinstance(data, Tensor) else data, dtype)
    _require_grad(made.output.of, requires_grad)
    return made


@public
def evaluate(*tensors: Tensor) -> None:
    """Compute these in one run rather than one by one as they are asked for."""
    for device in {t.device: None for t in tensors}:
        device.evaluate(t.output for t in tensors if t.device is device)


def _require_grad(leaf: Recorded, requires_grad: bool) -> None:
    found = leaf.types[0]
    if requires_grad and not found.dtype.is_floating:
        raise TypeMismatchError(
            f"{found} cannot require a gradient: only floating-point dtypes have derivatives"
        )
    leaf.requires_grad = requires_grad


def like(x: Tensor, data: Any) -> Tensor:
    """Data as a tensor beside x, of its dtype where that means the same (`raygrad.proto.given.fitted`)."""
    found = x.builder.constant(data, None if hasattr(data, "dtype") else x.dtype)
    fit = fitted(found.numpy(), x.dtype)
    return found if found.dtype is x.dtype else x.builder.constant(fit)
