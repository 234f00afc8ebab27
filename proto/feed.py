"""Tensors against declared types: what may be fed, put or sent back, and the sizes that it binds."""

from __future__ import annotations

from collections.abc import Mapping

from .errors import (
    MissingTensorError,
    TensorDTypeError,
    TensorShapeError,
    TypeMismatchError,
    UnexpectedTensorError,
)
from .suggestions import did_you_mean
from .tensor import Array, DType, TensorType


def sizes_of(types: Mapping[str, TensorType], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, int]:
    """The sizes that tensors of these shapes give to the names in their declared types.

    Raises the error that names the tensor if ranks or numbers differ, or one name gets two numbers.
    """
    sizes: dict[str, int] = {}
    for name, shape in shapes.items():
        declared = types[name]
        if len(shape) != declared.rank:
            raise TensorShapeError(f"{name!r} must be {declared}, got shape {shape}", node=name)
        for want, got in zip(declared.shape, shape, strict=True):
            expected = sizes.setdefault(want, got) if isinstance(want, str) else want
            if expected != got:
                why = f" ({want!r} is {expected})" if isinstance(want, str) else ""
                raise TensorShapeError(f"{name!r} must be {declared}{why}, got shape {shape}", node=name)
    return sizes


def check_tensor(name: str, declared: TensorType, array: Array) -> dict[str, int]:
    """The sizes that `array` gives to the names of its declared type; typed errors if it does not fit."""
    return check_type(name, declared, type_of(name, array))


def check_type(name: str, declared: TensorType, given: TensorType) -> dict[str, int]:
    """`check_tensor` for a tensor whose elements have not arrived yet: `given` is of numbers only."""
    if given.dtype is not declared.dtype:
        raise TensorDTypeError(f"{name!r} must be {declared}, got {given}", node=name)
    return sizes_of({name: declared}, {name: given.static})


def check_feed(types: Mapping[str, TensorType], arrays: Mapping[str, Array]) -> dict[str, int]:
    """The sizes that a whole set of tensors binds: one for each declared type, each of its type.

    Raises the error that names the tensor if one is missing, not declared, or does not fit.
    """
    if types.keys() != arrays.keys():
        _check_names(types, arrays)  # first: a misspelt tensor is missing too, and its name says more
        missing = sorted(set(types) - set(arrays))
        raise MissingTensorError(f"{missing[0]!r} was not given; needed are {sorted(types)}", node=missing[0])
    unsettled = {name: arrays[name].shape for name, t in types.items() if not fits(t, arrays[name])}
    for name in unsettled:
        check_tensor(name, types[name], arrays[name])
    return sizes_of(types, unsettled)


def fits(declared: TensorType, array: Array) -> bool:
    """Whether an array is of a type of numbers, to be seen at once."""
    return array.shape == declared.shape and array.dtype is declared.dtype.numpy


def check_some(types: Mapping[str, TensorType], arrays: Mapping[str, Array]) -> dict[str, int]:
    """`check_feed` where tensors may be left out."""
    _check_names(types, arrays)
    return check_feed({name: types[name] for name in arrays}, arrays)


def _check_names(types: Mapping[str, TensorType], arrays: Mapping[str, Array]) -> None:
    if unexpected := sorted(set(arrays) - set(types)):
        meant = did_you_mean(unexpected[0], types)
        raise UnexpectedTensorError(
            f"there is no {unexpected[0]!r}; there are {sorted(types)}{meant}", node=unexpected[0]
        )


def type_of(name: str, array: Array) -> TensorType:
    """The type of an array in any byte order; `TensorDTypeError` if it cannot travel (complex, object)."""
    try:
        return TensorType(array.shape, DType.of(array.dtype.newbyteorder("=")))
    except TypeMismatchError as exc:
        raise TensorDTypeError(f"{name!r}: {exc.message}", node=name) from exc
