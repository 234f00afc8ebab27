"""Interrupted uploads of tensors, kept for a while so that a client can go on where it stopped."""

from __future__ import annotations

from collections import OrderedDict

from raygrad.proto.v1.tensors import Unpacker

KEPT = 8  # uploads; each may hold as many bytes as the limit allows

Key = tuple[str, str]


class Uploads:
    """What arrived of uploads that broke off, by session and upload id. Belongs to one event loop."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, Unpacker] = OrderedDict()

    def take(self, key: Key) -> Unpacker | None:
        """What is there of the upload. The caller has it for itself."""
        return self._kept.pop(key, None)

    def keep(self, key: Key, unpacker: Unpacker) -> None:
        """Keep what arrived; the oldest upload goes when there are too many."""
        self._kept[key] = unpacker
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)

    def received(self, key: Key) -> dict[str, int]:
        """Bytes of each tensor that arrived, in the order in which they arrived."""
        unpacker = self._kept.get(key)
        return unpacker.received if unpacker else {}

    def forget(self, session: str) -> None:
        """Drop what a closed session left."""
        for key in [key for key in self._kept if key[0] == session]:
            del self._kept[key]
