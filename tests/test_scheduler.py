"""The scheduler's thread and its sessions: what fails fails alone, and nobody waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

import raygrad as rg
from raygrad.proto.errors import (
    DocumentError,
    RaygradError,
    ResourceError,
    SessionNotFoundError,
    WorkerLostError,
)
from raygrad.proto.messages import MiniBatch, SessionOptions
from raygrad.proto.plan import Plan, PlanKey
from raygrad.scheduler.events import Close, WorkerCommand
from raygrad.scheduler.local_cluster import Faults, LocalCluster
from raygrad.scheduler.plans import Plans
from raygrad.scheduler.scheduler import Budgets, Scheduler
from raygrad.scheduler.session import Session

from .serving import DEADLINE, Busy, Threaded, mean_square, mini_batches, weights


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    scheduler = Scheduler(LocalCluster(1, "numpy", strict=True), Budgets(feed_budget=1))
    yield scheduler
    scheduler.close()


def opened(scheduler: Scheduler) -> Session:
    session = scheduler.create_session(rg.encode(mean_square()), SessionOptions()).result(DEADLINE)
    session.put(weights()).result(DEADLINE)
    return session


def batch(index: int = 0) -> MiniBatch:
    return MiniBatch(mini_batches(1)[0], index)


def test_a_document_that_is_refused_is_refused_again(scheduler: Scheduler) -> None:
    """The same request once more is not left waiting for a session that will never be."""
    for _ in range(2):
        with pytest.raises(DocumentError):
            scheduler.create_session(b"no document", SessionOptions(), "once")
    whole = rg.encode(mean_square())
    first = scheduler.create_session(whole, SessionOptions(), "once").result(DEADLINE)
    assert scheduler.create_session(whole, SessionOptions(), "once").result(DEADLINE) is first


def test_who_waits_for_room_when_a_session_ends_waits_no_longer(scheduler: Scheduler) -> None:
    session = opened(scheduler)
    session.forward(batch().feeds, keep=True).result(DEADLINE)  # a lease keeps its feeds
    waiting = session.room()
    assert not waiting.done()
    session.close()
    assert waiting.done()
    assert session.room().done()
    with pytest.raises(SessionNotFoundError):
        session.step_batch(batch(1))


@pytest.mark.parametrize("fails", [False, True])
def test_there_is_no_room_while_mini_batches_wait_for_their_plan(
    fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing counts them yet."""
    scheduler = Scheduler(Threaded(1, "numpy"))
    session = opened(scheduler)
    go_on, make = threading.Event(), Plans.get

    def slow(plans: Plans, key: PlanKey) -> Plan:
        assert go_on.wait(DEADLINE)
        if fails:
            raise ResourceError("no room")
        return make(plans, key)

    monkeypatch.setattr(Plans, "get", slow)
    asked = session.step_batch(batch())
    room = session.room()
    assert not room.done()
    go_on.set()
    room.result(DEADLINE)
    assert isinstance(asked.exception(DEADLINE), ResourceError if fails else type(None))
    scheduler.close()


def test_who_waits_for_room_no_longer_disturbs_nobody(scheduler: Scheduler) -> None:
    session = opened(scheduler)
    kept = session.forward(batch().feeds, keep=True).result(DEADLINE)
    assert session.room().cancel()
    session.release(kept.lease).result(DEADLINE)  # there is room now
    assert session.step_batch(batch(1)).result(DEADLINE).index == 1


def test_a_cancelled_evaluation_is_not_begun() -> None:
    """The worker is busy with a first one; of those behind it, one is given up."""
    cluster = Threaded(1, "numpy")
    scheduler = Scheduler(cluster)
    session = opened(scheduler)
    session.forward(batch().feeds).result(DEADLINE)
    busy = Busy(cluster)
    asked = [session.forward(batch().feeds)]
    assert busy.reached.wait(DEADLINE)
    asked += [session.forward(batch().feeds) for _ in range(8)]
    assert asked[-1].cancel()
    busy.go_on()
    for future in asked[:-1]:
        future.result(DEADLINE)
    assert len(busy.ran) == len(asked) - 1
    session.wait_idle(DEADLINE)
    scheduler.close()


def test_gradients_that_are_given_up_can_be_asked_for_again() -> None:
    cluster = Threaded(1, "numpy")
    scheduler = Scheduler(cluster)
    session = opened(scheduler)
    busy = Busy(cluster)
    session.step_batch(batch())
    assert busy.reached.wait(DEADLINE)
    assert session.gradients().cancel()
    again = session.gradients(expect=1)
    busy.go_on()
    assert again.result(DEADLINE).indices == (0,)
    scheduler.close()


def test_a_session_whose_commands_fail_ends_alone() -> None:
    """Not even freeing it works; the thread, and with it every other session, goes on."""
    cluster = Threaded(1, "numpy")
    scheduler = Scheduler(cluster)
    broken, sound = opened(scheduler), opened(scheduler)
    cluster.refused = broken.id
    with pytest.raises(RaygradError, match="nobody is there"):
        broken.step_batch(batch()).result(DEADLINE)
    assert sound.step_batch(batch()).result(DEADLINE).index == 0
    assert scheduler.sessions() == (sound,)
    scheduler.close()


def test_closing_a_scheduler_frees_its_sessions() -> None:
    closed: list[str] = []

    class Watched(Threaded):
        def execute(self, command: WorkerCommand) -> None:
            if isinstance(command, Close):
                closed.append(command.session)
            super().execute(command)

    scheduler = Scheduler(Watched(1, "numpy"))
    sessions = [opened(scheduler) for _ in range(8)]
    for session in sessions:
        session.step_batch(batch()).result(DEADLINE)
    scheduler.close()
    assert sorted(closed) == sorted(session.id for session in sessions)
    assert scheduler.sessions() == ()


@pytest.mark.parametrize("kind", [LocalCluster, Threaded])
def test_a_session_that_nobody_uses_is_closed(kind: type[LocalCluster]) -> None:
    """Whatever it holds: a client that vanished closes nothing."""
    cluster = kind(1, "numpy")
    scheduler = Scheduler(cluster, Budgets(idle_seconds=10.0, max_sessions=2))
    left, used = opened(scheduler), opened(scheduler)
    left.forward(batch().feeds, keep=True).result(DEADLINE)
    for _ in range(3):
        cluster.skip(4.0)
        if not cluster.inline:
            scheduler.wake()  # instead of waiting until its thread does so by itself
        used.forward(batch().feeds).result(DEADLINE)
    assert scheduler.sessions() == (used,)
    assert opened(scheduler) in scheduler.sessions()
    with pytest.raises(SessionNotFoundError):
        left.forward(batch().feeds)
    with pytest.raises(SessionNotFoundError, match="10 s"):
        scheduler.session(left.id)
    assert left.id not in cluster.executors[0]._sessions
    scheduler.close()


def test_a_session_that_owes_an_answer_is_in_use() -> None:
    """However long it takes: here the reply is lost, and asked for anew when its time is up."""
    cluster = LocalCluster(1, "numpy", strict=True, faults=Faults(lose=1.0))
    scheduler = Scheduler(cluster, Budgets(idle_seconds=10.0, call_timeout=30.0))
    session = opened(scheduler)
    asked = session.forward(batch().feeds)
    cluster.skip(20.0)
    scheduler.wake()
    assert not asked.done()
    cluster._faults = Faults()
    cluster.skip(20.0)
    scheduler.wake()
    assert asked.result(0).outputs.keys() == {"loss", "prediction"}
    assert scheduler.sessions() == (session,)
    cluster.skip(20.0)
    scheduler.wake()
    assert scheduler.sessions() == ()
    scheduler.close()


def test_a_session_whose_worker_is_gone_before_it_begins_says_so() -> None:
    """The plan that a client looked at first has decided where the session lives."""

    class Shrinking(LocalCluster):
        gone: frozenset[int] = frozenset()

        @property
        def workers(self) -> tuple[int, ...]:
            return tuple(w for w in super().workers if w not in self.gone)

        def execute(self, command: WorkerCommand) -> None:
            if command.worker not in self.gone:
                super().execute(command)

    cluster = Shrinking(2, "numpy")
    scheduler = Scheduler(cluster)
    options = SessionOptions(stages=1, replicas=1)
    session = scheduler.create_session(rg.encode(mean_square()), options).result(DEADLINE)
    session.put(weights()).result(DEADLINE)
    session.plan({"N": 5})
    cluster.gone = frozenset({0})
    with pytest.raises(WorkerLostError, match="no worker left"):
        session.step_batch(batch()).result(0)
    other = scheduler.create_session(rg.encode(mean_square()), options).result(DEADLINE)
    other.put(weights()).result(DEADLINE)
    assert other.step_batch(batch()).result(DEADLINE).index == 0
    cluster.gone = frozenset({0, 1})
    with pytest.raises(ResourceError, match="no worker left"):
        scheduler.create_session(rg.encode(mean_square()), options).result(DEADLINE).plan({"N": 5})
    scheduler.close()
