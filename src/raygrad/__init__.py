"""raygrad: a distributed graph-execution service.

This package is the public face: ``import raygrad as rg``. Its code lives in four folders at the top of the
repository, linked here: ``proto`` is the language (graphs, operators, differentiation, documents),
``client`` writes it, ``scheduler`` decides about it, ``workers`` carry it out. Only names that a user types
belong in this file; it holds no logic, and a name is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raygrad.client import aio as aio
    from raygrad.client import functions as functions
    from raygrad.client import networks as networks
    from raygrad.client import optimizers as optimizers
    from raygrad.client.autograd import backward as backward
    from raygrad.client.autograd import grad as grad
    from raygrad.client.connect import connect as connect
    from raygrad.client.device import Device as Device
    from raygrad.client.importers import torch as torch
    from raygrad.client.importers.onnx import from_onnx as from_onnx
    from raygrad.client.importers.onnx import to_onnx as to_onnx
    from raygrad.client.importers.torch import from_torch as from_torch
    from raygrad.client.local import local as local
    from raygrad.client.recording import no_grad as no_grad
    from raygrad.client.session import Session as Session
    from raygrad.client.tensor import Tensor as Tensor
    from raygrad.client.tensor import evaluate as evaluate
    from raygrad.client.tensor import tensor as tensor
    from raygrad.proto import errors as errors
    from raygrad.proto.autodiff import gradients as gradients
    from raygrad.proto.builder import Builder as Builder
    from raygrad.proto.codec import decode as decode
    from raygrad.proto.codec import digest as digest
    from raygrad.proto.codec import encode as encode
    from raygrad.proto.errors import RaygradError as RaygradError
    from raygrad.proto.graph import Graph as Graph
    from raygrad.proto.messages import Gradients as Gradients
    from raygrad.proto.messages import MiniBatch as MiniBatch
    from raygrad.proto.tensor import DType as DType
    from raygrad.proto.value import Value as Value

__version__ = "0.1.0"

_MODULES = {
    "aio": "client.aio",
    "errors": "proto.errors",
    "functions": "client.functions",
    "networks": "client.networks",
    "optimizers": "client.optimizers",
    "torch": "client.importers.torch",
}
_HOMES = {
    "Builder": "proto.builder",
    "Device": "client.device",
    "DType": "proto.tensor",
    "Gradients": "proto.messages",
    "Graph": "proto.graph",
    "MiniBatch": "proto.messages",
    "RaygradError": "proto.errors",
    "Session": "client.session",
    "Tensor": "client.tensor",
    "Value": "proto.value",
    "backward": "client.autograd",
    "connect": "client.connect",
    "decode": "proto.codec",
    "digest": "proto.codec",
    "encode": "proto.codec",
    "evaluate": "client.tensor",
    "from_onnx": "client.importers.onnx",
    "from_torch": "client.importers.torch",
    "grad": "client.autograd",
    "gradients": "proto.autodiff",
    "local": "client.local",
    "no_grad": "client.recording",
    "tensor": "client.tensor",
    "to_onnx": "client.importers.onnx",
}
_NAMES = ["__version__", *sorted({**_MODULES, **_HOMES})]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"raygrad.{_MODULES[name]}")
    if name in _HOMES:
        return getattr(import_module(f"raygrad.{_HOMES[name]}"), name)
    if name.startswith("__"):
        raise AttributeError(name)
    suggestions = import_module("raygrad.proto.suggestions")
    import_module("raygrad.client.functions")
    near = suggestions.nearest(name, _NAMES)
    found = near or suggestions.nearest(name, suggestions.FUNCTIONS)
    meant = f": did you mean `rg.{'' if near else 'functions.'}{found}`?" if found else ""
    raise AttributeError(f"module 'raygrad' has no attribute {name!r}{meant}")


def __dir__() -> list[str]:
    return _NAMES
