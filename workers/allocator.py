"""The C allocator of a worker process: keep freed memory instead of giving it back.

Every mini-batch allocates the same activations again. By default glibc returns large blocks to the
operating system when they are freed, so each mini-batch pays for the page faults of all its
activations: on LeNet that is a third of the time (`docs/performance.md`). A worker's memory therefore
stays at its peak between mini-batches. Only worker processes do this, never a process of the user's.
"""

from __future__ import annotations

import ctypes
import sys

# Names and values of <malloc.h>.
_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_THRESHOLD = -3

_LARGEST_HEAP_BLOCK = 32 << 20  # bytes; glibc takes no larger threshold
_NEVER_TRIM = 2**31 - 1
_GROW_BY = 64 << 20


def keep_freed_memory() -> bool:
    """Let this process reuse freed blocks of up to 32 MiB; whether the C library took the settings."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # not glibc
        return False
    settings = {
        _M_MMAP_THRESHOLD: _LARGEST_HEAP_BLOCK,
        _M_TRIM_THRESHOLD: _NEVER_TRIM,
        _M_TOP_PAD: _GROW_BY,
    }
    return all(mallopt(parameter, value) == 1 for parameter, value in settings.items())
