"""Documents: the laws of the codec, the golden document, and what other writers may send."""

import hashlib
import json
import math
import random
import struct
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raygrad.proto import errors
from raygrad.proto.builder import Builder
from raygrad.proto.codec import catalogue_digest, decode, digest, encode
from raygrad.proto.graph import Graph, Ref
from raygrad.proto.operators.base import Operator
from raygrad.proto.operators.elementwise import LeakyRelu
from raygrad.proto.operators.shape import Pad
from raygrad.proto.operators.source import Constant, Cotangent
from raygrad.proto.tensor import DType
from tests.documents import linear, pack, plain_linear, with_node
from tests.strategies import graphs

GOLDEN = Path(__file__).parent / "data" / "document-v1.json"


# -- laws -----------------------------------------------------------------------------------------


def has_nan(graph: Graph) -> bool:
    return any(isinstance(v, float) and math.isnan(v) for n in graph for v in vars(n.operator).values())


@given(graphs())
def test_decoding_gives_the_graph_back(graph: Graph) -> None:
    found = decode(encode(graph))
    assert encode(found) == encode(graph)
    assert [*map(str, found)] == [*map(str, graph)]
    if not has_nan(graph):  # a NaN is not equal to itself; its bytes were compared above
        assert found == graph
        assert hash(found) == hash(graph)


@given(graphs(), st.randoms(use_true_random=False))
def test_every_spelling_has_one_document(graph: Graph, rng: random.Random) -> None:
    document = encode(graph)
    other = _respelled(msgpack.unpackb(document), rng)
    assert encode(decode(pack(other))) == document


def _respelled(plain: Any, rng: random.Random) -> Any:
    """The same content with maps in another order and integers as floats."""
    if isinstance(plain, dict):
        return {k: _respelled(plain[k], rng) for k in rng.sample(sorted(plain), len(plain))}
    if isinstance(plain, list):
        return [_respelled(p, rng) for p in plain]
    if type(plain) is int and abs(plain) < 2**53:
        return float(plain)
    return plain


def test_equal_graphs_have_one_digest() -> None:
    assert digest(linear()) == digest(linear()) == hashlib.sha256(encode(linear())).hexdigest()
    graph = linear()
    swapped = Graph(graph.nodes, dict(reversed([*graph.outputs.items()])))
    assert swapped == graph
    assert (digest(swapped), hash(swapped)) == (digest(graph), hash(graph))


def test_an_integer_where_a_float_is_declared_is_that_float() -> None:
    def padded(value: float) -> Graph:
        g = Builder()
        g.output("y", Pad((0,), (1,), value)(g.input("x", (2,))))
        return g.graph()

    assert encode(padded(0)) == encode(padded(0.0)) != encode(padded(-0.0))


@pytest.mark.parametrize(
    "bits", ["7ff8000000000000", "fff0000000000001", "7ff0000000000123", "8000000000000000"]
)
def test_floats_keep_their_bits(bits: str) -> None:
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    g = Builder()
    g.output("y", LeakyRelu(value)(g.input("x", (2,))))
    slope = decode(encode(g.graph()))[1].operator
    assert isinstance(slope, LeakyRelu)
    assert struct.pack(">d", slope.slope).hex() == bits


def test_a_document_holds_whole_graphs() -> None:
    graph = linear()
    with pytest.raises(errors.GraphError, match=r"node 3 .*pruned"):
        encode(graph.prune([Ref(3)]))


def test_a_document_holds_no_cotangents() -> None:
    g = Builder()
    g.add(Cotangent("y", (3,), DType.float32))
    with pytest.raises(errors.UnknownOperatorError, match=r"node 0 \(Cotangent .*\): cotangents are fed"):
        encode(g.graph())
    with pytest.raises(errors.UnknownOperatorError, match=r"node 5 \(Cotangent\): cotangents are fed"):
        decode(
            with_node({"op": "Cotangent", "attributes": {"tensor": "y", "shape": [3], "dtype": "float32"}})
        )


def test_an_attribute_that_no_document_holds_is_refused_when_encoding() -> None:
    g = Builder()
    g.append(LeakyRelu("steep"), (g.input("x", (2,)).ref,))  # type: ignore[arg-type]
    with pytest.raises(errors.AttributeValueError, match=r"node 1 .*: LeakyRelu.slope must be float"):
        encode(g.graph())


def test_an_attribute_beyond_64_bits_is_refused_at_once() -> None:
    with pytest.raises(errors.LimitError, match="beyond 64 bits"):
        Pad((2**70,), (0,))


# -- the format -----------------------------------------------------------------------------------


def test_the_golden_document_is_read_and_written_unchanged() -> None:
    """What stands in the file was written once; a change of the format is a new version."""
    golden = json.loads(GOLDEN.read_text())
    data = bytes.fromhex(golden["document"])
    assert str(decode(data)).splitlines() == golden["graph"]
    assert encode(decode(data)) == data == encode(linear())
    assert digest(linear()) == golden["digest"]


def test_a_document_written_by_hand_decodes() -> None:
    graph = decode(pack(plain_linear()))
    assert [n.operator.name for n in graph] == ["Input", "Parameter", "MatMul", "LeakyRelu", "Sum"]
    assert graph[3].operator == LeakyRelu(0.0)
    assert (graph[3].home, graph[2].label, str(graph[3].types[0])) == (2, "linear", "float32[N,3]")
    assert dict(graph.outputs) == {"loss": Ref(4)}


def test_a_home_may_be_the_node_itself() -> None:
    data = with_node({"op": "Neg", "inputs": [[2, 0]], "home": 5})
    assert decode(data)[5].home == 5


def test_the_catalogue_digest_follows_the_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    before = catalogue_digest()
    monkeypatch.setitem(Operator.registry, "Another", LeakyRelu)
    after = catalogue_digest()
    monkeypatch.undo()
    assert after != before == catalogue_digest()


def test_constants_travel_by_their_bytes() -> None:
    g = Builder()
    sent = np.array([-0.0, np.inf, np.nan], np.float16)
    g.output("y", g.constant(sent))
    (node,) = decode(encode(g.graph())).nodes
    assert isinstance(node.operator, Constant)
    assert node.operator.array.tobytes() == sent.tobytes()


def test_the_document_of_the_readme_decodes() -> None:
    """The first program of proto/README.md, run as it stands there."""
    page = (Path(__file__).parent.parent / "proto" / "README.md").read_text()
    scope: dict[str, Any] = {}
    exec(page.split("```python\n")[1].split("```")[0], scope)
    graph = decode(scope["document"])
    assert graph.inputs.keys() | graph.parameters.keys() == {"x", "y", "w"}
    assert str(graph.type(graph.outputs["loss"])) == "float32[]"
