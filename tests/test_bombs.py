"""Sizes as large as they can be: refused before a loop or an allocation depends on them.

Each row ends in an error of ours, within a second and with little memory, wherever its size comes in: through
the functions on tensors (which are computed here) and on values of a graph, a session, a document, a model of
ONNX or PyTorch.
"""

from __future__ import annotations

import itertools
import signal
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

import raygrad as rg
from raygrad.proto.codec import decode, encode
from raygrad.proto.errors import RaygradError
from raygrad.proto.operators.window import all_covered
from tests.documents import with_node

F = rg.functions
BIG = 9 * 10**18
MIB = 1 << 20
REPEATED = np.broadcast_to(np.float32(0), (1 << 40,))


@contextmanager
def within(seconds: int, memory: int) -> Iterator[None]:
    """Fails what takes longer, or more memory, than this."""

    def late(*_: object) -> None:
        raise AssertionError(f"took longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
        tracemalloc.stop()
    assert peak < memory


def T(*shape: int, dtype: str = "float32") -> rg.Tensor:  # noqa: N802
    return rg.tensor(np.zeros(shape, dtype))


def ints(*numbers: int) -> rg.Tensor:
    return rg.tensor(np.array(numbers))


def made(write: Callable[[rg.Builder], Any]) -> Any:
    return write(T(1).builder)


TENSORS: dict[str, Callable[[], Any]] = {
    "adaptive_max_pool": lambda: F.adaptive_max_pool(T(1, 1, 4), BIG),
    "adaptive_max_pool, two axes": lambda: F.adaptive_max_pool(T(1, 1, 4, 4), (3, BIG)),
    "adaptive_max_pool_with_indices": lambda: F.adaptive_max_pool_with_indices(T(1, 1, 4), BIG)[1],
    "adaptive_avg_pool": lambda: F.adaptive_avg_pool(T(1, 1, 4), BIG),
    "max_pool, padding": lambda: F.max_pool(T(1, 1, 4), 2, padding=BIG),
    "max_pool, kernel and padding": lambda: F.max_pool(T(1, 1, 4), BIG, 1, BIG // 2),
    "max_pool, dilation": lambda: F.max_pool(T(1, 1, 4), 3, 1, BIG // 4, BIG // 4),
    "max_pool, ceil": lambda: F.max_pool(T(1, 1, 4), 2, BIG, BIG, ceil_mode=True),
    "avg_pool, padding": lambda: F.avg_pool(T(1, 1, 4), 2, padding=BIG),
    "avg_pool, kernel": lambda: F.avg_pool(T(1, 1, 4), BIG),
    "avg_pool, gaps": lambda: F.avg_pool(T(1, 1, 4), 2, 1, BIG // 4, dilation=BIG // 4),
    "lp_pool": lambda: F.lp_pool(T(1, 1, 4), 2.0, 2, padding=BIG),
    "max_unpool, sizes": lambda: F.max_unpool(T(1, 1, 1), T(1, 1, 1, dtype="int64"), 2, sizes=[BIG]),
    "max_unpool, kernel": lambda: F.max_unpool(T(1, 1, 1), T(1, 1, 1, dtype="int64"), BIG),
    "conv, padding": lambda: F.conv(T(1, 1, 4), T(1, 1, 2), padding=BIG),
    "conv, dilation": lambda: F.conv(T(1, 1, 4), T(1, 1, 2), padding=BIG // 2, dilation=BIG // 2),
    "conv_transpose, stride": lambda: F.conv_transpose(T(1, 1, 4), T(1, 1, 2), stride=BIG),
    "conv_transpose, dilation": lambda: F.conv_transpose(T(1, 1, 4), T(1, 1, 2), dilation=BIG),
    "conv_transpose, output_padding": lambda: F.conv_transpose(
        T(1, 1, 4), T(1, 1, 2), dilation=BIG, output_padding=BIG - 1
    ),
    "pad, constant": lambda: F.pad(T(4), [(BIG, BIG)]),
    "pad, reflect": lambda: F.pad(T(4), [(BIG, BIG)], mode="reflect"),
    "pad, replicate": lambda: F.pad(T(4), [(BIG, BIG)], mode="replicate"),
    "pad, circular": lambda: F.pad(T(4), [(BIG, BIG)], mode="circular"),
    "unfold, padding": lambda: F.unfold(T(1, 1, 4), 2, padding=BIG),
    "unfold, kernel": lambda: F.unfold(T(1, 1, 4), BIG, padding=BIG // 2),
    "fold, output": lambda: F.fold(T(1, 4, 4), BIG, 2),
    "sliding_windows": lambda: F.sliding_windows(T(1).broadcast_to((BIG,)), 0, 2, 1),
    "pixel_shuffle": lambda: F.pixel_shuffle(T(1, 4, 2, 2), BIG),
    "pixel_unshuffle": lambda: F.pixel_unshuffle(T(1, 4, 2, 2), BIG),
    "channel_shuffle": lambda: F.channel_shuffle(T(1, 4, 2, 2), BIG),
    "local_response_norm": lambda: F.local_response_norm(T(1, 4, 2), BIG),
    "group_norm": lambda: F.group_norm(T(1, 4, 2), BIG),
    "layer_norm, axes": lambda: F.layer_norm(T(1, 4, 2), BIG),
    "rms_norm, axes": lambda: F.rms_norm(T(1, 4, 2), BIG),
    "interpolate, size": lambda: F.interpolate(T(1, 1, 4), BIG),
    "interpolate, scale": lambda: F.interpolate(T(1, 1, 4), scale_factor=1e300),
    "interpolate, infinite scale": lambda: F.interpolate(T(1, 1, 4), scale_factor=float("inf")),
    "interpolate, cubic": lambda: F.interpolate(T(1, 1, 4, 4), BIG, mode="bicubic", antialias=True),
    "interpolate, area": lambda: F.interpolate(T(1, 1, 4), BIG, mode="area"),
    "resize, sizes": lambda: F.resize(T(4), [BIG]),
    "resize, scales": lambda: F.resize(T(4), scales=[1e18], mode="linear"),
    "resize, crop": lambda: F.resize(
        T(4), [BIG], coordinates="tf_crop_and_resize", crop=[(0.0, 1e30)], extrapolation=1.0
    ),
    "one_hot": lambda: F.one_hot(ints(0, 1), BIG),
    "arange": lambda: made(lambda b: F.arange(b, BIG)),
    "arange, float": lambda: made(lambda b: F.arange(b, 0.0, 1e300)),
    "arange, small step": lambda: made(lambda b: F.arange(b, 0.0, 1.0, 1e-300)),
    "arange, infinite": lambda: made(lambda b: F.arange(b, 0.0, float("inf"))),
    "linspace": lambda: made(lambda b: F.linspace(b, 0.0, 1.0, BIG)),
    "eye": lambda: made(lambda b: F.eye(b, BIG)),
    "eye, rows and columns": lambda: made(lambda b: F.eye(b, 10**6, 10**6)),
    "zeros": lambda: made(lambda b: F.zeros(b, (BIG, BIG, BIG))),
    "ones": lambda: made(lambda b: F.ones(b, (BIG,))),
    "full": lambda: made(lambda b: F.full(b, (10**6, 10**6), 1.0)),
    "tile": lambda: F.tile(T(3), [BIG]),
    "tile, many axes": lambda: F.tile(T(3), range(BIG)),
    "repeat_interleave": lambda: F.repeat_interleave(T(3), BIG, 0),
    "expand": lambda: F.expand(T(1), (BIG,)),
    "expand, many axes": lambda: F.expand(T(1), range(BIG)),
    "broadcast_to": lambda: T(1).broadcast_to((BIG, BIG)),
    "reshape, many axes": lambda: T(1).reshape(range(BIG)),
    "reshape, large": lambda: T(0).reshape((0, 10**40)),
    "transpose, many axes": lambda: T(1).transpose(range(BIG)),
    "sum, many axes": lambda: F.sum(T(1), range(BIG)),
    "sum, without end": lambda: F.sum(T(1), itertools.count()),  # type: ignore[arg-type]
    "x.sum, many axes": lambda: T(1).sum(range(BIG)),
    "x.sum, without end": lambda: T(1).sum(itertools.count()),  # type: ignore[arg-type]
    "unsqueeze": lambda: F.unsqueeze(T(1), range(BIG)),
    "squeeze": lambda: F.squeeze(T(1), range(BIG)),
    "flip": lambda: F.flip(T(1), range(BIG)),
    "moveaxis": lambda: F.moveaxis(T(1), range(BIG), range(BIG)),
    "tensordot": lambda: F.tensordot(T(1), T(1), BIG),
    "tensordot, lists": lambda: F.tensordot(T(1), T(1), (range(BIG), range(BIG))),
    "einsum": lambda: F.einsum("i" * 10**5, T(2)),
    "split": lambda: F.split(T(3), range(BIG)),
    "split, size": lambda: F.split(T(3), [BIG, -BIG]),
    "chunk": lambda: F.chunk(T(1).broadcast_to((BIG,)), BIG),
    "unbind": lambda: F.unbind(T(1).broadcast_to((BIG,))),
    "iteration": lambda: list(T(1).broadcast_to((BIG,))),
    "roll": lambda: F.roll(T(3), 10**30),
    "roll, hundreds of digits": lambda: F.roll(T(3), 10**5000),
    "reshape, hundreds of digits": lambda: T(0).reshape(0, 10**5000),
    "topk": lambda: F.topk(T(3), BIG),
    "diag_embed": lambda: F.diag_embed(T(3), BIG),
    "diag": lambda: F.diag(T(3), BIG),
    "tril": lambda: F.tril(T(3, 3), 10**30),
    "round": lambda: F.round(T(3), BIG),
    "multi_head_attention": lambda: F.multi_head_attention(T(2, 4), T(2, 4), T(2, 4), BIG),
    "gather_nd, batch": lambda: F.gather_nd(T(2, 2), T(2, 1, dtype="int64"), BIG),
    "embedding, padding": lambda: F.embedding(ints(0), T(3, 2), 10**30),
    "kron": lambda: F.kron(T(1).broadcast_to((BIG,)), T(1).broadcast_to((BIG,))),
    "outer": lambda: F.outer(T(1).broadcast_to((10**6,)), T(1).broadcast_to((10**6,))),
    "slice": lambda: T(1).broadcast_to((BIG,))[::2],
    "index": lambda: T(3)[10**30],
    "power": lambda: T(3, dtype="int64") ** 10**400,
    "a nested list": lambda: rg.tensor(nested(5000)),
    "an array of one element, repeated": lambda: rg.tensor(REPEATED),
    "data": lambda: setattr(T(1), "data", REPEATED),
}


def nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


def evaluated(result: Any) -> None:
    for each in result if isinstance(result, (tuple, list)) else [result]:
        each.numpy()


@pytest.mark.parametrize("bomb", TENSORS.values(), ids=TENSORS)
def test_through_tensors(bomb: Callable[[], Any]) -> None:
    with within(1, 8 * MIB), pytest.raises(RaygradError):
        evaluated(bomb())


GRAPHS: dict[str, Callable[[rg.Builder, rg.Value], Any]] = {
    "an input": lambda g, x: g.input("y", (BIG, BIG)),
    "an input of many axes": lambda g, x: g.input("y", range(BIG)),
    "a size beyond 64 bits": lambda g, x: g.input("y", (10**30,)),
    "a parameter": lambda g, x: g.parameter("p", (BIG,)),
    "a buffer": lambda g, x: g.buffer("b", (1 << 33,)),
    "a constant": lambda g, x: g.constant(REPEATED),
    "pools": lambda g, x: F.adaptive_max_pool(x, BIG),
    "wraps": lambda g, x: F.pad(x, [(0, 0), (0, 0), (BIG, 0)], mode="circular"),
    "tiles": lambda g, x: F.tile(x, [2**62, 1, 1]),
    "tiles twice": lambda g, x: F.tile(F.tile(x, [1, 1, 2**62]), [1, 1, 2**62]),
    "hot": lambda g, x: F.one_hot(g.input("i", ("N",), "int64"), BIG),
}


@pytest.mark.parametrize("bomb", GRAPHS.values(), ids=GRAPHS)
def test_through_a_graph(bomb: Callable[[rg.Builder, rg.Value], Any]) -> None:
    g = rg.Builder()
    x = g.input("x", (1, 1, 4))
    with within(1, 8 * MIB), pytest.raises(RaygradError):
        decode(encode(written(g, bomb(g, x))))


def written(g: rg.Builder, y: rg.Value) -> rg.Builder:
    g.output("y", y)
    return g


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.plan({"N": BIG}),
        lambda s: s.plan({"N": 10**30}),
        lambda s: s.gradients(expect=range(BIG)),
        lambda s: s.forward({"x": REPEATED}),
        lambda s: s.accumulate([{"x": REPEATED}]),
    ],
    ids=["plan", "plan beyond 64 bits", "expect", "a feed", "a mini-batch"],
)
def test_through_a_session(call: Callable[[Any], Any]) -> None:
    g = rg.Builder()
    g.output("loss", (g.input("x", ("N",)) * g.parameter("w", ())).sum())
    with rg.local(g) as session:
        session.put({"w": np.float32(1)})
        with within(1, 8 * MIB), pytest.raises(RaygradError):
            call(session)


def document(op: str, **attributes: Any) -> bytes:
    """A node on float32[1,1,4]."""
    reshaped = {"op": "Input", "attributes": {"tensor": "z", "shape": [1, 1, 4], "dtype": "float32"}}
    return with_node(reshaped, {"op": op, "inputs": [[5, 0]], "attributes": attributes})


WINDOW = {"stride": [1], "padding": [[BIG // 2, BIG // 2]], "kernel": [1], "dilation": [1]}
DOCUMENTS = {
    "max pool, padding": document("MaxPool", **WINDOW),
    "max pool, gaps": document("MaxPool", **{**WINDOW, "kernel": [2], "dilation": [BIG // 2]}),
    "avg pool": document("AvgPool", stride=[1], padding=[[BIG, 0]], kernel=[BIG], count_include_pad=True),
    "pad": document("Pad", before=[0, 0, BIG], after=[0, 0, BIG]),
    "broadcast": document("Broadcast", shape=[BIG, 1, 4]),
    "resample": document("Resample", axis=2, size=BIG, kernel="linear"),
    "slice": document("Slice", start=[0, 0, 0], count=[1, 1, BIG], step=[1, 1, 1]),
    "slice backwards": document("Slice", start=[0, 0, BIG], count=[1, 1, 2], step=[1, 1, -BIG]),
    "slice gradient": document("SliceGrad", shape=[BIG, BIG, BIG], start=[0, 0, 0], step=[1, 1, 1]),
    "split": document("Split", axis=2, sizes=[BIG, -BIG, 4]),
    "many pieces": document("Split", axis=2, sizes=[4, *[0] * 5000]),
    "top": document("TopK", axis=2, k=BIG),
    "sum": document("Sum", axes=list(range(5000))),
    "layer norm": document("LayerNorm", axes=BIG, eps=0.0),
    "iota": with_node({"op": "Iota", "attributes": {"size": BIG, "dtype": "int64"}}),
}


@pytest.mark.parametrize("data", DOCUMENTS.values(), ids=DOCUMENTS)
def test_through_a_document(data: bytes) -> None:
    with within(1, 8 * MIB), pytest.raises(RaygradError):
        decode(data)


def test_windows_with_gaps_are_counted_without_a_loop() -> None:
    with within(1, MIB):
        assert not all_covered(4, 2, 3, (10**18, 10**18), 10**18)
        assert all_covered(5, 10**17, 7, (7 * 10**17 - 7, 0), 7)


def test_a_document_of_many_windows_with_gaps_takes_little_time() -> None:
    gap = {"stride": [3], "padding": [[30_000, 29_999]], "kernel": [30_001], "dilation": [2]}
    one = {"op": "Input", "attributes": {"tensor": "z", "shape": [1, 1, 1], "dtype": "float32"}}
    pools = [{"op": "MaxPool", "inputs": [[5, 0]], "attributes": gap} for _ in range(300)]
    with within(3, 64 * MIB), pytest.raises(RaygradError):
        decode(with_node(one, *pools))


def model(nodes: list[Any], shape: tuple[int, ...] = (1, 1, 4), **constants: Any) -> Any:
    """A model of ONNX from x to y, with initializers."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    held = [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "bomb", [x], [y], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def op(name: str, *inputs: str, outputs: tuple[str, ...] = ("y",), **attributes: Any) -> Any:
    return helper.make_node(name, list(inputs), list(outputs), **attributes)


ONNX: dict[str, Callable[[], Any]] = {
    "ConstantOfShape": lambda: model([op("ConstantOfShape", "s")], s=[BIG, BIG]),
    "ConstantOfShape, negative": lambda: model([op("ConstantOfShape", "s")], s=[-1, 4]),
    "ConstantOfShape, empty and large": lambda: model([op("ConstantOfShape", "s")], s=[0, BIG, BIG]),
    "Expand": lambda: model([op("Expand", "x", "s")], s=[BIG, 1, 4]),
    "Expand of a constant": lambda: model([op("Expand", "c", "s")], c=np.zeros(1, np.float32), s=[BIG]),
    "Tile": lambda: model([op("Tile", "x", "s")], s=[1, 1, BIG]),
    "Tile of a constant": lambda: model([op("Tile", "c", "s")], c=np.zeros(1, np.float32), s=[BIG]),
    "Tile of a constant, negative": lambda: model([op("Tile", "c", "s")], c=np.zeros(1, np.float32), s=[-2]),
    "Range": lambda: model([op("Range", "a", "b", "c")], a=np.int64(0), b=np.int64(BIG), c=np.int64(1)),
    "Range by 0": lambda: model([op("Range", "a", "b", "c")], a=np.int64(0), b=np.int64(9), c=np.int64(0)),
    "Range, infinite": lambda: model(
        [op("Range", "a", "b", "c")], a=np.float32(0), b=np.float32(np.inf), c=np.float32(1)
    ),
    "Split, num_outputs": lambda: model([op("Split", "x", num_outputs=BIG)]),
    "Pad": lambda: model([op("Pad", "x", "s")], s=[0, 0, BIG, 0, 0, BIG]),
    "Pad, wrap": lambda: model([op("Pad", "x", "s", mode="reflect")], s=[0, 0, BIG, 0, 0, BIG]),
    "MaxPool": lambda: model([op("MaxPool", "x", kernel_shape=[2], pads=[BIG, BIG])]),
    "MaxPool, auto": lambda: model([op("MaxPool", "x", kernel_shape=[BIG], auto_pad="SAME_UPPER")]),
    "AveragePool": lambda: model([op("AveragePool", "x", kernel_shape=[2], pads=[BIG, BIG], ceil_mode=1)]),
    "Conv": lambda: model([op("Conv", "x", "w", pads=[BIG, BIG])], w=np.zeros((1, 1, 2), np.float32)),
    "ConvTranspose": lambda: model(
        [op("ConvTranspose", "x", "w", output_shape=[BIG])], w=np.zeros((1, 1, 2), np.float32)
    ),
    "Resize": lambda: model([op("Resize", "x", "", "s")], s=np.array([1, 1, 1e18], np.float32)),
    "OneHot": lambda: model(
        [op("Cast", "x", outputs=("i",), to=7), op("OneHot", "i", "d", "v")],
        d=np.int64(BIG),
        v=np.array([0, 1], np.float32),
    ),
    "TopK": lambda: model([op("TopK", "x", "k", outputs=("y", "j"))], k=[BIG]),
    "Reshape": lambda: model([op("Reshape", "x", "s")], s=[BIG, -1]),
    "Unsqueeze": lambda: model([op("Unsqueeze", "x", "s")], s=[BIG]),
    "Unsqueeze of a constant": lambda: model([op("Unsqueeze", "c", "s")], c=np.float32(0), s=[BIG]),
    "Reshape of a constant": lambda: model([op("Reshape", "c", "s")], c=np.zeros(4, np.float32), s=[BIG]),
    "DepthToSpace": lambda: model([op("DepthToSpace", "x", blocksize=BIG)], (1, 4, 2, 2)),
    "LRN": lambda: model([op("LRN", "x", size=BIG)]),
}


@pytest.mark.parametrize("bomb", ONNX.values(), ids=ONNX)
def test_through_a_model_of_onnx(bomb: Callable[[], Any]) -> None:
    given = bomb()
    with within(1, 16 * MIB), pytest.raises(RaygradError):
        decode(encode(rg.from_onnx(given).graph))


class Bomb(torch.nn.Module):
    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x + torch.arange(10**15).sum(),
        lambda x: x + torch.zeros(10**10).sum(),
        lambda x: x.expand(10**15, 4).sum() + x,
        lambda x: torch.nn.functional.pad(x, (10**11, 0)),
        lambda x: torch.nn.functional.interpolate(x[None, None], 10**11),
        lambda x: torch.nn.functional.adaptive_max_pool1d(x[None], 10**10),
        lambda x: x.repeat(10**11),
    ],
    ids=["arange", "zeros", "expand", "pad", "interpolate", "adaptive_max_pool", "repeat"],
)
def test_through_a_module_of_torch(function: Callable[[torch.Tensor], torch.Tensor]) -> None:
    with within(20, 64 * MIB), pytest.raises(RaygradError):
        decode(encode(rg.from_torch(Bomb(function), (torch.zeros(4),)).graph))


def test_there_are_many() -> None:
    assert sum(map(len, (TENSORS, GRAPHS, DOCUMENTS, ONNX))) > 100
