"""Arguments that make no sense: an error of ours at once, from every public function, by declared types."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
import pytest
import torch

import raygrad as rg
from raygrad.proto.declared import MAY_BE_NAN
from raygrad.proto.errors import RaygradError
from raygrad.proto.methods import Methods

F = rg.functions
FUNCTIONS = {name: getattr(F, name) for name in F.__all__}


def T(*shape: int, dtype: str = "float32") -> rg.Tensor:  # noqa: N802
    return rg.tensor(np.arange(int(np.prod(shape)), dtype=dtype).reshape(shape))


I, X, IMAGE = T(3, dtype="int64"), T(3, 4), T(1, 2, 4, 4)  # noqa: E741
BUILDER, GRID = X.builder, rg.tensor([[0, 1], [1, 0]])

# A call of each function whose parameters cannot be guessed from their declared types.
CALLS: dict[str, dict[str, Any]] = {
    "adaptive_avg_pool": {"x": IMAGE, "sizes": 2},
    "adaptive_max_pool": {"x": IMAGE, "sizes": 2},
    "adaptive_max_pool_with_indices": {"x": IMAGE, "sizes": 2},
    "pad": {"x": X, "widths": [(0, 0), (0, 0)]},
    "scatter": {"x": GRID, "indices": GRID},
    "scatter_add": {"x": GRID, "indices": GRID},
    "scatter_reduce": {"x": GRID, "indices": GRID, "reduce": "sum"},
    "split": {"x": X, "sizes": [1, 2]},
    "expand": {"x": X, "shape": (3, 4)},
    "tile": {"x": X, "repeats": (1, 1)},
    "einsum": {"equation": "ij->j"},
}

NONSENSE: dict[Any, list[Any]] = {
    int: [True, 1.5, "1", None, [1], 1j, object(), np.float32(1), np.bool_(True), 1 << 70],
    float: ["1", None, True, 1j, [1.0], object(), "x"],
    bool: [1, 0, "yes", None, [True]],
    str: [1, None, b"x", ["x"]],
    Literal: ["maen", 1, None, True],
    "integers": ["12", [1.5], ["a"], [True], [None], {1, 2}, {1: 2}, (n for n in (0, 1)), object(), [[1]]],
    "operands": ["x", None, {1}, {"a": 1}, 1j, b"x", object()],
    "values": [None, 3, [None], [1.0], "ab", object(), {1}],
    "value": [None, 1.0, "x", [1.0], np.ones(3), torch.ones(3), object()],
    "operand": ["x", None, {1}, {"a": 1}, 1j, b"x", object(), [None], ["x"]],
    "builder": [None, 1, "x", X],
}


WORDS = ("Reduction", "Reduce", "ScatterReduction", "Interpolation", "PaddingMode")
"""Annotations that stand for one of a few words."""


def wrong_for(name: str, annotation: str) -> list[Any]:
    """What a parameter with this annotation must not take."""
    optional = "None" in annotation or annotation == "Axes"
    text = annotation.replace(" | None", "")
    if text in WORDS or "Literal" in text:
        kinds = [Literal]
    elif text in ("int", "float", "bool", "str"):
        kinds = [{"int": int, "float": float, "bool": bool, "str": str}[text]]
    elif text == "Value":
        kinds = ["value"]
    elif text == "Operand":
        kinds = ["operand"]
    elif text == "Builder":
        kinds = ["builder"]
    elif text.startswith("Sequence[Value"):
        kinds = ["values"]
    elif text in ("Axes", "PerAxis") or ("int" in text and "Sequence" in text and "tuple" not in text):
        kinds = ["integers"]
    elif text in ("DType | str",):
        return ["float7", 3.5, object(), *([] if optional else [None])]
    else:
        return [object(), {"a": 1}, 1j]
    found = [value for kind in kinds for value in NONSENSE[kind]]
    if kinds == [float] and name not in MAY_BE_NAN:
        found.append(float("nan"))
    return [value for value in found if not (value is None and optional)]


def given(name: str, parameter: inspect.Parameter) -> Any:
    """Something that a parameter takes."""
    known = {
        "Value": I if name in ("indices", "target") else X,
        "Operand": X,
        "Builder": BUILDER,
        "Sequence[Value]": [X, X],
        "Sequence[Value | None]": [I],
        "bool": False,
        "float": 0.5,
        "int": 1,
        "str": "ij->j",
        "Size": 3,
        "PerAxis": 2,
    }
    return known.get(str(parameter.annotation), (1, 1))


def rows() -> Iterator[tuple[str, str, Any]]:
    """Every parameter of every public function, with each thing that it must not take."""
    for name, function in FUNCTIONS.items():
        for parameter in inspect.signature(function).parameters.values():
            for value in wrong_for(parameter.name, str(parameter.annotation)):
                yield name, parameter.name, value


ROWS = list(rows())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_parameter_of_every_function(name: str) -> None:
    function, parameters = FUNCTIONS[name], inspect.signature(FUNCTIONS[name]).parameters
    good = {
        n: given(n, p)
        for n, p in parameters.items()
        if p.default is p.empty and p.kind is not p.VAR_POSITIONAL
    }
    for _, wrong, value in (row for row in ROWS if row[0] == name):
        rest = next((n for n, p in parameters.items() if p.kind is p.VAR_POSITIONAL), None)
        call = {**good, **CALLS.get(name, {})}
        args = () if rest is None else (*call.values(), value) if wrong == rest else (value, X)
        with pytest.raises(RaygradError, match=f"{wrong}|dtype|None is no number"):
            function(*args, **({**call, wrong: value} if rest is None else {}))


def test_there_are_many_rows() -> None:
    assert len(ROWS) > 2500


METHODS = {
    name: getattr(Methods, name)
    for name, method in vars(Methods).items()
    if not name.startswith("_") and len(inspect.signature(method).parameters) > 1
}


@pytest.mark.parametrize("name", METHODS)
def test_methods_of_tensors_and_values(name: str) -> None:
    g = rg.Builder()
    dtype = "bool" if name in ("all", "any") else "float32"
    for x in (T(3, 4).astype(dtype), g.input("x", ("N", 4), dtype)):
        for axis in (True, 1.5, "0", [1.5], {0}, object(), 7, [0, 0], 1 << 70):
            with pytest.raises(RaygradError):
                getattr(x, name)(axis)
        with pytest.raises(RaygradError):
            getattr(x, name)(0, keepdims="yes")
        with pytest.raises(RaygradError):
            getattr(x, name)(0, nonsense=1)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x.reshape("ab"),
        lambda x: x.reshape(1.5),
        lambda x: x.reshape([True, 12]),
        lambda x: x.reshape({12}),
        lambda x: x.reshape(None),
        lambda x: x.reshape(-1, -1),
        lambda x: x.reshape(5, -1),
        lambda x: x.view(7),
        lambda x: x.expand(2),
        lambda x: x.broadcast_to("x"),
        lambda x: x.transpose(0),
        lambda x: x.transpose(0, 0),
        lambda x: x.transpose(0, 1),
        lambda x: x.transpose("ab"),
        lambda x: x.permute(1.0, 0),
        lambda x: x.astype("float7"),
        lambda x: x.astype(None),
        lambda x: x.astype(3),
        lambda x: x + "a",
        lambda x: x + None,
        lambda x: x * {},
        lambda x: x - 1j,
        lambda x: x / b"a",
        lambda x: x ** "2",
        lambda x: x < "a",
        lambda x: x @ 3,
        lambda x: "a" + x,
        lambda x: x & 1.5,
        lambda x: x["a"],
        lambda x: x[1.5],
        lambda x: x[True],
        lambda x: x[{}],
        lambda x: x[0, 0, 0],
        lambda x: x[..., ...],
        lambda x: x[::0],
        lambda x: x["a":],
        lambda x: x[1.5:],
        lambda x: x[[0.5]],
        lambda x: x[[None]],
    ],
)
def test_what_is_written_on_a_value(call: Callable[[Any], Any]) -> None:
    g = rg.Builder()
    for x in (T(3, 4), g.input("x", (3, 4))):
        with pytest.raises(RaygradError):
            call(x)


@pytest.mark.parametrize(
    "call",
    [
        lambda g: g.input(3, (1,)),
        lambda g: g.input("", (1,)),
        lambda g: g.input(None, (1,)),
        lambda g: g.input("x", 1.5),
        lambda g: g.input("x", (1.5,)),
        lambda g: g.input("x", (True,)),
        lambda g: g.input("x", (-1,)),
        lambda g: g.input("x", None),
        lambda g: g.input("x", ("a b",)),
        lambda g: g.input("x", {3}),
        lambda g: g.input("x", (3,), "float7"),
        lambda g: g.input("x", (3,), complex),
        lambda g: g.input("x", (3,), dtpye="float32"),
        lambda g: g.parameter("w", (3,), "int64"),
        lambda g: g.parameter("w", (-3,)),
        lambda g: g.buffer("b", ("N", "N M")),
        lambda g: g.buffer(b"b", (3,)),
        lambda g: g.constant("text"),
        lambda g: g.constant(None),
        lambda g: g.constant([[1], [1, 2]]),
        lambda g: g.constant(1j),
        lambda g: g.constant(object()),
        lambda g: g.constant([1], "float7"),
        lambda g: g.output(3, g.constant(1.0)),
        lambda g: g.output("y", 3),
        lambda g: g.output("y", None),
        lambda g: g.output("y", T(3)),
        lambda g: g.output("y", [g.constant(1.0)]),
        lambda g: g.label(3).__enter__(),
        lambda g: rg.Builder("graph"),
        lambda g: rg.local("graph"),
        lambda g: rg.encode(3),
        lambda g: rg.decode("text"),
        lambda g: rg.decode(None),
        lambda g: rg.gradients(3, []),
        lambda g: rg.gradients([3], [g.constant(1.0)]),
        lambda g: rg.gradients([g.constant(1.0)], [3]),
        lambda g: rg.gradients({g.constant(1.0): 3}, [g.constant(1.0)]),
        lambda g: rg.gradients([g.constant(1.0)], None),
    ],
)
def test_builders(call: Callable[[rg.Builder], Any]) -> None:
    with pytest.raises(RaygradError):
        call(rg.Builder())


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.put(3),
        lambda s: s.put(None),
        lambda s: s.put([1]),
        lambda s: s.put({3: 1.0}),
        lambda s: s.put({"w": "text"}),
        lambda s: s.put({"w": None}),
        lambda s: s.put({"w": [[1], [1, 2]]}),
        lambda s: s.put({"w": 1j}),
        lambda s: s.put({"v": 1.0}),
        lambda s: s.forward(3),
        lambda s: s.forward(None),
        lambda s: s.forward({}),
        lambda s: s.forward({"x": "text"}),
        lambda s: s.forward({"x": [1.0], "y": [1.0]}),
        lambda s: s.forward({"x": [1.0]}, keep="yes"),
        lambda s: s.forward({"x": [1.0]}, keep=1),
        lambda s: s.forward({"x": [1.0]}, keep=True, index="a"),
        lambda s: s.forward({"x": [1.0]}, keep=True, weight=True),
        lambda s: s.backward(3),
        lambda s: s.backward(None),
        lambda s: s.backward("no lease"),
        lambda s: s.backward(s.forward({"x": [1.0]}, keep=True).lease, 3),
        lambda s: s.backward(s.forward({"x": [1.0]}, keep=True).lease, {"y": [1.0]}),
        lambda s: s.backward(s.forward({"x": [1.0]}, keep=True).lease, None, 3),
        lambda s: s.backward(s.forward({"x": [1.0]}, keep=True).lease, None, ["y"]),
        lambda s: s.backward(s.forward({"x": [1.0]}, keep=True).lease, None, [3]),
        lambda s: s.release(3),
        lambda s: s.release(None),
        lambda s: s.accumulate(3),
        lambda s: s.accumulate(None),
        lambda s: s.accumulate([3]),
        lambda s: s.accumulate({"x": [1.0]}),
        lambda s: s.accumulate([{"x": [1.0]}], progress="yes"),
        lambda s: list(s.stream(3)),
        lambda s: s.gradients(mean=1),
        lambda s: s.gradients(mean="yes"),
        lambda s: s.gradients(keep_open=None),
        lambda s: s.gradients(expect="ab"),
        lambda s: s.gradients(expect=1.5),
        lambda s: s.plan(3),
        lambda s: s.plan({"N": "many"}),
        lambda s: s.plan({"N": -1}),
        lambda s: s.plan({"N": 1.5}),
        lambda s: s.plan({"N": True}),
        lambda s: s.plan({3: 3}),
    ],
)
def test_sessions(call: Callable[[Any], Any]) -> None:
    g = rg.Builder()
    g.output("loss", (g.input("x", ("N",)) * g.parameter("w", ())).sum())
    with rg.local(g) as session:
        session.put({"w": 1.0})
        with pytest.raises(RaygradError):
            call(session)
        assert session.forward({"x": [2.0]}).outputs["loss"] == 2


def small() -> rg.Builder:
    g = rg.Builder()
    g.output("loss", (g.input("x", ("N",)) * g.parameter("w", ())).sum())
    return g


LEAF = rg.tensor([1.0, 2.0], requires_grad=True)
NOWHERE = "127.0.0.1:1"
PARAMETERS = {"w": np.ones(2, np.float32)}


@pytest.mark.parametrize(
    "call",
    [
        *(
            (lambda name=name, value=value: rg.local(small(), **{name: value}))
            for name, values in {
                "workers": (9 * 10**18, 0, -1, "2", 1.5, True, None),
                "backend": (3, None, "nump"),
                "timeout": ("x", float("nan"), True),
                "seed": ("x", 1.5, -1, 1 << 64, None, True),
                "lease_seconds": ("x", float("nan"), 0, -1.0, None),
                "snapshot_every": ("x", 1.5, -1, True),
                "loss": (3, None, "no output"),
                "stages": (True, 0, "2", 1.5, 9 * 10**18),
                "replicas": (True, 0, "2", 1.5, 9 * 10**18),
                "placement": (3, {"a": 1}, {2: "b"}, {2: True}, [1]),
                "accumulation": (3, None, ["exact"], "exakt"),
                "check": (3, None, "finit"),
            }.items()
            for value in values
        ),
        lambda: rg.connect(NOWHERE, small(), timeout="x"),
        lambda: rg.connect(NOWHERE, small(), timeout=float("nan")),
        lambda: rg.connect(NOWHERE, small(), tiemout=1.0),
        lambda: rg.connect(NOWHERE, "graph", timeout=1.0),
        lambda: rg.Device(3),
        lambda: rg.Device(sessions="x"),
        lambda: rg.Device(sessions=0),
        lambda: rg.Device(stages="x"),
        lambda: rg.tensor([1.0], device="cpu"),
        lambda: rg.tensor([1.0], requires_grad="yes"),
        lambda: rg.tensor([1.0], requires_gard=True),
        lambda: rg.tensor([1.0], "float7"),
        lambda: rg.tensor("text"),
        lambda: rg.tensor(None),
        lambda: rg.tensor([1, None]),
        lambda: rg.tensor([1], requires_grad=True),
        lambda: rg.evaluate(3),
        lambda: rg.evaluate([LEAF]),
        lambda: rg.grad(3, LEAF),
        lambda: rg.grad(LEAF.sum(), 3),
        lambda: rg.grad(LEAF.sum(), LEAF, create_graph="x"),
        lambda: rg.grad(LEAF * 2, LEAF, "x"),
        lambda: rg.backward(3),
        lambda: LEAF.sum().backward(create_graph="x"),
        lambda: (LEAF * 2).backward("x"),
        lambda: LEAF.requires_grad_("x"),
        lambda: LEAF.to("cpu"),
        lambda: setattr(LEAF, "grad", 3),
        lambda: setattr(LEAF, "data", "x"),
        lambda: rg.optimizers.SGD(3),
        lambda: rg.optimizers.SGD(PARAMETERS, rate="x"),
        lambda: rg.optimizers.SGD(PARAMETERS, rate=float("nan")),
        lambda: rg.optimizers.SGD(PARAMETERS, momentum="x"),
        lambda: rg.optimizers.SGD(PARAMETERS, rtae=0.1),
        lambda: rg.optimizers.Adam(PARAMETERS, betas=3),
        lambda: rg.optimizers.Adam(PARAMETERS, betas=(0.9,)),
        lambda: rg.optimizers.Adam(PARAMETERS, eps="x"),
        lambda: rg.MiniBatch(3),
        lambda: small().graph().bind(3),
        lambda: small().graph().bind({"N": -1}),
        lambda: small().graph().bind({"N": "x y"}),
        lambda: small().graph().bind({"N": 1.5}),
        lambda: small().graph().bind({"N": 1 << 70}),
        lambda: small().graph().with_gradients(3),
        lambda: rg.from_onnx(3),
        lambda: rg.to_onnx(3),
        lambda: rg.to_onnx(small(), 3),
        lambda: rg.from_torch(3),
        lambda: rg.networks.lenet("x"),
        lambda: rg.networks.lenet(sead=1),
        lambda: rg.torch.Remote(3),
        lambda: rg.torch.Remote(torch.nn.Linear(2, 2), stagse=2)(torch.zeros(1, 2)),
    ],
)
def test_what_opens_and_makes(call: Callable[[], Any]) -> None:
    with pytest.raises(RaygradError):
        call()


OF_THE_ISSUE: dict[str, Callable[[], Any]] = {
    "conv, 2 spatial axes with a weight of 1": lambda: F.conv(T(1, 2, 5, 5), T(3, 2, 3)),
    "conv_transpose, 1 spatial axis with a weight of 2": lambda: F.conv_transpose(T(1, 2, 5), T(2, 3, 3, 3)),
    "conv_transpose, a bias of two axes": lambda: F.conv_transpose(T(1, 2, 5), T(2, 3, 3), T(3, 1)),
    "conv_transpose, a bias of another size": lambda: F.conv_transpose(T(1, 2, 5), T(2, 3, 3), T(1)),
    "conv, strides of another number": lambda: F.conv(T(1, 2, 5), T(3, 2, 3), stride=(1, 1)),
    "conv, a negative stride": lambda: F.conv(T(1, 2, 5), T(3, 2, 3), stride=-1),
    "conv, negative padding": lambda: F.conv(T(1, 2, 5), T(3, 2, 3), padding=-1),
    "conv, paddings of another number": lambda: F.conv(T(1, 2, 5), T(3, 2, 3), padding=[(1, 1), (1, 1)]),
    "max_pool, a negative stride": lambda: F.max_pool(T(1, 1, 4), 2, -1),
    "unfold, a negative stride": lambda: F.unfold(T(1, 1, 4), 2, -1),
    "scatter_add, index of another rank": lambda: F.scatter_add(T(3, 4), I, T(2), 0),
    "scatter, index of another rank": lambda: F.scatter(T(3, 4), I, T(3), 0),
    "scatter, a number at an index of another rank": lambda: F.scatter(T(3, 4), I, 1.0, 0),
    "scatter_reduce, index of another rank": lambda: F.scatter_reduce(T(3, 4), I, T(3), 0, "sum"),
    "gather, index of another rank": lambda: F.gather(T(3, 4), I, 0),
    "index_add, an index of two axes": lambda: F.index_add(T(3), 0, T(1, 1, dtype="int64"), T(1)),
    "index_copy, an index of no axis": lambda: F.index_copy(T(3), 0, rg.tensor(0), T(1)),
    "index_fill, an index of no axis": lambda: F.index_fill(T(3), 0, rg.tensor(0), 1.0),
    "max_unpool, fewer indices": lambda: F.max_unpool(T(1, 1, 4), T(1, 1, 1, dtype="int64"), 2),
    "max_unpool, more indices": lambda: F.max_unpool(T(1, 1, 2), T(1, 1, 4, dtype="int64"), 2),
    "hard_tanh": lambda: F.hard_tanh(T(3), 2.0, 1.0),
    "soft_shrink": lambda: F.soft_shrink(T(3), -1.0),
    "celu": lambda: F.celu(T(3), 0.0),
    "softplus": lambda: F.softplus(T(3), 0.0),
    "prelu, a weight that makes x larger": lambda: F.prelu(T(3), T(2, 1)),
    "avg_pool": lambda: F.avg_pool(T(1, 1, 4), 2, divisor=0),
    "lp_pool": lambda: F.lp_pool(T(1, 1, 4), 0, 2),
    "rms_norm, a weight of another size": lambda: F.rms_norm(T(2, 2, 3), 1, T(2, 1)),
    "rms_norm over no axes": lambda: F.rms_norm(T(2, 3), 0),
    "layer_norm, a weight that broadcasts": lambda: F.layer_norm(T(2, 3), 1, T(1), None),
    "group_norm, a weight that broadcasts": lambda: F.group_norm(T(2, 4, 3), 2, T(1)),
    "linear, a bias that makes the product larger": lambda: F.linear(T(2, 3), T(3, 4), T(5, 2, 4)),
    "dropout": lambda: F.dropout(T(3), 1.5),
    "dropout of NaN": lambda: F.dropout(T(3), float("nan")),
    "label_smoothing of NaN": lambda: F.cross_entropy(
        T(2, 3), T(2, dtype="int64"), label_smoothing=float("nan")
    ),
    "concatenate of None": lambda: F.concatenate([T(2), None]),
    "concatenate of arrays": lambda: F.concatenate([np.ones(2), np.ones(2)]),
    "concatenate of a text": lambda: F.concatenate("ab"),
    "stack of nothing": lambda: F.stack([]),
    "one_hot out of range": lambda: F.one_hot(rg.tensor([0, 5]), 3).numpy(),
    "one_hot below 0": lambda: F.one_hot(rg.tensor([0, -1]), 3).numpy(),
    "roll, a fraction": lambda: F.roll(T(5), 1.5),
    "sum, one axis twice": lambda: F.sum(T(3, 4), (0, 0)),
    "sum, one axis twice from both ends": lambda: F.sum(T(3, 4), (1, -1)),
    "an unknown reduction": lambda: F.mse_loss(T(3), T(3), "avg"),
    "an unknown mode": lambda: F.interpolate(T(1, 1, 4), 8, mode="linaer"),
    "max over nothing": lambda: F.max(T(0, 2), 0),
    "attention of a scalar": lambda: F.multi_head_attention(rg.tensor(1.0), X, X, 1),
    "logic of no value": lambda: F.logical_and(np.ones(3), [1.0, 2.0]),
    "scales for other axes": lambda: F.resize(X, scales=[2.0]),
    "scale factors for other axes": lambda: F.interpolate(IMAGE, scale_factor=[2.0]),
    "batches that x does not have": lambda: F.gather_nd(T(3), T(1, 1, 1, 1, dtype="int64"), 3),
    "an argument twice": lambda: F.softmax(T(3), 0, axis=0),
    "too many arguments": lambda: F.relu(T(3), 1),
    "an argument missing": F.softmax,
}


@pytest.mark.parametrize("call", OF_THE_ISSUE.values(), ids=OF_THE_ISSUE)
def test_numbers_and_shapes_that_do_not_fit(call: Callable[[], Any]) -> None:
    with pytest.raises(RaygradError):
        call()


def test_the_variance_of_one_element_is_no_number_as_in_torch() -> None:
    assert np.isnan(F.var(T(1), correction=1.0).item())
