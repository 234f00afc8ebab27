"""Dialogues with the machine: event in, commands out, invariants checked after every event. No cluster."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from raygrad.proto.errors import (
    ConflictError,
    IncompleteStepError,
    KernelError,
    LeaseError,
    LeaseExpiredError,
    ParametersFixedError,
    ParametersMissingError,
    ResourceError,
    StepClosedError,
    WorkerLostError,
)
from raygrad.proto.plan import Mode
from raygrad.scheduler.admission import USABLE
from raygrad.scheduler.batch import content as content_of
from raygrad.scheduler.events import (
    Cancelled,
    DeadlinePassed,
    Event,
    Fence,
    Kill,
    Put,
    Release,
    Restore,
    Run,
    SegmentDone,
    TakeSnapshot,
)
from raygrad.scheduler.snapshots import WORTH_A_SNAPSHOT

from .machine_model import CALL_TIMEOUT, LEASE_SECONDS, Dialogue, contents, feed


def finish_step(d: Dialogue, count: int) -> None:
    """Everything ends, and the gradients hold mini-batches 0 to count."""
    token = d.gradients(expect=count)
    d.finish()
    d.require_complete(token, range(count))


# -- running --------------------------------------------------------------------------------------


def test_one_mini_batch_on_one_stage() -> None:
    d = Dialogue()
    token = d.send()
    assert d.runs() == ["0: FB0#0"]
    d.finish()
    assert d.answers[token].result.index == 0
    finish_step(d, 1)
    assert d.machine.step == 1


@pytest.mark.parametrize(
    ("stages", "orders"),
    [
        (2, ["F0 F1 B0 F2 B1 F3 B2 B3", "FB0 FB1 FB2 FB3"]),
        (3, ["F0 F1 F2 B0 F3 B1 B2 B3", "F0 F1 B0 F2 B1 F3 B2 B3", "FB0 FB1 FB2 FB3"]),
    ],
)
def test_stages_alternate_forward_and_backward(stages: int, orders: list[str]) -> None:
    d = Dialogue(stages)
    for index in range(4):
        d.send(index)
    done: dict[int, list[str]] = {w: [] for w in d.workers}
    while ready := d.ready():
        events: list[Event | None] = []
        for w in ready:  # all at once: a forward pass takes as long as a backward pass
            if isinstance(head := d.workers[w].queue[0], Run):
                done[w].append(f"{head.title.rstrip('0123456789')}{head.key.run.index}")
            events.append(d.work(w))
        for event in events:
            if event is not None:
                d.say(event)
    assert [" ".join(o) for o in done.values()] == orders


@pytest.mark.parametrize("stages", [1, 2, 3])
def test_no_more_activations_are_kept_than_stages_need(stages: int) -> None:
    d = Dialogue(stages)
    for index in range(12):
        d.send(index)
    most = dict.fromkeys(d.workers, 0)
    while ready := d.ready():
        d.step(ready[0])  # the first stage as far ahead as it can get
        most = {w: max(n, len(d.workers[w].activations)) for w, n in most.items()}
    assert all(kept <= stages - stage for stage, kept in most.items())


def test_a_client_that_waits_for_each_reply_is_served() -> None:
    d = Dialogue(3)
    for index in range(4):
        token = d.send(index)
        d.finish()
        assert d.answers[token].error is None
    finish_step(d, 4)


def test_replicas_share_mini_batches() -> None:
    d = Dialogue(1, replicas=2)
    for index in range(4):
        d.send(index)
    assert d.runs() == ["0: FB0#0", "0: FB0#2", "1: FB0#1", "1: FB0#3"]
    finish_step(d, 4)


def test_an_index_is_given_out_in_order_of_arrival() -> None:
    d = Dialogue()
    tokens = [d.send(), d.send(1), d.send(), d.send(7), d.send()]
    d.finish()
    assert [d.answers[t].result.index for t in tokens] == [0, 1, 2, 7, 4]


def test_parameters_are_sent_once_and_only_what_changed() -> None:
    d = Dialogue(2)
    d.send(0)
    d.send(1)
    finish_step(d, 2)
    assert [(c.worker, set(c.tensors)) for c in d.commands if isinstance(c, Put)] == [
        (1, {"w1"}),
        (0, {"w0"}),
    ] or [(c.worker, set(c.tensors)) for c in d.commands if isinstance(c, Put)] == [(0, {"w0"}), (1, {"w1"})]
    d.commands.clear()
    d.put()
    d.send(0)
    assert sorted(c.worker for c in d.commands if isinstance(c, Put)) == [0, 1]


# -- replies --------------------------------------------------------------------------------------


def test_a_reply_counts_once_and_late_replies_count_nothing() -> None:
    d = Dialogue(2)
    d.send(0)
    replies: list[Event] = []
    while ready := d.ready():
        event = d.work(ready[0])
        if event is not None:
            d.say(event)
            replies.append(event)
    for event in replies:
        d.say(event)
    finish_step(d, 1)
    for event in replies:
        d.say(event)
    token = d.send(0)
    for event in replies:
        d.say(event)
    assert token not in d.answers
    finish_step(d, 1)


def test_a_reply_of_an_overtaken_attempt_counts_nothing() -> None:
    d = Dialogue(2)
    d.send(0)
    worker = d.run_until("FB1#0")
    reply = d.work(worker)  # added, and not yet told
    d.lose(0)
    assert isinstance(reply, SegmentDone)
    d.say(reply)
    d.finish()
    d.join(0)
    d.finish()
    finish_step(d, 1)
    assert d.machine.reruns == 1


# -- losses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("where", ["F0#3", "FB1#3", "B0#3"])
@pytest.mark.parametrize("victim", [0, 1])
def test_a_loss_at_any_point_costs_only_what_it_took(replicas: int, where: str, victim: int) -> None:
    d = Dialogue(2, replicas)
    for index in range(6):
        d.send(index)
    at = d.run_until(where)
    d.lose(at - at % 2 + victim)
    d.finish()
    d.join(d.killed[0])
    finish_step(d, 6)
    assert 0 < d.machine.reruns <= 6
    assert all(a.error is None for a in d.answers.values())


def test_after_one_stage_of_two_has_added_only_the_other_adds_again() -> None:
    d = Dialogue(2)
    d.send(0)
    d.step(d.run_until("FB1#0"))
    assert d.workers[1].ledger.keys() == {0}
    d.lose(0)
    d.finish()
    d.join(0)
    d.commands.clear()
    d.finish()
    again = {c.title: c.call.add for c in d.commands if isinstance(c, Run)}
    assert again == {"F0": False, "FB1": False, "B0": True}
    finish_step(d, 1)


def test_a_snapshot_saves_what_it_holds() -> None:
    d = Dialogue(1, snapshot_every=2)
    for index in range(5):
        d.send(index)
        d.finish()
    d.lose(0)
    d.join(0)
    restored = [c.snapshot.ledger for c in d.commands if isinstance(c, Restore)]
    assert restored == [frozenset(range(4))]
    finish_step(d, 5)
    assert d.machine.reruns == 1


def test_a_loss_between_two_mini_batches_is_made_good() -> None:
    d = Dialogue(2)
    for index in range(3):
        d.send(index)
        d.finish()
    d.lose(1)
    d.finish()
    d.join(1)
    finish_step(d, 3)
    assert d.machine.reruns == 3


def test_a_loss_while_gradients_are_fetched_is_made_good() -> None:
    d = Dialogue(2)
    for index in range(3):
        d.send(index)
    d.finish()
    token = d.gradients(expect=3)
    assert any(isinstance(c, TakeSnapshot) for c in d.commands)
    d.step(0)  # one stage is safe
    d.lose(1)
    d.finish()
    assert token not in d.delivered
    d.join(1)
    d.finish()
    d.require_complete(token, range(3))


def test_a_second_loss_during_a_fence() -> None:
    d = Dialogue(3)
    for index in range(4):
        d.send(index)
    d.run_until("B1#1")
    d.lose(0)
    d.lose(2)  # before its fence was answered
    d.join(0)
    d.finish()
    d.join(2)
    d.lose(0)
    d.finish()
    d.join(0)
    finish_step(d, 4)


def test_other_replicas_wait_until_survivors_have_said_what_they_hold() -> None:
    d = Dialogue(2, replicas=2)
    d.send(0)
    worker = d.run_until("FB1#0")
    d.work(worker)  # added; the reply is lost on the way
    d.lose(worker - 1)
    assert not any("#0" in run for run in d.runs())
    d.finish()
    assert d.workers[worker].ledger.keys() == {0}
    finish_step(d, 1)


def test_a_replica_that_is_not_restored_is_merged() -> None:
    d = Dialogue(2, replicas=2)
    for index in range(4):
        d.send(index)
    d.finish()
    d.lose(0)
    d.gone(0)
    finish_step(d, 4)
    d.send(0)
    assert all(run.startswith(("2", "3")) for run in d.runs())


def test_with_the_last_replica_gone_whoever_waits_is_told() -> None:
    d = Dialogue(2)
    first = d.send(0)
    d.finish()
    waiting, gradients = d.send(1), d.gradients()
    d.lose(0)
    d.gone(0)
    d.finish()
    assert d.answers[first].error is None
    for token in (waiting, gradients, d.send(2), d.evaluate(), d.gradients()):
        assert d.error(token) is WorkerLostError


def test_what_is_complete_is_delivered_after_the_last_loss() -> None:
    d = Dialogue(1, snapshot_every=1)
    d.send(0)
    d.finish()
    d.lose(0)
    d.gone(0)
    finish_step(d, 1)


def test_a_silent_worker_is_killed() -> None:
    d = Dialogue(2)
    d.send(0)
    assert d.machine.next_deadline == CALL_TIMEOUT
    d.now = CALL_TIMEOUT
    d.say(DeadlinePassed())
    assert d.killed == [0]
    assert [c.worker for c in d.commands if isinstance(c, Kill)] == [0]
    d.finish()
    d.join(0)
    finish_step(d, 1)


@pytest.mark.parametrize("what", [Fence, TakeSnapshot])
def test_a_worker_silent_to_a_fence_or_a_snapshot_is_killed(what: type) -> None:
    d = Dialogue(2)
    d.send(0)
    d.finish()
    if what is Fence:
        d.lose(0)
        d.join(0)
    token = d.gradients()
    assert any(isinstance(c, what) and c.worker == 1 for c in d.workers[1].queue)
    d.finish(only=[0])
    d.now = CALL_TIMEOUT
    d.say(DeadlinePassed())
    assert d.killed[-1] == 1
    d.join(1)
    d.finish()
    d.require_complete(token, [0])


# -- failures -------------------------------------------------------------------------------------


def test_a_failed_kernel_ends_its_mini_batch_only() -> None:
    d = Dialogue()
    tokens = [d.send(index) for index in range(3)]
    d.step(d.run_until("FB0#0"))
    event = d.work(d.run_until("FB0#1"), KernelError("out of memory"))
    assert event is not None
    d.say(event)
    d.finish()
    assert [d.error(t) for t in tokens] == [None, KernelError, None]
    refused, token = d.gradients(expect=3), d.gradients(expect={0, 2})
    d.finish()
    assert d.error(refused) is IncompleteStepError
    d.require_complete(token, [0, 2])


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("again", ["at once", "later"])
def test_a_kernel_fails_after_another_stage_has_added(told: bool, again: str) -> None:
    """The contribution is taken out again, and the index can be used for another content."""
    d = Dialogue(2)
    for index in range(2):
        d.send(index)
    d.finish()
    token = d.send(2, content=0.25)
    reply = d.work(d.run_until("FB1#2"))
    assert isinstance(reply, SegmentDone)
    if told:
        d.say(reply)
        failed = d.work(d.run_until("B0#2"), KernelError("fails"))
    else:  # stage 0 has the call, and fails, before the scheduler hears of the addition
        failed = d.fail_call("B0#2")
    assert failed is not None
    d.say(failed)
    assert d.error(token) is KernelError
    second = d.send(2, content=0.5) if again == "at once" else None
    if not told:
        d.say(reply)
    d.finish()
    second = second or d.send(2, content=0.5)
    d.finish()
    assert d.error(second) is None
    finish_step(d, 3)
    assert d.machine.reruns == 2  # what the stage held beside it


def test_a_failure_falls_back_to_a_snapshot_whose_feeds_are_gone() -> None:
    d = Dialogue(2, feed_budget=1)
    for index in range(3):
        d.send(index)
        d.finish()
    assert [bool(b.feeds) for b in d.machine.batches.values()] == [False, False, False]
    token = d.send(3)
    d.step(d.run_until("FB1#3"))
    event = d.work(d.run_until("B0#3"), KernelError("fails"))
    assert event is not None
    d.say(event)
    d.finish()
    assert d.error(token) is KernelError
    finish_step(d, 3)
    assert d.machine.reruns == 0


def test_a_mini_batch_that_worked_before_is_not_left_out_when_it_fails_again() -> None:
    d = Dialogue()
    token = d.send(0)
    d.finish()
    d.lose(0)
    d.join(0)
    event = d.work(d.run_until("FB0#0"), KernelError("out of memory"))
    assert event is not None
    d.say(event)
    assert d.killed == [0, 0]
    d.join(0)
    finish_step(d, 1)
    assert d.answers[token].error is None


def test_gradients_asked_for_are_refused_when_one_of_their_mini_batches_fails() -> None:
    d = Dialogue()
    d.send(0)
    d.send(1)
    gradients = d.gradients(expect=2)
    event = d.work(d.run_until("FB0#0"), KernelError("fails"))
    assert event is not None
    d.say(event)
    d.finish()
    assert d.error(gradients) is IncompleteStepError
    d.send(0)
    finish_step(d, 2)


# -- leases ---------------------------------------------------------------------------------------


def test_forward_and_backward_one_by_one() -> None:
    d = Dialogue(2)
    for index in range(3):
        lease = d.held(index)
        token = d.backward(lease)
        d.finish()
        assert d.answers[token].result == {}
    assert not any(w.activations for w in d.workers.values())
    finish_step(d, 3)


def test_backward_twice() -> None:
    d = Dialogue(2)
    lease = d.held(0)
    d.backward(lease)
    during = d.backward(lease)
    d.finish()
    after = d.backward(lease)
    assert (d.error(during), d.error(after)) == (LeaseError, LeaseError)
    assert d.error(d.backward("unknown")) is LeaseError
    finish_step(d, 1)


def test_an_expired_lease_is_freed_and_leaves_the_step() -> None:
    d = Dialogue(2)
    lease = d.held(0)
    kept = d.held(1)
    assert d.machine.next_deadline == LEASE_SECONDS
    token = d.backward(kept)
    d.now = LEASE_SECONDS
    d.say(DeadlinePassed())
    d.finish()
    assert d.answers[token].error is None
    assert d.error(d.backward(lease)) is LeaseExpiredError
    assert not any(w.activations for w in d.workers.values())
    token = d.gradients()
    d.finish()
    d.require_complete(token, [1])


def test_a_released_lease() -> None:
    d = Dialogue(2)
    lease = d.held(0)
    d.say_release(lease)
    assert any(isinstance(c, Release) for c in d.commands)
    d.finish()
    assert not any(w.activations for w in d.workers.values())
    assert d.error(d.backward(lease)) is LeaseError
    assert d.error(d.gradients()) is IncompleteStepError
    token = d.send(0, content=0.5)
    d.finish()
    assert d.error(token) is None


@pytest.mark.parametrize("victim", [0, 1])
def test_a_lost_lease_is_run_again_before_its_backward(victim: int) -> None:
    d = Dialogue(2)
    lease = d.held(0)
    d.lose(victim)
    token = d.backward(lease)
    d.finish()
    d.join(victim)
    d.finish()
    assert d.error(token) is None
    assert d.machine.reruns == 1
    finish_step(d, 1)


def test_a_lost_lease_expires_as_others_do() -> None:
    d = Dialogue(1)
    lease = d.held(0)
    d.lose(0)
    d.join(0)
    d.finish()
    d.now = LEASE_SECONDS
    d.say(DeadlinePassed())
    assert d.error(d.backward(lease)) is LeaseExpiredError


def test_gradients_under_a_lease_are_refused() -> None:
    d = Dialogue(1)
    lease = d.held(0)
    assert d.error(d.gradients()) is IncompleteStepError
    d.backward(lease)
    finish_step(d, 1)


# -- what clients may ask -------------------------------------------------------------------------


def test_parameters_are_put_between_steps_only() -> None:
    d = Dialogue(put=False)
    early = d.send(0)
    assert d.error(early) is ParametersMissingError
    assert d.error(d.gradients()) is ParametersMissingError
    d.put()
    d.send(0)
    assert d.error(d.put()) is ParametersFixedError
    finish_step(d, 1)
    assert d.error(d.put()) is None


def test_an_evaluation_under_way_sees_one_set_of_parameters() -> None:
    d = Dialogue(2)
    d.send(0)
    finish_step(d, 1)
    token = d.evaluate()
    d.step(d.run_until("F0#-1"))
    d.commands.clear()
    d.put()
    d.finish()
    assert d.error(token) is None
    both = [(type(c).__name__, c.worker) for c in d.commands if isinstance(c, Run | Put)]
    assert both == [("Put", 0), ("Run", 0), ("Put", 1), ("Run", 1)]


def test_the_same_mini_batch_again_gets_the_stored_answer() -> None:
    d = Dialogue()
    first, during = d.send(0), d.send(0)
    d.finish()
    after = d.send(0)
    assert d.answers[first].result == d.answers[during].result == d.answers[after].result
    assert d.error(d.send(0, content=0.5)) is ConflictError
    assert d.error(d.forward(0)) is ConflictError
    finish_step(d, 1)


def test_the_same_forward_again_gets_the_same_lease() -> None:
    d = Dialogue()
    lease = d.held(0)
    assert d.lease(d.forward(0)) == lease
    d.backward(lease)
    finish_step(d, 1)


def test_the_same_mini_batch_again_after_its_feeds_were_dropped() -> None:
    d = Dialogue(feed_budget=1)
    first = d.send(0)
    d.finish()
    assert not d.machine.batches[0].feeds
    assert d.answers[d.send(0)].result == d.answers[first].result
    assert d.error(d.send(0, content=0.5)) is ConflictError


def test_a_closed_step() -> None:
    d = Dialogue()
    d.send(0)
    token = d.gradients()
    assert d.error(d.send(1)) is StepClosedError
    assert d.error(d.gradients()) is StepClosedError
    again = d.send(0)  # a repetition is no new index
    d.finish()
    assert d.error(again) is None
    d.require_complete(token, [0])
    assert d.error(d.send(0, step=0)) is StepClosedError
    assert d.error(d.gradients(step=0)) is StepClosedError
    d.send(0, step=1)
    finish_step(d, 1)


@pytest.mark.parametrize("expect", [1, 3, frozenset({0}), frozenset({0, 2})])
def test_gradients_of_other_mini_batches_than_expected(expect: int | frozenset[int]) -> None:
    d = Dialogue()
    assert d.error(d.gradients(expect=expect)) is IncompleteStepError
    d.send(0)
    d.send(1)
    assert d.error(d.gradients(expect=expect)) is IncompleteStepError
    token = d.gradients(expect=frozenset({0, 1}))
    d.finish()
    d.require_complete(token, [0, 1])


def test_keep_open_reads_and_goes_on() -> None:
    d = Dialogue(2)
    d.send(0)
    reading = [d.gradients(keep_open=True), d.gradients(keep_open=True)]
    d.finish()
    for token in reading:
        d.require_complete(token, [0])
    d.send(1)
    d.gradients(keep_open=True)
    finish_step(d, 2)


def test_a_cancelled_evaluation_that_waits_is_dropped() -> None:
    d = Dialogue()
    running = [d.evaluate() for _ in range(2)]
    waiting = d.evaluate()
    d.say(Cancelled(waiting))
    d.say(Cancelled(running[0]))
    d.finish()
    assert d.answers.keys() & {*running, waiting} == {running[1]}


@pytest.mark.parametrize("calls_done", range(3))
def test_a_lease_that_nobody_will_know_is_not_kept(calls_done: int) -> None:
    d = Dialogue(2)
    first = d.forward(0)
    again = d.forward(0)
    for _ in range(calls_done):
        d.step(d.ready()[0])
    d.say(Cancelled(first))
    assert list(d.machine.leases.values()) == [0]  # the other one waits for it
    d.say(Cancelled(again))
    d.finish()
    assert not d.machine.leases
    assert not d.machine.batches
    assert not any(w.activations for w in d.workers.values())


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0]])
def test_a_lease_whose_answer_came_too_late_is_not_kept(order: list[int]) -> None:
    """Of three who asked for it, all were answered, and all had gone by then; the last of them ends it."""
    d = Dialogue(2)
    tokens = [d.forward(0), d.forward(0)]
    d.finish()
    tokens.append(d.forward(0))
    assert len({d.lease(token) for token in tokens}) == 1
    for number in order:
        assert d.machine.leases
        d.say(Cancelled(tokens[number]))
    assert not d.machine.leases
    d.finish()
    assert not any(w.activations for w in d.workers.values())


def test_a_cancelled_mini_batch_counts_and_can_be_asked_for_again() -> None:
    """Also when a loss makes it run again before its first answer: what is there of that is no answer."""
    d = Dialogue(2)
    token = d.send(0)
    d.run_until("FB1#0")
    d.say(Cancelled(token))
    d.lose(1)
    again = d.send(0)
    assert again not in d.answers
    d.join(1)
    d.finish()
    assert d.answers[again].result.index == 0
    finish_step(d, 1)


@pytest.mark.parametrize("ask", [Dialogue.send, Dialogue.forward])
def test_who_was_answered_before_a_loss_is_answered_at_once(ask: Callable[[Dialogue, int], int]) -> None:
    """What the loss took runs again, and may never end if nobody is left."""
    d = Dialogue(2)
    ask(d, 0)
    d.finish()
    d.lose(1)
    d.finish()
    assert d.machine.waiting
    assert ask(d, 0) in d.answers


def test_leases_of_others_count_where_they_are_most() -> None:
    """A mini-batch may run on any replica."""
    d = Dialogue(replicas=2)
    memory = int(4 * d.plan(Mode.FORWARD).saved_bytes[0] / USABLE) + 4
    held = {0: 0, 1: 2 * d.plan(Mode.FORWARD).saved_bytes[0]}
    d.machine.layout = replace(d.machine.layout, worker_memory=memory, leased_elsewhere=lambda w: held[w])
    assert d.error(d.forward(0)) is ResourceError
    held[1] = 0
    d.held(0)


def test_a_repeated_request_for_gradients_gets_them_too() -> None:
    """The first one's connection broke, which its server has not noticed yet."""
    d = Dialogue()
    d.send(0)
    tokens = [d.gradients(step=0), d.gradients(step=0)]
    d.finish()
    for token in tokens:
        d.require_complete(token, [0])


def test_a_cancelled_request_for_gradients_lets_another_ask() -> None:
    d = Dialogue()
    d.send(0)
    d.say(Cancelled(d.gradients()))
    d.finish()
    finish_step(d, 1)


# -- memory ---------------------------------------------------------------------------------------


def test_feeds_press_for_snapshots_and_go_when_all_stages_are_safe() -> None:
    d = Dialogue(2, feed_budget=100)
    d.send(0)
    assert d.machine.has_room
    d.send(1)
    d.send(2)
    assert not d.machine.has_room
    d.step(d.run_until("FB1#1"))
    d.finish(only=[1])  # the second stage alone makes nothing safe
    assert d.machine.feed_bytes == 3 * 48
    d.finish()
    assert d.machine.feed_bytes == 0
    assert d.machine.has_room
    d.lose(0)
    d.join(0)
    d.lose(1)
    d.join(1)
    finish_step(d, 3)
    assert d.machine.reruns == 0


def test_feeds_that_are_safe_make_room_for_mini_batches_beside_leases() -> None:
    """Nothing is committed while leases wait for their backward passes."""
    d = Dialogue(1, feed_budget=400, snapshot_every=1)
    for index in range(4):
        d.send(index)
        d.finish()
    assert d.machine.feed_bytes == 4 * 48, "there is room: they stay"
    for index in range(4, 9):
        d.forward(index)
    d.finish()
    assert d.machine.feed_bytes == 5 * 48
    assert d.machine.has_room


def test_gradients_that_leave_the_step_open_do_not_keep_feeds() -> None:
    d = Dialogue(feed_budget=1)
    d.send(0)
    asked = d.gradients(keep_open=True)
    d.finish()
    d.require_complete(asked, [0])
    assert d.machine.has_room


def test_gradients_that_are_refused_do_not_keep_feeds() -> None:
    d = Dialogue(2, feed_budget=1)
    d.send(0)
    d.send(1)
    asked = d.gradients()
    refused = d.gradients(keep_open=True, expect=2)
    event = d.work(d.run_until("F0#1"), KernelError("fails"))
    assert event is not None
    d.say(event)
    d.finish()
    assert d.error(refused) is IncompleteStepError
    d.require_complete(asked, [0])
    assert d.machine.has_room


def test_snapshots_come_as_often_as_asked() -> None:
    d = Dialogue(1, snapshot_every=3)
    for index in range(10):
        d.send(index)
        d.finish()
    assert sum(isinstance(c, TakeSnapshot) for c in d.commands) == 3


@pytest.mark.parametrize("count", [WORTH_A_SNAPSHOT - 1, WORTH_A_SNAPSHOT])
def test_an_idle_worker_takes_a_snapshot_that_is_worth_it(count: int) -> None:
    d = Dialogue(1)
    for index in range(count):
        d.send(index)
    d.finish()
    taken = [c for c in d.commands if isinstance(c, TakeSnapshot)]
    assert len(taken) == (count == WORTH_A_SNAPSHOT)
    finish_step(d, count)
    asked = [c for c in d.commands if isinstance(c, TakeSnapshot)]
    assert len(asked) == 1  # for the gradients, unless it was there already


def second_step(stages: int, count: int) -> Dialogue:
    """A step of `count` mini-batches is behind, and those of the next are sent."""
    d = Dialogue(stages)
    for index in range(count):
        d.send(index)
    finish_step(d, count)
    d.commands.clear()
    for index in range(count):
        d.send(index)
    return d


@pytest.mark.parametrize("stages", [1, 2])
@pytest.mark.parametrize("count", [1, WORTH_A_SNAPSHOT, 2 * WORTH_A_SNAPSHOT + 1])
def test_a_snapshot_comes_with_the_last_reply(stages: int, count: int) -> None:
    d = second_step(stages, count)
    d.finish()
    brought = [c.key.run.index for c in d.commands if isinstance(c, Run) and c.call.snapshot]
    assert brought == [count - 1] * stages
    assert all(s.safe == frozenset(range(count)) for s in d.machine.slots())
    finish_step(d, count)
    assert not any(isinstance(c, TakeSnapshot) for c in d.commands)  # for the gradients


def test_no_reply_brings_a_snapshot_while_the_step_is_smaller_than_the_one_before() -> None:
    d = second_step(1, 2)
    d.finish()
    finish_step(d, 2)
    d.commands.clear()
    d.send(0)
    finish_step(d, 1)
    assert not any(isinstance(c, Run) and c.call.snapshot for c in d.commands)


def test_a_snapshot_that_an_addition_was_to_bring_is_asked_for_when_the_addition_fails() -> None:
    d = second_step(1, WORTH_A_SNAPSHOT)
    last = WORTH_A_SNAPSHOT - 1
    event = d.work(d.run_until(f"FB0#{last}"), KernelError("fails"))
    assert event is not None
    d.say(event)
    finish_step(d, last)


# -- at random ------------------------------------------------------------------------------------


class Walk:
    """A client, a network and workers that do what comes to their mind."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        stages, replicas = self.rng.choice([(1, 1), (2, 1), (3, 1), (1, 2), (2, 2), (1, 3)])
        self.d = Dialogue(
            stages,
            replicas,
            snapshot_every=self.rng.choice([0, 1, 3]),
            feed_budget=self.rng.choice([1, 200, 1 << 30]),
        )
        self.post: list[Event] = []  # on the way to the machine, in any order
        self.wanted: dict[int, float] = {}  # what the client sent last, by index
        self.leases: list[str] = []

    def act(self) -> None:
        """One thing happens."""
        actions = [(40, self.work), (15, self.deliver), (8, self.send), (2, self.repeat), (2, self.forward)]
        actions += [(3, self.backward), (1, self.read), (0.6, self.kill), (4, self.join), (1, self.fail)]
        actions += [(1, self.lose_a_reply)]
        weights, choices = zip(*actions, strict=True)
        self.rng.choices(choices, weights)[0]()

    def work(self) -> None:
        """A worker goes on; its answer may take a while, or come twice."""
        if ready := self.d.ready():
            event = self.d.work(self.rng.choice(ready))
            self._answer(event)

    def _answer(self, event: Event | None) -> None:
        if event is not None:
            self.post.append(event)
            if self.rng.random() < 0.1:
                self.post.append(event)

    def deliver(self) -> None:
        """Something arrives; what a worker said of itself keeps its order only around a loss."""
        if self.post:
            self.say(self.post.pop(self.rng.randrange(len(self.post))))

    def say(self, event: Event) -> None:
        killed = len(self.d.killed)
        self.d.say(event)
        assert killed <= len(self.d.killed)

    def send(self) -> None:
        """A mini-batch: new, or an index that failed before."""
        if len(self.wanted) < 12 and not self.d.machine.closed:
            index = self.rng.randrange(16)
            self.wanted[index] = self.wanted.get(index, self.rng.random())
            self.d.send(index, self.wanted[index])

    def repeat(self) -> None:
        """The same again."""
        if self.wanted:
            index = self.rng.choice(sorted(self.wanted))
            self.d.send(index, self.wanted[index])

    def forward(self) -> None:
        """A forward pass under a lease, of an index beyond the others."""
        index = 100 + self.rng.randrange(4)
        if index not in self.d.machine.batches:
            self.wanted[index] = 0.0
            self.d.forward(index)

    def backward(self) -> None:
        """A lease gets its backward pass."""
        if open_ := sorted(self.d.machine.leases):
            self.d.backward(self.rng.choice(open_))

    def read(self) -> None:
        """The gradients so far."""
        self.d.gradients(keep_open=True)

    def fail(self) -> None:
        """A kernel fails."""
        ready = [w for w in self.d.ready() if isinstance(self.d.workers[w].queue[0], Run)]
        if ready:
            self._answer(self.d.work(self.rng.choice(ready), KernelError("fails")))

    def lose_a_reply(self) -> None:
        """The network forgets a reply, and time passes until that is noticed."""
        if self.post and isinstance(self.post[-1], SegmentDone):
            self.post.pop()
            self.d.now += CALL_TIMEOUT / 4
            self.say(DeadlinePassed())

    def kill(self) -> None:
        """A worker dies. Its last words, and the failures that follow, arrive in any order."""
        worker = self.rng.choice(sorted(self.d.workers))
        if self.d.workers[worker].alive:
            *failures, lost = self.d.kill(worker)
            self.post += failures
            self.post.append(lost)

    def join(self) -> None:
        """A replacement is there, if the machine has heard of the loss."""
        heard = [s.worker for s in self.d.machine.slots() if not s.alive]
        if heard:
            self.d.join(self.rng.choice(heard))

    def settle(self) -> None:
        """Nothing fails any more: all that is under way arrives, and all that is lost is replaced."""
        for _ in range(10_000):
            while self.post:
                self.deliver()
            if any(not s.alive for s in self.d.machine.slots()):
                self.join()
            elif self.d.ready():
                self.work()
            elif self.d.machine.calls or any(s.asked is not None for s in self.d.machine.slots()):
                self.d.now += CALL_TIMEOUT
                self.say(DeadlinePassed())
            else:
                return
        raise AssertionError("it does not come to an end")


@pytest.mark.parametrize("seed", range(100))
def test_at_random(seed: int) -> None:
    walk = Walk(seed)
    d = walk.d
    for _ in range(400):
        walk.act()
    walk.settle()
    for lease in sorted(d.machine.leases):
        d.backward(lease)
    for index, value in walk.wanted.items():
        if index not in d.machine.batches:
            d.send(index, value)
    walk.settle()
    token = d.gradients(expect=frozenset(walk.wanted))
    walk.settle()
    d.require_complete(token, walk.wanted)
    for parts in d.delivered[token].parts.values():
        added = {index: what for part in parts for index, what in contents(part).items()}
        assert added == {i: content_of({"x": feed(i, v)}, 1.0) for i, v in walk.wanted.items()}
    walk.settle()
    assert not any(w.ledger or w.activations for w in d.workers.values())
