"""A table of a graph: what each layer makes, holds and costs, and what of the input it sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

from .graph import Graph, Node, Ref
from .operators.source import Input, Parameter
from .polynomial import Polynomial, fitted
from .reading import computed_nodes, operands, printable
from .receptive import Fields, fields_of
from .tensor import TensorType
from .units import in_bytes, in_units

_MOST_OPERATORS = 3
_HEADS = ("layer", "operators", "output", "parameters", "FLOPs", "bytes", "field", "stride")


@dataclass(frozen=True)
class Row:
    """One layer: nodes that follow each other and read parameters of one prefix, or one node.

    Costs are polynomials in the graph's named sizes; `None` where they are no such polynomial.
    """

    name: str  # of the parameters' prefix, the input or the label; "" if there is none
    operators: tuple[str, ...]
    nodes: tuple[int, ...]
    output: TensorType  # of the last node: the activation map
    parameters: int  # elements of those that no row above reads
    flops: Polynomial | None
    nbytes: Polynomial | None  # of the activation maps that the nodes make
    traffic: Polynomial | None  # bytes that the nodes read and write
    fields: Mapping[str, Fields]  # receptive fields in each input


@dataclass(frozen=True, repr=False)
class Summary:
    """Rows, and what they add up to. Prints itself as a table."""

    rows: tuple[Row, ...]
    parameters: int
    flops: Polynomial | None
    nbytes: Polynomial | None
    traffic: Polynomial | None

    def __str__(self) -> str:
        spatial = any(row.fields for row in self.rows)
        heads = _HEADS if spatial else _HEADS[:-2]
        total = ("total", "", "", *_costs(self))
        return table(heads, [_cells(row, spatial) for row in self.rows], (*total, *[""] * (len(heads) - 6)))

    __repr__ = __str__


def summary_of(graph: Graph) -> Summary:
    """The summary of the nodes that the outputs need (of all, where there is no output)."""
    live = graph.prune(graph.outputs.values()) if graph.outputs else graph
    groups = list(_groups(live))
    costs = _fitted_costs(live, groups)
    fields = fields_of(live)
    new = _new_parameters(live, groups)
    rows = tuple(
        _row(name, nodes, fields, parameters, cost)
        for (name, nodes), parameters, cost in zip(groups, new, costs[1:], strict=True)
    )
    return Summary(rows, sum(new), *costs[0])


def _row(
    name: str, nodes: Sequence[Node], fields: Mapping[Ref, dict[str, Fields]], parameters: int, costs: _Costs
) -> Row:
    last = nodes[-1]
    return Row(
        name=name,
        operators=tuple(n.operator.name for n in nodes),
        nodes=tuple(n.id for n in nodes),
        output=last.types[0],
        parameters=parameters,
        flops=costs[0],
        nbytes=costs[1],
        traffic=costs[2],
        fields=fields.get(Ref(last.id), {}),
    )


# -- layers ---------------------------------------------------------------------------------------

Group = tuple[str, tuple[Node, ...]]


def _groups(graph: Graph) -> Iterator[Group]:
    """Nodes that follow each other under one name; those without a name stand alone."""
    named = [(_name(graph, node), node) for node in computed_nodes(graph)]
    for name, group in groupby(named, key=lambda pair: pair[0] or pair[1].id):
        yield (name if isinstance(name, str) else ""), tuple(node for _, node in group)


def _name(graph: Graph, node: Node) -> str:
    """The prefix of the parameters that the node reads; else, and in a backward pass, its label."""
    if isinstance(node.operator, Input):
        return node.operator.tensor
    if node.home != node.id:
        return node.label
    prefixes = {p.rpartition(".")[0] or p for p in _parameters(graph, node)}
    return prefixes.pop() if len(prefixes) == 1 else node.label


def _parameters(graph: Graph, node: Node) -> Iterator[str]:
    return (o.operator.tensor for o in operands(graph, node) if isinstance(o.operator, Parameter))


def _new_parameters(graph: Graph, groups: Sequence[Group]) -> list[int]:
    """For each group, the elements of the parameters that no group before it reads."""
    seen: set[str] = set()
    counts = []
    for _, nodes in groups:
        read = {name for node in nodes for name in _parameters(graph, node)} - seen
        seen |= read
        counts.append(sum(graph.parameters[name].types[0].elements for name in read))
    return counts


# -- costs ----------------------------------------------------------------------------------------

_Costs = tuple[Polynomial | None, Polynomial | None, Polynomial | None]


def _fitted_costs(graph: Graph, groups: Sequence[Group]) -> list[_Costs]:
    """FLOPs, bytes made and traffic: of all nodes, then of each group."""
    names = sorted(graph.sizes)
    members = [[n.id for _, nodes in groups for n in nodes], *([n.id for n in nodes] for _, nodes in groups)]

    def evaluate(sizes: Mapping[str, int]) -> list[int]:
        bound = graph.bind(sizes)
        of_node = {n.id: _node_costs(n, bound) for n in bound}
        return [sum(of_node[n][kind] for n in nodes) for nodes in members for kind in range(3)]

    found = fitted(names, evaluate)
    return [(found[i], found[i + 1], found[i + 2]) for i in range(0, len(found), 3)]


def _node_costs(node: Node, graph: Graph) -> tuple[int, int, int]:
    inputs = [graph.type(ref) for ref in node.inputs]
    flops, traffic = node.operator.flops(inputs, node.types), node.operator.bytes(inputs, node.types)
    return flops, sum(t.nbytes for t in node.types), traffic


# -- as text --------------------------------------------------------------------------------------


def _cells(row: Row, spatial: bool) -> tuple[str, ...]:
    several = [name for name, _ in groupby(row.operators)]
    shown = [*several[:_MOST_OPERATORS], *(["…"] if len(several) > _MOST_OPERATORS else [])]
    cells = (printable(row.name), ", ".join(shown), str(row.output), *_costs(row))
    return (*cells, *_field_cells(row.fields)) if spatial else cells


def _costs(of: Row | Summary) -> tuple[str, str, str]:
    return f"{of.parameters:,}", _in_words(of.flops, _count), _in_words(of.nbytes, in_bytes)


def _in_words(number: Polynomial | None, units: Callable[[float], str]) -> str:
    return "?" if number is None else number.text(units)


def _count(number: float) -> str:
    return in_units(number, ("", "K", "M", "G", "T", "P"))


def _field_cells(fields: Mapping[str, Fields]) -> tuple[str, str]:
    """The field and the stride where they are regular; of several inputs the one that all have, or each."""
    known = {name: each for name, each in fields.items() if each}
    sizes = {name: _axes([f.size for f in each]) for name, each in known.items()}
    strides = {name: _axes([f.stride for f in each]) for name, each in known.items()}
    return _one_or_each(sizes), _one_or_each(strides)


def _axes(numbers: Sequence[int | Fraction]) -> str:
    return "×".join(map(str, numbers))


def _one_or_each(words: Mapping[str, str]) -> str:
    if len(set(words.values())) <= 1:
        return next(iter(words.values()), "")
    return ", ".join(f"{printable(name)} {word}" for name, word in words.items())


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], total: Sequence[str]) -> str:
    """Columns of text, the first three to the left, numbers to the right; a line around the rows."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, total, strict=True)]

    def line(cells: Sequence[str]) -> str:
        pairs = list(zip(cells, widths, strict=True))
        return "  ".join((*(c.ljust(w) for c, w in pairs[:3]), *(c.rjust(w) for c, w in pairs[3:]))).rstrip()

    rule = "─" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join((line(heads), rule, *map(line, rows), rule, line(total)))
