"""Reductions of more elements than half precision can count: 65,504 is the largest float16."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import raygrad as rg

f = rg.functions
COUNT = 128_256
ROWS = (np.random.default_rng(0).normal(size=(2, COUNT)) * 0.01).astype(np.float16)
LABELS = np.array([3, 77])


def labels(x: Any) -> Any:
    return f.full(x.builder, (COUNT,), 1, "int64")


REDUCTIONS: dict[str, Callable[[Any], Any]] = {
    "logsumexp": lambda x: f.logsumexp(x, -1),
    "log_softmax": lambda x: f.log_softmax(x, -1)[:, :7],
    "softmax": lambda x: f.softmax(x, -1) * 1000.0,
    "cross_entropy": lambda x: f.cross_entropy(x, x.builder.constant(LABELS)),
    "cross_entropy of many rows": lambda x: f.cross_entropy(x.T, labels(x)),
    "weighted nll_loss of many rows": lambda x: f.nll_loss(x.T + 1.0, labels(x), weight=f.ones_like(x[:, 0])),
    "mean": lambda x: (x + 1.0).mean(),
    "var": lambda x: f.var(x, -1),
    "norm": lambda x: f.norm(x, -1),
    "ties of max": lambda x: f.max(x * 0.0, -1),
    "layer_norm": lambda x: f.layer_norm(x)[:, :7],
    "global_avg_pool": lambda x: f.global_avg_pool(x.reshape((1, 2, COUNT)) + 1.0),
    "avg_pool": lambda x: f.avg_pool(x.reshape((1, 2, COUNT)) + 1.0, COUNT),
    "adaptive_avg_pool": lambda x: f.adaptive_avg_pool(x.reshape((1, 2, COUNT)) + 1.0, 1),
    "mse_loss": lambda x: f.mse_loss(x, f.ones_like(x)),
    "kl_div by rows": lambda x: f.kl_div(x, f.ones_like(x) * 0.5, reduction="batchmean"),
    "cumsum": lambda x: f.cumsum(x * 0.0 + 0.001, -1)[:, -1],
}


def results(name: str, backend: str, dtype: str) -> tuple[Any, Any]:
    with rg.Device(backend=backend):
        x = rg.tensor(ROWS.astype(dtype), requires_grad=True)
        y = REDUCTIONS[name](x)
        (gradient,) = rg.grad(y, x, np.ones(y.type.static, y.dtype.numpy))
        assert gradient is not None
        return y.numpy().astype(np.float64), gradient.numpy().astype(np.float64)


@pytest.mark.parametrize("backend", ["numpy", "torch-cpu"])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_half_precision_is_that_of_float32_but_for_rounding(name: str, backend: str) -> None:
    (value, gradient), (wanted, by) = (results(name, backend, dtype) for dtype in ("float16", "float32"))
    np.testing.assert_allclose(value, wanted, rtol=2e-2, atol=2e-3)
    np.testing.assert_allclose(gradient, by, rtol=5e-2, atol=max(1e-7, np.abs(by).max() * 0.02))
