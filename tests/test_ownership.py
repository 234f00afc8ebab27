"""Whose memory is it: what was handed in may change after the call, what came out belongs to the caller."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, cast

import numpy as np
import pytest
import torch

import raygrad as rg
from raygrad.client.local import InProcess
from raygrad.scheduler.local_cluster import LocalCluster
from tests.serving import Running, running

F = rg.functions
Array = np.ndarray[Any, Any]
Open = Callable[[rg.Graph], rg.Session]
COUNT = 20
TOTAL = sum(range(1, COUNT + 1))


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running() as found:
        yield found


@pytest.fixture(params=["numpy", "torch", "two workers", "server"])
def opened(request: pytest.FixtureRequest) -> Iterator[Open]:
    """Opens sessions in process on either backend and on two workers, and on a server."""
    with ExitStack() as stack:

        def open_(graph: rg.Graph) -> rg.Session:
            match request.param:
                case "server":
                    session = rg.connect(request.getfixturevalue("server").address, graph)
                case "two workers":
                    session = rg.local(graph, backend="numpy", workers=2, replicas=2)
                case backend:
                    session = rg.local(graph, backend=backend)
            return stack.enter_context(session)

        yield open_


def product(size: int = 4) -> rg.Graph:
    """Σ x · w, and outputs that are (parts of) what the session holds."""
    g = rg.Builder()
    x, w = g.input("x", (size,)), g.parameter("w", (size,))
    y = x * w
    g.output("loss", F.sum(y * y))
    g.output("sum", F.sum(y))
    held = {"feed": x, "parameter": w, "product": y, "again": y, "view": y.reshape((1, size))}
    for name, value in held.items():
        g.output(name, value)
    return g.graph()


def linear(size: int) -> rg.Graph:
    g = rg.Builder()
    g.output("loss", F.sum(g.input("x", (size,)) * g.parameter("w", (size,))))
    return g.graph()


def ones(size: int = 4) -> Array:
    return np.ones(size, np.float32)


def refilled(size: int) -> Iterator[dict[str, Array]]:
    """A loader with one buffer."""
    buffer = np.empty(size, np.float32)
    for k in range(1, COUNT + 1):
        buffer[:] = k
        yield {"x": buffer}


# -- what is handed in --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [4, 10_000, 1_000_000])
def test_a_loader_may_fill_one_buffer_again_and_again(opened: Open, size: int) -> None:
    session = opened(linear(size))
    session.put({"w": ones(size)})
    session.accumulate(refilled(size), progress=False)
    assert np.unique(session.gradients()["w"]).tolist() == [TOTAL]


def test_a_loader_of_mini_batches_may_too(opened: Open) -> None:
    session = opened(linear(4))
    session.put({"w": ones()})
    results = list(session.stream(rg.MiniBatch(b) for b in refilled(4)))
    assert [r.outputs["loss"] for r in results] == [4 * k for k in range(1, COUNT + 1)]


def test_parameters_may_change_after_put(opened: Open) -> None:
    session, mine = opened(product()), ones()
    session.put({"w": mine})
    mine[:] = 5
    assert session.forward({"x": ones()}).outputs["sum"] == 4
    session.accumulate([{"x": ones()}], progress=False)
    mine[:] = 7
    session.accumulate([{"x": ones()}], progress=False)
    assert session.gradients()["w"].tolist() == [4.0] * 4
    assert session.get()["w"].tolist() == [1.0] * 4


def test_feeds_may_change_between_forward_and_backward(opened: Open) -> None:
    session, batch = opened(product()), ones()
    session.put({"w": ones()})
    lease = session.forward({"x": batch}, keep=True).lease
    batch[:] = 3
    session.backward(lease)
    assert session.gradients()["w"].tolist() == [2.0] * 4


def test_cotangents_may_change_after_backward(opened: Open) -> None:
    session, cotangent = opened(product()), ones()
    session.put({"w": ones()})
    session.backward(session.forward({"x": ones()}, keep=True).lease, {"product": cotangent})
    cotangent[:] = 9
    assert session.gradients()["w"].tolist() == [1.0] * 4


def test_what_runs_again_after_a_loss_is_what_was_handed_in() -> None:
    """Feeds and cotangents that the session keeps for recovery are not the program's memory."""
    session = rg.local(product(), backend="numpy")
    batch, cotangent = ones(), ones()
    session.put({"w": ones()})
    session.accumulate([{"x": batch}], progress=False)
    session.backward(session.forward({"x": batch}, keep=True).lease, {"product": cotangent})
    batch[:], cotangent[:] = 50, 70
    cluster = cast("InProcess", session._other_side)._scheduler.cluster
    assert isinstance(cluster, LocalCluster)
    cluster.kill(0)
    assert session.gradients()["w"].tolist() == [3.0] * 4


# -- what comes out -----------------------------------------------------------------------------------


def spoil(arrays: Any) -> None:
    """Write to all of these, which the caller may."""
    for array in arrays.values():
        array[...] = -7


def test_outputs_belong_to_the_caller(opened: Open) -> None:
    session, x = opened(product()), ones()
    session.put({"w": ones()})
    outputs = session.forward({"x": x}).outputs
    spoil({"product": outputs["product"]})
    assert outputs["again"].tolist() == [1.0] * 4
    assert outputs["view"].tolist() == [[1.0] * 4]
    spoil(outputs)
    assert x.tolist() == [1.0] * 4
    assert session.get()["w"].tolist() == [1.0] * 4
    assert session.forward({"x": x}).outputs["loss"] == 4


def test_outputs_of_a_lease_are_not_its_activations(opened: Open) -> None:
    session = opened(product())
    session.put({"w": ones()})
    result = session.forward({"x": ones()}, keep=True)
    spoil(result.outputs)
    by_input = session.backward(result.lease, input_gradients=["x"])
    assert by_input["x"].tolist() == [2.0] * 4
    spoil(by_input)
    assert session.gradients()["w"].tolist() == [2.0] * 4


def test_an_answer_that_is_given_again_is_as_it_was(opened: Open) -> None:
    session = opened(product())
    session.put({"w": ones()})
    for _ in range(2):
        result = session.forward({"x": ones()}, keep=True, index=3)
        assert result.outputs["product"].tolist() == [1.0] * 4
        spoil(result.outputs)
    for _ in range(2):
        (step,) = session.accumulate([rg.MiniBatch({"x": ones()}, 4)], progress=False)
        assert step.outputs["loss"] == 4
        spoil(step.outputs)


def test_gradients_and_parameters_that_were_read_belong_to_the_caller(opened: Open) -> None:
    session = opened(product())
    session.put({"w": ones()})
    session.accumulate([{"x": ones()}], progress=False)
    for keep_open in (True, True, False):
        found = session.gradients(keep_open=keep_open)
        assert found["w"].tolist() == [2.0] * 4
        spoil(found)
        spoil(session.get())
        assert session.get()["w"].tolist() == [1.0] * 4


def test_sessions_for_asyncio_keep_the_rule_too(server: Running) -> None:
    async def go(session: rg.aio.Session) -> None:
        mine = ones()
        await session.put({"w": mine})
        mine[:] = 5
        results = await session.accumulate(refilled(4), progress=False)
        spoil(results[0].outputs)
        assert (await session.gradients())["w"].tolist() == [TOTAL] * 4
        spoil(await session.get())
        assert (await session.get())["w"].tolist() == [1.0] * 4

    async def main() -> None:
        async with await rg.aio.connect(server.address, linear(4)) as session:
            await go(session)
        async with await rg.aio.local(linear(4), backend="numpy") as session:
            await go(session)

    asyncio.run(main())


# -- modules and tensors ------------------------------------------------------------------------------


@pytest.mark.parametrize("remote", [False, True])
def test_modules_on_the_service_do_not_share_memory_with_the_program(server: Running, remote: bool) -> None:
    torch.manual_seed(0)
    module = torch.nn.Linear(3, 2)
    twin = torch.nn.Linear(3, 2)
    twin.load_state_dict(module.state_dict())
    x, data = torch.randn(4, 3, requires_grad=True), torch.randn(4, 3)
    with rg.torch.Remote(module, server.address if remote else None) as on_service:
        y = on_service(x)
        want = twin(x.detach().clone())
        with torch.no_grad():
            x.copy_(data)  # the program goes on with its buffer
            module.weight.mul_(3)
            y.data.add_(1)
        y.sum().backward()
        assert module.weight.grad is not None
        assert x.grad is not None
        want.sum().backward()
        assert twin.weight.grad is not None
        assert torch.allclose(module.weight.grad, twin.weight.grad)
        assert torch.allclose(x.grad, twin.weight.detach().sum(0).expand(4, 3))
        x.grad.zero_()
        assert torch.allclose(on_service(data), module(data))


@pytest.mark.parametrize("remote", [False, True])
def test_tensors_hold_copies_and_hand_out_what_cannot_be_written(server: Running, remote: bool) -> None:
    with rg.Device(server.address if remote else None):
        mine = ones()
        x = rg.tensor(mine, requires_grad=True)
        mine[:] = 5
        y = (x * 2).detach()
        for tensor in (x.detach(), y, x.detach().reshape((2, 2))):
            with pytest.raises(ValueError, match="read-only"):
                tensor.numpy()[...] = 9
        cotangent = ones()
        (x * 2).backward(cotangent)
        cotangent[:] = 5
        assert x.grad is not None
        assert x.grad.tolist() == [2.0] * 4
        assert y.tolist() == [2.0] * 4
        copied = np.array(y.numpy())
        copied[:] = 0
        assert y.tolist() == [2.0] * 4


def test_optimizers_move_copies() -> None:
    mine = {"w": ones()}
    optimizer = rg.optimizers.SGD(mine, rate=0.5)
    with rg.local(linear(4), backend="numpy") as session:
        session.put(optimizer.parameters)
        optimizer.step({"w": ones()})
        assert session.get()["w"].tolist() == mine["w"].tolist() == [1.0] * 4
    assert optimizer.parameters["w"].tolist() == [0.5] * 4
