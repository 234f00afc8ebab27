"""Tensors on the wire: raw little-endian elements in C order, in pieces, and put together again.

::

    for piece in pieces("x", array):         # views of the array's own memory
        assembler.add(piece)
    arrays = assembler.finish()              # read-only; one piece is not copied

What a tensor announces is checked against limits, and against the type it should have if that is
known, before memory is taken for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import (
    LimitError,
    TensorDTypeError,
    TensorShapeError,
    TruncatedTensorError,
    UnexpectedTensorError,
)
from .feed import check_type, type_of
from .limits import DEFAULT, MIB, Limits
from .tensor import Array, DType, TensorType, span

PIECE_BYTES = 2 * MIB
"""The most elements' bytes in one piece; two fit one message of the service."""


@dataclass(frozen=True)
class Piece:
    """Consecutive bytes of the tensor `name`, from `offset`; the first piece says its dtype and shape."""

    name: str
    offset: int
    data: bytes | memoryview
    dtype: str = ""
    shape: tuple[int, ...] = ()


def encode_tensor(name: str, array: Array) -> tuple[TensorType, memoryview]:
    """The type and the bytes of an array; no copy if it is contiguous and little-endian already.

    Raises `TensorDTypeError` for elements that cannot travel (complex, object, text).
    """
    declared = type_of(name, array)
    dense = np.asarray(array, dtype=declared.dtype.numpy, order="C")
    return declared, dense.reshape(-1).view(np.uint8).data.toreadonly()


def decode_tensor(name: str, declared: TensorType, data: bytes | memoryview) -> Array:
    """The read-only array of a bound type over `data`, which is not copied.

    Raises `TruncatedTensorError` unless the bytes are exactly those of the type, and
    `TensorDTypeError` for a bool that is neither 0 nor 1.
    """
    given = memoryview(data).nbytes
    if given != declared.nbytes:
        raise TruncatedTensorError(f"{name!r} is {declared}: {declared.nbytes} bytes, not {given}", node=name)
    flat: npt.NDArray[np.generic] = np.frombuffer(data, dtype=declared.dtype.numpy)
    if declared.dtype is DType.bool and flat.view(np.uint8).max(initial=0) > 1:
        raise TensorDTypeError(f"{name!r} is {declared}, but holds bytes other than 0 and 1", node=name)
    array = flat.reshape(declared.static)
    array.flags.writeable = False
    return array


def parse_type(name: str, dtype: str, shape: Sequence[int], limits: Limits = DEFAULT) -> TensorType:
    """The type that a tensor announces, if it is a type at all and within the limits."""
    if dtype not in DType.__members__:
        raise TensorDTypeError(
            f"{name!r} has the dtype {dtype!r:.40}; use one of {[*DType.__members__]}", node=name
        )
    if len(shape) > limits.rank:
        raise LimitError(f"{name!r} has {len(shape)} axes; at most {limits.rank} are allowed", node=name)
    if min(shape, default=0) < 0:
        raise TensorShapeError(f"{name!r} has a negative size in its shape {tuple(shape)}", node=name)
    found = TensorType(tuple(shape), DType(dtype))
    if (size := span(found.shape) * found.dtype.itemsize) > limits.tensor_bytes:
        raise LimitError(
            f"{name!r} is {found}: {size} bytes; at most {limits.tensor_bytes} are allowed", node=name
        )
    return found


def pieces(name: str, array: Array, start: int | None = None, size: int = PIECE_BYTES) -> Iterator[Piece]:
    """The pieces of a tensor; with `start`, those that follow its first `start` bytes, perhaps none."""
    declared, data = encode_tensor(name, array)
    if start is None:
        yield Piece(name, 0, data[:size], declared.dtype.value, declared.static)
        start = size
    for offset in range(start, len(data), size):
        yield Piece(name, offset, data[offset : offset + size])


class _Arriving:
    """A tensor of which `received` bytes are here."""

    def __init__(self, name: str, declared: TensorType) -> None:
        self.name = name
        self.type = declared
        self.received = 0
        self._data: bytes | memoryview = b""

    @property
    def complete(self) -> bool:
        return self.received == self.type.nbytes

    def add(self, piece: Piece) -> None:
        size = memoryview(piece.data).nbytes
        if not size and not piece.dtype:
            raise TruncatedTensorError(f"{self.name!r}: a piece without bytes", node=self.name)
        if piece.offset != self.received:
            raise TruncatedTensorError(
                f"{self.name!r}: a piece at byte {piece.offset}, but {self.received} came before",
                node=self.name,
            )
        if self.received + size > self.type.nbytes:
            raise TruncatedTensorError(
                f"{self.name!r} is {self.type}: {self.type.nbytes} bytes, not {self.received + size}",
                node=self.name,
            )
        self._keep(piece, size)
        self.received += size

    def _keep(self, piece: Piece, size: int) -> None:
        """Hold on to a whole tensor as it is; copy a part to its place."""
        if size == self.type.nbytes:
            self._data = piece.data
            return
        if self.received == 0:
            self._data = np.empty(self.type.nbytes, np.uint8).data
        memoryview(self._data)[self.received : self.received + size] = memoryview(piece.data).cast("B")

    def array(self) -> Array:
        if not self.complete:
            raise TruncatedTensorError(
                f"{self.name!r} is {self.type}: {self.received} of its {self.type.nbytes} bytes came",
                node=self.name,
            )
        return decode_tensor(self.name, self.type, self._data)


class Assembler:
    """Puts a set of tensors together from their pieces, which come in order, one tensor after the other.

    `limits.tensor_bytes` bounds the whole set, `limits.nodes` the number of tensors. With `declared`,
    only tensors of these names and types are let in.
    A piece that is refused changes nothing: the upload can go on from `received`.
    """

    def __init__(self, limits: Limits = DEFAULT, declared: Mapping[str, TensorType] | None = None) -> None:
        self._limits = limits
        self._declared = declared
        self._tensors: dict[str, _Arriving] = {}
        self._last: _Arriving | None = None
        self._announced = 0

    @property
    def received(self) -> dict[str, int]:
        """Bytes received of each tensor."""
        return {name: tensor.received for name, tensor in self._tensors.items()}

    def add(self, piece: Piece) -> None:
        """Take the next piece; typed errors if it is not the next one, or begins what is not wanted."""
        if piece.dtype:
            self._begin(piece)
        elif piece.name not in self._tensors:
            raise TruncatedTensorError(f"{piece.name!r} begins without its dtype and shape", node=piece.name)
        else:
            self._tensors[piece.name].add(piece)

    def _begin(self, piece: Piece) -> None:
        if piece.name in self._tensors:
            raise UnexpectedTensorError(f"{piece.name!r} is sent twice", node=piece.name)
        if self._last and not self._last.complete:
            last = self._last.name
            raise TruncatedTensorError(f"{piece.name!r} begins before {last!r} is complete", node=last)
        found = parse_type(piece.name, piece.dtype, piece.shape, self._limits)
        self._admit(piece.name, found)
        tensor = _Arriving(piece.name, found)
        tensor.add(piece)
        self._tensors[piece.name] = self._last = tensor
        self._announced += found.nbytes

    def _admit(self, name: str, found: TensorType) -> None:
        if self._declared is not None:
            if name not in self._declared:
                known = sorted(self._declared)
                raise UnexpectedTensorError(f"there is no {name!r}; there are {known}", node=name)
            check_type(name, self._declared[name], found)
        if len(self._tensors) >= self._limits.nodes:
            raise LimitError(f"{name!r} is one more than {self._limits.nodes} tensors", node=name)
        if self._announced + found.nbytes > self._limits.tensor_bytes:
            raise LimitError(
                f"with {name!r} ({found}) the tensors are {self._announced + found.nbytes} bytes; "
                f"at most {self._limits.tensor_bytes} are allowed",
                node=name,
            )

    def finish(self) -> dict[str, Array]:
        """The tensors as read-only arrays; `TruncatedTensorError` if bytes are missing."""
        return {name: tensor.array() for name, tensor in self._tensors.items()}
