"""The optimizers against `torch.optim`, over many steps on gradients that depend on the parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch

from raygrad.client.optimizers import SGD, Adam, Optimizer
from raygrad.proto.errors import ConfigurationError

Parameters = Mapping[str, Any]
PAIRS: dict[str, tuple[Callable[[Parameters], Optimizer], Callable[[Any], torch.optim.Optimizer]]] = {
    "sgd": (lambda p: SGD(p, 0.05), lambda p: torch.optim.SGD(p, 0.05)),
    "momentum": (lambda p: SGD(p, 0.05, 0.9), lambda p: torch.optim.SGD(p, 0.05, 0.9)),
    "adam": (Adam, torch.optim.Adam),
    "adam with everything": (
        lambda p: Adam(p, 0.05, (0.8, 0.95), 1e-3),
        lambda p: torch.optim.Adam(p, 0.05, (0.8, 0.95), 1e-3),
    ),
}


def drawn(dtype: str) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    return {"w": rng.standard_normal((4, 3)).astype(dtype), "b": rng.standard_normal(3).astype(dtype)}


def slopes(parameters: Parameters) -> dict[str, Any]:
    """Gradients of something curved."""
    return {name: np.sin(3 * p) + p for name, p in parameters.items()}


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
@pytest.mark.parametrize("pair", PAIRS)
def test_the_path_is_that_of_torch(pair: str, dtype: str, tolerance: float) -> None:
    make, make_torch = PAIRS[pair]
    ours = make(drawn(dtype))
    theirs = {name: torch.tensor(p, requires_grad=True) for name, p in drawn(dtype).items()}
    reference = make_torch(list(theirs.values()))
    for number in range(30):
        if number == 20:
            ours.rate = reference.param_groups[0]["lr"] = 0.002
        gradients = slopes({name: p.detach().numpy() for name, p in theirs.items()})
        for name, tensor in theirs.items():
            tensor.grad = torch.tensor(gradients[name])
        reference.step()
        ours.step(gradients)
    for name, p in ours.parameters.items():
        assert p.dtype.name == dtype
        np.testing.assert_allclose(p, theirs[name].detach().numpy(), rtol=tolerance, atol=tolerance)


def test_what_was_given_is_not_changed() -> None:
    given = drawn("float32")
    SGD(given).step(slopes(given))
    for name, p in drawn("float32").items():
        np.testing.assert_array_equal(given[name], p)


@pytest.mark.parametrize("make", [SGD, Adam])
def test_a_parameter_without_gradient_stays(make: type[SGD | Adam]) -> None:
    optimizer = make(drawn("float32"))
    optimizer.step({"w": np.ones((4, 3), np.float32)})
    np.testing.assert_array_equal(optimizer.parameters["b"], drawn("float32")["b"])
    assert (optimizer.parameters["w"] != drawn("float32")["w"]).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: SGD({}, 0.0),
        lambda: SGD({}, float("nan")),
        lambda: SGD({}, 0.1, 1.0),
        lambda: Adam({}, -1.0),
        lambda: Adam({}, 0.1, (0.9, 1.0)),
    ],
)
def test_numbers_that_cannot_work(make: Callable[[], Optimizer]) -> None:
    with pytest.raises(ConfigurationError):
        make()
