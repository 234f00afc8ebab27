"""All suites, in the order in which they run: `module:function`, and the function makes a `Suite`.

Modules are imported when their suites run, since each needs other packages.
"""

from __future__ import annotations

from importlib import import_module

from .suite import Suite

SUITES: dict[str, str] = {
    "opinfo-forward": "opinfo.suites:forward",
    "opinfo-gradient": "opinfo.suites:gradient",
    "opinfo-second-gradient": "opinfo.suites:second_gradient",
    "opinfo-float16": "opinfo.suites:float16",
    "opinfo-bfloat16": "opinfo.suites:bfloat16",
    "opinfo-int64": "opinfo.suites:int64",
    "onnx-backend": "onnx_backend:suite",
    "onnx-networks": "onnx_networks:suite",
    "onnx-trained": "onnx_trained:suite",
    "torch-networks": "torch_networks:torch_networks",
    "transnetv2": "transnet:transnet",
}


def make(name: str) -> Suite:
    """The suite of a name."""
    module, _, function = SUITES[name].partition(":")
    suite = getattr(import_module(f"{__package__}.{module}"), function)()
    assert isinstance(suite, Suite)
    assert suite.name == name
    return suite
