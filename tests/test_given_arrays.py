"""Dtypes that NumPy chose by itself become what a graph declares, and what cannot be is refused by name.

float64 is rounded to any floating-point dtype, int64 becomes any integer dtype that holds its numbers, and
narrower dtypes become wider ones; other dtypes are refused, since somebody chose them.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch

import raygrad as rg
from raygrad.client.session import Session
from raygrad.proto.errors import (
    ConfigurationError,
    DifferentiationError,
    GraphError,
    RaygradError,
    TensorDTypeError,
    TensorError,
    TensorShapeError,
    UnexpectedTensorError,
)
from raygrad.proto.given import fitted
from raygrad.proto.tensor import DType
from tests.serving import running


def graph() -> rg.Graph:
    g = rg.Builder()
    x, w = g.input("x", ("N",)), g.parameter("w", ())
    labels = g.input("labels", ("N",), "int32")
    g.output("loss", (x * w * labels.astype("float32")).sum())
    return g.graph()


@pytest.fixture(params=["in process", "server"])
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    if request.param == "in process":
        with rg.local(graph()) as found:
            yield found
    else:
        with running() as server, rg.connect(server.address, graph()) as found:
            yield found


def test_float64_and_int64_become_what_is_declared(session: Session) -> None:
    session.put({"w": np.float32(3) / np.sqrt(2)})
    feeds = {"x": np.array([1.0, 2.0]), "labels": np.array([1, 2])}
    assert feeds["x"].dtype == np.float64
    assert feeds["labels"].dtype == np.int64
    result = session.forward(feeds, keep=True)
    assert result.outputs["loss"].dtype == np.float32
    np.testing.assert_allclose(result.outputs["loss"], 5 * 3 / np.sqrt(2), rtol=1e-6)
    back = session.backward(result.lease, {"loss": np.float64(2)}, ["x"])
    np.testing.assert_allclose(back["x"], np.array([2, 4]) * 3 / np.sqrt(2), rtol=1e-6)
    assert session.gradients()["w"] == 10
    (again,) = session.accumulate([feeds], progress=False)
    assert again.outputs["loss"] == result.outputs["loss"]
    assert feeds["x"].dtype == np.float64


@pytest.mark.parametrize(
    ("feeds", "match"),
    [
        ({"x": np.array([1e300]), "labels": np.array([1])}, "beyond float32"),
        ({"x": np.array([1]), "labels": np.array([1])}, "must be float32"),
        ({"x": np.array([True]), "labels": np.array([1])}, "must be float32"),
        ({"x": np.array([1.0]), "labels": np.array([1 << 40])}, "must be int32"),
        ({"x": np.array([1.0]), "labels": np.array([1.0])}, "must be int32"),
        ({"x": np.array([1.0]), "labels": np.array([1], np.uint32)}, "must be int32"),
        ({"x": np.array([1j]), "labels": np.array([1])}, "complex128"),
    ],
)
def test_what_would_mean_something_else_is_refused(
    session: Session, feeds: dict[str, Any], match: str
) -> None:
    session.put({"w": 1.0})
    with pytest.raises(TensorDTypeError, match=match):
        session.forward(feeds)


@pytest.mark.parametrize(
    ("given", "declared", "fits"),
    [
        ("float64", "float32", True),
        ("float64", "float16", True),
        ("float64", "bfloat16", True),
        ("float32", "float64", True),
        ("float16", "float32", True),
        ("bfloat16", "float32", True),
        ("float32", "float16", False),
        ("float32", "bfloat16", False),
        ("float16", "bfloat16", False),
        ("int64", "int32", True),
        ("int64", "uint8", True),
        ("int32", "int64", True),
        ("uint8", "int16", True),
        ("int32", "int16", False),
        ("int64", "float32", False),
        ("float64", "int64", False),
        ("bool", "float32", False),
        ("int64", "bool", False),
    ],
)
def test_which_dtypes_give_way(given: str, declared: str, fits: bool) -> None:
    array = np.array([0, 1, 3]).astype(ml_dtypes.bfloat16 if given == "bfloat16" else given)
    found = fitted(array, DType.of(declared))
    assert DType.of(found.dtype) is DType.of(declared if fits else given)
    np.testing.assert_array_equal(found.astype(float), array.astype(float))


def test_infinities_and_nan_stay_what_they_are() -> None:
    found = fitted(np.array([np.inf, np.nan, -np.inf]), DType.float32)
    np.testing.assert_array_equal(found, np.array([np.inf, np.nan, -np.inf], np.float32))


def test_int64_that_int32_does_not_hold_is_refused() -> None:
    for number in (1 << 31, -(1 << 31) - 1):
        assert fitted(np.array([number]), DType.int32).dtype == np.int64
    assert fitted(np.array([], np.int64), DType.int32).dtype == np.int32


def test_cotangents_and_data_of_tensors() -> None:
    x = rg.tensor([1.0, 2.0], requires_grad=True)
    (x * x).backward(np.array([1.0, 2.0]))
    assert x.grad is not None
    assert x.grad.tolist() == [2, 8]
    x.data = np.array([3.0, 4.0]) / np.sqrt(4)
    assert x.tolist() == [1.5, 2]
    assert x.dtype is DType.float32
    with pytest.raises(DifferentiationError, match="must be float32"):
        (x * x).backward(np.array([1, 2]))


# -- errors that had no type --------------------------------------------------------------------------


def test_concatenating_arrays_says_what_is_wanted() -> None:
    with pytest.raises(RaygradError, match="concatenate: values must be a list or tuple of values"):
        rg.functions.concatenate([np.ones(2), np.ones(2)])  # type: ignore[list-item]


def test_gradients_of_one_value_need_no_list() -> None:
    g = rg.Builder()
    x = g.input("x", ())
    y = x * x
    found = [rg.gradients(outputs, wrt)[0] for outputs in (y, [y]) for wrt in (x, [x])]
    assert len({g.ref for g in found if g is not None}) == 1
    assert None not in found


def test_gradients_of_tensors_are_those_of_grad() -> None:
    x = rg.tensor(1.0, requires_grad=True)
    with pytest.raises(DifferentiationError, match=r"rg\.grad"):
        rg.gradients(x * x, [x])


@pytest.mark.parametrize("make", [rg.optimizers.SGD, rg.optimizers.Adam])
def test_an_optimizer_names_what_it_does_not_know(make: Any) -> None:
    optimizer = make({"weight": np.ones(2, np.float32)})
    with pytest.raises(UnexpectedTensorError, match=r"'wieght'.*did you mean 'weight'"):
        optimizer.step({"weight": np.ones(2, np.float32), "wieght": np.ones(2, np.float32)})
    with pytest.raises(TensorShapeError, match="weight"):
        optimizer.step({"weight": np.ones((3, 2), np.float32)})
    with pytest.raises(TensorError, match="weight"):
        optimizer.step({"weight": "text"})
    with pytest.raises(TensorError, match="mapping"):
        optimizer.step([1])
    np.testing.assert_array_equal(optimizer.parameters["weight"], 1)
    optimizer.step({"weight": np.ones(2)})
    assert optimizer.parameters["weight"].dtype == np.float32


def test_a_torch_tensor_that_requires_a_gradient_is_refused_with_a_word_on_detach() -> None:
    with pytest.raises(TensorError, match="detach"):
        rg.tensor(torch.ones(2, requires_grad=True))
    assert rg.tensor(torch.ones(2)).tolist() == [1, 1]


def test_leaves_are_pickled_and_copied() -> None:
    x = rg.tensor([1.0, 2.0], requires_grad=True)
    for found in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x), copy.copy(x)):
        assert found.tolist() == [1, 2]
        assert found.requires_grad
        assert found is not x
    half = rg.tensor([1.0], "bfloat16")
    assert pickle.loads(pickle.dumps(half)).type == half.type


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_what_lives_in_this_process_says_so(twin: Any) -> None:
    x = rg.tensor([1.0], requires_grad=True)
    with pytest.raises(GraphError, match="only a leaf"):
        twin(x * x)
    with pytest.raises(GraphError, match="a device lives in this process"):
        twin(rg.Device())
    with rg.local(graph()) as session, pytest.raises(GraphError, match="a session lives in this process"):
        twin(session)


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_remote_module_is_pickled_and_opens_sessions_of_its_own(twin: Any) -> None:
    with rg.torch.Remote(torch.nn.Linear(3, 2)) as remote:
        x = torch.ones(4, 3)
        expected = remote(x)
        with twin(remote) as other:
            torch.testing.assert_close(other(x), expected)
            assert other.module is not remote.module


@pytest.mark.parametrize(
    ("inputs", "match"),
    [
        ((torch.zeros(2, 5),), r"reduction dim.*\[2, 5\]"),
        (("text",), "must be Tensor, not str"),
        ((), "missing a required argument: 'input'"),
        ((torch.zeros(2, 4), torch.zeros(2, 4)), "too many"),
    ],
)
def test_a_wrong_input_of_a_remote_module_is_one_line(
    inputs: tuple[Any, ...], match: str, capfd: pytest.CaptureFixture[str]
) -> None:
    remote = rg.torch.Remote(torch.nn.Linear(4, 3))
    with pytest.raises((GraphError, ConfigurationError), match=match) as caught:
        remote(*inputs)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert "Traceback" not in "".join(capfd.readouterr())


def test_rg_torch_shows_what_is_public() -> None:
    assert dir(rg.torch) == ["Remote", "from_torch"]
