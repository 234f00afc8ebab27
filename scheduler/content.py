"""What a request says, as a digest: a repetition of it is told from a conflict."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from raygrad.proto.tensor import Array


def content_of(*parts: str, tensors: Mapping[str, Array]) -> bytes:
    """A digest of texts, and of the names, types and bytes of tensors."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(f"{len(part)}:{part}".encode())
    for name, array in sorted(tensors.items()):
        digest.update(f"{name}:{array.dtype}:{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.digest()
