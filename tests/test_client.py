"""Sessions, through a server and in this process: the same names, the same results, the same errors."""

import asyncio
import dataclasses
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

import raygrad as rg
from raygrad.client.local import InProcess, open_in_process
from raygrad.client.options import Options
from raygrad.client.progress import counted
from raygrad.client.session import Session
from raygrad.proto.errors import (
    ConfigurationError,
    DeadlineError,
    IncompleteStepError,
    LeaseError,
    LimitError,
    MissingTensorError,
    ParametersFixedError,
    SessionNotFoundError,
    TensorDTypeError,
    TensorError,
    TensorShapeError,
    UnavailableError,
    UnexpectedTensorError,
)
from raygrad.proto.messages import SessionOptions
from tests.serving import DEADLINE, Running, mean_square, mini_batches, network, running, weights

Array = npt.NDArray[Any]
Open = Callable[..., Session]


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running() as found:
        yield found


@pytest.fixture(params=["local", "server"])
def open_session(request: pytest.FixtureRequest, server: Running) -> Open:
    """How to open a session, in both ways."""

    def here(graph: rg.Graph, **options: Any) -> Session:
        return rg.local(graph, backend="numpy", workers=2, **options)

    def there(graph: rg.Graph, **options: Any) -> Session:
        return rg.connect(server.address, graph, timeout=DEADLINE, **options)

    return here if request.param == "local" else there


@pytest.fixture
def session(open_session: Open) -> Iterator[Session]:
    with open_session(mean_square()) as found:
        found.put(weights())
        yield found


def expected(batches: list[dict[str, Array]], w: Array) -> Array:
    """The sum of the gradients in float64."""
    total = np.zeros((4, 3))
    for batch in batches:
        x, y = batch["x"].astype(np.float64), batch["y"].astype(np.float64)
        total += 2 * x.T @ (x @ w - y) / y.size
    return total


def assert_close(actual: Array, desired: Array) -> None:
    np.testing.assert_allclose(actual, desired, rtol=1e-4, atol=1e-6)


# -- what a session does --------------------------------------------------------------------------


def test_a_step(session: Session) -> None:
    batches = mini_batches(5)
    results = session.accumulate(batches, progress=False)
    assert [r.index for r in results] == [0, 1, 2, 3, 4]
    assert {r.step for r in results} == {0}
    assert [r.outputs["prediction"].shape for r in results] == [(5, 3)] * 4 + [(3, 3)]
    gradients = session.gradients()
    assert_close(gradients["w"], expected(batches, weights()["w"]))
    assert (list(gradients), len(gradients), gradients.indices) == (["w"], 1, (0, 1, 2, 3, 4))
    assert gradients.step == 0
    assert session.accumulate(batches[:1], progress=False)[0].step == 1


def test_both_ways_give_the_same_bits(server: Running) -> None:
    def train(session: Session) -> bytes:
        with session:
            session.put(weights())
            session.accumulate(mini_batches(7), progress=False)
            return session.gradients(mean=True)["w"].tobytes()

    graph = mean_square()
    assert train(rg.local(graph, backend="numpy")) == train(rg.connect(server.address, graph))


def test_put_and_get(session: Session) -> None:
    session.put(weights(3))
    np.testing.assert_array_equal(session.get()["w"], weights(3)["w"])


def test_numbers_and_lists_take_the_declared_dtype(session: Session) -> None:
    session.put({"w": [[1, 2, 3]] * 4})
    assert session.get()["w"].dtype == np.float32
    outputs = session.forward({"x": [[1, 1, 1, 1]], "y": [[4, 8, 12]]}).outputs
    assert outputs["loss"] == 0


def test_forward_and_backward_one_by_one(session: Session) -> None:
    batches = mini_batches(3)
    for batch in batches:
        lease = session.forward(batch, keep=True).lease
        found = session.backward(lease, input_gradients=["x"])
        assert found["x"].shape == batch["x"].shape
    assert_close(session.gradients()["w"], expected(batches, weights()["w"]))


def test_backward_from_any_cotangent(session: Session) -> None:
    batch = mini_batches(1)[0]
    kept = session.forward(batch, keep=True)
    seed = np.ones_like(kept.outputs["prediction"])
    found = session.backward(kept.lease, {"prediction": seed}, input_gradients=["x"])
    assert_close(found["x"], seed @ weights()["w"].T)
    assert_close(session.gradients()["w"], batch["x"].T @ seed)


def test_a_released_lease_leaves_the_step(session: Session) -> None:
    batches = mini_batches(2)
    session.release(session.forward(batches[0], keep=True).lease)
    session.accumulate(batches[1:], progress=False)
    assert_close(session.gradients()["w"], expected(batches[1:], weights()["w"]))


def test_weights_and_mean(session: Session) -> None:
    batches = mini_batches(2)
    session.accumulate([rg.MiniBatch(batches[0], weight=3.0), batches[1]], progress=False)
    w = weights()["w"]
    total = 3 * expected(batches[:1], w) + expected(batches[1:], w)
    summed = session.gradients(keep_open=True)
    assert summed.weight == 4.0
    assert_close(summed["w"], total)
    assert_close(session.gradients(mean=True)["w"], total / 4)


def test_progress_changes_nothing(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    """And shows nothing where there is no terminal."""
    assert [r.index for r in session.accumulate(mini_batches(3))] == [0, 1, 2]
    assert session.gradients(expect=3).step == 0
    assert capsys.readouterr().err == ""


def test_progress_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert list(counted(iter("abc"), 3, show=True)) == ["a", "b", "c"]
    assert "3/3" in capsys.readouterr().err


def test_expectations(session: Session) -> None:
    session.accumulate(mini_batches(2), progress=False)
    with pytest.raises(IncompleteStepError, match="3"):
        session.gradients(expect=3)
    with pytest.raises(IncompleteStepError, match="5"):
        session.gradients(expect=[0, 5])
    assert session.gradients(expect=[0, 1]).indices == (0, 1)


def test_a_generator_that_waits_for_results(session: Session) -> None:
    answered: queue.SimpleQueue[float] = queue.SimpleQueue()
    seen = []

    def one_after_the_other() -> Iterator[dict[str, Array]]:
        for batch in mini_batches(4):
            yield batch
            seen.append(answered.get(timeout=DEADLINE))

    for result in session.stream(one_after_the_other()):
        answered.put(float(result.outputs["loss"]))
    assert len(seen) == 4
    assert session.gradients(expect=4).indices == (0, 1, 2, 3)


def test_two_sessions_at_once(open_session: Open) -> None:
    batches = mini_batches(12)
    with open_session(mean_square()) as one, open_session(mean_square()) as two:
        one.put(weights(1))
        two.put(weights(2))
        pairs = zip(one.stream(batches), two.stream(batches), strict=True)
        assert all(a.outputs["loss"] != b.outputs["loss"] for a, b in pairs)
        for session, seed in ((one, 1), (two, 2)):
            w = weights(seed)["w"]
            assert_close(session.gradients()["w"], expected(batches, w))


def test_tensors_larger_than_a_message(open_session: Open) -> None:
    g = rg.Builder()
    x, w = g.input("x", ("N", 300_000)), g.parameter("w", (300_000,), "float64")
    scale = g.buffer("scale", (1_100_000,), "float32")
    g.output("y", x.astype("float64") * w)
    g.output("loss", (x.astype("float64") * w).sum() + scale.sum().astype("float64"))
    random = np.random.default_rng(0)
    tensors: dict[str, Array] = {"w": random.normal(size=300_000), "scale": np.ones(1_100_000, np.float32)}
    feeds: dict[str, Array] = {"x": random.normal(size=(4, 300_000)).astype(np.float32)}
    with open_session(g.graph()) as session:
        session.put(tensors)
        np.testing.assert_array_equal(session.get()["w"], tensors["w"])
        np.testing.assert_array_equal(session.forward(feeds).outputs["y"], feeds["x"] * tensors["w"])
        (result,) = session.accumulate([feeds], progress=False)
        np.testing.assert_array_equal(result.outputs["y"], feeds["x"] * tensors["w"])
        assert_close(session.gradients()["w"], feeds["x"].sum(0, dtype=np.float64))


# -- errors ---------------------------------------------------------------------------------------


def test_errors_are_typed_and_leave_the_session_usable(session: Session) -> None:
    good = mini_batches(2)[0]
    with pytest.raises(MissingTensorError, match="y"):
        session.accumulate([{"x": good["x"]}], progress=False)
    with pytest.raises(TensorDTypeError) as raised:
        session.forward({**good, "x": good["x"].astype(np.int64)})
    assert raised.value.node == "x"
    with pytest.raises(TensorShapeError, match="w"):
        session.put({"w": np.zeros((3, 4), np.float32)})
    with pytest.raises(LeaseError):
        session.backward("nothing")
    session.accumulate([good], progress=False)
    with pytest.raises(ParametersFixedError):
        session.put(weights())
    assert_close(session.gradients()["w"], expected([good], weights()["w"]))


def test_a_misspelt_tensor_is_named_with_those_there_are(session: Session) -> None:
    good = mini_batches(2)[0]
    with pytest.raises(UnexpectedTensorError, match=r"no 'labels'; there are \['x', 'y'\]"):
        session.accumulate([{"x": good["x"], "labels": good["y"]}], progress=False)
    with pytest.raises(UnexpectedTensorError, match=r"no 'W'; there are \['w'\]"):
        session.put({"W": weights()["w"]})
    lease = session.forward(good, keep=True).lease
    with pytest.raises(UnexpectedTensorError, match=r"no 'los'; there are \['loss', 'prediction'\]"):
        session.backward(lease, {"los": 1.0})


def test_what_makes_no_tensors(session: Session) -> None:
    """A mini-batch instead of a list of them, no mapping at all, and values that are no arrays."""
    good = mini_batches(2)[0]
    wrongs: list[Any] = [good, [tuple(good.values())]]
    for wrong in wrongs:
        with pytest.raises(TensorError, match="a mini-batch is a mapping"):
            session.accumulate(wrong, progress=False)
    with pytest.raises(TensorError, match="mapping by name, got ndarray"):
        session.put(weights()["w"])  # type: ignore[arg-type]
    for value in ([[1.0], [2.0, 3.0]], "text", torch.ones(4, 3, requires_grad=True)):
        with pytest.raises(TensorError, match="'w' does not make an array") as raised:
            session.put({"w": value})
        assert raised.value.node == "w"
    session.accumulate([good], progress=False)
    assert_close(session.gradients(expect=1)["w"], expected([good], weights()["w"]))


def test_a_bad_mini_batch_among_good_ones(session: Session) -> None:
    """Its error is raised; afterwards the step stands still, and holds those that were on the way."""
    good = mini_batches(4)
    bad = {"x": good[0]["x"], "y": good[1]["y"][:2]}
    with pytest.raises(TensorShapeError):
        session.accumulate([good[0], bad, good[1]], progress=False)
    held = session.gradients().indices
    assert held[0] == 0
    assert len(held) in (1, 2)


def test_an_error_of_the_programs_own_iterable(session: Session) -> None:
    def breaking() -> Iterator[dict[str, Array]]:
        yield mini_batches(2)[0]
        raise ZeroDivisionError("of the program")

    with pytest.raises(ZeroDivisionError, match="of the program"):
        session.accumulate(breaking(), progress=False)
    assert session.gradients().indices == (0,)


def test_all_that_is_on_the_way_gets_one_deadline() -> None:
    """A server that is there and does not answer holds up the caller once, not once per mini-batch."""

    class Silent(InProcess):
        def __init__(self) -> None:
            opened = open_in_process(mean_square(), SessionOptions(), "numpy", 1)
            super().__init__(opened._session, opened._scheduler)
            self.step_batch = lambda batch, step=None: Future()

    session = Session(Silent(), mean_square(), timeout=0.2)
    begin = time.monotonic()
    with pytest.raises(DeadlineError):
        session.accumulate(mini_batches(30), progress=False)
    assert time.monotonic() - begin < 3.0
    session.close()


def test_a_closed_session(open_session: Open) -> None:
    session = open_session(mean_square())
    session.close()
    session.close()
    with pytest.raises(SessionNotFoundError, match=session.id):
        session.forward(mini_batches(1)[0])


def test_a_document_over_the_limit(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raygrad.client.remote.encode", lambda graph: b"x" * (17 << 20))
    with pytest.raises(LimitError, match="bytes"):
        rg.connect(server.address, mean_square(), timeout=DEADLINE)


# -- interrupted -----------------------------------------------------------------------------------


def test_ctrl_c_does_not_wait_for_what_is_on_the_way(session: Session) -> None:
    answers: list[Future[Any]] = [Future(), Future()]
    given = iter(answers)

    def step_batch(batch: rg.MiniBatch, step: int | None = None) -> Future[Any]:
        answer = next(given)
        if answer is answers[-1]:  # both are on the way
            answers[0].set_exception(KeyboardInterrupt())
        return answer

    session.timeout = 2 * DEADLINE
    session._other_side.step_batch = step_batch  # type: ignore[method-assign]
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        session.accumulate(mini_batches(2), progress=False)
    assert answers[1].cancelled()
    assert time.monotonic() - began < DEADLINE


def test_cancelling_does_not_wait_for_what_is_on_the_way(server: Running) -> None:
    answers: list[Future[Any]] = []

    async def cancelled() -> float:
        loop, sent = asyncio.get_running_loop(), asyncio.Event()

        def step_batch(batch: rg.MiniBatch, step: int | None = None) -> Future[Any]:
            answers.append(Future())
            if len(answers) == 2:
                loop.call_soon(sent.set)
            return answers[-1]

        async with await rg.aio.connect(server.address, mean_square(), timeout=2 * DEADLINE) as session:
            session._other_side.step_batch = step_batch  # type: ignore[method-assign]
            training = asyncio.create_task(session.accumulate(mini_batches(2), progress=False))
            await sent.wait()
            began = time.monotonic()
            training.cancel()
            with pytest.raises(asyncio.CancelledError):
                await training
            return time.monotonic() - began

    assert asyncio.run(cancelled()) < DEADLINE
    assert [answer.cancelled() for answer in answers] == [True, True]


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test need not say farewell for as long."""
    monkeypatch.setattr("raygrad.client.session.FAREWELL", 0.5)


@pytest.mark.usefixtures("hurried")
def test_a_server_that_is_gone_is_not_asked_for_another_timeout_to_close() -> None:
    def leave(server: Running) -> None:
        with rg.connect(server.address, mean_square(), timeout=4 * DEADLINE):
            server.stop()
            raise UnavailableError("the first")

    with running() as server:
        began = time.monotonic()
        with pytest.raises(UnavailableError, match="the first"):
            leave(server)
    assert time.monotonic() - began < DEADLINE


@pytest.mark.usefixtures("hurried")
def test_nor_by_the_twin_that_awaits() -> None:
    async def leave(server: Running) -> None:
        async with await rg.aio.connect(server.address, mean_square(), timeout=4 * DEADLINE):
            await asyncio.to_thread(server.stop)
            raise UnavailableError("the first")

    with running() as server:
        began = time.monotonic()
        with pytest.raises(UnavailableError, match="the first"):
            asyncio.run(leave(server))
    assert time.monotonic() - began < DEADLINE


# -- the network ----------------------------------------------------------------------------------


def test_mini_batches_survive_a_broken_connection(server: Running) -> None:
    batches = mini_batches(40)
    with network(server.address) as net, rg.connect(net.address, mean_square(), timeout=DEADLINE) as session:
        session.put(weights())
        results = []
        for number, result in enumerate(session.stream(batches)):
            results.append(result.index)
            if number in (5, 20):
                net.cut()
        assert results == list(range(40))
        gradients = session.gradients(expect=40)
        assert net.connections >= 2
    assert_close(gradients["w"], expected(batches, weights()["w"]))


def test_an_upload_goes_on_where_it_broke(server: Running) -> None:
    g = rg.Builder()
    w = g.parameter("w", (4_000_000,))
    g.output("loss", w.sum())
    value = np.random.default_rng(0).normal(size=4_000_000).astype(np.float32)
    with (
        network(server.address, break_after=10 << 20) as net,
        rg.connect(net.address, g, timeout=DEADLINE) as session,
    ):
        session.put({"w": value})
        assert net.connections >= 2
        assert net.sent < 1.6 * value.nbytes  # from the start, it would be more
        np.testing.assert_array_equal(session.get()["w"], value)


@pytest.fixture
def free_address() -> str:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{unused.getsockname()[1]}"


def test_nobody_answers(free_address: str) -> None:
    with pytest.raises((UnavailableError, DeadlineError), match=free_address):
        rg.connect(free_address, mean_square(), timeout=0.5)


@pytest.mark.parametrize("address", ["localhost", "http://127.0.0.1:50051", 50051])
def test_an_address_without_a_port_or_with_a_scheme(address: Any) -> None:
    """Refused at once, where gRPC would try until the deadline."""
    with pytest.raises(ConfigurationError, match="HOST:PORT"):
        rg.connect(address, mean_square(), timeout=DEADLINE)


def test_calls_are_repeated_until_the_server_is_there(free_address: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        opening = pool.submit(rg.connect, free_address, mean_square(), timeout=DEADLINE)
        with running(listen=free_address), opening.result(DEADLINE) as session:
            session.put(weights())


def test_deadlines() -> None:
    """A server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises((DeadlineError, UnavailableError)):
            rg.connect(f"127.0.0.1:{silent.getsockname()[1]}", mean_square(), timeout=0.5)
        assert time.monotonic() - began < 10


def test_a_server_that_goes_away_while_mini_batches_come() -> None:
    with running() as found:
        session = rg.connect(found.address, mean_square(), timeout=2.0)
        session.put(weights())
        session.accumulate(mini_batches(1), progress=False)
        found.stop()
        with pytest.raises((UnavailableError, DeadlineError)):
            session.accumulate(mini_batches(1), progress=False)


# -- asyncio --------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["local", "server"])
def test_the_twin_that_awaits(server: Running, where: str) -> None:
    batches = mini_batches(6)

    async def train() -> Array:
        graph = mean_square()
        opening = (
            rg.aio.local(graph, backend="numpy")
            if where == "local"
            else rg.aio.connect(server.address, graph, timeout=DEADLINE)
        )
        async with await opening as session:
            await session.put(weights())
            results = await session.accumulate(batches[:3], progress=False)
            assert [r.index for r in results] == [0, 1, 2]
            with pytest.raises(MissingTensorError):
                await session.forward({"x": batches[0]["x"]})
            kept = await session.forward(batches[3], keep=True)
            await session.backward(kept.lease)
            async for _ in session.stream(_asynchronously(batches[4:])):
                pass
            np.testing.assert_array_equal((await session.get())["w"], weights()["w"])
            return (await session.gradients(expect=6))["w"]

    assert_close(asyncio.run(train()), expected(batches, weights()["w"]))


async def _asynchronously(batches: list[dict[str, Array]]) -> Any:
    for batch in batches:
        await asyncio.sleep(0)
        yield batch


# -- the package ----------------------------------------------------------------------------------


def test_importing_raygrad_is_cheap() -> None:
    program = "import sys, raygrad; print({'ray', 'torch', 'grpc', 'numpy', 'rich'} & {*sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, timeout=60, capture_output=True, text=True
    )
    assert done.stdout == "set()\n"


def test_a_client_of_a_server_needs_no_scheduler() -> None:
    program = (
        "import sys, raygrad as rg; rg.connect, rg.aio; "
        "print([n for n in sys.modules if n.startswith('raygrad.scheduler') or n in ('ray', 'torch')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, timeout=60, capture_output=True, text=True
    )
    assert done.stdout == "[]\n"


def test_options_are_those_of_a_session() -> None:
    assert set(Options.__annotations__) == {field.name for field in dataclasses.fields(SessionOptions)}


@pytest.mark.parametrize("name", [name for name in dir(rg) if not name.startswith("__")])
def test_public_names_are_there(name: str) -> None:
    assert getattr(rg, name) is not None


def test_a_session_is_thread_safe(session: Session) -> None:
    batches = mini_batches(8)
    threads = [
        threading.Thread(target=session.accumulate, args=([batch],), kwargs={"progress": False})
        for batch in batches
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert_close(session.gradients(expect=8)["w"], expected(batches, weights()["w"]))


def test_a_mean_that_does_not_exist_costs_nothing() -> None:
    with rg.local(mean_square(), backend="numpy") as session:
        session.put(weights())
        first, second = mini_batches(2, rows=5)[:1] * 2
        session.accumulate(
            [rg.MiniBatch(first, weight=1.0), rg.MiniBatch(second, weight=-1.0)], progress=False
        )
        with pytest.raises(rg.errors.StepError, match="sum to 0"):
            session.gradients(mean=True)
        assert not np.any(session.gradients()["w"])
