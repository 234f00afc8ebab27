"""The diff that CONTRIBUTING shows is in the tree, and is all that an operator takes."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from raygrad.proto.operators.base import Operator
from raygrad.proto.tensor import DType
from raygrad.workers.kernels import base as kernels

from . import test_operators as completeness
from .backends import BACKENDS
from .evaluate import run
from .sampling import Sample

ROOT = Path(__file__).resolve().parent.parent
NAME, OTHER = "Flip", "Mirrored"


def diff() -> dict[str, list[str]]:
    """The lines of each file of the diff, with their signs."""
    (block,) = re.findall(r"^```diff\n(.*?)^```$", (ROOT / "CONTRIBUTING.md").read_text(), re.M | re.S)
    parts = re.split(r"^--- a/.*\n\+\+\+ b/(.*)\n@@.*\n", block, flags=re.M)[1:]
    return dict(zip(parts[::2], (part.splitlines() for part in parts[1::2]), strict=True))


ADDED = {path: [line[1:] for line in lines if line.startswith("+")] for path, lines in diff().items()}


def test_the_diff_is_in_the_tree() -> None:
    for path, lines in diff().items():
        after = "\n".join(line[1:] for line in lines)
        assert f"\n{after}\n" in (ROOT / path).read_text()


def test_it_touches_two_places_and_the_samples() -> None:
    meaning, computing, samples = ADDED
    assert Path(meaning).parent == Path("proto/operators")
    assert Path(computing).parent == Path("workers/kernels/common")
    assert Path(samples).parent == Path("tests/samples")
    assert all(line.startswith("    sample(shape.Flip(") for line in ADDED[samples])


@pytest.fixture
def samples() -> Iterator[list[Sample]]:
    """The samples of the operator that the diff adds, under another name, while it is in the catalogue."""
    before = Operator.registry.copy(), kernels._factories.copy(), kernels._exact.copy()
    meaning, computing, sampled = ("\n".join(lines).replace(NAME, OTHER) for lines in ADDED.values())
    names = names_of("raygrad.proto.operators.shape")
    exec(meaning, names)
    family = SimpleNamespace(**names)
    exec(computing, {**names_of("raygrad.workers.kernels.common.movement"), "shape": family})
    found: list[Sample] = eval(f"[{sampled}]", {**names_of("tests.samples.shape"), "shape": family})
    yield found
    for registry, old in zip((Operator.registry, kernels._factories, kernels._exact), before, strict=True):
        registry.clear()
        registry.update(old)  # type: ignore[call-overload, arg-type]


def names_of(module: str) -> dict[str, Any]:
    return dict(vars(importlib.import_module(module)))


def test_nothing_else_is_needed(samples: list[Sample]) -> None:
    assert OTHER in Operator.registry
    for sample in samples:
        for floating in (DType.float64, DType.float32):
            completeness.test_named_sizes_bind_to_the_types_of_numbers(sample, floating)
            completeness.test_backends_agree(sample, floating)
            for backend in BACKENDS:
                completeness.test_results_have_the_inferred_types(sample, floating, backend)
                completeness.test_bits_do_not_depend_on_how_operands_lie(sample, floating, backend)
                completeness.test_exact_kernels_take_views(sample, floating, backend)
    completeness.test_first_and_second_derivatives(samples[0])
    (flipped,) = run(samples[0].operator, [np.arange(12.0).reshape(2, 2, 3)], BACKENDS[0])
    np.testing.assert_array_equal(flipped, np.arange(12.0).reshape(2, 2, 3)[::-1, :, ::-1])


def test_the_catalogue_is_as_before() -> None:
    assert OTHER not in Operator.registry
