"""Losses of LeNet with a gradient inside, written for any batch size, and steps of them for tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np

import raygrad as rg
from raygrad.client import networks
from raygrad.proto.codec import encode
from raygrad.proto.graph import Node
from raygrad.proto.messages import MiniBatch, SessionOptions
from raygrad.proto.value import Value
from raygrad.scheduler.scheduler import Scheduler
from tests.network_cases import classified
from tests.steps import DEADLINE, Work, accumulate, digest

LOSS = "second order"


def values(builder: rg.Builder, sources: Mapping[str, Node]) -> list[Value]:
    """Inputs or parameters as values."""
    return [builder.values(node.id)[0] for node in sources.values()]


def with_gradient_penalty(network: networks.Network) -> rg.Graph:
    """The loss, and the squared norm of its gradient by the images."""
    builder = rg.Builder(network.graph)
    loss = builder.value(network.graph.outputs["loss"])
    (slope,) = rg.gradients([loss], values(builder, {"x": network.graph.inputs["x"]}))
    assert slope is not None
    assert slope.shape[0] == "N"
    builder.output(LOSS, loss + 10.0 * slope.square().sum())
    return builder.graph()


def with_hessian_vector_product(network: networks.Network) -> rg.Graph:
    """⟨∇loss, v⟩ with a v for every parameter: its gradient is the Hessian times v."""
    builder = rg.Builder(network.graph)
    loss = builder.value(network.graph.outputs["loss"])
    parameters = values(builder, network.graph.parameters)
    slopes = rg.gradients([loss], parameters)
    total = builder.constant(np.zeros((), loss.dtype.numpy))
    for name, w, slope in zip(network.graph.parameters, parameters, slopes, strict=True):
        assert slope is not None
        total = total + (slope * builder.buffer(f"v.{name}", w.type.static, w.dtype)).sum()
    builder.output(LOSS, total)
    return builder.graph()


Write = Callable[[networks.Network], rg.Graph]
KINDS: dict[str, Write] = {
    "gradient penalty": with_gradient_penalty,
    "Hessian-vector product": with_hessian_vector_product,
}


@cache
def given(kind: str, dtype: str = "float32") -> Work:
    """LeNet with a second-order loss, with parameters and vectors, and two mini-batches of two sizes."""
    network = networks.lenet(dtype=dtype)
    graph = KINDS[kind](network)
    rng = np.random.default_rng(3)
    vectors = {
        name: rng.standard_normal(node.types[0].static).astype(dtype) for name, node in graph.buffers.items()
    }
    batches = [MiniBatch(feeds, index) for index, feeds in enumerate(classified((1, 28, 28), dtype))]
    return Work(graph, {**network.parameters, **vectors}, batches)


@cache
def on_one_worker(kind: str, backend: str) -> str:
    """The bits in this process."""
    step = given(kind)
    with rg.local(step.graph, backend=backend, loss=LOSS) as session:
        session.put(step.parameters)
        session.accumulate(step.batches, progress=False)
        return digest(session.gradients(expect=len(step.batches)))


def on_stages(scheduler: Scheduler, kind: str, stages: int) -> str:
    """The bits of a step on so many stages."""
    step = given(kind)
    options = SessionOptions(loss=LOSS, stages=stages, replicas=1)
    session = scheduler.create_session(encode(step.graph), options).result(DEADLINE)
    session.put(step.parameters).result(DEADLINE)
    found = digest(accumulate(session, step.batches))
    assert len(set(session.workers)) == stages
    session.close()
    return found
