"""`rg.torch.Remote`: a module computed by the service behaves like the module itself."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from raygrad.client.importers.torch import Remote
from raygrad.proto.errors import ConfigurationError, RaygradError
from tests.test_cli import serving
from tests.torch_networks import ResNet14


class Small(nn.Module):
    """Convolution, batch norm and two heads, of which a loss may use one."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4)
        self.left, self.right = nn.Linear(4, 3), nn.Linear(4, 2)

    def forward(self, x: Tensor, scale: float = 1.0) -> dict[str, Any]:
        h = torch.relu(self.norm(self.conv(x))).mean((2, 3)) * scale
        return {"loss": self.left(h), "two": (self.right(h), None), "largest": h > 0.5}


def twins(module: nn.Module, **options: Any) -> tuple[nn.Module, Remote]:
    """The module, and the remote of its copy."""
    return module, Remote(copy.deepcopy(module), **options)


def small(**options: Any) -> tuple[nn.Module, Remote]:
    torch.manual_seed(0)
    return twins(Small().double(), **options)


def batch(n: int = 5) -> Tensor:
    return torch.randn(n, 2, 6, 6, dtype=torch.float64)


def assert_same(module: nn.Module, remote: Remote) -> None:
    """Gradients, parameters and buffers; `None` where the module has none."""
    for (name, p), q in zip(module.named_parameters(), remote.module.parameters(), strict=True):
        torch.testing.assert_close(q, p, rtol=1e-11, atol=1e-13, msg=name)
        assert (p.grad is None) == (q.grad is None), name
        if p.grad is not None:
            torch.testing.assert_close(q.grad, p.grad, rtol=1e-10, atol=1e-13, msg=name)
    for (name, b), c in zip(module.named_buffers(), remote.module.buffers(), strict=True):
        torch.testing.assert_close(c, b, rtol=1e-11, atol=1e-13, msg=name)


def both(module: nn.Module, remote: Remote, use: Callable[[nn.Module], Any]) -> None:
    """Do the same with both, and compare."""
    torch.testing.assert_close(use(remote), use(module), rtol=1e-11, atol=1e-13)
    assert_same(module, remote)


def test_a_training_loop_changes_in_one_line() -> None:
    x = [batch() for _ in range(4)]

    def train(model: nn.Module) -> list[float]:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
        losses = []
        for each in x:
            optimizer.zero_grad()
            loss = model(each)["loss"].square().mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    module, remote = small()
    both(module, remote, train)
    assert module.right.weight.grad is None  # type: ignore[union-attr]
    both(module.eval(), remote.eval(), lambda m: m(x[0]))
    with torch.no_grad():
        both(module.train(), remote.train(), lambda m: m(x[1]))


def test_gradients_accumulate_over_forward_and_backward_in_any_order() -> None:
    x, y = batch(), batch(3)

    def use(model: nn.Module) -> Tensor:
        first, second, _dropped = model(x), model(y), model(y)
        second["two"][0].sum().backward()
        first["loss"].square().sum().backward()
        (model(x)["loss"].sum() + model(y)["loss"].prod()).backward()
        return first["loss"]

    both(*small(), use)


def test_inputs_have_gradients_and_torch_autograd_grad_works() -> None:
    x = batch()

    def use(model: nn.Module) -> Any:
        data = x.clone().requires_grad_()
        out = model(data, scale=2.0)
        assert not out["largest"].requires_grad
        return torch.autograd.grad(out["two"][0].square().sum(), [data, *model.parameters()][:2]), out

    both(*small(), use)


def test_parameters_changed_behind_the_version_counter_are_put() -> None:
    module, remote = small()
    x = batch()
    for model in (module, remote.module):
        model(x)
    both(module, remote, lambda m: m(x))
    for model in (module, remote.module):
        model.conv.weight.data.mul_(2)  # type: ignore[operator, union-attr]
        model.left.weight.requires_grad_(False)  # type: ignore[operator, union-attr]
    both(module, remote, lambda m: m(x)["loss"].sum().backward())


def test_tensors_and_parts_that_are_replaced_are_those_that_count() -> None:
    module, remote = small()
    x = batch()

    def replace(model: Any, weight: Tensor) -> None:
        model.left.weight = nn.Parameter(weight.clone())
        model.load_state_dict({k: v.clone() * 0.5 for k, v in model.state_dict().items()}, assign=True)

    both(module, remote, lambda m: m(x)["loss"])
    weight = torch.randn(3, 4, dtype=torch.float64)
    for model in (module, remote.module):
        replace(model, weight)
    both(module, remote, lambda m: m(x)["loss"].sum().backward())
    torch.manual_seed(1)
    norm = nn.BatchNorm2d(4, momentum=0.5).double()
    module.norm, remote.module.norm = norm, copy.deepcopy(norm)
    both(module, remote, lambda m: m(x)["loss"])
    module.float(), remote.float()
    torch.testing.assert_close(remote(x.float())["loss"], module(x.float())["loss"], rtol=1e-5, atol=1e-6)


def test_a_module_that_changes_its_dtype_or_is_under_autocast_is_captured_again() -> None:
    remote = Remote(nn.Embedding(3, 2))
    places = torch.tensor([0, 2])
    assert remote(places).dtype is torch.float32
    assert remote.double()(places).dtype is torch.float64
    remote = Remote(nn.Linear(2, 2))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert remote(torch.ones(2)).dtype is torch.bfloat16
    assert remote(torch.ones(2)).dtype is torch.float32


def test_outputs_that_no_gradient_reaches_want_none() -> None:
    class Steps(nn.Linear):
        def forward(self, x: Tensor) -> tuple[Tensor, ...]:
            return super().forward(x), (x > 0).double(), self.weight.detach() * 2

    remote = Remote(Steps(2, 2).double())
    outputs = remote(torch.ones(3, 2, dtype=torch.float64, requires_grad=True))
    assert [y.requires_grad for y in outputs] == [True, False, False]


def test_a_copy_has_sessions_of_its_own() -> None:
    _, remote = small()
    x = batch()
    remote(x)
    twin = copy.deepcopy(remote)
    remote.close()
    both(remote.module, twin, lambda m: m(x)["loss"])


def test_one_graph_for_named_sizes() -> None:
    opened = []

    def counting(graph: Any) -> Any:
        from raygrad import local

        opened.append(graph)
        return local(graph)

    module, remote = small(target=counting, dynamic_shapes={"x": {0: "N"}})
    for n in (5, 3, 8):
        x = batch(n)
        both(module, remote, lambda m, x=x: m(x)["loss"].sum().backward())
    assert len(opened) == 1
    assert opened[0].sizes == {"N"}
    remote.close()
    x = batch(4)
    both(module, remote, lambda m: m(x)["two"])
    assert len(opened) == 2


def test_dropout_follows_the_seed_of_torch_and_the_mode_of_the_module() -> None:
    x = torch.ones(400, requires_grad=True)

    def masks(remote: Remote) -> list[Tensor]:
        torch.manual_seed(3)
        first, second = remote(x), remote(x)
        (gradient,) = torch.autograd.grad(second.sum(), x)
        assert torch.equal(gradient, second)
        with torch.no_grad():
            return [first.detach(), second.detach(), remote(x)]

    remote = Remote(nn.Dropout(0.25))
    found = masks(remote)
    for mask in found:
        assert sorted(set(mask.tolist())) == pytest.approx([0.0, 4 / 3])
        assert 60 <= (mask == 0).sum() <= 140
    assert not any(torch.equal(a, b) for a, b in pairwise(found))
    assert all(torch.equal(a, b) for a, b in zip(found, masks(Remote(nn.Dropout(0.25))), strict=True))
    remote.eval()
    assert torch.equal(remote(x), x)


def test_errors_are_typed() -> None:
    _, remote = small()
    with pytest.raises(ConfigurationError, match=r"needs a torch\.nn\.Module"):
        Remote(remote)
    with pytest.raises(RaygradError):
        Remote(Small(), "127.0.0.1:1", timeout=0.2)(batch().float())


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    options = ("--ray", "local", "--workers", "2", "--backend", "torch-cpu", "--listen", "127.0.0.1:0")
    with serving(*options) as (process, ready):
        assert ready, process.communicate(timeout=60)
        yield ready.split()[4]
        process.terminate()
        process.communicate(timeout=60)


@pytest.mark.ray
def test_a_residual_network_trains_on_a_server_as_in_torch(address: str) -> None:
    torch.manual_seed(1)
    module, remote = twins(ResNet14(), target=address, stages=2)
    x, y = torch.randn(8, 3, 16, 16), torch.randint(0, 10, (8,))

    def train(model: nn.Module) -> list[float]:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        losses = []
        for _ in range(3):
            optimizer.zero_grad()
            loss = model(x, y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    with remote:
        assert train(remote) == pytest.approx(train(module), rel=1e-4)
