"""ATen operators at special points, beside those that the functions in `special_rows` come to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from tests.special_rows import FUNCTIONS, LABELS, LINES, A, B, Row

aten = torch.ops.aten
TARGETS = torch.from_numpy(LABELS)


def _unused(*_: Any) -> Any:
    raise NotImplementedError


def _row(function: Callable[..., Any], *arrays: Any, each: bool = False) -> Row:
    return Row(_unused, function, arrays, each)


def _plane(x: torch.Tensor) -> torch.Tensor:
    return x.reshape(len(LINES), 1, 2, 2)


def _volume(x: torch.Tensor) -> torch.Tensor:
    return x.reshape(len(LINES), 1, 1, 2, 2)


MORE: dict[str, Row] = {
    "_log_softmax": _row(lambda x: aten._log_softmax(x, -1, False), LINES),
    "_softmax": _row(lambda x: aten._softmax(x, -1, False), LINES),
    "_safe_softmax": _row(lambda x: aten._safe_softmax(x, -1), LINES),
    "_prelu_kernel": _row(aten._prelu_kernel, A, B, each=True),
    "prelu": _row(torch.prelu, LINES, B[:1]),
    "_adaptive_avg_pool1d": _row(lambda x: aten.adaptive_avg_pool1d(x[:, None], 2), LINES),
    "_adaptive_avg_pool2d": _row(lambda x: aten._adaptive_avg_pool2d(_plane(x), [1, 1]), LINES),
    "_adaptive_avg_pool3d": _row(lambda x: aten._adaptive_avg_pool3d(_volume(x), [1, 1, 1]), LINES),
    "adaptive_avg_pool2d": _row(lambda x: aten.adaptive_avg_pool2d(_plane(x), [2, 1]), LINES),
    "adaptive_avg_pool3d": _row(lambda x: aten.adaptive_avg_pool3d(_volume(x), [1, 2, 1]), LINES),
    "adaptive_max_pool2d": _row(lambda x: aten.adaptive_max_pool2d(_plane(x), [2, 1])[0], LINES),
    "adaptive_max_pool3d": _row(lambda x: aten.adaptive_max_pool3d(_volume(x), [1, 2, 1])[0], LINES),
    "avg_pool2d": _row(lambda x: aten.avg_pool2d(_plane(x), [2, 1]), LINES),
    "avg_pool3d": _row(lambda x: aten.avg_pool3d(_volume(x), [1, 2, 1]), LINES),
    "max_pool2d": _row(lambda x: aten.max_pool2d(_plane(x), [2, 1]), LINES),
    "max_pool2d_with_indices": _row(lambda x: aten.max_pool2d_with_indices(_plane(x), [2, 2])[0], LINES),
    "max_pool3d": _row(lambda x: aten.max_pool3d(_volume(x), [1, 2, 1]), LINES),
    "max_pool3d_with_indices": _row(lambda x: aten.max_pool3d_with_indices(_volume(x), [1, 2, 2])[0], LINES),
    "addcdiv": _row(lambda a, b: torch.addcdiv(a, a, b, value=0.5), A, B, each=True),
    "addcmul": _row(lambda a, b: torch.addcmul(a, a, b, value=0.5), A, B, each=True),
    "clamp_max": _row(aten.clamp_max, A, B, each=True),
    "clamp_max, number": _row(lambda x: aten.clamp_max(x, 1.0), A, each=True),
    "clamp_min": _row(aten.clamp_min, A, B, each=True),
    "clamp_min, number": _row(lambda x: aten.clamp_min(x, 1.0), A, each=True),
    "cumsum": _row(lambda x: torch.cumsum(x, -1), LINES),
    "ge": _row(torch.ge, A, B, each=True),
    "lt": _row(torch.lt, A, B, each=True),
    "le": _row(torch.le, A, B, each=True),
    "lerp": _row(lambda a, b: torch.lerp(a, b, 0.25), A, B, each=True),
    "log_sigmoid_forward": _row(lambda x: aten.log_sigmoid_forward(x)[0], A, each=True),
    "logit": _row(torch.logit, A, each=True),
    "masked_fill": _row(lambda a, b: a.masked_fill(b > 0, 7.0), A, B, each=True),
    "max, all": _row(lambda x: torch.stack([row.max() for row in x.unbind()]), LINES),
    "max, dim": _row(lambda x: torch.max(x, -1)[0], LINES),
    "max, other": _row(torch.max, A, B, each=True),
    "min, all": _row(lambda x: torch.stack([row.min() for row in x.unbind()]), LINES),
    "min, dim": _row(lambda x: torch.min(x, -1)[0], LINES),
    "min, other": _row(torch.min, A, B, each=True),
    "multilabel_margin_loss": _row(
        lambda x: torch.nn.functional.multilabel_margin_loss(
            x, torch.tensor([[3, 0, -1, 1]] * len(LINES)), reduction="none"
        ),
        LINES,
    ),
    "nll_loss": _row(lambda x: aten.nll_loss(x, TARGETS, None, 0), LINES),
    "nll_loss_forward": _row(lambda x: aten.nll_loss_forward(x, TARGETS, None, 0, -100)[0], LINES),
    "nll_loss2d": _row(
        lambda x: aten.nll_loss2d(x.reshape(-1, 4, 1, 1), TARGETS.reshape(-1, 1, 1), None, 0), LINES
    ),
    "nll_loss2d_forward": _row(
        lambda x: aten.nll_loss2d_forward(x.reshape(-1, 4, 1, 1), TARGETS.reshape(-1, 1, 1), None, 0, -100)[
            0
        ],
        LINES,
    ),
    "sgn": _row(torch.sgn, A, each=True),
    "sort": _row(lambda x: torch.sort(x, -1)[0], LINES),
    "argsort": _row(lambda x: torch.argsort(x[:1], -1), LINES),
    "topk": _row(lambda x: torch.topk(x[:1], 2)[0], LINES),
    "std_mean": _row(lambda x: torch.std_mean(x[:6], -1)[1], LINES),
    "var_mean": _row(lambda x: torch.var_mean(x[:6], -1)[0], LINES),
    "true_divide": _row(torch.true_divide, A, B, each=True),
}

INTEGERS = "of integers, which have no special points"

WITHOUT: dict[str, str] = {
    **dict.fromkeys(
        ("__and__", "__lshift__", "__or__", "__rshift__", "__xor__"),
        INTEGERS,
    ),
    **{f"bitwise_{name}": INTEGERS for name in ("and", "or", "xor", "not", "left_shift", "right_shift")},
    "_adaptive_avg_pool1d": "torch.export does not keep it: it comes to adaptive_avg_pool1d",
    "nll_loss_nd": "torch.export spells it nll_loss",
    "cumprod": "its gradient is the product of the other elements; PyTorch's is NaN beside a NaN or ∞",
}
"""Operators of the table that have no row, and why."""

ATEN = {**{name: row for name, row in FUNCTIONS.items() if not name.startswith("gaussian")}, **MORE}
"""All rows of the importer; `gaussian_nll_loss` looks at elements, and is no graph."""
