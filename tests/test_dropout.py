"""Dropout: what is drawn, from what, and that nothing else changes it."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import raygrad as rg
from raygrad.client import functions as f
from raygrad.proto.builder import Builder
from raygrad.proto.codec import decode, encode
from raygrad.proto.errors import ConfigurationError, TypeMismatchError
from raygrad.proto.graph import Graph
from raygrad.proto.operators.random import Dropout
from raygrad.proto.tensor import Array, DType
from raygrad.workers.kernels.base import Backend
from raygrad.workers.kernels.philox import mini_batch_key, philox
from tests.backends import BACKENDS, every_backend
from tests.evaluate import run

ONES = np.ones((3, 1000), dtype=np.float32)
KEY = mini_batch_key(5, 1, 2)


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_the_generator_agrees_with_its_published_vectors(counter: str, key: str, expected: str) -> None:
    """The known answers of the authors' Random123, for philox4x32-10."""
    words, low_high, wanted = ([int(word, 16) for word in text.split()] for text in (counter, key, expected))
    assert list(philox(tuple(words), tuple(low_high))) == wanted  # type: ignore[arg-type]
    arrays = [np.full(3, word, dtype=np.int64) for word in words]
    for found, number in zip(philox(tuple(arrays), tuple(low_high)), wanted, strict=True):  # type: ignore[arg-type]
        assert found.tolist() == [number] * 3


def dropped(
    x: Array, key: Array = KEY, stream: int = 0, p: float = 0.25, backend: Backend = BACKENDS[0]
) -> Array:
    return run(Dropout(stream, p), [x, key], backend)[0]


@pytest.mark.parametrize("shape", [(7,), (3, 5), (2, 3, 5, 4), (2, 3, 2, 2, 3), (300_001,), (0, 4), ()])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_backends_drop_the_same_to_the_bit(shape: tuple[int, ...], dtype: str) -> None:
    x = np.asarray(np.random.default_rng(0).standard_normal(shape), dtype=DType.of(dtype).numpy)
    first, *others = (dropped(x, backend=backend) for backend in BACKENDS)
    assert [found.tobytes() for found in others] == [first.tobytes()] * len(others)


@every_backend
def test_each_element_is_dropped_with_its_probability_and_scaled(backend: Backend) -> None:
    for p in (0.1, 0.25, 0.9):
        y = dropped(ONES, p=p, backend=backend)
        assert set(np.unique(y)) == {np.float32(0), np.float32(1 / (1 - p))}
        assert abs((y == 0).mean() - p) < 4 * np.sqrt(p * (1 - p) / y.size)
    assert not dropped(ONES, p=1.0, backend=backend).any()
    np.testing.assert_array_equal(dropped(ONES, p=0.0, backend=backend), ONES)


def test_what_is_dropped_is_forgotten_whatever_it_was() -> None:
    x = np.full(100, np.nan)
    assert set(np.isnan(dropped(x))) == {True, False}
    assert set(dropped(np.full(100, np.inf))) == {0.0, np.inf}


def test_seed_step_index_and_stream_each_change_the_draw() -> None:
    keys = [
        mini_batch_key(*key)
        for key in ((5, 1, 2), (6, 1, 2), (5 + 2**40, 1, 2), (5, 2, 2), (5, 1, 2 + 2**40))
    ]
    masks = [dropped(ONES, key).tobytes() for key in keys] + [dropped(ONES, stream=1).tobytes()]
    assert len(set(masks)) == len(masks)


def network(dtype: str = "float32") -> Graph:
    """Two draws of one value, and a loss that is not linear in them."""
    builder = Builder()
    x, w = builder.input("x", ("N", 8), dtype), builder.parameter("w", (8, 6), dtype)
    h = x @ w
    a, b = f.dropout(h, 0.5), f.dropout(h, 0.5)
    builder.output("a", a)
    builder.output("b", b)
    builder.output("loss", (f.dropout(f.tanh(a * b), 0.25)).square().sum())
    return builder.graph()


W = np.random.default_rng(1).standard_normal((8, 6)).astype(np.float32)
BATCHES = [
    {"x": np.random.default_rng(i).standard_normal((5 - i % 2, 8)).astype(np.float32)} for i in range(6)
]


def test_two_dropouts_of_one_value_are_two() -> None:
    with rg.local(network()) as session:
        session.put({"w": W})
        outputs = session.accumulate(BATCHES[:1], progress=False)[0].outputs
    assert (outputs["a"] == 0).tolist() != (outputs["b"] == 0).tolist()


def test_a_builder_that_goes_on_gives_out_other_streams() -> None:
    graph = decode(encode(network()))
    builder = Builder(graph)
    x = builder.input("z", (4,))
    f.dropout(x)
    f.dropout(f.dropout(x))
    streams = [node.operator.stream for node in builder.graph() if isinstance(node.operator, Dropout)]
    assert sorted(streams) == list(range(6))
    builder.add(Dropout(9, 0.5), (x, builder.random_key()))
    assert builder.stream() == 10


def gradients(backend: str, *, seed: int = 3, **options: int) -> dict[str, Array]:
    with rg.local(network(), backend=backend, seed=seed, **options) as session:
        session.put({"w": W})
        session.accumulate(BATCHES, progress=False)
        return dict(session.gradients())


@cache
def expected(backend: str) -> bytes:
    return gradients(backend)["w"].tobytes()


@pytest.mark.parametrize(("stages", "replicas"), [(1, 2), (2, 1), (3, 2)])
@pytest.mark.parametrize("backend", ["numpy", "torch-cpu"])
def test_the_same_on_any_partition(stages: int, replicas: int, backend: str) -> None:
    options = {"stages": stages, "replicas": replicas, "workers": stages * replicas}
    assert gradients(backend, **options)["w"].tobytes() == expected(backend)
    assert gradients(backend, seed=4)["w"].tobytes() != expected(backend)


def test_forward_and_backward_apart_draw_the_same() -> None:
    with rg.local(network(), backend="numpy", seed=3, stages=2, workers=2) as session:
        session.put({"w": W})
        for index, feeds in enumerate(BATCHES):
            session.backward(session.forward(feeds, keep=True, index=index).lease)
        assert session.gradients()["w"].tobytes() == expected("numpy")


def test_an_evaluation_drops_nothing_and_a_step_draws_anew() -> None:
    with rg.local(network()) as session:
        session.put({"w": W})
        evaluated = session.forward(BATCHES[0]).outputs
        np.testing.assert_allclose(evaluated["a"], BATCHES[0]["x"] @ W, rtol=1e-5)
        drawn = []
        for _ in range(2):
            drawn.append(session.accumulate(BATCHES[:1], progress=False)[0].outputs["a"].tobytes())
            session.gradients()
    assert drawn[0] != drawn[1]


def test_without_training_there_is_no_node() -> None:
    builder = Builder()
    x = builder.input("x", ("N", 4, 3))
    assert f.dropout(x, 0.5, training=False) is x
    assert f.feature_dropout(x, 0.5, training=False) is x
    assert f.dropout(x, 0.0) is x
    assert f.dropout(x).shape == x.shape


def test_whole_channels_are_dropped() -> None:
    builder = Builder()
    x = builder.input("x", ("N", 50, 4))
    builder.output("loss", f.feature_dropout(x, 0.5).sum())
    builder.output("y", f.feature_dropout(x, 0.5))
    with rg.local(builder.graph()) as session:
        y = session.forward({"x": np.ones((3, 50, 4), np.float32)}, keep=True).outputs["y"]
    assert (y == y[:, :, :1]).all()
    assert set(np.unique(y)) == {0, 2}


def test_what_does_not_fit() -> None:
    builder = Builder()
    x = builder.input("x", ("N",))
    for p in (-0.1, 1.5, float("nan")):
        with pytest.raises(ConfigurationError, match=r"probability|a number"):
            f.dropout(x, p)
        with pytest.raises(TypeMismatchError, match=r"probability|a number"):
            Dropout(0, p)(x, builder.random_key())
    with pytest.raises(TypeMismatchError, match="stream"):
        Dropout(2**32, 0.5)(x, builder.random_key())
    with pytest.raises(TypeMismatchError, match="key"):
        Dropout(0, 0.5)(x, x)
    with pytest.raises(TypeMismatchError, match="feature_dropout"):
        f.feature_dropout(x)
    with pytest.raises(ConfigurationError, match="seed"):
        rg.local(network(), seed=-1)
