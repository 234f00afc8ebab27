"""Gradients through `rg.torch.Remote`: of retained graphs, and of gradients."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from raygrad.client.importers.torch import Remote
from tests.test_cli import serving

Twins = tuple[nn.Module, Remote]


class Net(nn.Module):
    """Two outputs with a batch norm before them."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.norm, self.b = nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(self.norm(self.a(x)))
        return self.b(h), (h**3).sum()


def twins(module: nn.Module, target: Any = None) -> Twins:
    return module, Remote(copy.deepcopy(module), target)


@pytest.fixture
def nets() -> Iterator[Twins]:
    torch.manual_seed(0)
    module, remote = twins(Net().double())
    with remote:
        yield module, remote


def data(seed: int = 1) -> Tensor:
    return torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def assert_same(nets: Twins, use: Callable[[nn.Module], Any]) -> None:
    """What `use` returns, and the gradients that it leaves."""
    module, remote = nets
    module.zero_grad()
    remote.zero_grad()
    torch.testing.assert_close(use(remote), use(module), rtol=1e-9, atol=1e-11)
    for p, q in zip(module.parameters(), remote.parameters(), strict=True):
        assert (p.grad is None) == (q.grad is None)
        if p.grad is not None:
            torch.testing.assert_close(q.grad, p.grad, rtol=1e-9, atol=1e-11)


def gradient_penalty(net: nn.Module) -> Tensor:
    x = data().requires_grad_()
    (slope,) = torch.autograd.grad(net(x)[0].sum(), x, create_graph=True)
    penalty: Tensor = ((slope.norm(dim=1) - 1) ** 2).mean()
    (net(data(2))[0].mean() + 10 * penalty).backward()
    return penalty.detach()


def test_a_gradient_penalty(nets: Twins) -> None:
    assert_same(nets, gradient_penalty)


def test_gradients_by_parameters_can_be_differentiated(nets: Twins) -> None:
    def meta(net: nn.Module) -> Tensor:
        y, s = net(data())
        found = torch.autograd.grad((y**2).sum() + s, list(net.parameters()), create_graph=True)
        total: Tensor = sum((g**2).sum() for g in found)  # type: ignore[assignment]
        total.backward()
        return total.detach()

    assert_same(nets, meta)


@pytest.mark.parametrize("order", [2, 3, 4])
def test_gradients_of_any_order(order: int) -> None:
    torch.manual_seed(0)
    module, remote = twins(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double())

    def nested(net: nn.Module) -> Tensor:
        x = data().requires_grad_()
        y = (net(x) ** 3).sum()
        for _ in range(order):
            (g,) = torch.autograd.grad(y, x, create_graph=True)
            y = (g**2).sum()
        return g.detach()

    with remote:
        assert_same((module, remote), nested)
        assert torch.autograd.gradgradcheck(remote, (data().requires_grad_(),))


def test_third_derivatives_of_a_batch_norm_are_those_of_its_definition() -> None:
    """Which PyTorch's own are not: it takes the statistics for constants in its second derivative."""

    def definition(x: Tensor) -> Tensor:
        mean = x.mean(0)
        found: Tensor = (x - mean) / torch.sqrt(((x - mean) ** 2).mean(0) + 1e-5)
        return found

    def third(net: Callable[[Tensor], Tensor]) -> Tensor:
        x = data().requires_grad_()
        y = (net(x) ** 3).sum()
        for _ in range(3):
            (g,) = torch.autograd.grad(y, x, create_graph=True)
            y = (g**2).sum()
        return g.detach()

    with Remote(nn.BatchNorm1d(3).double()) as remote:
        torch.testing.assert_close(third(remote), third(definition), rtol=1e-9, atol=1e-8)


def test_two_losses_on_one_forward_pass(nets: Twins) -> None:
    def two(net: nn.Module) -> Tensor:
        y, s = net(data())
        y.sum().backward(retain_graph=True)
        (y**2).sum().backward(retain_graph=True)
        s.backward()
        found: Tensor = y.detach()
        return found

    assert_same(nets, two)
    module, remote = nets
    torch.testing.assert_close(list(remote.buffers()), list(module.buffers()), rtol=1e-11, atol=1e-13)


def test_a_graph_that_is_not_retained_has_one_backward_pass(nets: Twins) -> None:
    y, _ = nets[1](data())
    y.sum().backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        y.square().sum().backward()


def test_what_was_changed_in_place_is_noticed_by_a_second_pass(nets: Twins) -> None:
    _, remote = nets
    y, _ = remote(data())
    y.sum().backward(retain_graph=True)
    with torch.no_grad():
        remote.module.a.weight.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_dropout_is_the_same_in_every_pass_of_a_graph() -> None:
    torch.manual_seed(0)
    layer = nn.Sequential(nn.Linear(3, 50), nn.Dropout(0.5)).double()
    with Remote(layer) as remote:
        x = data().requires_grad_()
        y = remote(x)
        wanted = (4 * y * (y != 0)).detach() @ layer[0].weight.detach()
        for create in (False, True):
            (g,) = torch.autograd.grad((y**2).sum(), x, create_graph=create, retain_graph=True)
            torch.testing.assert_close(g.detach(), wanted)


def test_hessians_and_jacobians() -> None:
    torch.manual_seed(0)
    module, remote = twins(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double())
    with remote:
        for found in (torch.autograd.functional.hessian, torch.autograd.functional.jacobian):
            torch.testing.assert_close(
                found(lambda x: remote(x).sum(), data()[0]), found(lambda x: module(x).sum(), data()[0])
            )


@pytest.mark.ray
def test_over_a_server() -> None:
    options = ("--ray", "local", "--workers", "1", "--listen", "127.0.0.1:0")
    with serving(*options) as (process, ready):
        assert ready, process.communicate(timeout=60)
        torch.manual_seed(0)
        module, remote = twins(Net().double(), ready.split()[4])
        with remote:
            assert_same((module, remote), gradient_penalty)
        process.terminate()
        process.communicate(timeout=60)
