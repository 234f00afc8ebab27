"""What Ray's errors mean: the call's own fault, or what a lost worker drags along."""

from __future__ import annotations

import pytest
from ray.exceptions import ActorDiedError, ObjectLostError, ObjectStoreFullError, OutOfDiskError

from raygrad.proto.errors import KernelError, ResourceError, TypeMismatchError
from raygrad.scheduler.ray_workers import root
from raygrad.workers.actor import PreparationError


@pytest.mark.parametrize("error", [ObjectStoreFullError("full"), OutOfDiskError("full")])
def test_no_room_for_a_result_is_said(error: Exception) -> None:
    found = root(error)
    assert isinstance(found, ResourceError)
    assert type(error).__name__ in str(found)


def test_our_errors_stay_what_they_are() -> None:
    ours = TypeMismatchError("no", node="node 3 (Add)")
    assert root(ours) is ours


def test_what_is_not_ours_names_its_type() -> None:
    found = root(KeyError("x"))
    assert isinstance(found, KernelError)
    assert "KeyError" in str(found)


@pytest.mark.parametrize(
    "error", [ActorDiedError(), ObjectLostError("0" * 56, "", ""), PreparationError("0" * 32, "put")]
)
def test_what_a_loss_drags_along_is_no_error_of_the_call(error: Exception) -> None:
    assert root(error) is None
