"""What crosses a session's border: arrays of every kind, indices and weights; nothing harms a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch

import raygrad as rg
from raygrad.proto.messages import MiniBatch, SessionOptions
from raygrad.scheduler.local_cluster import LocalCluster
from raygrad.scheduler.scheduler import Scheduler
from raygrad.workers.executor import Executor
from raygrad.workers.kernels.numpy.backend import NumpyBackend
from tests.serving import Running, running

Array = np.ndarray[Any, Any]
Open = Callable[[rg.Graph], rg.Session]


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running() as found:
        yield found


@pytest.fixture(params=["numpy", "torch", "server"])
def opened(request: pytest.FixtureRequest) -> Iterator[Open]:
    """Opens sessions in process on either backend, and on a server."""
    with ExitStack() as stack:

        def open_(graph: rg.Graph) -> rg.Session:
            if request.param == "server":
                return stack.enter_context(rg.connect(request.getfixturevalue("server").address, graph))
            return stack.enter_context(rg.local(graph, backend=request.param))

        yield open_


def product(shape: tuple[int, ...] = (2, 3), dtype: str = "float32") -> rg.Graph:
    """x · w and its sum."""
    g = rg.Builder()
    y = g.input("x", shape, dtype) * g.parameter("w", shape, dtype)
    g.output("y", y)
    g.output("loss", y.sum())
    return g.graph()


# -- arrays of every kind -----------------------------------------------------------------------------

VALUES = np.arange(6, dtype=np.float32).reshape(2, 3)


class Foreign:
    """What makes an array when it is asked to."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return VALUES if dtype is None else VALUES.astype(dtype)


def on_disk(folder: Path) -> Array:
    VALUES.tofile(folder / "values")
    return np.memmap(folder / "values", np.float32, "r", shape=(2, 3))


def unaligned(_: Path) -> Array:
    return np.frombuffer(b"\0" + VALUES.tobytes(), np.float32, 6, 1).reshape(2, 3)


KINDS: dict[str, Callable[[Path], Any]] = {
    "big-endian": lambda _: VALUES.astype(">f4"),
    "big-endian and strided": lambda _: np.repeat(VALUES.astype(">f4"), 2, axis=1)[:, ::2],
    "unaligned": unaligned,
    "reversed": lambda _: VALUES[::-1, ::-1].copy()[::-1, ::-1],
    "every other": lambda _: np.repeat(VALUES, 2, axis=1)[:, ::2],
    "columns first": lambda _: np.asfortranarray(VALUES),
    "read-only": lambda _: np.frombuffer(VALUES.tobytes(), np.float32).reshape(2, 3),
    "subclass": lambda _: VALUES.view(np.recarray),
    "on disk": on_disk,
    "lists": lambda _: VALUES.tolist(),
    "with __array__": lambda _: Foreign(),
    "torch": lambda _: torch.from_numpy(VALUES.copy()),
    "torch, transposed": lambda _: torch.from_numpy(VALUES.T.copy()).T,
}


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_of_every_kind_count_by_their_values(opened: Open, tmp_path: Path, kind: str) -> None:
    session, given = opened(product()), KINDS[kind](tmp_path)
    session.put({"w": given})
    assert session.get()["w"].tolist() == VALUES.tolist()
    result = session.forward({"x": given}, keep=True)
    assert result.outputs["y"].tolist() == (VALUES**2).tolist()
    session.backward(result.lease, {"y": given})
    session.accumulate([{"x": given}], progress=False)
    assert session.gradients()["w"].tolist() == (VALUES**2 + VALUES).tolist()


BROADCAST = np.broadcast_to(np.float32(2), (2, 3))
OTHER_SHAPES: dict[str, tuple[Any, rg.Graph]] = {
    "broadcast": (BROADCAST, product()),
    "scalar": (np.float32(2), product(())),
    "number": (2, product(())),
    "0-d, big-endian": (np.array(2, ">f4"), product(())),
    "empty": (np.zeros((0, 3), np.float32), product((0, 3))),
    "empty, strided": (np.zeros((4, 0), ">f4")[::2], product((2, 0))),
    "bfloat16": (np.ones((2, 3), ml_dtypes.bfloat16)[:, ::-1], product(dtype="bfloat16")),
    "float16, big-endian": (np.ones((2, 3), ">f2"), product(dtype="float16")),
}


@pytest.mark.parametrize("kind", OTHER_SHAPES)
def test_scalars_empty_and_half_arrays(opened: Open, kind: str) -> None:
    given, graph = OTHER_SHAPES[kind]
    session = opened(graph)
    session.put({"w": given})
    session.accumulate([{"x": given}] * 2, progress=False)
    found = session.gradients()["w"]
    assert np.array_equal(found, 2 * np.asarray(given).astype(found.dtype))


def test_a_tensor_that_requires_a_gradient_is_refused_by_name(opened: Open) -> None:
    session, given = opened(product()), torch.ones(2, 3, requires_grad=True)
    for call in (lambda: session.put({"w": given}), lambda: session.forward({"x": given})):
        with pytest.raises(rg.errors.TensorError, match="detach"):
            call()


# -- masks --------------------------------------------------------------------------------------------

MASKED = np.ma.masked_array(VALUES, VALUES > 2)


def test_masked_arrays_are_refused_by_sessions(opened: Open) -> None:
    session = opened(product())
    session.put({"w": VALUES})
    lease = session.forward({"x": VALUES}, keep=True).lease
    calls: list[Callable[[], Any]] = [
        lambda: session.backward(lease, {"y": MASKED}),
        lambda: session.release(lease) or session.put({"w": MASKED}),
        lambda: session.forward({"x": MASKED}),
        lambda: session.accumulate([{"x": MASKED}], progress=False),
        lambda: session.forward({"x": [MASKED[0], VALUES[1]]}),
    ]
    for call in calls:
        with pytest.raises(rg.errors.TensorError, match="mask"):
            call()
    session.put({"w": MASKED.filled(0)})


GRAPH_VALUE = rg.Builder().input("x", (2, 3))
MASKED_OPERANDS: dict[str, Callable[[], Any]] = {
    "tensor": lambda: rg.tensor(MASKED),
    "constant": lambda: rg.Builder().constant(MASKED),
    "right of a tensor": lambda: rg.tensor(VALUES) + MASKED,
    "left of a tensor": lambda: MASKED * rg.tensor(VALUES),
    "right of a value": lambda: GRAPH_VALUE - MASKED,
    "left of a value": lambda: MASKED - GRAPH_VALUE,
    "index": lambda: rg.tensor(VALUES)[np.ma.masked_array([0, 1], [True, False])],
    "data": lambda: setattr(rg.tensor(VALUES), "data", MASKED),
    "cotangent": lambda: rg.tensor(VALUES, requires_grad=True).backward(MASKED),
    "optimizer": lambda: rg.optimizers.SGD({"w": MASKED}),
}


@pytest.mark.parametrize("where", MASKED_OPERANDS)
def test_masked_arrays_are_refused_wherever_they_meet_tensors(where: str) -> None:
    with pytest.raises(rg.errors.TensorError, match="mask"):
        MASKED_OPERANDS[where]()


# -- what a worker cannot take ------------------------------------------------------------------------


class Narrow(NumpyBackend):
    """A backend without room for arrays of more than four elements."""

    def from_host(self, array: Array) -> Any:
        if array.size > 4:
            raise MemoryError("no room")
        return super().from_host(array)


def test_what_a_worker_cannot_take_is_the_requests_error_and_costs_no_worker() -> None:
    g = rg.Builder()
    g.output("small", g.parameter("v", (2,)) * 2)
    g.output("loss", (g.parameter("w", (5,)) * g.parameter("v2", (5,))).sum())
    cluster = LocalCluster(1, executor=lambda _: Executor(Narrow()))
    session = Scheduler(cluster).create_session(rg.encode(g.graph()), SessionOptions()).result()
    executor = cluster.executors[0]
    session.put({"v": np.ones(2, "f4"), "w": np.ones(5, "f4"), "v2": np.ones(5, "f4")}).result()
    for _ in range(12):  # as often as would have lost the worker for good
        error = session.forward({}).exception(10)
        assert isinstance(error, rg.errors.KernelError)
        assert "MemoryError: no room" in str(error)
        assert "'v2'" in str(error) or "'w'" in str(error)
    assert cluster.executors[0] is executor
    assert cluster.workers == (0,)


# -- indices and weights ------------------------------------------------------------------------------

BAD_INDICES = ["a", "1", b"1", 1.0, 1.5, -1, np.int64(-1), 2**64, True, np.True_, 1j, [1], np.array([1, 2])]
GOOD_INDICES = [None, 0, np.int64(3), np.uint8(4), np.array(5), 2**64 - 1]
BAD_WEIGHTS = ["a", "1", b"1", None, 1j, np.complex64(1), True, np.False_, np.array(True), [1.0], np.ones(2)]
BAD_WEIGHTS += [float("nan"), float("inf"), -np.inf, 10**400]
GOOD_WEIGHTS = [0, 1, -2.5, 1e300, np.float32(0.5), np.float16(2), np.int8(3), np.array(1.5), Fraction(1, 3)]
GOOD_WEIGHTS += [Decimal("0.1"), 2**60, ml_dtypes.bfloat16(0.5)]


def ways(session: rg.Session, **identity: Any) -> list[Callable[[], Any]]:
    """The calls that take an index or a weight."""
    return [
        lambda: session.forward({"x": VALUES}, keep=True, **identity),
        lambda: session.accumulate([MiniBatch({"x": VALUES}, **identity)], progress=False),
    ]


@pytest.mark.parametrize("index", BAD_INDICES, ids=repr)
def test_what_is_no_index_is_refused_before_anything_counts(opened: Open, index: Any) -> None:
    session = opened(product())
    session.put({"w": VALUES})
    for call in ways(session, index=index):
        with pytest.raises(rg.errors.ConfigurationError, match="index"):
            call()
    session.accumulate([MiniBatch({"x": VALUES}, 7)], progress=False)
    assert session.gradients(expect=1).indices == (7,)


@pytest.mark.parametrize("weight", BAD_WEIGHTS, ids=repr)
def test_what_is_no_weight_is_refused_before_anything_counts(opened: Open, weight: Any) -> None:
    session = opened(product())
    session.put({"w": VALUES})
    for call in ways(session, weight=weight):
        with pytest.raises(rg.errors.ConfigurationError, match="weight"):
            call()
    session.accumulate([MiniBatch({"x": VALUES}, 7)], progress=False)
    assert session.gradients(expect=1).indices == (7,)


def test_every_index_of_64_bits_counts(opened: Open) -> None:
    session = opened(product())
    session.put({"w": VALUES})
    for given in GOOD_INDICES[1:]:
        session.accumulate([MiniBatch({"x": VALUES}, given)], progress=False)
    wanted = {int(i) for i in GOOD_INDICES[1:]}
    assert set(session.gradients(expect=list(GOOD_INDICES[1:])).indices) == wanted


@pytest.mark.parametrize("weight", GOOD_WEIGHTS, ids=repr)
def test_every_finite_real_weight_counts(opened: Open, weight: Any) -> None:
    session = opened(product(dtype="float64"))
    x = VALUES.astype(np.float64)
    session.put({"w": x})
    session.accumulate([MiniBatch({"x": x}, weight=weight)], progress=False)
    found = session.gradients()
    assert found.weight == float(weight)
    assert np.array_equal(found["w"], float(weight) * x)


@pytest.mark.parametrize(
    "expect", ["a", True, -1, 1.5, [True], ["a"], [None], [-1], np.array([0.5])], ids=repr
)
def test_what_is_no_expectation_is_refused(opened: Open, expect: Any) -> None:
    session = opened(product())
    session.put({"w": VALUES})
    session.accumulate([{"x": VALUES}], progress=False)
    with pytest.raises(rg.errors.ConfigurationError, match="index"):
        session.gradients(expect=expect)
    assert session.gradients(expect=np.array([0])).indices == (0,)


def test_a_foreign_client_is_checked_by_the_scheduler() -> None:
    """What a program gives to the domain itself, past our client."""
    session = (
        Scheduler(LocalCluster(1, "numpy")).create_session(rg.encode(product()), SessionOptions()).result()
    )
    session.put({"w": VALUES}).result()
    bad: list[dict[str, Any]] = [{"index": -1}, {"index": "a"}, {"index": 2**64}, {"weight": float("nan")}]
    for identity in bad:
        with pytest.raises(rg.errors.ConfigurationError):
            session.forward({"x": VALUES}, keep=True, **identity).result(10)
    with pytest.raises(rg.errors.ConfigurationError):
        session.gradients(expect=-1).result(10)  # type: ignore[arg-type]


def test_one_input_may_be_named_by_itself(opened: Open) -> None:
    session = opened(product())
    session.put({"w": VALUES})
    lease = session.forward({"x": VALUES}, keep=True).lease
    assert session.backward(lease, input_gradients="x")["x"].tolist() == VALUES.tolist()
