"""The samples of an operator, as PyTorch's test suite makes them; at most 40, drawn from all there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from random import Random
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.common_utils import set_rng_seed
from torch.utils._pytree import tree_flatten, tree_unflatten

MOST = 40  # samples of an operator
DTYPES = (torch.float64, torch.int64, torch.bool)  # the first that an operator has


@dataclass(frozen=True)
class Sample:
    """One call of an operator: the tensors among its arguments, and how to call it with others."""

    name: str
    operator: str
    tensors: Sequence[torch.Tensor]  # those with `requires_grad` are differentiated by
    _operator: Any
    _call: Callable[[Sequence[Any]], tuple[Any, tuple[Any, ...], dict[str, Any]]]

    def arguments(self, tensors: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and named arguments, with these in the place of the tensors."""
        first, others, named = self._call(tensors)
        return (first, *others), named

    def fresh(self) -> list[torch.Tensor]:
        """Copies of the tensors, since some operators write to their arguments."""
        return [t.detach().clone().requires_grad_(t.requires_grad) for t in self.tensors]

    def expected(self, tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """What PyTorch returns for these tensors; what it returns besides tensors is left out."""
        first, others, named = self._call(tensors)
        with sdpa_kernel(SDPBackend.MATH):  # PyTorch's fused attention has no second derivative
            found = self._operator(first, *others, **named)
        return [y for y in tree_flatten(found)[0] if is_tensor(y)]

    def differentiable(self, outputs: Sequence[torch.Tensor]) -> list[int]:
        """The numbers of the outputs that have a derivative."""
        return [i for i, y in enumerate(outputs) if y.requires_grad]

    @property
    def has_gradient(self) -> bool:
        """Whether PyTorch differentiates it; some operators have samples for that alone, as a variant."""
        if f"{self.operator}/grad" in operators():
            return False
        return bool(self._operator.supports_autograd) and any(t.requires_grad for t in self.tensors)

    @property
    def has_second_gradient(self) -> bool:
        """Whether PyTorch differentiates its gradient."""
        return self.has_gradient and bool(self._operator.supports_gradgrad)


def is_tensor(item: object) -> bool:
    return isinstance(item, torch.Tensor)


@cache
def operators() -> dict[str, Any]:
    """All operators that PyTorch has samples of, by name, or name/variant."""
    return {"/".join(filter(None, (op.name, op.variant_test_name))): op for op in op_db}


def samples(name: str, dtype: torch.dtype | None = None, first: int | None = None) -> Iterator[Sample]:
    """The operator's samples in `dtype`, or the first of `DTYPES` that it has; the same every time.

    At most 40, drawn from all there are; or the `first` few, which takes less time.
    """
    operator = operators()[name]
    chosen = dtype or next(d for d in DTYPES if d in operator.supported_dtypes("cpu"))
    differentiated = operator.supports_autograd and chosen.is_floating_point
    set_rng_seed(0)
    made = enumerate(operator.sample_inputs("cpu", chosen, requires_grad=differentiated))
    for number, sample in _some(list(made)) if first is None else islice(made, first):
        yield _sample(f"{name}#{number}", name, operator, sample)


def _some(every: list[Any]) -> list[Any]:
    if len(every) <= MOST:
        return every
    return [every[i] for i in sorted(Random(0).sample(range(len(every)), MOST))]


def _sample(title: str, name: str, operator: Any, made: Any) -> Sample:
    leaves, structure = tree_flatten((made.input, tuple(made.args), dict(made.kwargs)))
    places = [i for i, leaf in enumerate(leaves) if is_tensor(leaf)]

    def call(tensors: Sequence[Any]) -> Any:
        filled = list(leaves)
        for place, tensor in zip(places, tensors, strict=True):
            filled[place] = tensor
        return tree_unflatten(filled, structure)

    return Sample(title, name, [leaves[i] for i in places], operator, call)
