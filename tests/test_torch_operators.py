"""The table of ATen operators: every case's result, and the gradient of all of a family, are PyTorch's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as f

import raygrad as rg
from raygrad.client.importers.torch import from_torch

Case = Callable[[Tensor, Tensor, Tensor], Any]
I = torch.tensor([[0, 2, 1], [1, 1, 0]])  # noqa: E741 (indices)
LABELS = torch.tensor([[3, 0, -1, 1, 2, 4, 5, 6], [-1, *range(7)], *([*range(8)] for _ in range(6))])


def assigned(x: Tensor, index: Any, value: Tensor) -> Tensor:
    """x with `value` at an index, written in place."""
    y = x.clone()
    y[index] = value
    return y


# a: (2, 3, 8, 8), b: (2, 3, 8, 8) positive, w: (4, 3, 3, 3); float64
ELEMENTWISE: dict[str, Case] = {
    "arithmetic": lambda a, b, w: (a + 2 * b - 3) / b - a * b + torch.add(a, b, alpha=3) - (1 - a),
    "powers": lambda a, b, w: b**2.5 + 2**a + b**a + a.square() + b.rsqrt() + b.reciprocal() + b.sqrt(),
    "exponentials": lambda a, b, w: (
        a.exp() + b.log() + a.expm1() + b.log1p() + b.log2() + b.log10() + a.exp2()
    ),
    "circular": lambda a, b, w: a.sin() + a.cos() + a.tan() + a.atan() + torch.atan2(a, b) + (a / 9).asin(),
    "hyperbolic": lambda a, b, w: (
        a.sinh() + a.cosh() + a.tanh() + a.asinh() + (b + 1.5).acosh() + (a / 9).atanh()
    ),
    "special": lambda a, b, w: (
        a.erf() + a.erfc() + torch.logaddexp(a, b) + torch.special.xlogy(a, b) + a.abs()
    ),
    "rounding": lambda a, b, w: a.floor() * a + a.ceil() + a.trunc() + a.round() + a.frac() + a.sign(),
    "division": lambda a, b, w: a % b + torch.fmod(a, b) + torch.div(a, b, rounding_mode="floor"),
    "truncation": lambda a, b, w: torch.div((9 * a).int(), 4, rounding_mode="trunc") + (9 * a).int() // 4,
    "choice": lambda a, b, w: torch.where(a > 0, a, b) + a.clamp(-0.5, 0.5) + a.clamp_min(0) + a.clip(max=b),
    "ties": lambda a, b, w: torch.maximum(a, a.clamp(0)) + torch.minimum(a, b) + a.masked_fill(b > 0.9, 7),
    "comparisons": lambda a, b, w: ((a < b) & (a != 1) | ~(a >= 0.2)) ^ torch.isnan(a) & (a == a),
    "integers": lambda a, b, w: ((9 * a).int() & 6 | 1) ^ ((9 * b).int() << 1),
    "logic": lambda a, b, w: (
        torch.logical_and(a > 0, b > 0.5) | torch.logical_xor(a, b) | torch.logical_not(a)
    ),
    "fused": lambda a, b, w: torch.addcmul(a, a, b, value=2) + torch.addcdiv(a, a, b) + torch.lerp(a, b, 0.3),
    "dtypes": lambda a, b, w: (a.float() * 3 + a.int()).double() + (a > 0) * 2 + a.to(torch.int64) / 2,
    "nan_to_num": lambda a, b, w: torch.nan_to_num(a / (a > 0), 2.0, 3.0, -3.0),
    "rectifiers": lambda a, b, w: (
        a.relu() + f.leaky_relu(a, 0.2) + f.relu6(6 * a) + f.prelu(a, w[:3, 0, 0, 0])
    ),
    "smooth": lambda a, b, w: (
        f.gelu(a) + f.gelu(a, approximate="tanh") + f.silu(a) + f.mish(a) + f.softsign(a)
    ),
    "elus": lambda a, b, w: (
        f.elu(a, 0.75) + f.selu(a).detach() + f.celu(a, 0.5) + f.softplus(20 * a, 2) + f.logsigmoid(a)
    ),
    "hard": lambda a, b, w: (
        f.hardtanh(a) + f.hardsigmoid(4 * a).detach() + f.hardswish(4 * a).detach() + f.threshold(a, 0.1, 3)
    ),
    "shrinking": lambda a, b, w: f.hardshrink(a) + f.softshrink(a) + f.tanhshrink(a) + a.sigmoid(),
    "glu": lambda a, b, w: f.glu(a, 2),
    "softmax": lambda a, b, w: f.softmax(a, 1) + f.log_softmax(a, -1) + f.softmin(a, 0),
}
SHAPES: dict[str, Case] = {
    "views": lambda a, b, w: (
        a.view(2, -1).reshape(6, 64).unflatten(0, (2, 3)).flatten(1).unsqueeze(0).squeeze()
    ),
    "orders": lambda a, b, w: a.permute(1, 0, 3, 2).transpose(0, -1).movedim(0, 2).mT,
    "expansion": lambda a, b, w: a[:, :, :1].expand(-1, -1, 8, -1) + a[0, 0, 0].expand_as(a),
    "joins": lambda a, b, w: torch.cat([a, b], 1).sum(1) + torch.stack([a, b], -1).prod(-1)[:, 0],
    "cuts": lambda a, b, w: a.split(3, 2)[1].sum() + a.chunk(3, 2)[2].sum() + sum(a.unbind(1)),
    "slices": lambda a, b, w: a[:, 1:, ::2, -3:-1] * a[1, ..., 2:3, None].sum(),
    "padding": lambda a, b, w: (
        f.pad(a, (1, 2, -1, 0), value=3.0).sum(2) + f.pad(a, (1, 2, 0, 1), mode="reflect").sum(2)
    ),
    "borders": lambda a, b, w: (
        f.pad(a, (1, 1, 2, 2), mode="replicate") + f.pad(a, (1, 1, 2, 2), mode="circular")
    ),
    "repetition": lambda a, b, w: a.repeat(1, 2, 1, 1) + a.repeat_interleave(2, 1),
    "moves": lambda a, b, w: a.flip(1, 3) + a.roll((1, -2), (2, 3)) + a.roll(5),
    "triangles": lambda a, b, w: a.tril() + a.triu(1) + torch.diag_embed(a.diagonal(0, 2, 3)),
    "pixels": lambda a, b, w: f.pixel_unshuffle(f.pixel_shuffle(a[:, :1].expand(2, 4, 8, 8), 2), 4),
    "windows": lambda a, b, w: a.unfold(2, 3, 2).sum() + f.fold(f.unfold(a, 3, padding=1), 8, 3, padding=1),
    "creation": lambda a, b, w: a + torch.arange(8) + torch.ones_like(a) + torch.full((8,), 2) + torch.eye(8),
    "linspace": lambda a, b, w: (
        a * torch.linspace(0, 1, 8, dtype=torch.float64) + a.new_zeros(8) + torch.arange(1, 9)
    ),
    "gather": lambda a, b, w: a[0, 0].gather(1, I) + a[0, 0].index_select(0, I[0, :2])[:, :3],
    "take": lambda a, b, w: a[:, :, I[0]] + a[:, I[0]][:, :, :3],
    "advanced": lambda a, b, w: (
        a[:, I, I].sum(2) * a[I[:, :1], I].sum() + a[..., I, -1].sum() + a[I[0] % 2, :, 1, I[1]].sum()
    ),
    "scatter": lambda a, b, w: (
        a[0, 0].scatter(1, I[:1], b[0, 0, :1, :3]) + a[0, 0].scatter_add(1, I, b[0, 0, :2, :3])
    ),
    "reduced": lambda a, b, w: (
        a[0, 0].scatter_reduce(1, I, b[0, 0, :2, :3], "amax") + a[0, 0].index_add(0, I[0, :2], b[0, 0, :2])
    ),
    "written": lambda a, b, w: (
        a.index_put((I[0] % 2, I[0]), b[0, 0], accumulate=True)
        + torch.slice_scatter(a, b[:, :, :2], 2, 1, 5, 2)
    ),
    "masks": lambda a, b, w: (
        a.index_put((a > 0.5,), b.sum())
        + a.index_put((a[..., 0] > 0,), w[0, 0, 0, 0], accumulate=True)
        + assigned(a, (slice(None), a[0, :, 0, 0] > 0), b[0, 0])
    ),
    "copies": lambda a, b, w: (
        torch.zeros_like(a).copy_((9 * b[:, :1]).int())
        + assigned(a, (..., slice(1, 3)), w[:2, 0, 0, :1, None, None])
    ),
    "placed": lambda a, b, w: (
        torch.select_scatter(a, b[:, 0], 1, 2)
        + a.index_fill(1, I[0, :1], 2.0)
        + a.index_copy(2, I[0], b[:, :, :3])
    ),
    "embedding": lambda a, b, w: f.embedding(I, a[0, 0], padding_idx=1),
}
REDUCTIONS: dict[str, Case] = {
    "sums": lambda a, b, w: a.sum() + a.mean((1, -1), keepdim=True).sum(0) + a.prod(-1).sum() + (a > 0).sum(),
    "extrema": lambda a, b, w: a.amax((2, 3)) + a.amin(1).sum() + a.max() - a.min() + a.max(1)[0].sum(),
    "indices": lambda a, b, w: (
        a.argmax(1) + a.argmin(-1, keepdim=True).sum(1) + a.max(2)[1].sum() + a.argmax()
    ),
    "moments": lambda a, b, w: (
        a.var() + a.var(1).sum() + a.std((2, 3)) + torch.var_mean(a, 1, correction=0)[0].sum()
    ),
    "norms": lambda a, b, w: (
        a.norm() + a.norm(1, 2).sum() + torch.linalg.vector_norm(a, float("inf")) + f.normalize(a).sum()
    ),
    "logsumexp": lambda a, b, w: a.logsumexp((1, 2)),
    "truth": lambda a, b, w: (
        (a > 2).any() | (a > -9).all(1) | (a > 0).any(-1)[:, :1] | (a != 0).all((1, 2)).any()
    ),
    "scans": lambda a, b, w: a.cumsum(1) + b.cumprod(-1),
    "order": lambda a, b, w: a.sort(-1, descending=True)[0] + a.topk(8, 2, largest=False)[0] + a.argsort(1),
    "scalars": lambda a, b, w: (
        a.sum().sort()[0] + a.max().topk(1)[0] + a.sum().argsort(0) + b.sum().cumsum(0) + a.sum().max(0)[0]
    ),
    "counts": lambda a, b, w: a.count_nonzero(1) + a.relu().count_nonzero(),
    "products": lambda a, b, w: a @ b.mT + torch.bmm(a[0], b[0]) + a @ a[0, 0, 0][:, None],
    "matrices": lambda a, b, w: (
        torch.addmm(a[0, 0], b[0, 0], a[0, 1], beta=2, alpha=3) + torch.outer(a[0, 0, 0], b[0, 0, 0])
    ),
    "einsum": lambda a, b, w: (
        torch.einsum("nchw,nchv->nwv", a, b) + torch.tensordot(a, b, ([1, 2], [1, 2])).sum((0, 2))
    ),
    "vectors": lambda a, b, w: (
        a[0, 0, 0] @ b[0, 0, 0] + (a[0, 0] @ b[0, 0, 0]).dot(a[0, 0, 1]) + a[0, 0].trace()
    ),
    "linear": lambda a, b, w: (
        f.linear(a, b[0, 0], b[0, 0, 0])
        + f.bilinear(a[0, 0], b[0, 0], w.reshape(1, 108)[:, :64].reshape(1, 8, 8)).sum()
    ),
    "attention": lambda a, b, w: (
        f.scaled_dot_product_attention(a, b, a) + f.scaled_dot_product_attention(a, b, b, is_causal=True)
    ),
    "masked": lambda a, b, w: (
        f.scaled_dot_product_attention(a, b, a, attn_mask=a[0, 0] > 0.9)
        + f.scaled_dot_product_attention(a, b, a, attn_mask=a, scale=2.0)
    ),
}
LAYERS: dict[str, Case] = {
    "conv": lambda a, b, w: (
        f.conv2d(a, w, w[:, 0, 0, 0], 2, 1) + f.conv2d(a, w, padding="same", dilation=2)[..., ::2, ::2]
    ),
    "conv1d": lambda a, b, w: (
        f.conv1d(a[:, :, 0], w[:, :, 0], padding=1) + f.conv1d(a[0, :, 0], w[:, :, 0], padding=1)
    ),
    "conv3d": lambda a, b, w: f.conv3d(a[:, None], w[:, :1, :, :, None], groups=1),
    "groups": lambda a, b, w: f.conv2d(a, w[:3, :1], groups=3),
    "transposed": lambda a, b, w: f.conv_transpose2d(
        a, w.transpose(0, 1), w[:, 0, 0, 0], 2, 1, output_padding=1
    ),
    "max_pool": lambda a, b, w: (
        f.max_pool2d(a, 3, 2, 1, ceil_mode=True) + f.max_pool1d(a[:, 0], 2)[:, :3, None, :1]
    ),
    "avg_pool": lambda a, b, w: (
        f.avg_pool2d(a, 3, 2, 1, True)
        + f.avg_pool2d(a, 3, 2, 1, True, False)
        + f.avg_pool2d(a, 2, divisor_override=3).sum()
    ),
    "adaptive": lambda a, b, w: (
        f.adaptive_avg_pool2d(a, (3, 5))
        + f.adaptive_max_pool2d(a, (3, 5))
        + f.adaptive_avg_pool1d(a[:, 0], 4).sum()
    ),
    "lp_pool": lambda a, b, w: f.lp_pool2d(b, 2, 2),
    "norms": lambda a, b, w: (
        f.layer_norm(a, (8, 8), b[0, 0], b[0, 1]) + f.group_norm(a, 3, w[0, :, 0, 0]) + f.rms_norm(a, (8,))
    ),
    "instance": lambda a, b, w: f.instance_norm(a, weight=w[0, :, 0, 0]) + f.local_response_norm(a, 2),
    "batch_norm": lambda a, b, w: (
        f.batch_norm(a, None, None, w[0, :, 0, 0], None, True)
        + f.batch_norm(a, b[0, :, 0, 0].detach(), b[0, :, 0, 1].detach())
    ),
    "resize": lambda a, b, w: (
        f.interpolate(a, scale_factor=2)
        + f.interpolate(a, (16, 16), mode="bilinear")
        + f.interpolate(a, (16, 16), mode="bicubic", align_corners=True)
    ),
    "cross_entropy": lambda a, b, w: (
        f.cross_entropy(a[:, :, 0, :3], I)
        + f.cross_entropy(
            a[0, 0, :3],
            I[0].where(I[0] > 0, -100),
            w[0, 0, 0].repeat(3)[:8].exp().detach(),
            label_smoothing=0.1,
        )
    ),
    "probabilities": lambda a, b, w: (
        f.cross_entropy(a, f.softmax(b, 1), label_smoothing=0.2)
        + f.nll_loss(a[0, 0, :3], I[0], reduction="sum")
    ),
    "distances": lambda a, b, w: (
        f.mse_loss(a, b)
        + f.l1_loss(a, b, reduction="sum")
        + f.smooth_l1_loss(a, b, beta=0.3)
        + f.huber_loss(a, b, delta=0.4)
    ),
    "binary": lambda a, b, w: (
        f.binary_cross_entropy(a.sigmoid(), b.clamp(0, 1))
        + f.binary_cross_entropy_with_logits(a, b, pos_weight=b[0, 0].detach())
    ),
    "divergence": lambda a, b, w: (
        f.kl_div(a.log_softmax(1), b.softmax(1), reduction="batchmean") + f.poisson_nll_loss(a, b)
    ),
    "labels": lambda a, b, w: (
        f.multilabel_margin_loss(a[0, 0], LABELS)
        + f.multilabel_margin_loss(a[0, 0, 1], LABELS[1], reduction="sum")
    ),
    "margins": lambda a, b, w: (
        f.hinge_embedding_loss(a, a.sign().detach())
        + f.cosine_similarity(a, b).sum()
        + f.triplet_margin_loss(a, b, a * b)
        + f.margin_ranking_loss(a, b, a.sign().detach())
    ),
}
FAMILIES = {"elementwise": ELEMENTWISE, "shapes": SHAPES, "reductions": REDUCTIONS, "layers": LAYERS}


class Family(nn.Module):
    """All cases of a family, of parameters."""

    def __init__(self, cases: Mapping[str, Case]) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        draw = {"generator": generator, "dtype": torch.float64}
        self.a = nn.Parameter(torch.randn(2, 3, 8, 8, **draw))  # type: ignore[call-overload]
        self.b = nn.Parameter(torch.rand(2, 3, 8, 8, **draw) + 0.1)  # type: ignore[call-overload]
        self.w = nn.Parameter(torch.randn(4, 3, 3, 3, **draw))  # type: ignore[call-overload]
        self.cases = cases

    def forward(self) -> dict[str, Tensor]:
        found = {name: case(self.a, self.b, self.w) for name, case in self.cases.items()}
        floating = [y for y in found.values() if y.is_floating_point()]
        return {**found, "total": sum((y * torch.cos(y.detach())).sum() for y in floating) + 0 * self.a.sum()}


def check(cases: Mapping[str, Case]) -> None:
    module = Family(cases)
    model = from_torch(module)
    with rg.local(model.graph, loss="total", backend="torch-cpu") as session:
        session.put(model.tensors)
        outputs = session.accumulate([{}])[0].outputs
        gradients = session.gradients()
    expected = module()
    expected["total"].backward()
    for name, value in expected.items():
        np.testing.assert_allclose(
            outputs[name], value.detach().numpy(), rtol=1e-10, atol=1e-11, err_msg=name
        )
    for name, parameter in module.named_parameters():
        if parameter.grad is not None:
            np.testing.assert_allclose(gradients[name], parameter.grad, rtol=1e-9, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("family", FAMILIES)
def test_results_and_gradients_are_those_of_torch(family: str) -> None:
    check(FAMILIES[family])
