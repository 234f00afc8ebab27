"""Control flow: a branch that is known when the model is read."""

from __future__ import annotations

from .bodies import branch_of
from .call import Call
from .functions import check_supported, with_functions
from .operand import Known
from .protos import array_of
from .table import Result, converts


@converts("If", static=(0,))
def if_(call: Call) -> Result:
    """https://onnx.ai/onnx/operators/onnx__If.html"""
    graph = call.attribute("then_branch" if call.number(0) else "else_branch")
    frame, nodes = branch_of(call.node, graph)
    conversion = call.conversion
    for tensor in graph.initializer:
        conversion.define(frame.name(tensor.name), Known(array_of(tensor), frame.name(tensor.name)))
    check_supported(nodes)
    conversion.run(with_functions(nodes))
    return tuple(conversion.look_up(frame.name(info.name)) for info in graph.output)
