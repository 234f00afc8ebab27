"""Reading models of the format ONNX: what becomes of weights, sizes, branches, functions, bad models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import onnx.reference
import pytest
from onnx import numpy_helper

import raygrad as rg
from raygrad.client.importers.model import Imported
from raygrad.client.importers.onnx import static_inputs
from raygrad.client.importers.onnx.folding import FOLDS
from raygrad.client.importers.onnx.table import operators
from raygrad.proto.errors import (
    DocumentSyntaxError,
    InvalidReferenceError,
    LimitError,
    SizeError,
    TensorShapeError,
    TruncatedTensorError,
    TypeMismatchError,
    UnexpectedTensorError,
    UnsupportedOperatorError,
)
from raygrad.proto.limits import Limits

HEADER = '<ir_version: 10, opset_import: ["" : 20]>'


def model_of(text: str, header: str = HEADER) -> onnx.ModelProto:
    return onnx.parser.parse_model(header + text)


def run(imported: Imported, **feeds: Any) -> dict[str, Any]:
    with rg.local(imported.graph, backend="numpy") as session:
        session.put(imported.tensors)
        return dict(session.forward({k: np.asarray(v) for k, v in feeds.items()}).outputs)


LINEAR = """g (float[N, 3] x) => (float[N, 2] y)
<float[3, 2] w = {1, 2, 3, 4, 5, 6}, float[2] b = {10, 20}, float scale = {0.5}>
{ h = MatMul(x, w)  s = Mul(h, scale)  y = Add(s, b) }"""


def test_initializers_become_parameters_and_sizes_keep_their_names() -> None:
    imported = rg.from_onnx(model_of(LINEAR))
    assert set(imported.parameters) == {"w", "b"}  # a scalar without axes is a constant
    assert imported.graph.sizes == {"N"}
    x = np.ones((4, 3), np.float32)
    np.testing.assert_array_equal(run(imported, x=x)["y"], x @ imported.parameters["w"] * 0.5 + [10, 20])


def test_parameters_are_chosen_by_name_or_function() -> None:
    assert set(rg.from_onnx(model_of(LINEAR), parameters=["w"]).parameters) == {"w"}
    chosen = rg.from_onnx(model_of(LINEAR), parameters=lambda name, array: array.ndim == 0)
    assert set(chosen.parameters) == {"scale"}


def test_weights_that_are_not_chosen_are_buffers_where_they_are_large() -> None:
    model = model_of("g (float[N, 64] x) => (float[N, 64] y) { y = MatMul(x, w) }")
    model.graph.initializer.append(numpy_helper.from_array(np.eye(64, dtype=np.float32), "w"))
    imported = rg.from_onnx(model, parameters=[])
    assert set(imported.buffers) == {"w"}
    assert not imported.parameters
    x = np.arange(128, dtype=np.float32).reshape(2, 64)
    np.testing.assert_array_equal(run(imported, x=x)["y"], x)


def test_weights_that_are_constant_nodes_are_parameters() -> None:
    text = """g (float[N, 2] x) => (float[N, 2] y)
    { w = Constant<value = float[2] {3, 4}>()  e = Constant<value = float[1] {1}>()
      h = Mul(x, w)  y = Add(h, e) }"""
    assert set(rg.from_onnx(model_of(text)).parameters) == {"w"}


def test_a_gradient_reaches_the_weights() -> None:
    text = """g (float[N, 3] x) => (float loss)
    <float[3, 2] w = {1, 2, 3, 4, 5, 6}> { h = MatMul(x, w)  loss = ReduceSum<keepdims = 0>(h) }"""
    imported = rg.from_onnx(model_of(text))
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    with rg.local(imported.graph) as session:
        session.put(imported.tensors)
        session.accumulate([{"x": x}])
        gradient = session.gradients()["w"]
    np.testing.assert_array_equal(gradient, np.repeat(x.sum(0)[:, None], 2, axis=1))


def test_shapes_are_computed_from_shapes_with_names_carried_along() -> None:
    text = """g (float[N, 2, 3] x) => (float[N, 6] y) {
      s = Shape(x)  zero = Constant<value = int64[1] {0}>()  n = Gather(s, zero)
      six = Constant<value = int64[1] {-1}>()  t = Concat<axis = 0>(n, six)  y = Reshape(x, t) }"""
    imported = rg.from_onnx(model_of(text))
    assert str(imported.graph.type(imported.graph.outputs["y"])) == "float32[N,6]"
    assert len(imported.graph) == 2  # the input and one Reshape: the shape is known


@pytest.mark.parametrize("one", ["Gather(s, zero)", "ReduceProd<keepdims = 0>(first)"])
def test_a_name_may_stand_alone(one: str) -> None:
    text = f"""g (float[N, 2, 3] x) => (float[N, 6] y) {{
      s = Shape(x)  zero = Constant<value = int64 {{0}}>()  axis = Constant<value_ints = [0]>()
      first = Shape<end = 1>(x)  n = {one}  rows = Unsqueeze(n, axis)  rest = Constant<value_ints = [-1]>()
      t = Concat<axis = 0>(rows, rest)  y = Reshape(x, t) }}"""
    imported = rg.from_onnx(model_of(text))
    assert str(imported.graph.type(imported.graph.outputs["y"])) == "float32[N,6]"


def test_arithmetic_that_names_cannot_pass_asks_for_numbers() -> None:
    text = """g (float[N, 4] x) => (float[M] y) {
      n = Shape<end = 1>(x)  four = Constant<value = int64[1] {4}>()  p = Mul(n, four)  y = Reshape(x, p) }"""
    with pytest.raises(SizeError, match="give numbers for named sizes in `sizes`"):
        rg.from_onnx(model_of(text))
    imported = rg.from_onnx(model_of(text), sizes={"N": 3})
    assert str(imported.graph.type(imported.graph.outputs["y"])) == "float32[12]"


def test_sizes_without_names_and_other_shapes() -> None:
    text = "g (float[N, 4] x) => (float[N, 4] y) { y = Relu(x) }"
    model = model_of(text)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch size.0"
    assert rg.from_onnx(model).graph.sizes == {"batch_size_0"}
    model.graph.input[0].type.tensor_type.shape.dim[0].ClearField("dim_param")
    assert rg.from_onnx(model).graph.sizes == {"x_0"}
    assert str(rg.from_onnx(model, shapes={"x": (2, 7)}).graph.inputs["x"].types[0]) == "float32[2,7]"
    with pytest.raises(UnexpectedTensorError, match=r"no input 'z'; it has \['x'\]"):
        rg.from_onnx(model, shapes={"z": (2,)})


STATIC = "g (float[N, 4] x, int64[2] shape) => (float[2, M] y) { y = Reshape(x, shape) }"


def test_an_input_whose_content_determines_shapes_is_static() -> None:
    model = model_of(STATIC)
    assert static_inputs(model) == ("shape",)
    with pytest.raises(SizeError, match=r"content of the inputs \['shape'\]: give their values in `static`"):
        rg.from_onnx(model)
    imported = rg.from_onnx(model, static={"shape": [2, -1]}, sizes={"N": 3})
    assert set(imported.graph.inputs) == {"x"}
    assert run(imported, x=np.zeros((3, 4), np.float32))["y"].shape == (2, 6)
    with pytest.raises(TensorShapeError, match=r"static input 'shape' has shape \(2,\), got \(3,\)"):
        rg.from_onnx(model, static={"shape": [2, 2, -1]})


BRANCHES = """g (float[2] x) => (float[2] y)
{ c = Constant<value = bool {CONDITION}>()
  y = If (c) <then_branch = t () => (float[2] a) { a = Neg(x) },
              else_branch = e () => (float[2] b) <float[2] w = {5, 6}> { b = Mul(x, w) }> }"""


@pytest.mark.parametrize(("condition", "expected"), [("1", [-1, -2]), ("0", [5, 12])])
def test_a_branch_that_is_known_is_taken(condition: str, expected: list[float]) -> None:
    imported = rg.from_onnx(model_of(BRANCHES.replace("CONDITION", condition)))
    np.testing.assert_array_equal(run(imported, x=np.float32([1, 2]))["y"], expected)


def test_a_condition_that_is_computed_is_refused() -> None:
    text = """g (float[2] x, bool c) => (float[2] y)
    { d = Not(c)  y = If (d) <then_branch = t () => (float[2] a) { a = Neg(x) },
                              else_branch = e () => (float[2] b) { b = Abs(x) }> }"""
    with pytest.raises(SizeError, match="'c'"):
        rg.from_onnx(model_of(text))


FUNCTIONS = """<ir_version: 10, opset_import: ["" : 20, "own" : 1]>
g (float[2] x) => (float[2] y) { h = own.twice<by = 3.0>(x)  y = own.twice<by = 5.0>(h) }
<domain: "own", opset_import: ["" : 20]>
twice <by> (a) => (b) { f = Constant<value_float: float = @by>()  h = Mul(a, f)  b = Add(h, a) }"""


def test_functions_of_the_model_are_expanded() -> None:
    imported = rg.from_onnx(onnx.parser.parse_model(FUNCTIONS))
    np.testing.assert_array_equal(run(imported, x=np.float32([1, 2]))["y"], [24, 48])


def test_a_function_that_calls_itself_is_refused() -> None:
    text = FUNCTIONS.replace("b = Add(h, a)", "b = own.twice<by = 1.0>(h)")
    with pytest.raises(LimitError, match="lie in each other more than 16 deep"):
        rg.from_onnx(onnx.parser.parse_model(text))


def test_functions_that_grow_beyond_any_file_are_refused() -> None:
    levels = 9
    calls = "  ".join(f"x{i + 1} = own.f{{0}}(x{i})" for i in range(10))
    bodies = [
        f'<domain: "own", opset_import: ["" : 20, "own" : 1]> f{n} (x0) => (x10) {{{{ {calls} }}}}'
        for n in range(levels)
    ]
    text = " ".join(body.format(n + 1) for n, body in enumerate(bodies))
    last = f'<domain: "own", opset_import: ["" : 20]> f{levels} (x) => (y) {{ y = Neg(x) }}'
    header = '<ir_version: 10, opset_import: ["" : 20, "own" : 1]>'
    model = f"{header} g (float[2] x) => (float[2] y) {{ y = own.f0(x) }} {text} {last}"
    with pytest.raises(LimitError, match="more than 65536 nodes, its functions expanded"):
        rg.from_onnx(onnx.parser.parse_model(model))


def test_names_of_sizes_pass_where_they_need_not_be_known() -> None:
    text = """g (float[N, 1] x, float[N, 3] like) => (float[N, 3] y) {
      s = Shape(like)  minus = Constant<value = int64[1] {-1}>()  unknown = Equal(s, minus)
      one = Constant<value = int64[1] {1}>()  same = Mul(s, one)  t = Where(unknown, one, same)
      y = Expand(x, t) }"""
    imported = rg.from_onnx(model_of(text))
    assert str(imported.graph.type(imported.graph.outputs["y"])) == "float32[N,3]"


def test_operators_that_onnx_defines_by_others_need_no_conversion() -> None:
    text = """g (float[N, 4] x) => (float[N, 4] y) <float[4] w = {1, 2, 3, 4}>
    { y = RMSNormalization(x, w) }"""
    imported = rg.from_onnx(model_of(text, HEADER.replace("20", "23")))
    x = np.float32([[1, -1, 1, -1]])
    np.testing.assert_allclose(run(imported, x=x)["y"], x * [1, 2, 3, 4], rtol=1e-4)


def test_all_unsupported_operators_are_named_at_once_with_their_places() -> None:
    text = """g (float[2] x) => (float[2] y)
    { a = other.Foo(x)  b = other.Foo(a)  c = StringSplit(b)  y = Relu(c) }"""
    header = '<ir_version: 10, opset_import: ["" : 20, "other" : 2]>'
    with pytest.raises(UnsupportedOperatorError) as caught:
        rg.from_onnx(model_of(text, header))
    assert "2 operators have no translation" in str(caught.value)
    assert "other::Foo (opset 2): 'a'; 'b'" in str(caught.value)
    assert "ai.onnx::StringSplit (opset 20): 'c'" in str(caught.value)


def test_an_error_names_the_node_of_the_model() -> None:
    text = "g (float[2, 3] x) => (float[2] y) { y = MatMul(x, x) }"
    with pytest.raises(TypeMismatchError, match=r"node 1 \(MatMul 'y'\)"):
        rg.from_onnx(model_of(text))


def test_opset_6_broadcasts_by_axis() -> None:
    text = """g (float[2, 3, 2] x) => (float[2, 3, 2] y) <float[3] b = {1, 2, 3}>
    { y = Add<axis = 1, broadcast = 1>(x, b) }"""
    imported = rg.from_onnx(model_of(text, HEADER.replace("20", "6")))
    y = run(imported, x=np.zeros((2, 3, 2), np.float32))["y"]
    np.testing.assert_array_equal(y[0], [[1, 1], [2, 2], [3, 3]])


def test_what_is_computed_while_reading_can_be_computed_at_run_time_too() -> None:
    assert set(FOLDS) <= set(operators())


# -- files ------------------------------------------------------------------------------------------


def external(tmp_path: Path, location: str, **where: str) -> Path:
    """A model whose weight lies in a file, four float32 numbers from the second one on."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(np.arange(5, dtype="<f4").tobytes())
    (tmp_path / "secret.bin").write_bytes(b"\0" * 64)
    model = model_of("g (float[4] x) => (float[4] y) { y = Mul(x, w) }")
    tensor = model.graph.initializer.add(name="w", dims=[4], data_type=onnx.TensorProto.FLOAT)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "4", **where}.items():
        tensor.external_data.add(key=key, value=value)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_a_model_is_read_from_a_file_with_its_external_data(tmp_path: Path) -> None:
    imported = rg.from_onnx(external(tmp_path, "weights.bin"))
    np.testing.assert_array_equal(imported.parameters["w"], [1, 2, 3, 4])


@pytest.mark.parametrize(
    "location", ["../secret.bin", "/etc/passwd", "missing.bin", "", "link.bin", "no\0file", "long" * 2000]
)
def test_external_data_outside_of_the_folder_is_refused(tmp_path: Path, location: str) -> None:
    path = external(tmp_path, location)
    (path.parent / "link.bin").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(InvalidReferenceError, match="is no file in the model's folder"):
        rg.from_onnx(path)


def test_external_data_needs_a_path(tmp_path: Path) -> None:
    path = external(tmp_path, "weights.bin")
    for source in (path.read_bytes(), onnx.load(path, load_external_data=False)):
        with pytest.raises(InvalidReferenceError, match="give the model by its path"):
            rg.from_onnx(source)


@pytest.mark.parametrize("where", [{"offset": "8"}, {"length": "12"}])
def test_external_data_that_is_too_short_is_refused(tmp_path: Path, where: dict[str, str]) -> None:
    with pytest.raises(TruncatedTensorError, match="tensor 'w' needs 16 bytes"):
        rg.from_onnx(external(tmp_path, "weights.bin", **where))


def test_what_is_no_model_is_refused() -> None:
    with pytest.raises(DocumentSyntaxError, match="not an ONNX model"):
        rg.from_onnx(b"\xff\xff\xff")
    with pytest.raises(DocumentSyntaxError, match="it has no graph"):
        rg.from_onnx(b"")
    relu = model_of("g (float[4] x) => (float[4] y) { y = Relu(x) }").SerializeToString()
    with pytest.raises(DocumentSyntaxError, match=r"onnx.NodeProto.op_type b'Rel\\xff' is no UTF-8"):
        rg.from_onnx(relu.replace(b"Relu", b"Rel\xff"))
    model = onnx.ModelProto.FromString(relu)
    model.opset_import[0].version = 1 << 40
    with pytest.raises(DocumentSyntaxError, match="imports version 1099511627776 of the opset"):
        rg.from_onnx(model)


def test_sizes_are_checked_before_anything_is_allocated() -> None:
    model = model_of("g (float[4] x) => (float[4] y) { y = Mul(x, w) }")
    model.graph.initializer.add(name="w", dims=[1 << 40], data_type=onnx.TensorProto.FLOAT)
    with pytest.raises(LimitError, match="tensor 'w' has sizes"):
        rg.from_onnx(model)
    vast = (
        "g () => (float[N] y) { s = Constant<value = int64[2] {1099511627776, 4}>() y = ConstantOfShape(s) }"
    )
    with pytest.raises(LimitError, match="elements"):
        rg.from_onnx(model_of(vast))


COLUMN_AND_ROW = """g (float[1] x) => (int64[N, M] y) {
    length = Constant<value = int64[1] {1000000}>()  zero = Constant<value_int = 0>()
    zeros = ConstantOfShape<value = int64[1] {0}>(length)
    first = Constant<value_ints = [0]>()  last = Constant<value_ints = [1]>()
    row = Unsqueeze(zeros, first)  column = Unsqueeze(zeros, last)  one = Equal(first, last)
    y = OPERATOR }"""


@pytest.mark.parametrize(
    "operator", ["Add(row, column)", "Gather<axis=0>(row, zeros)", "Where(one, row, column)"]
)
def test_what_a_file_says_to_compute_while_reading_stays_small(operator: str) -> None:
    with pytest.raises(LimitError, match=r"int64\[1000000,1000000\]|int64\[1000000,1,1000000\]"):
        rg.from_onnx(model_of(COLUMN_AND_ROW.replace("OPERATOR", operator)))


def test_what_is_computed_while_reading_is_limited_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    text = """g (float[1] x) => (float[4] z) { s = Constant<value = int64[1] {4}>()
        a = ConstantOfShape<value = float[1] {2}>(s)  b = Add(a, a)  y = Add(b, a)  z = Mul(y, x) }"""
    model = model_of(text)
    counts = []
    for most in (1 << 26, 7):
        monkeypatch.setattr("raygrad.client.importers.onnx.folding.MOST_IN_ALL", most)
        imported = rg.from_onnx(model)
        counts.append(len(imported.graph))
        np.testing.assert_array_equal(run(imported, x=np.float32([3]))["z"], [18.0] * 4)
    assert counts[0] < counts[1]


def test_tensors_that_functions_repeat_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    text = FUNCTIONS.replace(
        "b = Add(h, a)", "k = Constant<value = float[2] {0, 0}>()  i = Add(h, k)  b = Add(i, a)"
    )
    model = onnx.parser.parse_model(text)
    rg.from_onnx(model)
    monkeypatch.setattr("raygrad.client.importers.onnx.bodies.DEFAULT", Limits(tensor_bytes=10))
    with pytest.raises(LimitError, match="hold over 10 bytes of tensors, its functions expanded"):
        rg.from_onnx(model)


def test_names_that_the_model_does_not_have_are_errors() -> None:
    with pytest.raises(SizeError, match=r"have no sizes \['M'\]; they have \['N'\]"):
        rg.from_onnx(model_of(LINEAR), sizes={"M": 3})
    with pytest.raises(UnexpectedTensorError, match=r"has no weights \['v'\]; it has \['b', 'scale', 'w'\]"):
        rg.from_onnx(model_of(LINEAR), parameters=["w", "v"])


@pytest.mark.parametrize(
    ("operator", "message"),
    [
        ("Unsqueeze(x, two)", "axis 2 does not exist among 2"),
        ("Slice(x, two, two, two)", "axis 2 does not exist among 1"),
        ("Tile(x, less)", "some are negative"),
    ],
)
def test_axes_and_counts_that_there_are_not_are_refused(operator: str, message: str) -> None:
    text = f"""g (float[4] x) => (float[N] y) {{ two = Constant<value_ints = [2]>()
        less = Constant<value_ints = [-1]>()  y = {operator} }}"""
    with pytest.raises(TypeMismatchError, match=message):
        rg.from_onnx(model_of(text))


def test_softmax_over_no_elements() -> None:
    text = "g (float[N, 0, 2] x) => (float[N, 0, 2] y) { y = Softmax(x) }"
    imported = rg.from_onnx(model_of(text, HEADER.replace("20", "9")))
    assert run(imported, x=np.zeros((3, 0, 2), np.float32))["y"].shape == (3, 0, 2)


def test_types_that_are_not_tensors_are_refused() -> None:
    model = model_of("g (float[4] x) => (float[4] y) { y = Relu(x) }")
    model.graph.input[0].type.CopyFrom(
        onnx.helper.make_sequence_type_proto(onnx.helper.make_tensor_type_proto(1, [4]))
    )
    with pytest.raises(TypeMismatchError, match="input 'x' is a sequence_type"):
        rg.from_onnx(model)
    complex64 = model_of("g (complex64[4] x) => (complex64[4] y) { y = Identity(x) }")
    with pytest.raises(TypeMismatchError, match="input 'x' has element type COMPLEX64"):
        rg.from_onnx(complex64)


REDUCTIONS = ["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare"]


@pytest.mark.parametrize("axes", ["", ", axes"], ids=["left out", "empty"])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_reduction_over_no_axes_still_does_what_it_does_with_elements(reduction: str, axes: str) -> None:
    """With noop_with_empty_axes; the schema of opset 18 says it of all but the plain ones."""
    model = model_of(
        f"""g (float[2, 2] x) => (float[M, N] y)
        <int64[0] axes = {{}}> {{ y = Reduce{reduction}<noop_with_empty_axes = 1>(x{axes}) }}"""
    )
    x = np.array([[2.0, 3.0], [0.5, 1.0]], np.float32) * (1 if reduction == "LogSum" else -1)
    want = onnx.reference.ReferenceEvaluator(model).run(None, {"x": x})[0]
    np.testing.assert_allclose(run(rg.from_onnx(model), x=x)["y"], want, rtol=1e-6)


@pytest.mark.parametrize("reduction", ["L1", "L2", "SumSquare"])
def test_a_reduction_of_a_scalar_too(reduction: str) -> None:
    model = model_of(f"g (float x) => (float y) {{ y = Reduce{reduction}<keepdims = 0>(x) }}")
    want = onnx.reference.ReferenceEvaluator(model).run(None, {"x": np.float32(-3)})[0]
    np.testing.assert_allclose(run(rg.from_onnx(model), x=np.float32(-3))["y"], want)


@pytest.mark.parametrize("end", [10**9, 2**31 - 1, 2**63 - 1])
def test_a_slice_to_the_end_of_a_named_axis_takes_it_whole(end: int) -> None:
    given = f"int64[1] s = {{0}}, int64[1] e = {{{end}}}, int64[1] a = {{0}}"
    text = f"agraph (float[N,3] x) => (float[N,3] y) <{given}> "
    imported = rg.from_onnx(model_of(text + "{ y = Slice(x, s, e, a) }"))
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    assert run(imported, x=x)["y"].tolist() == x.tolist()
