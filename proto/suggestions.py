"""What a misspelt name may have meant: names that are near, and those of PyTorch and NumPy."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from . import errors as _  # noqa: F401 (which refuses the folder's bare name)

ELSEWHERE: Mapping[str, str] = {
    "absolute": "abs",
    "adaptive_avg_pool1d": "adaptive_avg_pool",
    "adaptive_avg_pool2d": "adaptive_avg_pool",
    "adaptive_avg_pool3d": "adaptive_avg_pool",
    "adaptive_max_pool1d": "adaptive_max_pool",
    "adaptive_max_pool2d": "adaptive_max_pool",
    "adaptive_max_pool3d": "adaptive_max_pool",
    "amax": "max",
    "amin": "min",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "avg_pool1d": "avg_pool",
    "avg_pool2d": "avg_pool",
    "avg_pool3d": "avg_pool",
    "bmm": "matmul",
    "cat": "concatenate",
    "clamp": "clip",
    "concat": "concatenate",
    "conv1d": "conv",
    "conv2d": "conv",
    "conv3d": "conv",
    "conv_transpose1d": "conv_transpose",
    "conv_transpose2d": "conv_transpose",
    "conv_transpose3d": "conv_transpose",
    "dropout1d": "feature_dropout",
    "dropout2d": "feature_dropout",
    "dropout3d": "feature_dropout",
    "expand_dims": "unsqueeze",
    "float_power": "pow",
    "hardshrink": "hard_shrink",
    "hardsigmoid": "hard_sigmoid",
    "hardswish": "hard_swish",
    "hardtanh": "hard_tanh",
    "invert": "bitwise_not",
    "left_shift": "bitwise_left_shift",
    "linalg_norm": "norm",
    "logsigmoid": "log_sigmoid",
    "max_pool1d": "max_pool",
    "max_pool2d": "max_pool",
    "max_pool3d": "max_pool",
    "max_unpool1d": "max_unpool",
    "max_unpool2d": "max_unpool",
    "max_unpool3d": "max_unpool",
    "mm": "matmul",
    "movedim": "moveaxis",
    "multi_head_attention_forward": "multi_head_attention",
    "one_hot_encode": "one_hot",
    "permute": "transpose",
    "power": "pow",
    "right_shift": "bitwise_right_shift",
    "scaled_dot_product": "scaled_dot_product_attention",
    "softshrink": "soft_shrink",
    "softmax2d": "softmax",
    "swapdims": "swapaxes",
    "swish": "silu",
    "tanhshrink": "tanh_shrink",
    "t": "T",
    "take_along_dim": "take_along_axis",
    "unflatten": "reshape",
    "upsample": "interpolate",
    # attributes of arrays and tensors
    "clone": "detach",
    "cpu": "numpy",
    "dim": "rank",
    "element_size": "dtype.itemsize",
    "long": "astype",
    "double": "astype",
    "float": "astype",
    "half": "astype",
    "int": "astype",
    "bool": "astype",
    "mT": "T",
    "ndim": "rank",
    "ndimension": "rank",
    "numel": "type.elements",
    "repeat": "tile",
    "size": "shape",
    "type_as": "astype",
    # arguments
    "a_max": "high",
    "a_min": "low",
    "attn_mask": "mask",
    "chunks": "count",
    "ddof": "correction",
    "destination": "target",
    "diagonal": "offset",
    "dims": "axes",
    "downscale_factor": "factor",
    "end": "stop",
    "fill_value": "value",
    "index": "indices",
    "kernel_size": "kernel",
    "lambda": "lambd",
    "max_val": "high",
    "min_val": "low",
    "negative_slope": "slope",
    "normalized_shape": "axes",
    "num": "count",
    "num_classes": "classes",
    "num_groups": "groups",
    "num_heads": "heads",
    "ord": "p",
    "output_size": "sizes",
    "padding_idx": "padding_index",
    "pad_width": "widths",
    "sections": "count",
    "shifts": "shift",
    "split_size_or_sections": "sizes",
    "src": "updates",
    "steps": "count",
    "unbiased": "correction",
    "upscale_factor": "factor",
}
"""What PyTorch, NumPy or ONNX call something, and what it is called here."""


FUNCTIONS: set[str] = set()
"""What `rg.functions` has, as soon as it is imported."""


def nearest(name: str, known: Collection[str]) -> str | None:
    """The name among `known` that `name` means elsewhere, or resembles; `None` if there is none."""
    import difflib

    meant = ELSEWHERE.get(name)
    if meant is not None and (meant in known or meant.partition(".")[0] in known):
        return meant
    folded = {_folded(each): each for each in sorted(known)}
    if _folded(name) in folded:
        return folded[_folded(name)]
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.7)
    return close[0] if close else None


def did_you_mean(name: object, known: Collection[str]) -> str:
    """What an error about an unknown name ends with: `; did you mean 'axis'?`, or nothing."""
    found = nearest(name, known) if isinstance(name, str) else None
    return "" if found is None else f"; did you mean {found!r}?"


def for_attribute(name: str, known: Collection[str]) -> str:
    """What an error about an unknown attribute of a value ends with: a method, or a function of it."""
    if name in FUNCTIONS:
        return f": did you mean `rg.functions.{name}(x)`?"
    method = nearest(name, known)
    function = None if method and ELSEWHERE.get(name) == method else nearest(name, FUNCTIONS)
    if method and not (function and ELSEWHERE.get(name) == function):
        return f": did you mean {method!r}?"
    return f": did you mean `rg.functions.{function}(x)`?" if function else ""


def _folded(name: str) -> str:
    return name.replace("_", "").lower()
