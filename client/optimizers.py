"""Optimizers in NumPy, for clients that train: gradients come from a session, parameters go back to it.

::

    optimizer = Adam(network.parameters)
    for batches in steps:
        session.put(optimizer.parameters)
        session.accumulate(batches)
        optimizer.step(session.gradients(mean=True))

The formulas are those of `torch.optim`, in the parameters' dtypes.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from raygrad.proto.arguments import public
from raygrad.proto.errors import ConfigurationError, TensorError
from raygrad.proto.feed import check_some, type_of
from raygrad.proto.given import fitted, plain
from raygrad.proto.tensor import Array, DType

_public = functools.partial(public, unchecked=("parameters",))

Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]


class Optimizer:
    """Parameters that `step` moves against gradients. `rate`, the learning rate, may change between steps."""

    @_public
    def __init__(self, parameters: Mapping[str, Array], rate: float) -> None:
        """Begin with a copy of these parameters."""
        if not rate > 0:
            raise ConfigurationError(f"a learning rate is positive, got {rate}")
        self.rate = rate
        if not isinstance(parameters, Mapping):
            raise TensorError(f"parameters are a mapping by name, got {type(parameters).__name__}")
        self.parameters: dict[str, Any] = {name: plain(p, copy=True) for name, p in parameters.items()}

    def step(self, gradients: Mapping[str, Array]) -> None:
        """Move the parameters that have a gradient, in place.

        Raises `UnexpectedTensorError` for a gradient of no parameter, `TensorShapeError` or
        `TensorDTypeError` for one of another type, before any parameter is moved.
        """
        if not isinstance(gradients, Mapping):
            raise TensorError(f"gradients are a mapping by name, got {type(gradients).__name__}")
        types = {name: type_of(name, p) for name, p in self.parameters.items()}
        given = {name: self._gradient(name, g) for name, g in gradients.items()}
        check_some(types, given)
        for name, gradient in given.items():
            self.parameters[name] -= self._move(name, gradient)

    def _gradient(self, name: str, given: Any) -> Any:
        try:
            found = plain(given)
            return fitted(found, DType.of(self.parameters[name].dtype)) if name in self.parameters else found
        except (TypeError, ValueError, RuntimeError) as exc:
            raise TensorError(f"the gradient of {name!r} does not make an array: {exc}", node=name) from exc

    def _move(self, name: str, gradient: Floats) -> Floats:
        """What to subtract from a parameter."""
        raise NotImplementedError

    def _zeros(self) -> dict[str, Floats]:
        """A state that begins with 0, for each parameter."""
        return {name: np.zeros_like(p) for name, p in self.parameters.items()}


class SGD(Optimizer):
    """Gradient descent, with momentum if asked for: v ← momentum · v + g, p ← p − rate · v."""

    @_public
    def __init__(self, parameters: Mapping[str, Array], rate: float = 0.1, momentum: float = 0.0) -> None:
        super().__init__(parameters, rate)
        if not 0 <= momentum < 1:
            raise ConfigurationError(f"momentum is at least 0 and below 1, got {momentum}")
        self._momentum = momentum
        self._velocity = self._zeros()

    def _move(self, name: str, gradient: Floats) -> Floats:
        velocity = self._velocity[name]
        velocity *= self._momentum
        velocity += gradient
        return self.rate * velocity


class Adam(Optimizer):
    """Kingma and Ba, "Adam: a method for stochastic optimization" (2015), algorithm 1."""

    @_public
    def __init__(
        self,
        parameters: Mapping[str, Array],
        rate: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(parameters, rate)
        if not all(0 <= beta < 1 for beta in betas):
            raise ConfigurationError(f"betas are at least 0 and below 1, got {betas}")
        self._betas, self._eps = betas, eps
        self._mean, self._square = self._zeros(), self._zeros()
        self._steps = dict.fromkeys(self.parameters, 0)

    def _move(self, name: str, gradient: Floats) -> Floats:
        (first, second), mean, square = self._betas, self._mean[name], self._square[name]
        self._steps[name] += 1
        mean += (1 - first) * (gradient - mean)
        square += (1 - second) * (gradient * gradient - square)
        corrected = math.sqrt(1 - second ** self._steps[name])
        pace = self.rate / (1 - first ** self._steps[name])
        return pace * mean / (np.sqrt(square) / corrected + self._eps)
