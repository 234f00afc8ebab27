"""What a capture of a PyTorch module sees: what is read is followed, what a graph would drop is refused."""

from __future__ import annotations

import functools
import random
import types
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from raygrad.client.importers.torch import Remote, from_torch
from raygrad.proto.errors import GraphError

Change = Callable[[Any], Any]
Forward = Callable[..., Any]

X = torch.tensor([[1.0, -2.0], [0.5, 3.0], [0.25, 1.0]])

FACTOR = 1.0
ATTRIBUTE = "factor"
SETTINGS = {"factor": 1.0}
LOG: list[Any] = []


class Config:
    factor = 1.0


class Slotted:
    __slots__ = ("factor",)

    def __init__(self) -> None:
        self.factor = 1.0


class Base(nn.Module):
    """Holds about all that a module may hold."""

    factor_of_class: ClassVar[float] = 1.0

    def __init__(self, forward: Forward) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(2))
        self.run = forward
        self.factor: float = 1.0
        self.tensor = torch.ones(2)
        self.array = np.ones(2, np.float32)
        self.items = [1.0]
        self.table = {"factor": 1.0}
        self.object = types.SimpleNamespace(factor=1.0)
        self.slotted = Slotted()
        self.activation: Any = torch.tanh
        self.count = 0
        self.hidden = [nn.Linear(2, 2)]
        self.random = random.Random(0)
        self.generator = np.random.default_rng(0)

    def forward(self, x: Tensor) -> Any:
        return self.run(self, x)

    @property
    def doubled(self) -> float:
        return self.factor * 2


class OfClass(Base):
    factor_of_class: ClassVar[float] = 1.0


def closed_over() -> tuple[Forward, list[float], Callable[[float], None]]:
    """A forward pass with variables around it, and how to change them."""
    items, number = [1.0], 1.0

    def forward(m: Base, x: Tensor) -> Tensor:
        return x * m.w * items[0] * number

    def rebind(value: float) -> None:
        nonlocal number
        number = value

    return forward, items, rebind


def with_default(m: Base, x: Tensor, items: list[float] = [1.0]) -> Tensor:  # noqa: B006
    return x * m.w * items[0]


AROUND, AROUND_ITEMS, REBIND = closed_over()


def set_global(_: Base) -> None:
    global FACTOR
    FACTOR += 1


def with_settings(m: Base, x: Tensor) -> Tensor:
    return x * m.w * SETTINGS["factor"]


def with_global(m: Base, x: Tensor) -> Tensor:
    return x * m.w * FACTOR


def with_config(m: Base, x: Tensor) -> Tensor:
    return x * m.w * Config.factor


FOLLOWED: dict[str, tuple[Forward, Change]] = {
    "an attribute": (lambda m, x: x * m.w * m.factor, lambda m: setattr(m, "factor", 2.0)),
    "an integer for a float": (lambda m, x: x * m.w * m.factor, lambda m: setattr(m, "factor", 1)),
    "a property": (lambda m, x: x * m.w * m.doubled, lambda m: setattr(m, "factor", 2.0)),
    "an attribute by its name": (
        lambda m, x: x * m.w * getattr(m, ATTRIBUTE),
        lambda m: setattr(m, "factor", 2.0),
    ),
    "a plain tensor, replaced": (
        lambda m, x: x * m.w * m.tensor,
        lambda m: setattr(m, "tensor", torch.full((2,), 3.0)),
    ),
    "a plain tensor, written to": (lambda m, x: x * m.w * m.tensor, lambda m: m.tensor.add_(1)),
    "a plain tensor, written to behind its version": (
        lambda m, x: x * m.w * m.tensor,
        lambda m: m.tensor.numpy().__iadd__(1),
    ),
    "an array": (lambda m, x: x * m.w * torch.from_numpy(m.array), lambda m: m.array.__iadd__(1)),
    "an element of a list": (lambda m, x: x * m.w * m.items[0], lambda m: m.items.__setitem__(0, 5.0)),
    "an element of a dictionary": (
        lambda m, x: x * m.w * m.table["factor"],
        lambda m: m.table.update(factor=5.0),
    ),
    "an attribute of an object": (
        lambda m, x: x * m.w * m.object.factor,
        lambda m: setattr(m.object, "factor", 5.0),
    ),
    "a slot of an object": (
        lambda m, x: x * m.w * m.slotted.factor,
        lambda m: setattr(m.slotted, "factor", 5.0),
    ),
    "an activation": (lambda m, x: m.activation(x * m.w), lambda m: setattr(m, "activation", torch.sin)),
    "a partial function": (
        lambda m, x: m.activation(x * m.w),
        lambda m: setattr(
            m, "activation", functools.partial(nn.functional.leaky_relu, negative_slope=m.count + 0.1)
        ),
    ),
    "a counter that the program counts": (
        lambda m, x: x * m.w * m.count,
        lambda m: setattr(m, "count", m.count + 1),
    ),
    "an attribute of the class": (
        lambda m, x: x * m.w * m.factor_of_class,
        lambda m: setattr(OfClass, "factor_of_class", OfClass.factor_of_class + 1),
    ),
    "an attribute that hides the class's": (
        lambda m, x: x * m.w * m.factor_of_class,
        lambda m: setattr(m, "factor_of_class", 7.0),
    ),
    "a global": (with_global, set_global),
    "an element of a global": (with_settings, lambda m: SETTINGS.update(factor=SETTINGS["factor"] + 1)),
    "an attribute of a global class": (
        with_config,
        lambda m: setattr(Config, "factor", Config.factor + 1),
    ),
    "an element of a variable around": (AROUND, lambda m: AROUND_ITEMS.__setitem__(0, AROUND_ITEMS[0] + 1)),
    "a variable around": (AROUND, lambda m: REBIND(AROUND_ITEMS[0] + 5)),
    "an element of a default": (with_default, lambda m: with_default.__defaults__[0].append(0)),  # type: ignore[index]
    "a forward hook": (lambda m, x: x * m.w, lambda m: m.register_forward_hook(lambda _, i, o: o * 3)),
    "another forward": (lambda m, x: x * m.w, lambda m: setattr(m, "forward", lambda x: x * m.w * 4)),
}


@pytest.mark.parametrize("name", FOLLOWED)
def test_what_forward_reads_is_followed_when_it_changes(name: str) -> None:
    forward, change = FOLLOWED[name]
    module = OfClass(forward)
    with Remote(module) as remote:
        for _ in range(3):
            torch.testing.assert_close(remote(X), module(X))
            change(module)


def test_parts_of_pytorch_are_followed_too() -> None:
    dropout = nn.Dropout(0.9)
    with Remote(dropout) as remote:
        remote(torch.ones(100))
        dropout.p = 0.0
        assert torch.equal(remote(torch.ones(100)), torch.ones(100))
    norm = nn.BatchNorm1d(2)
    with Remote(norm) as remote:
        remote(X)
        norm.momentum, before = 0.0, norm.running_mean.clone()
        remote(X + 1)
        assert torch.equal(norm.running_mean, before)


def test_what_is_read_as_before_is_not_captured_again() -> None:
    opened = []
    module = Base(lambda m, x: x * m.w * m.factor)

    def opener(graph: Any) -> Any:
        from raygrad.client.local import local

        opened.append(graph)
        return local(graph)

    with Remote(module, opener) as remote:
        for factor in (1.0, 2.0, 1.0, 2.0, 1.0):
            module.factor, module.count, module.items = factor, module.count + 1, [1.0]
            torch.testing.assert_close(remote(X), module(X))
    assert len(opened) == 2


def test_captures_are_bounded_and_a_warning_names_what_changes() -> None:
    module = Base(lambda m, x: x * m.w * m.factor)
    with Remote(module, captures=2) as remote, warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        for factor in (1.0, 2.0, 3.0, 4.0, 1.0):
            module.factor = factor
            torch.testing.assert_close(remote(X), module(X))
        assert len(remote._captures._by_key) == 1
    (warning,) = [w for w in found if "captured more than 2 times" in str(w.message)]
    assert "'factor' of the module" in str(warning.message)
    assert warning.filename == __file__
    with Remote(nn.Linear(2, 2), captures=2) as remote:
        remote(torch.ones(1, 2))
        remote(torch.ones(2, 2))
        with pytest.warns(UserWarning, match="dynamic_shapes"):
            remote(torch.ones(3, 2))


def test_a_backward_pass_outlives_its_capture() -> None:
    module = Base(lambda m, x: x * m.w * m.factor)
    with Remote(module, captures=1) as remote:
        first = remote(X).sum()
        module.factor = 3.0
        with pytest.warns(UserWarning, match="captured more than 1"):
            second = remote(X).sum()
        first.backward()
        second.backward()
    torch.testing.assert_close(module.w.grad, X.sum(0) * 4)


@pytest.mark.parametrize(
    "wrapped",
    [
        nn.utils.parametrizations.weight_norm,
        lambda layer: prune.random_unstructured(layer, "weight", 0.5),
        lambda layer: nn.utils.spectral_norm(layer).eval(),
    ],
    ids=["weight norm", "pruning", "spectral norm"],
)
def test_weights_that_pytorch_computes_before_a_pass(wrapped: Callable[[nn.Linear], nn.Module]) -> None:
    module = wrapped(nn.Linear(2, 2))
    with Remote(module) as remote:
        for _ in range(2):
            torch.testing.assert_close(remote(X), module(X))
            with torch.no_grad():
                for parameter in module.parameters():
                    parameter.mul_(1.5)


# -- what is refused --------------------------------------------------------------------------


class Straight(torch.autograd.Function):
    """A straight-through estimator."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.sign(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:  # type: ignore[override]
        return g


@torch.no_grad()  # type: ignore[untyped-decorator]
def without_gradient(x: Tensor) -> Tensor:
    return x * 2


def counting(m: Base, x: Tensor) -> Tensor:
    m.count += 1
    return x * m.w * m.count


def assigning(m: Base, x: Tensor) -> Tensor:
    m.last = x + 1
    return x * m.w


def appending(m: Base, x: Tensor) -> Tensor:
    m.items.append(x)  # type: ignore[arg-type]
    return x * m.w


def logging(m: Base, x: Tensor) -> Tensor:
    LOG.append(1)
    return x * m.w


def writing(m: Base, x: Tensor) -> Tensor:
    m.tensor.add_(1)
    return x * m.w * m.tensor


def hooking(m: Base, x: Tensor) -> Tensor:
    y = x * m.w
    y.register_hook(lambda g: g * 2)
    return y * 1


def inferring(m: Base, x: Tensor) -> Tensor:
    with torch.inference_mode():
        y = x * m.w
    return y + x * m.w


def detaching(m: Base, x: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        y = torch.outer(x[0], m.w).sum()
    return y + x * m.w


def detaching_by_decorator(m: Base, x: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        y = without_gradient(x)
    return y + x * m.w


REFUSED: dict[str, tuple[Forward, str]] = {
    "an autograd.Function": (lambda m, x: x * Straight.apply(m.w), r"calls Straight, an autograd\.Function"),
    "a hook on a tensor": (hooking, "calls register_hook"),
    "inference_mode": (inferring, "uses inference_mode"),
    "no_grad in autocast": (detaching, "uses no_grad .* inside of autocast"),
    "no_grad by a decorator in autocast": (detaching_by_decorator, "uses no_grad .* inside of autocast"),
    "item": (lambda m, x: x * m.w * x.sum().item(), r"reads from a tensor \(`item\(\)`\)"),
    "tolist": (lambda m, x: x * m.w * x[0].tolist()[0], r"reads from a tensor \(`item\(\)`\)"),
    "a branch on elements": (lambda m, x: x * m.w if x.sum() > 0 else x, "depends on the elements"),
    "Python's random": (lambda m, x: x * m.w * random.random(), r"draws from Python's `random`"),
    "NumPy's random": (lambda m, x: x * m.w * float(np.random.rand()), r"draws from `numpy\.random`"),
    "a Random": (lambda m, x: x * m.w * m.random.random(), "changes 'random' of the module"),
    "a Generator": (lambda m, x: x * m.w * float(m.generator.random()), "changes 'generator' of the module"),
    "a counter": (counting, "changes 'count' of the module"),
    "an attribute that is set": (assigning, "changes 'last' of the module"),
    "a list that grows": (appending, "changes 'items' of the module"),
    "a global that changes": (logging, "changes 'LOG'"),
    "a plain tensor that is written to": (writing, "writes to the tensor 'tensor'"),
    "a parameter that is none of the module's": (
        lambda m, x: m.hidden[0](x),
        "is no parameter of the module",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_graph_would_drop_is_refused_and_undone(name: str) -> None:
    forward, message = REFUSED[name]
    module = Base(forward)
    state, numpy = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]
    before = dict(vars(module))
    with pytest.raises(GraphError, match=message):
        from_torch(module, (X,))
    LOG.clear()
    assert random.getstate() == state
    assert np.random.get_state()[1].tolist() == numpy  # type: ignore[index]
    assert vars(module).keys() == before.keys()
    assert (module.count, module.items, module.tensor.tolist()) == (0, [1.0], [1.0, 1.0])


def test_backward_hooks_are_refused_whenever_they_come() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    with Remote(module) as remote:
        remote(X)
        handle = module[1].register_full_backward_hook(lambda *_: None)
        with pytest.raises(GraphError, match="backward hooks on module '1'"):
            remote(X)
        handle.remove()
        torch.testing.assert_close(remote(X), module(X))


def test_a_hook_that_keeps_what_it_sees_is_refused() -> None:
    module, kept = nn.Sequential(nn.Linear(2, 2), nn.Tanh()), []  # type: ignore[var-annotated]
    module[0].register_forward_hook(lambda _, i, o: kept.append(o))
    with pytest.raises(GraphError, match="changes 'kept'"):
        Remote(module)(X)


def test_parameters_hidden_from_the_module_may_be_used_without_gradient() -> None:
    module = Base(lambda m, x: x * m.w + m.hidden[0](x).detach())
    with Remote(module) as remote:
        torch.testing.assert_close(remote(X), module(X))


def test_torch_compile_goes_around_a_remote() -> None:
    inner = nn.Linear(2, 2)
    with Remote(inner) as remote:
        compiled = torch.compile(nn.Sequential(remote, nn.Tanh()), backend="eager")
        torch.testing.assert_close(compiled(X), torch.tanh(inner(X)))
