"""Define-by-run tensors, in this process and on a server: values, gradients, and how much is sent."""

from __future__ import annotations

import copy
import gc
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import raygrad as rg
from raygrad.proto.errors import (
    ConfigurationError,
    DifferentiationError,
    GraphError,
    KernelError,
    TensorError,
    TensorShapeError,
    TypeMismatchError,
)
from tests.serving import DEADLINE, Running, running

F = rg.functions


class Counting(rg.Device):
    """A device that counts the graphs that it opened, and the runs."""

    opened = 0
    runs = 0

    def _open(self, graph: rg.Graph) -> rg.Session:
        self.opened += 1
        return super()._open(graph)

    def _run(self, part: Any, asked: Any, feeds: Any) -> Any:
        self.runs += 1
        return super()._run(part, asked, feeds)


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running() as found:
        yield found


@pytest.fixture(params=["local", "server"])
def device(request: pytest.FixtureRequest, server: Running) -> Iterator[Counting]:
    """The tensors of a test belong to it, in this process or on two stages of a server."""
    remote = request.param == "server"
    found = Counting(server.address, stages=2, timeout=DEADLINE) if remote else Counting(backend="numpy")
    with found:
        yield found
    found.close()


@pytest.fixture
def local() -> Iterator[Counting]:
    with Counting(backend="numpy") as found:
        yield found
    found.close()


def leaf(*numbers: float) -> rg.Tensor:
    return rg.tensor(list(numbers), requires_grad=True)


def elsewhere(*numbers: float) -> rg.Tensor:
    """A leaf on a device of its own."""
    return rg.tensor(list(numbers), requires_grad=True, device=rg.Device())


# -- values ---------------------------------------------------------------------------------------


def test_values(device: Counting) -> None:
    x = rg.tensor([[1.0, 2.0], [3.0, 4.0]])
    y = (2 * x @ x.T - 1).sum(0)
    assert y.device is device
    assert (y.shape, y.dtype) == ((2,), rg.DType.float32)
    assert device.runs == 0
    assert y.tolist() == [30.0, 70.0]
    assert (y[0].item(), float(y[1]), int(y[1]), len(y)) == (30.0, 70.0, 70, 2)
    assert f"{y[0]:.1f} {y}" == "30.0 tensor([30., 70.])"
    assert np.array_equal(np.asarray(x), [[1, 2], [3, 4]])
    with pytest.raises(ValueError, match="read-only"):
        y.numpy()[0] = 1


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        ([1.0], "float32"),
        ([1], "int64"),
        ([True], "bool"),
        (np.ones(1), "float64"),
        (np.ones(1, ">f4"), "float32"),
        (np.float64(1), "float64"),
    ],
)
def test_dtypes(data: Any, dtype: str) -> None:
    assert rg.tensor(data).dtype.value == dtype
    assert rg.tensor(data, "float16").dtype.value == "float16"


def test_given_arrays_are_copied(local: Counting) -> None:
    given = np.zeros(2)
    x = rg.tensor(given)
    y = x + given
    given[:] = 7.0
    assert x.tolist() == y.tolist() == [0.0, 0.0]


def both_ways(function: Callable[..., Any], *arrays: Any) -> tuple[Any, Any]:
    """A function of tensors, and the same function of values of a graph."""
    found = function(*(rg.tensor(a) for a in arrays)).numpy()
    g = rg.Builder()
    g.output("y", function(*(g.input(f"x{i}", a.shape, a.dtype) for i, a in enumerate(arrays))))
    with rg.local(g, backend="numpy") as session:
        return found, session.forward({f"x{i}": a for i, a in enumerate(arrays)}).outputs["y"]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.softmax(F.relu(x)),
        lambda x: F.concatenate(F.split(x, [1, 5])[::-1]),
        lambda x: F.where(x > 0, x, 0.0).max(0),
        sum,
        lambda x: F.batch_norm(x.T, x[:, 0], x[:, 1])[0],
        lambda x: F.max_pool(x[None], 2) + abs(x[None, :, ::2])[..., :2],
        lambda x: F.embedding((x[0] > 0).astype("int64"), x),
    ],
)
def test_functions_are_those_of_graphs(local: Counting, function: Callable[..., Any]) -> None:
    x = np.random.default_rng(0).normal(size=(6, 4))
    found, expected = both_ways(function, x)
    assert found.tobytes() == expected.tobytes()
    assert found.shape == expected.shape


def test_control_flow_on_values(device: Counting) -> None:
    """Halve while above 1: how often depends on the data, and so does the gradient."""
    x = leaf(10.0)
    y = x.sum()
    while y > 1:
        y = y / 2
    y.backward()
    assert x.grad is not None
    assert (y.item(), x.grad.tolist()) == (0.625, [1 / 16])


# -- gradients ------------------------------------------------------------------------------------


def test_backward_adds_up(device: Counting) -> None:
    x = leaf(1.0, 2.0, 3.0)
    y = (x * x).sum()
    assert x.grad is None
    y.backward()
    y.backward()  # nothing was freed
    assert x.grad is not None
    assert x.grad.tolist() == [4.0, 8.0, 12.0]
    x.zero_grad()
    assert x.grad is None
    (x * 3).backward([1, 0, 2])
    assert x.grad is not None
    assert x.grad.tolist() == [3.0, 0.0, 6.0]
    assert not x.grad.requires_grad


def test_grad_is_the_sum_over_outputs(device: Counting) -> None:
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    h = x * w
    found = rg.grad([h.sum(), h, h], [x, w, h], [None, [1.0, 0.0], rg.tensor([0.0, 5.0])])
    assert [g.tolist() for g in found if g is not None] == [[6.0, 24.0], [2.0, 12.0], [2.0, 6.0]]
    assert x.grad is None
    assert w.grad is None


def test_unused_inputs(local: Counting) -> None:
    x, unused = leaf(1.0), leaf(1.0)
    with pytest.raises(DifferentiationError, match="no output depends on input 1, float32"):
        rg.grad(x.sum(), [x, unused])
    assert rg.grad(x.sum(), [x, unused], allow_unused=True)[1] is None
    (zero,) = rg.grad(F.sign(x).sum(), x)  # depends on x, with a gradient that vanishes
    assert zero is not None
    assert zero.tolist() == [0.0]


def test_what_is_not_differentiated(device: Counting) -> None:
    x = leaf(2.0, 3.0)
    with rg.no_grad():
        constant = x * 2
    y = x * x.detach() * constant
    assert (y.requires_grad, constant.requires_grad, constant.is_leaf, y.is_leaf) == (
        True,
        False,
        True,
        False,
    )
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [8.0, 18.0]
    assert not (x > 0).requires_grad


def test_higher_orders(device: Counting) -> None:
    x = leaf(1.0, 2.0)
    y = (x**3 * x[0]).sum()
    for expected in ([12.0, 12.0], [24.0, 24.0], [36.0, 30.0], [30.0, 18.0]):
        constant, g = rg.grad(y, x)[0], rg.grad(y, x, create_graph=True)[0]
        assert g is not None
        assert constant is not None
        assert (g.requires_grad, constant.requires_grad) == (True, False)
        assert g.tolist() == constant.tolist() == pytest.approx(expected)
        y = g.sum()


def test_gradients_of_random_networks_match_finite_differences(local: Counting) -> None:
    rng = np.random.default_rng(0)
    w, x = rng.normal(size=(4, 3)), rng.normal(size=(5, 4))

    def penalty(weights: Any) -> rg.Tensor:
        """The squared norm of an inner gradient: its own gradient is of second order."""
        inner = rg.tensor(x, requires_grad=True)
        loss: Any = F.log_softmax(F.tanh(inner @ weights)).sum()
        (g,) = rg.grad(loss, inner, create_graph=True)
        assert g is not None
        return (g * g).sum()

    leaf = rg.tensor(w, requires_grad=True)
    penalty(leaf).backward()
    assert leaf.grad is not None
    direction, step = rng.normal(size=w.shape), 1e-5
    up, down = (penalty(rg.tensor(w + s * step * direction, requires_grad=True)).item() for s in (1, -1))
    assert (leaf.grad.numpy() * direction).sum() == pytest.approx((up - down) / (2 * step), rel=1e-6)


def test_a_gradient_by_a_cotangent(local: Counting) -> None:
    """Two backward passes make a Jacobian times a vector."""
    x, v = leaf(1.0, 2.0), leaf(1.0, 1.0)
    (g,) = rg.grad(x**3, x, v, create_graph=True)
    assert g is not None
    (jvp,) = rg.grad(g, v, [1.0, 10.0])
    assert jvp is not None
    assert jvp.tolist() == [3.0, 120.0]
    (same,) = rg.grad(x + 0, x, v)
    assert same is not None
    assert not same.requires_grad


def test_what_is_recorded_is_a_graph(local: Counting) -> None:
    x = leaf(3.0, 4.0)
    y = (x * 2).sum()
    y.backward()
    assert x.grad is not None
    assert [type(n.operator).__name__ for n in y.graph()] == ["Input", "Input", "Broadcast", "Mul", "Sum"]
    with rg.local(y.graph(), backend="numpy") as session:
        assert session.forward({"x0": [1.0, 1.0], "x1": 5.0}).outputs["y"] == 10.0
    assert {"Mul", "Constant"} <= {n.operator.name for n in x.grad.graph()}
    y.item()
    assert len(y.graph()) == 5  # the history stays
    assert len(x.grad.graph()) == 1  # what made a constant is let go of


# -- leaves ---------------------------------------------------------------------------------------


def test_other_data_is_for_what_comes_after(local: Counting) -> None:
    x = leaf(1.0, 2.0)
    before = (x * 10).sum()
    x.data = [3.0, 4.0]
    x.data -= 1
    assert (before.item(), x.tolist(), x.requires_grad, x.is_leaf) == (30.0, [2.0, 3.0], True, True)
    before.backward()
    assert x.grad is not None
    assert x.grad.tolist() == [10.0, 10.0]


def test_a_leaf_can_be_made_to_require_a_gradient(local: Counting) -> None:
    x = (rg.tensor([1.0]) * 3).requires_grad_()
    (x * x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [6.0]
    assert not x.requires_grad_(False).requires_grad


# -- what is sent, and kept -----------------------------------------------------------------------


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_is_a_leaf_of_its_own(local: Counting, copied: Callable[[rg.Tensor], rg.Tensor]) -> None:
    x = leaf(1.0, 2.0)
    x.square().sum().backward()
    y = copied(x)
    y.sum().backward()
    x.data = [5.0, 6.0]
    assert (y.requires_grad, y.is_leaf) == (True, True)
    assert y.tolist() == [1.0, 2.0]
    assert y.grad is not None
    assert x.grad is not None
    assert (y.grad.tolist(), x.grad.tolist()) == ([3.0, 5.0], [2.0, 4.0])
    assert not copied(x.detach()).requires_grad


def test_the_same_structure_is_sent_once(device: Counting) -> None:
    for number in range(4):
        x = leaf(number, 1.0)
        y = (x * (number + 0.5)).sum()
        y.backward()
        assert x.grad is not None
        assert (y.item(), x.grad.tolist()) == (number * (number + 0.5) + number + 0.5, [number + 0.5] * 2)
    assert (device.opened, device.runs) == (1, 4)  # a value and its gradients come with one run
    leaf(1.0, 2.0, 3.0).sum().item()
    assert device.opened == 2


@pytest.mark.parametrize("ask", ["loss", "weights", "evaluate"])
def test_training(device: Counting, ask: str) -> None:
    """Momentum and weights are never asked for alone; even so each step runs one step."""
    rng = np.random.default_rng(0)
    goal = np.array([[1.0], [-2.0]], np.float32)
    w, velocity = rg.tensor([[0.0], [0.0]], requires_grad=True), rg.tensor([[0.0], [0.0]])
    for _ in range(12):
        points = rng.normal(size=(16, 2)).astype(np.float32)
        loss = F.mse_loss(rg.tensor(points) @ w, rg.tensor(points @ goal))
        w.zero_grad()
        loss.backward()
        velocity = 0.5 * velocity + w.grad
        w.data -= 0.1 * velocity
        if ask == "evaluate":
            rg.evaluate(loss, w, velocity)
        else:
            (loss if ask == "loss" else w).numpy()
    assert np.abs(w.numpy() - goal).max() < 0.3
    assert device.opened <= 4
    assert device.runs <= 13


def test_sessions_make_room_for_each_other() -> None:
    with Counting(backend="numpy", sessions=2) as device:
        for size in (1, 2, 1, 3, 1, 2):  # 2 had to go for 3, 1 did not
            assert (rg.tensor([1.0] * size) * 2).sum().item() == 2 * size
    assert device.opened == 4
    device.close()


def test_a_session_that_the_server_closed_is_opened_again(server: Running) -> None:
    with Counting(server.address, timeout=DEADLINE) as device:
        assert (rg.tensor([1.0]) * 2).item() == 2.0
        for session in server.scheduler.sessions():
            session.close()
        assert (rg.tensor([2.0]) * 2).item() == 4.0
    assert device.opened == 2
    device.close()
    assert not server.scheduler.sessions()


def test_draws_are_data(device: Counting) -> None:
    """Every draw is another, of the same graph; the backward pass sees what the forward pass drew."""
    x = rg.tensor(np.ones(200, np.float32), requires_grad=True)
    first, second = F.dropout(x), F.dropout(x)
    assert set(first.tolist()) == {0.0, 2.0}
    assert first.tolist() != second.tolist()
    assert device.opened == 1
    first.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == first.tolist()
    with rg.Device(backend="numpy") as again:  # of the same seed, the default
        assert F.dropout(rg.tensor(x.numpy())).tolist() == first.tolist()
    again.close()


def test_a_device_is_entered_by_each_thread_for_itself(local: Counting) -> None:
    other = rg.Device(backend="numpy")
    with ThreadPoolExecutor(1) as pool, other:
        assert pool.submit(lambda: rg.tensor(1.0).device).result() not in (local, other)
        assert rg.tensor(1.0).device is other
    assert rg.tensor(1.0).device is local


def test_threads_that_begin_together_share_this_process() -> None:
    program = """
import threading
from raygrad.client.tensor import tensor
together, found = threading.Barrier(8), []
def begin():
    together.wait()
    found.append(tensor(1.0).device)
threads = [threading.Thread(target=begin) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(found) == 8 and len(set(found)) == 1, found
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=DEADLINE)


def test_what_nobody_needs_is_let_go_of(local: Counting) -> None:
    x = rg.tensor([1.0])
    y = x * 2
    z = y + 1
    held = weakref.ref(y.output.of)
    del y
    assert held() is not None
    z.item()
    gc.collect()
    assert held() is None


def test_a_long_history_is_no_deep_recursion(local: Counting) -> None:
    x = leaf(1.0)
    y = x
    for _ in range(3000):
        y = y + x
    y.backward()
    assert x.grad is not None
    del y


# -- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (lambda x: rg.tensor([1, 2], requires_grad=True), TypeMismatchError, "int64.* cannot require"),
        (lambda x: rg.tensor([1j]), TypeMismatchError, "complex128"),
        (lambda x: rg.tensor([[1.0], [1.0, 2.0]]), TensorError, "does not make a tensor"),
        (lambda x: (x * 2).backward(), DifferentiationError, r"float32\[2\], not a scalar"),
        (lambda x: (x * 2).backward([1.0]), DifferentiationError, r"must be float32\[2\]"),
        (lambda x: rg.tensor(1.0).backward(), DifferentiationError, "output 0, .*does not require"),
        (lambda x: (x > 0).backward(), DifferentiationError, "does not require"),
        (lambda x: rg.grad(x.sum(), rg.tensor(1.0)), DifferentiationError, "input 0, .*does not require"),
        (lambda x: rg.grad(x.sum(), []), DifferentiationError, "no input"),
        (lambda x: rg.grad(None, x), DifferentiationError, "output 0 is no tensor: None"),
        (lambda x: rg.grad(x.sum(), 1.0), DifferentiationError, "input 0 is no tensor: 1.0"),
        (lambda x: rg.grad([x.sum()], x, [1.0, 1.0]), DifferentiationError, "2 cotangents for 1"),
        (lambda x: rg.grad([x.sum(), x.sum()], x, 1.0), DifferentiationError, "1 cotangents for 2"),
        (lambda x: x.__setitem__(0, 1.0), GraphError, "does not change"),
        (lambda x: x.__iadd__(1.0), GraphError, "`data`"),
        (lambda x: x.__imod__(2.0), GraphError, "`data`"),
        (lambda x: x.__ipow__(2.0), GraphError, "`data`"),
        (lambda x: (x * 2).requires_grad_(), GraphError, "detach"),
        (lambda x: copy.deepcopy(x * 2), GraphError, "detach"),
        (lambda x: setattr(x * 2, "data", 1.0), GraphError, "computed from others"),
        (lambda x: setattr(x, "data", [1.0]), TypeMismatchError, r"data of float32\[2\]"),
        (lambda x: setattr(x, "grad", 1.0), TypeMismatchError, "gradient of"),
        (lambda x: x.item(), TensorShapeError, "2 elements"),
        (bool, TensorShapeError, "2 elements"),
        (lambda x: x + elsewhere(1.0), GraphError, "two devices"),
        (lambda x: rg.backward([x.sum(), elsewhere(1.0).sum()]), GraphError, "outputs are on two devices"),
        (lambda x: x + rg.Builder().input("v", (2,)), GraphError, "of a graph"),
        (lambda x: x.builder.graph(), GraphError, "recorded of tensors"),
        (lambda x: x @ rg.tensor([1.0, 2.0, 3.0]), TypeMismatchError, "MatMul"),
        (lambda x: F.gather(x, rg.tensor([2]), 0).numpy(), KernelError, "Gather"),
        (lambda x: rg.Device(stage=2), ConfigurationError, "'stage'"),
        (lambda x: rg.Device("a:1", backend="numpy"), ConfigurationError, "'backend'"),
        (lambda x: rg.Device(placement={}), ConfigurationError, "'placement'"),
        (lambda x: rg.Device(stages=0), ConfigurationError, "stages"),
        (lambda x: rg.Device(sessions=0), ConfigurationError, "1 session"),
    ],
)
def test_errors(local: Counting, wrong: Callable[[Any], Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        wrong(leaf(1.0, 2.0))


def test_tensors_move_between_devices(local: Counting, server: Running) -> None:
    there = rg.Device(server.address, timeout=DEADLINE)
    x = (rg.tensor([1.0, 2.0]) * 2).to(there)
    assert (x + 1).tolist() == [3.0, 5.0]
    assert x.to(there) is x
    there.close()
