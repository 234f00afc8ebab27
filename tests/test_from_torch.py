"""`rg.from_torch`: modules as graphs, with their names, sizes and states, and PyTorch's gradients."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import raygrad as rg
from raygrad.client.importers.model import Imported
from raygrad.client.importers.torch import from_torch
from raygrad.proto.errors import ConfigurationError, GraphError, SizeError, UnsupportedOperatorError
from tests.torch_networks import LeNet, ResNet14

Array = np.ndarray[Any, Any]


def run(model: Imported, feeds: Mapping[str, Array], loss: str = "output") -> tuple[Any, Any]:
    """Outputs and gradients of one mini-batch."""
    with rg.local(model.graph, loss=loss, backend="torch-cpu") as session:
        session.put(model.tensors)
        outputs = session.accumulate([feeds])[0].outputs
        return outputs, session.gradients()


def images(*shape: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    return x, torch.randint(0, 10, shape[:1], generator=generator)


@pytest.mark.parametrize(("module", "shape"), [(LeNet, (3, 1, 28, 28)), (ResNet14, (3, 3, 16, 16))])
def test_loss_gradients_and_statistics_are_those_of_torch(
    module: type[nn.Module], shape: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    network = module().double().train()
    x, y = images(*shape)
    model = from_torch(network, (x, y), dynamic_shapes={"x": {0: "N"}, "y": {0: "N"}})
    assert model.graph.sizes == {"N"}
    assert set(model.parameters) == {name for name, _ in network.named_parameters()}
    x, y = images(5, *shape[1:])  # another size than the example's
    outputs, gradients = run(model, {"x": x.numpy(), "y": y.numpy()})
    loss = network(x, y)
    loss.backward()
    np.testing.assert_allclose(outputs["output"], loss.item(), rtol=1e-13)
    for name, parameter in network.named_parameters():
        expected = parameter.grad.numpy()  # type: ignore[union-attr]
        assert np.linalg.norm(gradients[name] - expected) <= 1e-11 * np.linalg.norm(expected), name
    for name, buffer in network.named_buffers():
        np.testing.assert_allclose(outputs[name], buffer.numpy(), rtol=1e-12, atol=1e-14, err_msg=name)


class Ungraded(nn.Module):
    """Parts whose results have no gradient in PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            h = self.a(x)
            with torch.enable_grad():
                y = self.a(x).exp() * self.b(h)
        return (y * h).sum()


@pytest.mark.parametrize("exported", [False, True])
def test_no_grad_in_a_module_stops_gradients(exported: bool) -> None:
    module, x = Ungraded(), torch.randn(2, 3)
    module(x).backward()
    program = torch.export.export(module, (x,))
    with torch.no_grad():
        model = from_torch(program) if exported else from_torch(module, (x,))
    _, gradients = run(model, {"x": x.numpy()})
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None
        np.testing.assert_allclose(
            gradients[name], parameter.grad.numpy(), rtol=1e-5, atol=1e-6, err_msg=name
        )


class Everything(nn.Module):
    """Ties, frozen and unused parameters, a state of its own, nested inputs and outputs, constants."""

    k: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
        self.b.weight = self.a.weight
        self.frozen = nn.Parameter(torch.ones(4), requires_grad=False)
        self.unused = nn.Parameter(torch.ones(3))
        self.register_buffer("k", torch.arange(4.0))
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x: Tensor, more: Mapping[str, Tensor]) -> dict[str, Any]:
        h = self.norm(self.b(self.a(x) * self.k.clone()) * self.frozen)
        self.k += 1
        y = h / x.shape[0] + torch.tensor([1.0, 2, 3, 4]) + more["q"].float().mean()
        return {"y": y, "rest": (h.sum(), [None, 3]), "loss": y.square().mean()}


def test_names_ties_states_and_structures() -> None:
    module = Everything()
    x, q = torch.randn(3, 4), torch.arange(3)
    model = from_torch(module, (x, {"q": q}), dynamic_shapes=({0: "N"}, {"q": {0: "M"}}))
    assert model.graph.sizes == {"N", "M"}
    assert set(model.parameters) == {"a.weight", "a.bias", "b.bias", "norm.weight", "norm.bias"}
    assert {"frozen", "k", "norm.running_var"} <= set(model.buffers)
    assert set(model.graph.inputs) == {"x", "more_q"}
    assert {"y", "rest.0", "loss", "k", "norm.num_batches_tracked"} <= set(model.graph.outputs)
    outputs, gradients = run(model, {"x": x.numpy(), "more_q": q.numpy()}, "loss")
    expected = module(x, {"q": q})
    expected["loss"].backward()
    for name, parameter in module.named_parameters():
        if parameter.grad is not None:
            np.testing.assert_allclose(gradients[name], parameter.grad.numpy(), atol=2e-6, err_msg=name)
    np.testing.assert_allclose(outputs["y"], expected["y"].detach().numpy(), atol=1e-6)
    for name, buffer in module.named_buffers():
        np.testing.assert_allclose(outputs[name], buffer.numpy(), rtol=1e-6, err_msg=name)


def test_evaluation_uses_the_running_statistics() -> None:
    module = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Dropout(0.5)).eval()
    module[1].running_mean.copy_(torch.tensor([0.1, 0.2, 0.3]))  # type: ignore[operator, union-attr]
    x = torch.randn(2, 2, 5, 5)
    model = from_torch(module, (x,))
    with rg.local(model.graph) as session:
        session.put(model.tensors)
        output = session.forward({"input": x.numpy()}).outputs["output"]
    np.testing.assert_allclose(output, module(x).detach().numpy(), atol=1e-6)


def test_an_exported_program_is_a_model_too() -> None:
    module = nn.Linear(3, 2)
    program = torch.export.export(module, (torch.randn(4, 3),))
    assert set(from_torch(program).parameters) == {"weight", "bias"}
    with pytest.raises(ConfigurationError, match="has its inputs"):
        from_torch(program, (torch.randn(4, 3),))


class Strange(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(4, 4), nn.Identity())

    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.eigvalsh(self.inner(x)) + torch.special.airy_ai(x).sum()


def test_all_missing_operators_are_named_at_once_with_their_places() -> None:
    with pytest.raises(UnsupportedOperatorError) as caught:
        from_torch(Strange(), (torch.randn(4, 4),))
    message = str(caught.value)
    assert "2 operators have no translation" in message
    assert "aten._linalg_eigh.default: _linalg_eigh at test_from_torch.py:" in message
    assert "aten.special_airy_ai.default" in message


class Merged(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(-1, 2).cumsum(0)


def test_a_size_without_expression_is_named_with_its_place() -> None:
    with pytest.raises(SizeError, match=r"the size 2\*N is neither") as caught:
        from_torch(Merged(), (torch.randn(3, 4),), dynamic_shapes=[{0: "N"}])
    assert "test_from_torch.py" in str(caught.value)


def test_attention_joins_a_named_batch_with_its_heads() -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True).double()
    model = from_torch(layer, (torch.randn(3, 5, 8, dtype=torch.float64),), dynamic_shapes=[{0: "N"}])
    x = torch.randn(4, 5, 8, dtype=torch.float64)
    with rg.local(model.graph) as session:
        session.put(model.tensors)
        result = session.forward({"src": x.numpy()}, keep=True)
        session.backward(result.lease, {"output": np.ones((4, 5, 8))})
        gradients = session.gradients()
    y = layer(x)
    y.sum().backward()
    np.testing.assert_allclose(result.outputs["output"], y.detach().numpy(), atol=1e-12)
    for name, parameter in layer.named_parameters():
        np.testing.assert_allclose(gradients[name], parameter.grad, atol=1e-11, err_msg=name)


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


def test_what_torch_cannot_export_is_an_error_that_says_why() -> None:
    with pytest.raises(GraphError, match=r"torch.export cannot capture Branching"):
        from_torch(Branching(), (torch.randn(3),))
    with pytest.raises(ConfigurationError, match="got int"):
        from_torch(3)  # type: ignore[arg-type]


def test_a_module_is_captured_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rg.from_torch(torch.nn.Linear(4, 2), (torch.zeros(3, 4),))
