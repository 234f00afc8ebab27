"""Slides 4 to 8: the network of three nodes, and its derivatives written out with Jacobian products.

x1 = w1 x0,  x2 = x0 + w2 x1,  x3 = w1 (x1 + x2),  q = ‖x3‖: w1 stands in two nodes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import raygrad as rg


def network(w1: Any, w2: Any, x: Any) -> Any:
    """q, of values of a graph or of tensors."""
    x1 = w1 @ x
    x2 = x + w2 @ x1
    x3 = w1 @ (x1 + x2)
    return rg.functions.norm(x3)


def by_jacobians(w1: Any, w2: Any, x: Any) -> dict[str, Any]:
    """q and its derivatives, for x (5,) or (5, k). Matrices count as vectors of their elements, by rows."""
    x = x.reshape(len(x), -1)
    x1 = w1 @ x
    x2 = x + w2 @ x1
    x3 = w1 @ (x1 + x2)
    q = np.linalg.norm(x3)

    def by_input(w: Any) -> Any:
        """The Jacobian of w·x by x."""
        return np.kron(w, np.eye(x.shape[1]))

    def by_weight(x: Any) -> Any:
        """The Jacobian of w·x by w."""
        return np.kron(np.eye(len(w1)), x.T)

    of_x3 = x3.ravel() / q
    of_x2 = by_input(w1).T @ of_x3
    of_x1 = by_input(w2).T @ of_x2 + by_input(w1).T @ of_x3
    of_x0 = by_input(w1).T @ of_x1 + of_x2
    of_w1 = by_weight(x).T @ of_x1 + by_weight(x1 + x2).T @ of_x3
    of_w2 = by_weight(x1).T @ of_x2
    return {"q": q, "w1": of_w1.reshape(w1.shape), "w2": of_w2.reshape(w2.shape), "x": of_x0}


def drawn(*shapes: tuple[int, ...]) -> list[Any]:
    """Normally distributed arrays."""
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in shapes]
