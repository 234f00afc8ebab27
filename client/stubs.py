"""What type checkers see of the functions: `python -m raygrad.client.stubs` writes `functions/__init__.pyi`.

A function of tensors gives tensors, one of values of a graph gives values of a graph; arguments that have
two names (`raygrad.proto.arguments`) are there under both.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from raygrad.proto.arguments import SPREAD

from . import functions

HEADER = '''\
"""Written by `python -m raygrad.client.stubs`; a test compares."""

from collections.abc import Sequence
from typing import Literal, TypeVar, overload

from raygrad.client.tape import Tape
from raygrad.client.tensor import Tensor
from raygrad.proto.builder import Builder
from raygrad.proto.methods import Axes
from raygrad.proto.tensor import DType, Size
from raygrad.proto.value import Operand, Value

from . import creation as creation
from . import logic as logic
from .coordinates import ScatterReduction
from .losses import Reduction
from .padding import PaddingMode
from .resizing import Interpolation
from .scattering import Reduce
from .windows import Padding, PerAxis

V = TypeVar("V", bound=Value)
'''

_NUMPY = {"axes": "axis"}
_TORCH = {"axes": "dim", "axis": "dim", "keepdims": "keepdim"}
_COUNTED = ("layer_norm", "rms_norm")


@dataclass(frozen=True)
class Shown:
    """One signature of a function."""

    name: str
    parameters: tuple[tuple[str, str, bool], ...]  # name, type and whether it may be left out
    returns: str
    rest: str = ""  # the name of `*values`
    by_name: int | None = None  # from which parameter on they are given by name

    def __str__(self) -> str:
        shown = [f"{name}: {hint}{' = ...' if optional else ''}" for name, hint, optional in self.parameters]
        if self.rest:
            shown.append(f"*{self.rest}: V")
        elif self.by_name is not None:
            shown.insert(self.by_name, "*")
        return f"def {self.name}({', '.join(shown)}) -> {self.returns}: ..."


def text() -> str:
    """The stub."""
    parts = [HEADER]
    for name in functions.__all__:
        found = list(dict.fromkeys(_signatures(name)))
        parts += [f"@overload\n{each}" for each in found] if len(found) > 1 else found
    listed = "".join(f'    "{name}",\n' for name in functions.__all__)
    return "\n".join(parts) + f"\n\n__all__ = [\n{listed}]\n"


def _signatures(name: str) -> Iterator[str]:
    for shown in _by_kind(_declared(name)):
        yield str(shown)
        yield from _spread(shown)
        yield from map(str, _renamed(shown))


def _declared(name: str) -> Shown:
    signature = inspect.signature(getattr(functions, name))
    kinds = signature.parameters.values()
    single = [p for p in kinds if p.kind is not p.VAR_POSITIONAL]
    found = tuple((p.name, str(p.annotation), p.default is not p.empty) for p in single)
    rest = next((p.name for p in kinds if p.kind is p.VAR_POSITIONAL), "")
    keywords = [i for i, p in enumerate(kinds) if p.kind is p.KEYWORD_ONLY]
    return Shown(name, found, str(signature.return_annotation), rest, min(keywords, default=None))


def _by_kind(shown: Shown) -> Iterator[Shown]:
    """Values in, values out; tensors in, tensors out. One of two operands is a value."""
    kinds = [hint for _, hint, _ in shown.parameters]
    if any("Value" in kind for kind in kinds) or shown.rest:
        yield _of(shown, "V")
    elif "Builder" in kinds:
        for builder, made in (("Tape", "Tensor"), ("Builder", "Value")):
            yield _of(_with_hint(shown, kinds.index("Builder"), builder), made)
    else:
        for place in (i for i, kind in enumerate(kinds) if kind == "Operand"):
            yield _of(_with_hint(shown, place, "V"), "V")


def _of(shown: Shown, kind: str) -> Shown:
    parameters = tuple((n, h.replace("Value", kind), o) for n, h, o in shown.parameters)
    return _changed(shown, parameters, shown.returns.replace("Value", kind))


def _with_hint(shown: Shown, place: int, hint: str) -> Shown:
    parameters = tuple((n, hint if i == place else h, o) for i, (n, h, o) in enumerate(shown.parameters))
    return _changed(shown, parameters, shown.returns)


def _changed(shown: Shown, parameters: Sequence[tuple[str, str, bool]], returns: str) -> Shown:
    return Shown(shown.name, tuple(parameters), returns, shown.rest, shown.by_name)


def _spread(shown: Shown) -> Iterator[str]:
    """Sizes one by one, where nothing follows that is needed."""
    for i, (name, hint, _) in enumerate(shown.parameters):
        before, after = shown.parameters[:i], shown.parameters[i + 1 :]
        if name in SPREAD and hint.startswith("Sequence") and all(optional for _, _, optional in after):
            element = hint.removeprefix("Sequence[").removesuffix("]")
            first = ", ".join(f"{n}: {h}" for n, h, _ in before)
            last = "".join(f", {n}: {h} = ..." for n, h, _ in after)
            yield f"def {shown.name}({first}, *{name}: {element}{last}) -> {shown.returns}: ..."


def _renamed(shown: Shown) -> Iterator[Shown]:
    """The other names of axes, in NumPy's words or in PyTorch's."""
    if shown.name in _COUNTED or shown.rest:
        return
    for names in (_NUMPY, _TORCH):
        parameters = [(names.get(n, n), h, o) for n, h, o in shown.parameters]
        yield _changed(shown, parameters, shown.returns)


def main() -> None:
    """Write the stub beside the functions."""
    assert functions.__file__ is not None
    Path(functions.__file__).with_suffix(".pyi").write_text(text())


if __name__ == "__main__":
    main()
