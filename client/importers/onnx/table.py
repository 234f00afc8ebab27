"""The table of conversions: ONNX operator → function on values, by the opset in which its meaning changed.

A module per family of operators fills it. A conversion takes the `Call` of a node and returns what its
outputs are: values of the graph, or arrays where nothing is to be computed at run time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from raygrad.proto.tensor import Array

from .operand import Operand

if TYPE_CHECKING:
    from .call import Call

Result: TypeAlias = "Operand | Array | tuple[Operand | Array, ...]"
Conversion = Callable[["Call"], Result]


@dataclass(frozen=True)
class Rule:
    """A conversion that holds from opset `since` on; `static` are the operands whose content it needs."""

    since: int
    convert: Conversion
    static: tuple[int, ...] = ()


_RULES: dict[str, list[Rule]] = {}


def converts(
    *operators: str, since: int = 1, static: tuple[int, ...] = ()
) -> Callable[[Conversion], Conversion]:
    """Registers a conversion for operators of the domain ai.onnx."""

    def register(convert: Conversion) -> Conversion:
        for operator in operators:
            rules = _RULES.setdefault(operator, [])
            rules.append(Rule(since, convert, static))
            rules.sort(key=lambda rule: rule.since)
        return convert

    return register


def rule_of(domain: str, operator: str, opset: int) -> Rule | None:
    """The rule for an operator at an opset version, if there is one."""
    rules = _RULES.get(operator, []) if domain == "" else []
    at = bisect_right(rules, opset, key=lambda rule: rule.since)
    return rules[at - 1] if at else None


def operators() -> list[str]:
    """The names of all operators that are converted, functions aside."""
    return sorted(_RULES)
