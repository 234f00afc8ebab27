"""What programs write graphs with: functions of values, in the style of `numpy` and `torch.nn.functional`.

::

    h = relu(linear(flatten(x), w, b))
    graph.output("loss", cross_entropy(linear(h, v), labels))

Each is one operator or a few; broadcasting and promotion are those of arithmetic on values. Axes may be
counted from the back. Errors are `TypeMismatchError` and `SizeError`, and name the operator.

One module per family; what a program types is named here.
"""

from .activations import leaky_relu, log_softmax, relu, sigmoid, softmax, softplus, tanh
from .convolution import conv
from .elementwise import abs, exp, log, maximum, minimum, sign, sqrt, where
from .indexing import embedding, gather
from .losses import cross_entropy, mse_loss
from .normalization import batch_norm, batch_norm_inference
from .pooling import avg_pool, max_pool
from .products import dot, linear
from .reductions import mean, norm, sum
from .shapes import concatenate, flatten, pad, split, stack

__all__ = [
    "abs",
    "avg_pool",
    "batch_norm",
    "batch_norm_inference",
    "concatenate",
    "conv",
    "cross_entropy",
    "dot",
    "embedding",
    "exp",
    "flatten",
    "gather",
    "leaky_relu",
    "linear",
    "log",
    "log_softmax",
    "max_pool",
    "maximum",
    "mean",
    "minimum",
    "mse_loss",
    "norm",
    "pad",
    "relu",
    "sigmoid",
    "sign",
    "softmax",
    "softplus",
    "split",
    "sqrt",
    "stack",
    "sum",
    "tanh",
    "where",
]
