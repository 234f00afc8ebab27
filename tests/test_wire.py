"""Tensors on the wire: the same bits on the other side, without copies, and every way to send them wrong."""

import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from raygrad.proto import errors
from raygrad.proto.errors import RaygradError
from raygrad.proto.feed import check_feed, check_tensor
from raygrad.proto.limits import DEFAULT, Limits
from raygrad.proto.tensor import Array, DType, TensorType
from raygrad.proto.wire import Assembler, Piece, decode_tensor, encode_tensor, pieces

arrays = hnp.arrays(
    st.sampled_from([d.numpy for d in DType if d is not DType.bfloat16]),
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
)


def same_bits(a: Array, b: Array) -> bool:
    return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


def assembled(
    *sent: Piece, limits: Limits = DEFAULT, declared: Mapping[str, TensorType] | None = None
) -> dict[str, Array]:
    assembler = Assembler(limits, declared)
    for piece in sent:
        assembler.add(piece)
    return assembler.finish()


# -- there and back -------------------------------------------------------------------------------


@given(arrays, st.integers(1, 40))
def test_a_tensor_comes_back_bit_for_bit(array: Array, size: int) -> None:
    found = assembled(*pieces("x", array, size=size))["x"]
    assert same_bits(found, array)
    assert not found.flags.writeable


@given(arrays)
def test_any_layout_is_sent_in_c_order(array: Array) -> None:
    for view in (
        array.T,
        array[..., ::-1] if array.ndim else array,
        np.broadcast_to(array, (2, *array.shape)),
    ):
        assert same_bits(assembled(*pieces("x", view))["x"], view)


def test_bfloat16_and_big_endian() -> None:
    half = np.array([1.5, -0.0, np.inf], ml_dtypes.bfloat16)
    assert same_bits(assembled(*pieces("x", half))["x"], half)
    swapped = np.array([1.5, -2.0], ">f4")
    assert same_bits(assembled(*pieces("x", swapped))["x"], swapped.astype("<f4"))


def test_a_tensor_of_one_piece_is_never_copied() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    declared, data = encode_tensor("x", array)
    assert (str(declared), data.readonly) == ("float32[2,3]", True)
    assert np.shares_memory(decode_tensor("x", declared, data), array)
    assert np.shares_memory(assembled(*pieces("x", array))["x"], array)


def test_several_tensors_in_pieces() -> None:
    sent = {"a": np.arange(10.0), "empty": np.empty((0, 3), np.int8), "scalar": np.array(True)}
    found = assembled(*(piece for name, array in sent.items() for piece in pieces(name, array, size=32)))
    assert list(found) == list(sent)
    assert all(same_bits(found[name], sent[name]) for name in sent)


def test_an_upload_goes_on_where_it_stopped() -> None:
    array = np.arange(10.0)
    assembler = Assembler()
    for piece in [*pieces("x", array, size=32)][:2]:
        assembler.add(piece)
    with pytest.raises(errors.TruncatedTensorError, match="64 of its 80 bytes came"):
        assembler.finish()
    for piece in pieces("x", array, start=assembler.received["x"], size=8):
        assembler.add(piece)
    assert same_bits(assembler.finish()["x"], array)


def test_an_empty_tensor_that_arrived_is_not_sent_again() -> None:
    assert len([*pieces("x", np.empty(0))]) == 1
    assert not [*pieces("x", np.empty(0), start=0)]


# -- sent wrong -----------------------------------------------------------------------------------

FIRST, SECOND, THIRD = pieces("x", np.arange(3.0), size=8)
HUGE = Piece("x", 0, b"", "float64", (2**40,))

WRONG: list[tuple[type[RaygradError], str, list[Piece]]] = [
    (errors.TruncatedTensorError, "a piece at byte 16, but 8 came before", [FIRST, THIRD]),
    (errors.TruncatedTensorError, "a piece at byte 8, but 16 came before", [FIRST, SECOND, SECOND]),
    (errors.TruncatedTensorError, "24 bytes, not 32", [FIRST, SECOND, replace(THIRD, data=bytes(16))]),
    (errors.TruncatedTensorError, "24 bytes, not 32", [replace(FIRST, data=bytes(32))]),
    (errors.TruncatedTensorError, "a piece at byte 8, but 0 came", [replace(FIRST, offset=8)]),
    (errors.TruncatedTensorError, "16 of its 24 bytes came", [FIRST, SECOND]),
    (errors.TruncatedTensorError, "begins without its dtype", [SECOND]),
    (errors.TruncatedTensorError, "begins before 'x' is complete", [FIRST, replace(FIRST, name="y")]),
    (errors.UnexpectedTensorError, "sent twice", [FIRST, SECOND, THIRD, FIRST]),
    (errors.TensorDTypeError, "'complex64'", [replace(FIRST, dtype="complex64")]),
    (errors.TensorDTypeError, "'object'", [replace(FIRST, dtype="object")]),
    (errors.TensorDTypeError, "'<f4'", [replace(FIRST, dtype="<f4")]),
    (errors.TensorDTypeError, "other than 0 and 1", [Piece("x", 0, b"\x02", "bool", (1,))]),
    (errors.TensorShapeError, "negative", [replace(FIRST, shape=(-3, -1))]),
    (errors.LimitError, "8796093022208 bytes; at most", [HUGE]),
    (errors.LimitError, "at most", [replace(HUGE, shape=(0, 2**62))]),
    (errors.LimitError, "17 axes", [replace(FIRST, shape=(1,) * 17)]),
]


@pytest.mark.parametrize(("error", "words", "sent"), WRONG, ids=[w for _, w, _ in WRONG])
def test_what_is_wrong_is_named(error: type[RaygradError], words: str, sent: list[Piece]) -> None:
    with pytest.raises(error, match=words) as caught:
        assembled(*sent)
    assert (type(caught.value), caught.value.node) == (error, "x")


def test_a_set_of_tensors_is_bounded() -> None:
    sent = [piece for name in "abc" for piece in pieces(name, np.zeros(4))]
    with pytest.raises(errors.LimitError, match=r"with 'c' .* 96 bytes; at most 64"):
        assembled(*sent, limits=Limits(tensor_bytes=64))
    with pytest.raises(errors.LimitError, match="'c' is one more than 2 tensors"):
        assembled(*sent, limits=Limits(nodes=2))


def test_a_refused_piece_changes_nothing() -> None:
    assembler = Assembler()
    assembler.add(FIRST)
    with pytest.raises(errors.TruncatedTensorError):
        assembler.add(THIRD)
    assembler.add(SECOND)
    assembler.add(THIRD)
    assert same_bits(assembler.finish()["x"], np.arange(3.0))


def test_nothing_is_allocated_for_what_is_refused() -> None:
    tracemalloc.start()
    declared = {"x": TensorType((2**20,), DType.float64)}
    for limits, expected in ((Limits(tensor_bytes=1000), None), (Limits(), declared)):
        with pytest.raises((errors.LimitError, errors.TensorShapeError)):
            assembled(Piece("x", 0, b"\0", "float64", (2**27,)), limits=limits, declared=expected)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize("dtype", [np.complex64, object, "U3", "M8[s]"])
def test_dtypes_that_cannot_travel(dtype: Any) -> None:
    with pytest.raises(errors.TensorDTypeError, match=r"'x': dtype .* is not supported"):
        encode_tensor("x", np.zeros(2, dtype))


# -- against declared types -----------------------------------------------------------------------

DECLARED = {
    "x": TensorType(("N", 2), DType.float32),
    "y": TensorType(("N",), DType.int64),
}


def feed(**changes: Array) -> dict[str, Array]:
    return {"x": np.zeros((3, 2), np.float32), "y": np.zeros(3, np.int64), **changes}


def test_a_feed_binds_the_sizes() -> None:
    assert check_feed(DECLARED, feed()) == {"N": 3}
    assert check_tensor("x", DECLARED["x"], feed()["x"]) == {"N": 3}


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"x": feed()["x"]}, errors.MissingTensorError, "'y' was not given"),
        (feed(z=np.zeros(1)), errors.UnexpectedTensorError, "there is no 'z'"),
        (feed(x=np.zeros((3, 3), np.float32)), errors.TensorShapeError, r"'x' must be float32\[N,2\]"),
        (feed(x=np.zeros(3, np.float32)), errors.TensorShapeError, r"got shape \(3,\)"),
        (feed(y=np.zeros(4, np.int64)), errors.TensorShapeError, r"'N' is 3"),
        (feed(x=np.zeros((3, 2))), errors.TensorDTypeError, r"must be float32\[N,2\], got float64\[3,2\]"),
        (feed(x=np.zeros((3, 2), complex)), errors.TensorDTypeError, "complex128 is not supported"),
    ],
)
def test_feeds_that_do_not_fit(given: dict[str, Array], error: type[RaygradError], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        check_feed(DECLARED, given)
    assert caught.value.node in ("x", "y", "z")


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (Piece("z", 0, b"", "float32", (0, 2)), errors.UnexpectedTensorError),
        (Piece("x", 0, b"", "float64", (0, 2)), errors.TensorDTypeError),
        (Piece("x", 0, b"", "float32", (0, 3)), errors.TensorShapeError),
    ],
)
def test_tensors_that_are_not_declared_are_not_let_in(sent: Piece, error: type[RaygradError]) -> None:
    with pytest.raises(error):
        assembled(sent, declared=DECLARED)
