"""Answers by request id: the same id with the same content gets the stored answer again."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from raygrad.proto.errors import ConflictError

T = TypeVar("T")

KEPT = 64  # answers; a retry follows its request within seconds


@dataclass(frozen=True)
class _Answer(Generic[T]):
    content: bytes
    task: asyncio.Task[T]


class Answers(Generic[T]):
    """The last answers of one kind of call. Belongs to one event loop."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, _Answer[T]] = OrderedDict()

    async def get(self, request_id: str, content: bytes, compute: Callable[[], Awaitable[T]]) -> T:
        """The answer to the request, computed once; `ConflictError` if the id came with other content.

        An empty id is a request that is never repeated. An answer that is still being computed is
        waited for, and goes on if its first caller is gone. Failures are not kept.
        """
        if not request_id:
            return await compute()
        known = self._kept.get(request_id)
        if known is None:
            known = self._remember(request_id, _Answer(content, asyncio.ensure_future(_run(compute))))
        elif known.content != content:
            raise ConflictError(f"request {request_id!r} came before with other content")
        return await asyncio.shield(known.task)

    def _remember(self, request_id: str, answer: _Answer[T]) -> _Answer[T]:
        self._kept[request_id] = answer
        answer.task.add_done_callback(lambda task: self._forget_failure(request_id, task))
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return answer

    def _forget_failure(self, request_id: str, task: asyncio.Task[T]) -> None:
        if task.cancelled() or task.exception() is not None:
            self._kept.pop(request_id, None)


async def _run(compute: Callable[[], Awaitable[T]]) -> T:
    return await compute()
