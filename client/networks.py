"""Three convolutional networks, written with `raygrad.client.functions`: for demos, tests and benchmarks.

::

    network = rg.networks.lenet()
    with rg.connect("localhost:50051", network.graph) as session:
        session.put(network.parameters)

Parameters have the names and layouts of the equivalent `torch.nn.Module` ("conv1.weight", "fc1.bias"), so a
`state_dict` can be put as it is. They begin as in He et al., "Delving deep into rectifiers" (2015),
section 2.2: weights N(0, 2 / fan-in), biases 0, batch norm the identity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from raygrad.proto.arguments import public
from raygrad.proto.builder import Builder
from raygrad.proto.graph import Graph
from raygrad.proto.operators.linear import MatMul
from raygrad.proto.tensor import Array, DType
from raygrad.proto.value import Value

from .functions import (
    batch_norm,
    concatenate,
    conv,
    cross_entropy,
    flatten,
    max_pool,
    maximum,
    mean,
    norm,
    relu,
)

BATCH = "N"
"""The named size of a mini-batch."""

Activation = Callable[[Value], Value]


@dataclass(frozen=True)
class Network:
    """A graph, and the values that its parameters begin with."""

    graph: Graph
    parameters: Mapping[str, Array]


@public
def lenet(*, seed: int = 0, dtype: DType | str = "float32") -> Network:
    """Two convolutions with max-pooling and two linear layers, for 28×28 images and 10 classes.

    The LeNet of the course EE-559 (F. Fleuret, EPFL), after LeCun et al., 1998.
    Inputs: x (N, 1, 28, 28), labels y (N,) int64. Outputs: "logits" (N, 10), and "loss", the mean
    cross-entropy in nats.
    """
    layers = Layers(seed, dtype)
    x = layers.builder.input("x", (BATCH, 1, 28, 28), dtype)
    h = max_pool(relu(layers.conv("conv1", x, 32, 5)), 3)
    h = max_pool(relu(layers.conv("conv2", h, 64, 5)), 2)
    h = relu(layers.linear("fc1", flatten(h), 200))
    return _classifier(layers, layers.linear("fc2", h, 10))


@public
def resnet14(
    activation: Activation = relu, *, size: int = 32, seed: int = 0, dtype: DType | str = "float32"
) -> Network:
    """A residual network for size×size colour images and 10 classes; its longest path has 14 weights.

    He et al., "Deep residual learning for image recognition" (2016), section 4.2, with two basic blocks in
    each of the stages of 16, 32 and 64 channels, and projections (1×1 convolution, batch norm) where
    the shape changes. Inputs: x (N, 3, size, size), labels y (N,) int64. Outputs: "logits" (N, 10), "loss",
    the mean cross-entropy, and "….mean" and "….variance" (channels,) of each batch norm, which is in training
    mode: they are this mini-batch's (the variance is the biased one).
    """
    layers = Layers(seed, dtype)
    x = layers.builder.input("x", (BATCH, 3, size, size), dtype)
    h = activation(layers.batch_norm("bn1", layers.conv("conv1", x, 16, 3, padding=1, bias=False)))
    for stage, channels in enumerate((16, 32, 64)):
        for block in range(2):
            stride = 2 if stage and not block else 1
            h = _basic_block(layers, f"layer{stage + 1}.{block}", h, channels, stride, activation)
    return _classifier(layers, layers.linear("fc", mean(h, axes=(2, 3)), 10))


@public
def siamese(*, seed: int = 0, dtype: DType | str = "float32", margin: float = 1.0) -> Network:
    """Two branches with the same parameters, which learn to embed pairs of 28×28 images.

    The contrastive loss of Hadsell, Chopra and LeCun (2006), equation 4, without its factors ½: the mean of
    d² where a pair is of one kind and max(0, margin − d)² where not, d the distance of the embeddings.
    Each branch has an edge that skips over its middle: the first features' means join the last ones.
    Inputs: left and right (N, 1, 28, 28), same (N,) 1 or 0 in `dtype`. Outputs: "distance" (N,), "loss".
    """
    layers = Layers(seed, dtype)
    left, right = (layers.builder.input(name, (BATCH, 1, 28, 28), dtype) for name in ("left", "right"))
    same = layers.builder.input("same", (BATCH,), dtype)
    distance = norm(_embedding(layers, left) - _embedding(layers, right), axes=1)
    apart = maximum(margin - distance, 0.0).square()
    layers.builder.output("distance", distance)
    layers.builder.output("loss", mean(same * distance.square() + (1.0 - same) * apart))
    return layers.network()


def _classifier(layers: Layers, logits: Value) -> Network:
    """The network that ends in these logits, with its loss."""
    labels = layers.builder.input("y", (BATCH,), "int64")
    layers.builder.output("logits", logits)
    layers.builder.output("loss", cross_entropy(logits, labels))
    return layers.network()


def _basic_block(
    layers: Layers, name: str, x: Value, channels: int, stride: int, activation: Activation
) -> Value:
    def normalized(conv: str, norm: str, x: Value, kernel: int, stride: int) -> Value:
        y = layers.conv(f"{name}.{conv}", x, channels, kernel, stride, kernel // 2, bias=False)
        return layers.batch_norm(f"{name}.{norm}", y)

    h = activation(normalized("conv1", "bn1", x, 3, stride))
    h = normalized("conv2", "bn2", h, 3, 1)
    fits = stride == 1 and x.shape[1] == channels
    shortcut = x if fits else normalized("downsample.0", "downsample.1", x, 1, stride)
    return activation(h + shortcut)


def _embedding(layers: Layers, x: Value) -> Value:
    """x (N, 1, 28, 28) as (N, 16)."""
    first = max_pool(relu(layers.conv("conv1", x, 8, 5)), 2)
    second = max_pool(relu(layers.conv("conv2", first, 16, 5)), 2)
    h = relu(layers.linear("fc1", flatten(second), 32))
    features = concatenate([h, mean(first, axes=(2, 3))], axis=1)
    return layers.linear("fc2", features, 16, bias=False)  # a bias would cancel in the distance


class Layers:
    """Writes layers with parameters; a name that comes again means the same parameters."""

    def __init__(self, seed: int, dtype: DType | str) -> None:
        self.builder = Builder()
        self._dtype = DType.of(dtype)
        self._rng = np.random.default_rng(seed)
        self._values: dict[str, Value] = {}
        self._parameters: dict[str, Array] = {}

    def network(self) -> Network:
        """What is written so far."""
        return Network(self.builder.graph(), self._parameters)

    def conv(
        self,
        name: str,
        x: Value,
        channels: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
    ) -> Value:
        """x (N, C, H, W) convolved with a kernel×kernel weight to `channels` channels."""
        with self.builder.label(name):
            weight = self._weight(f"{name}.weight", (channels, _number(x, 1), kernel, kernel))
            shift = self._parameter(f"{name}.bias", np.zeros(channels)) if bias else None
            return conv(x, weight, shift, stride, padding)

    def linear(self, name: str, x: Value, features: int, bias: bool = True) -> Value:
        """x (N, C) times the transpose of a weight (features, C), plus a bias (features,)."""
        with self.builder.label(name):
            weight = self._weight(f"{name}.weight", (features, _number(x, 1)))
            y = self.builder.add(MatMul(transpose_b=True), (x, weight))[0]
            return y + self._parameter(f"{name}.bias", np.zeros(features)) if bias else y

    def batch_norm(self, name: str, x: Value) -> Value:
        """x (N, C, H, W) normalized per channel; the statistics become outputs."""
        channels = _number(x, 1)
        with self.builder.label(name):
            weight = self._parameter(f"{name}.weight", np.ones(channels))
            bias = self._parameter(f"{name}.bias", np.zeros(channels))
            y, average, variance = batch_norm(x, weight, bias)
        self.builder.output(f"{name}.mean", average)
        self.builder.output(f"{name}.variance", variance)
        return y

    def _weight(self, name: str, shape: tuple[int, ...]) -> Value:
        if name in self._values:
            return self._values[name]
        deviation = np.sqrt(2 / np.prod(shape[1:]))
        return self._parameter(name, deviation * self._rng.standard_normal(shape))

    def _parameter(self, name: str, initial: Array) -> Value:
        if name not in self._values:
            self._values[name] = self.builder.parameter(name, initial.shape, self._dtype)
            self._parameters[name] = initial.astype(self._dtype.numpy)
        return self._values[name]


def _number(x: Value, axis: int) -> int:
    return x.type.of_shape((x.shape[axis],)).static[0]
