"""What fingers type that know PyTorch or NumPy: both spellings work, and a typo is told what it meant."""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import raygrad as rg
from raygrad.proto.arguments import AXES, KEPT
from raygrad.proto.codec import decode
from raygrad.proto.errors import (
    AttributeValueError,
    ConfigurationError,
    RaygradError,
    TypeMismatchError,
    UnexpectedTensorError,
    UnknownOperatorError,
)
from raygrad.proto.methods import Methods
from tests.documents import with_node

F = rg.functions
COUNTED = ("layer_norm", "rms_norm")  # their `axes` is a number of them


def T(*shape: int) -> rg.Tensor:  # noqa: N802
    return rg.tensor(np.arange(1.0, 1 + np.prod(shape), dtype=np.float32).reshape(shape))


def functions_with(group: tuple[str, ...]) -> list[tuple[str, str]]:
    """(function, its name for the parameter) of all that have one of a group."""
    return [
        (name, parameter)
        for name in F.__all__
        for parameter in inspect.signature(getattr(F, name)).parameters
        if parameter in group and name not in COUNTED
    ]


SPECIAL: dict[str, Callable[[dict[str, Any]], Any]] = {
    "take_along_axis": lambda k: F.take_along_axis(T(3, 4), rg.tensor([[0], [1], [2]]), **k),
    "gather": lambda k: F.gather(T(3, 4), rg.tensor([[0], [1], [2]]), **k),
    "scatter": lambda k: F.scatter(T(3, 4), rg.tensor([[0], [1], [2]]), 1.0, **k),
    "scatter_add": lambda k: F.scatter_add(T(3, 4), rg.tensor([[0], [1], [2]]), 1.0, **k),
    "scatter_reduce": lambda k: F.scatter_reduce(T(3, 4), rg.tensor([[0], [1], [2]]), 1.0, reduce="sum", **k),
    "index_select": lambda k: F.index_select(T(3, 4), indices=rg.tensor([0]), **k),
    "index_add": lambda k: F.index_add(T(3, 4), indices=rg.tensor([0]), updates=T(3, 1), **k),
    "index_copy": lambda k: F.index_copy(T(3, 4), indices=rg.tensor([0]), updates=T(3, 1), **k),
    "index_fill": lambda k: F.index_fill(T(3, 4), indices=rg.tensor([0]), value=1.0, **k),
    "take": lambda k: F.take(T(3, 4), rg.tensor([0]), **k),
    "one_hot": lambda k: F.one_hot(rg.tensor([0]), 3, **k),
    "concatenate": lambda k: F.concatenate([T(3, 4), T(3, 4)], **k),
    "stack": lambda k: F.stack([T(3, 4), T(3, 4)], **k),
    "split": lambda k: F.split(T(3, 4), [1, 3], **k),
    "chunk": lambda k: F.chunk(T(3, 4), 2, **k),
    "cross_entropy": lambda k: F.cross_entropy(T(3, 4), rg.tensor([0, 1, 2]), **k),
    "nll_loss": lambda k: F.nll_loss(T(3, 4), rg.tensor([0, 1, 2]), **k),
    "cosine_similarity": lambda k: F.cosine_similarity(T(3, 4), T(3, 4), **k),
    "linear_recurrence": lambda k: F.linear_recurrence(T(3, 4), T(3, 4), **k),
    "repeat_interleave": lambda k: F.repeat_interleave(T(3, 4), 2, **k),
    "sliding_windows": lambda k: F.sliding_windows(T(3, 4), size=2, step=1, **k),
    "tensordot": lambda k: F.tensordot(T(3, 4), T(4, 3), **k),
    "topk": lambda k: F.topk(T(3, 4), 2, **k),
    "unsqueeze": lambda k: F.unsqueeze(T(3, 4), **k),
    "vecdot": lambda k: F.vecdot(T(3, 4), T(3, 4), **k),
    "resize": lambda k: F.resize(T(3, 4), [8], **k),
    "roll": lambda k: F.roll(T(3, 4), 1, **k),
    "pairwise_distance": lambda k: F.pairwise_distance(T(3, 4), T(3, 4), **k),
}


def call(name: str, **keywords: Any) -> Any:
    if name in SPECIAL:
        return SPECIAL[name](keywords)
    return getattr(F, name)(T(3, 4), **keywords)


def same(found: Any, expected: Any) -> bool:
    pairs = zip(found, expected, strict=True) if isinstance(found, tuple) else [(found, expected)]
    return all(np.array_equal(a.numpy(), b.numpy()) for a, b in pairs)


@pytest.mark.parametrize(("name", "parameter"), functions_with(AXES))
def test_axis_and_dim_in_every_function(name: str, parameter: str) -> None:
    value = {"resize": [1], "transpose": (1, 0)}.get(name, 1)
    expected = call(name, **{parameter: value})
    for alias in AXES:
        assert same(call(name, **{alias: value}), expected)
    with pytest.raises(ConfigurationError, match="twice"):
        call(name, axis=value, dim=value)


@pytest.mark.parametrize(("name", "parameter"), functions_with(KEPT))
def test_keepdims_and_keepdim_in_every_function(name: str, parameter: str) -> None:
    expected = call(name, **{parameter: True})
    for alias in KEPT:
        assert same(call(name, **{alias: True}), expected)
    with pytest.raises(ConfigurationError, match="twice"):
        call(name, keepdims=True, keepdim=True)


def test_there_are_many_of_them() -> None:
    assert len(functions_with(AXES)) > 50
    assert len(functions_with(KEPT)) > 12


@pytest.mark.parametrize(
    "name", [n for n, m in vars(Methods).items() if callable(m) and not n.startswith("_")]
)
def test_axis_and_dim_in_every_method(name: str) -> None:
    names = set(inspect.signature(getattr(Methods, name)).parameters)
    g = rg.Builder()
    dtype = "bool" if name in ("all", "any") else "float32"
    for x in (T(3, 4).astype(dtype), g.input("x", ("N", 4), dtype)):
        method = getattr(x, name)
        if names & set(AXES):
            assert {method(**{alias: 1}).type for alias in AXES} == {method(1).type}
            with pytest.raises(ConfigurationError, match="twice"):
                method(1, dim=1)
        if names & set(KEPT):
            assert {method(1, **{alias: True}).type for alias in KEPT} == {method(1, True).type}
            with pytest.raises(ConfigurationError, match="twice"):
                method(1, keepdims=True, keepdim=True)


def test_pairs_of_axes() -> None:
    x = T(3, 4)
    assert same(F.diagonal(x, dim1=1, dim2=0), F.diagonal(x, axis1=1, axis2=0))
    assert F.swapaxes(x, dim0=0, dim1=1).shape == F.swapaxes(x, axis1=0, axis2=1).shape == (4, 3)


def test_help_shows_the_declared_signature() -> None:
    assert str(inspect.signature(F.softmax)) == "(x: 'Value', axis: 'int' = -1) -> 'Value'"
    assert F.softmax.__name__ == "softmax"
    assert "without overflow" in (F.softmax.__doc__ or "")


def test_functions_travel_by_pickle() -> None:
    for name in F.__all__:
        assert pickle.loads(pickle.dumps(getattr(F, name))) is getattr(F, name)


def test_sizes_one_by_one() -> None:
    g = rg.Builder()
    for x in (T(3, 4), g.input("x", (3, 4))):
        assert x.reshape(2, 6).shape == x.reshape((2, 6)).shape == x.reshape([2, 6]).shape == (2, 6)
        assert x.reshape(-1, 2).shape == x.view(-1, 2).shape == x.view((-1, 2)).shape == (6, 2)
        assert x.reshape(-1).shape == x.view(-1).shape == (12,)
        assert x.broadcast_to(2, 3, 4).shape == x.broadcast_to((2, 3, 4)).shape == (2, 3, 4)
        assert x.expand(2, -1, 4).shape == x.expand((2, -1, 4)).shape == (2, 3, 4)
        assert F.expand(x, 2, -1, 4).shape == F.expand(x, (2, -1, 4)).shape == (2, 3, 4)
        assert F.tile(x, 2, 1).shape == F.tile(x, (2, 1)).shape == (6, 4)
        assert x.permute(1, 0).shape == x.permute((1, 0)).shape == (4, 3)
        assert x.transpose().shape == x.transpose(1, 0).shape == x.transpose((1, 0)).shape == (4, 3)
        assert x.reshape(1, 3, 4).transpose(2, 0, 1).shape == (4, 1, 3)
        for make in (F.zeros, F.ones):
            assert make(x.builder, 2, 3).shape == make(x.builder, (2, 3)).shape == (2, 3)
            assert make(x.builder, 2, 3, "int64").dtype is rg.DType.int64
            assert make(x.builder, 2, 3, dtype="int64").dtype is rg.DType.int64
    y = g.input("y", ("N", 4))
    assert y.reshape("N", 2, 2).shape == ("N", 2, 2)
    assert F.ones(g, "N", 3, "int64").shape == ("N", 3)


@pytest.mark.parametrize("axes", [(0, 1), (-2, -1)])
def test_a_transpose_that_numpy_and_torch_read_differently_is_refused(axes: tuple[int, int]) -> None:
    with pytest.raises(TypeMismatchError, match="swapaxes"):
        T(3, 4).transpose(*axes)
    with pytest.raises(TypeMismatchError, match="swapaxes"):
        T(1, 3, 4).transpose(*axes)
    assert T(3, 4).transpose(axes).shape == T(3, 4).permute(*axes).shape == (3, 4)


@pytest.mark.parametrize(
    ("write", "meant"),
    [
        (lambda: F.sofmax, "rg.functions.softmax"),
        (lambda: F.logsoftmax, "rg.functions.log_softmax"),
        (lambda: F.cat, "rg.functions.concatenate"),
        (lambda: F.hardtanh, "rg.functions.hard_tanh"),
        (lambda: F.max_pool2d, "rg.functions.max_pool"),
        (lambda: F.arctan2, "rg.functions.atan2"),
        (lambda: F.clamp, "rg.functions.clip"),
        (lambda: F.add, r"a \+ b"),
        (lambda: F.reshape, r"x\.reshape"),
        (lambda: rg.Bulider, "rg.Builder"),
        (lambda: rg.softmax, "rg.functions.softmax"),
        (lambda: rg.from_pytorch, "rg.from_torch"),
        (lambda: T(3).softmax, r"rg\.functions\.softmax\(x\)"),
        (lambda: T(3).clamp, r"rg\.functions\.clip\(x\)"),
        (lambda: T(3).ndim, "'rank'"),
        (lambda: T(3).size, "'shape'"),
        (lambda: T(3).bakward, "'backward'"),
        (lambda: T(3).requires_gard, "'requires_grad'"),
        (lambda: T(3).reshpe, "'reshape'"),
        (lambda: rg.Builder().input("x", (3,)).shpae, "'shape'"),
        (lambda: rg.Builder().input("x", (3,)).unsqueeze, r"rg\.functions\.unsqueeze"),
    ],
)
def test_did_you_mean_this_name(write: Callable[[], Any], meant: str) -> None:
    with pytest.raises(AttributeError, match=f"did you mean .*{meant}"):
        write()


def test_a_name_like_nothing_gets_no_advice() -> None:
    for owner in (rg, F, T(3)):
        with pytest.raises(AttributeError) as caught:
            owner.xyzzy_plugh  # noqa: B018
        assert "did you mean" not in str(caught.value)
        assert not hasattr(owner, "__nothing__")


@pytest.mark.parametrize(
    ("write", "meant"),
    [
        (lambda: F.softmax(T(3), axsi=0), "axis"),
        (lambda: F.max_pool(T(1, 1, 4), kernel_size=2), "kernel"),
        (lambda: F.leaky_relu(T(3), negative_slope=0.1), "slope"),
        (lambda: F.var(T(3), ddof=1), "correction"),
        (lambda: F.clip(T(3), min_val=0.0), "low"),
        (lambda: F.mse_loss(T(3), T(3), reducton="sum"), "reduction"),
        (lambda: F.mse_loss(T(3), T(3), "maen"), "mean"),
        (lambda: F.interpolate(T(1, 1, 4), 8, mode="biliner"), "bilinear"),
        (lambda: T(3).sum(keepdisms=True), "keepdims"),
        (lambda: rg.Builder().input("x", (3,), dtyp="int64"), "dtype"),
        (lambda: rg.local(linear(), stagse=2), "stages"),
        (lambda: rg.Device(sead=1), "seed"),
    ],
)
def test_did_you_mean_this_argument(write: Callable[[], Any], meant: str) -> None:
    with pytest.raises(RaygradError, match=f"did you mean '{meant}'"):
        write()


def linear() -> rg.Builder:
    g = rg.Builder()
    g.output("loss", (g.input("images", ("N",)) * g.parameter("weight", ())).sum())
    return g


def test_did_you_mean_this_tensor() -> None:
    with rg.local(linear()) as session:
        with pytest.raises(UnexpectedTensorError, match="did you mean 'weight'"):
            session.put({"wieght": 1.0})
        session.put({"weight": 1.0})
        with pytest.raises(UnexpectedTensorError, match="did you mean 'images'"):
            session.forward({"image": [1.0]})
        lease = session.forward({"images": [1.0]}, keep=True).lease
        with pytest.raises(RaygradError, match="did you mean 'images'"):
            session.backward(lease, None, ["imges"])


def test_did_you_mean_this_operator() -> None:
    with pytest.raises(UnknownOperatorError, match="did you mean 'MatMul'"):
        decode(with_node({"op": "Matmul", "inputs": [[0, 0], [0, 0]]}))
    with pytest.raises(AttributeValueError, match="did you mean 'axes'"):
        decode(with_node({"op": "Sum", "inputs": [[0, 0]], "attributes": {"axis": [0]}}))
