"""Philox4x32-10, a counter-based generator: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy
as 1, 2, 3" (SC 2011), https://doi.org/10.1145/2063384.2063405, section 3.3 and table 2.

It maps a counter of four words of 32 bits and a key of two to four words, and has no state. The words are
Python numbers or arrays of int64, whose products may wrap: the lower 64 bits are what is wanted.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from raygrad.proto.tensor import Array

_WORD = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10

Words = tuple[Any, Any, Any, Any]
"""Four words of 32 bits, numbers or int64 arrays of one shape."""


def philox(counter: Words, key: tuple[int, int]) -> Words:
    """The four random words of a counter under a key."""
    a, b, c, d = counter
    low, high = key
    for _ in range(_ROUNDS):
        first, second = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        a = ((second >> 32) & _WORD) ^ b ^ low
        c = ((first >> 32) & _WORD) ^ d ^ high
        b, d = second & _WORD, first & _WORD
        low, high = (low + _WEYL[0]) & _WORD, (high + _WEYL[1]) & _WORD
    return a, b, c, d


def mini_batch_key(seed: int, step: int, index: int) -> Array:
    """The value of `RandomKey` in a mini-batch; of an evaluation, whose index is negative, all −1.

    The generator permutes the counters of a seed, so no two mini-batches share a key.
    """
    if index < 0:
        return np.full(4, -1, dtype=np.int64)
    counter = (index & _WORD, index >> 32, step & _WORD, step >> 32)
    return np.array(philox(counter, (seed & _WORD, seed >> 32)), dtype=np.int64)


def stream_words(position: Any, stream: int, key: list[int]) -> Words:
    """The words 4 · position … 4 · position + 3 of a stream; position is an int64 array below 2³²."""
    low, high, *rest = key
    return philox((position, stream, *rest), (low, high))
