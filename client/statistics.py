"""Running statistics of batch normalization: the client's, since workers have no state.

::

    running = RunningStatistics(["bn1"], momentum=0.1)
    for result in session.accumulate(batches):      # in the order of their indices
        running.fold(result.outputs, elements)
    arrays = running.arrays()                       # "bn1.running_mean" and "bn1.running_var"
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from raygrad.proto.errors import ConfigurationError, MissingTensorError
from raygrad.proto.tensor import Array


class RunningStatistics:
    """The moving averages of the means and unbiased variances that batch norms in training mode return.

    Each batch norm of the graph has outputs "NAME.mean" and "NAME.variance" (the biased one). The averages
    begin at 0 and 1. Folding is not commutative: fold the mini-batches in the order of their indices.
    """

    def __init__(self, names: Iterable[str], momentum: float | None = 0.1) -> None:
        """Each fold moves the averages by `momentum` towards the new; `None` averages over all folds."""
        if momentum is not None and not 0 <= momentum <= 1:
            raise ConfigurationError(f"momentum must be 0 to 1, got {momentum}")
        self.names = tuple(names)
        self.momentum = momentum
        self.folds = 0
        self._averages: dict[str, Array] = {}

    def fold(self, outputs: Mapping[str, Array], elements: int | Mapping[str, int]) -> None:
        """Take in one mini-batch's statistics.

        `elements` is how many each channel had (rows times spatial sizes), of all batch norms or by name.
        Raises `MissingTensorError` if an output or a number is not there, and then takes nothing in.
        """
        wanted = [f"{name}.{part}" for name in self.names for part in ("mean", "variance")]
        if missing := [name for name in wanted if name not in outputs]:
            raise MissingTensorError(f"the outputs lack {missing}; there are {sorted(outputs)}")
        counts = elements if isinstance(elements, Mapping) else dict.fromkeys(self.names, elements)
        if missing := [name for name in self.names if name not in counts]:
            raise MissingTensorError(f"the numbers of elements lack {missing}; there are {sorted(counts)}")
        self.folds += 1
        share = 1.0 / self.folds if self.momentum is None else self.momentum
        for name in self.names:
            unbiased = float(counts[name] / max(counts[name] - 1, 1))
            self._move(f"{name}.running_mean", outputs[f"{name}.mean"], 1.0, 0.0, share)
            self._move(f"{name}.running_var", outputs[f"{name}.variance"], unbiased, 1.0, share)

    def _move(self, name: str, new: Any, factor: float, first: float, share: float) -> None:
        """Move an average, which begins at `first`, towards `factor` times the new."""
        old: Any = self._averages.get(name, np.full_like(new, first))
        self._averages[name] = ((1.0 - share) * old + share * factor * new).astype(new.dtype)

    def arrays(self) -> dict[str, Array]:
        """The averages by their names in a torch module: "NAME.running_mean", "NAME.running_var"."""
        return dict(self._averages)
