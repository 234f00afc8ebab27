"""What clients and the scheduler say to each other: frozen values, the same for gRPC and in process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from .arguments import check_fields
from .errors import ConfigurationError, TensorError
from .identity import checked_index, checked_weight
from .suggestions import did_you_mean
from .tensor import INTEGERS, Array

ACCUMULATIONS = ("exact", "fast")
BACKENDS = ("auto", "numpy", "torch", "torch-cpu", "torch-cuda")


@dataclass(frozen=True)
class SessionOptions:
    """How a session runs. `None` lets the scheduler choose."""

    loss: str = "loss"  # the scalar output whose cotangent is 1 in a step
    stages: int | None = None
    replicas: int | None = None
    accumulation: str = "exact"
    check: str = ""  # "finite": name the first node that produces a NaN or an infinity
    lease_seconds: float = 300.0
    snapshot_every: int = 0  # mini-batches per stage between snapshots; 0: when feeds need the memory
    placement: Mapping[int, int] | None = None  # forward node → stage, given by the client
    seed: int = 0  # of all that is drawn at random (dropout); 64 bits

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> SessionOptions:
        """From keyword arguments; `ConfigurationError` for one that does not exist."""
        known = {field.name for field in fields(cls)}
        for name in options:
            if name not in known:
                raise ConfigurationError(
                    f"a session has no option {name!r}; it has {sorted(known)}{did_you_mean(name, known)}"
                )
        return cls(**options)

    def __post_init__(self) -> None:
        check_fields(self, [f.name for f in fields(self) if f.name not in ("seed", "stages", "replicas")])
        if self.accumulation not in ACCUMULATIONS:
            raise ConfigurationError(
                f"accumulation must be one of {ACCUMULATIONS}, got {self.accumulation!r}"
            )
        if self.check not in ("", "finite"):
            raise ConfigurationError(f"check must be 'finite' or empty, got {self.check!r}")
        for name in ("stages", "replicas"):
            value = getattr(self, name)
            if value is not None and not (_is_integer(value) and 1 <= value <= 1024):
                raise ConfigurationError(f"{name} must be 1 to 1024, got {value!r}")
        if not 0 < self.lease_seconds <= 86400:
            raise ConfigurationError(f"lease_seconds must be within a day, got {self.lease_seconds}")
        if not (_is_integer(self.seed) and 0 <= self.seed < 2**64):
            raise ConfigurationError(f"seed must be 0 to 2⁶⁴ − 1, got {self.seed}")
        if self.snapshot_every < 0:
            raise ConfigurationError(f"snapshot_every cannot be negative, got {self.snapshot_every}")


def _is_integer(value: Any) -> bool:
    return isinstance(value, INTEGERS) and not isinstance(value, bool)


@dataclass(frozen=True)
class MiniBatch:
    """One set of inputs of a step. `index` is its identity, `weight` multiplies its gradients.

    Raises `ConfigurationError` for an index that is no integer of 64 bits, a weight that is no finite number.
    """

    feeds: Mapping[str, Array]
    index: int | None = None  # given out in order of arrival when absent
    weight: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.feeds, Mapping):
            raise TensorError(f"a mini-batch is a mapping of inputs by name, got {type(self.feeds).__name__}")
        object.__setattr__(self, "index", checked_index(self.index))
        object.__setattr__(self, "weight", checked_weight(self.weight))


@dataclass(frozen=True)
class StepResult:
    """What one mini-batch of a step came to."""

    step: int
    index: int
    outputs: Mapping[str, Array]


@dataclass(frozen=True)
class ForwardResult:
    """Outputs, and the lease on the activations if they were kept."""

    outputs: Mapping[str, Array]
    lease: str = ""
    step: int = -1
    index: int = -1


def copied(result: Any) -> Any:
    """A result whose arrays belong to whoever gets it: who answers keeps some, to answer again."""
    if isinstance(result, (StepResult, ForwardResult)):
        return replace(result, outputs=copied(result.outputs))
    return {name: a.copy() for name, a in result.items()} if isinstance(result, dict) else result


@dataclass(frozen=True, eq=False)
class Gradients(Mapping[str, Array]):
    """A step's gradients by parameter: the sum of weight · gradient over its mini-batches, or their mean."""

    step: int
    indices: tuple[int, ...]
    weight: float  # the sum of the mini-batches' weights
    arrays: Mapping[str, Array]

    def __getitem__(self, parameter: str) -> Array:
        return self.arrays[parameter]

    def __iter__(self) -> Iterator[str]:
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)


@dataclass(frozen=True)
class PlanSummary:
    """How a session is spread over the workers, and what the scheduler predicts of it."""

    stages: int
    replicas: int
    placement: Mapping[int, int]  # forward node → stage
    workers: tuple[str, ...]  # "replica 0 stage 0: worker 3 (torch-cpu)"
    backend: str
    fingerprint: str
    step_seconds: float  # predicted time of one mini-batch in the steady state
    schedule: str  # "F0 F1 B0 …"
    text: str = field(repr=False)  # the table of stages
    svg: str = field(default="", repr=False)

    def __str__(self) -> str:
        """What `raygrad plan` prints: the table, and who takes which stage. The picture is `svg`."""
        return "\n".join([self.text, *(f"  {worker}" for worker in self.workers)])

    def _repr_svg_(self) -> str | None:
        """A notebook shows a plan as its picture."""
        return self.svg or None


@dataclass(frozen=True)
class ServerInfo:
    """What a server is: versions, the catalogue it speaks, its workers."""

    version: str
    catalogue: str
    workers: tuple[str, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
