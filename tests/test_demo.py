"""The demo: its data, its way of training, and both processes from the command line."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from raygrad.client.demo import digits
from raygrad.client.demo.digits import Digits
from raygrad.client.demo.training import Recipe, accuracy, train
from raygrad.client.local import local
from raygrad.client.networks import lenet
from raygrad.client.optimizers import SGD, Adam, Floats

SECONDS = 100  # for both processes to start, on a busy machine


@pytest.fixture(scope="module")
def data() -> tuple[Digits, Digits]:
    return digits.load()


def test_the_split_is_stratified_and_leaves_nothing_out(data: tuple[Digits, Digits]) -> None:
    training, test = data
    assert training.images.shape == (4000, 1, 28, 28)
    assert np.bincount(training.labels).tolist() == [400] * 10
    assert np.bincount(test.labels).tolist() == [100] * 10
    seen = {image.tobytes() for part in data for image in part.images}
    assert len(seen) == 5000  # all different, so none is in both parts


def test_the_split_is_always_the_same(data: tuple[Digits, Digits]) -> None:
    """Accuracies can be compared as long as this holds."""
    assert hashlib.sha256(data[1].images.tobytes()).hexdigest().startswith("117ac1b9db1042ba")


def test_pixels_are_standardized(data: tuple[Digits, Digits]) -> None:
    images = data[0].images
    assert images.dtype == np.float32
    assert abs(images.mean()) < 0.02
    assert images.std() == pytest.approx(1, abs=0.02)


def test_shifts_move_images_and_keep_labels() -> None:
    image = np.full((1, 1, 28, 28), digits.BACKGROUND, np.float32)
    image[0, 0, 10, 20] = 5.0
    many = Digits(np.repeat(image, 500, axis=0), np.arange(500))
    moved = many.shifted(np.random.default_rng(0), 2)
    assert moved.images.shape == many.images.shape
    places = {tuple(place) for place in np.argwhere(moved.images[:, 0] == 5.0)[:, 1:].tolist()}
    assert places == {(row, column) for row in range(8, 13) for column in range(18, 23)}
    assert (moved.images.reshape(500, -1) == 5.0).sum(axis=1).tolist() == [1] * 500
    assert moved.images.min() == np.float32(digits.BACKGROUND)
    np.testing.assert_array_equal(moved.labels, many.labels)


def test_shuffled_digits_keep_their_labels(data: tuple[Digits, Digits]) -> None:
    test = data[1]
    mixed = test.shuffled(np.random.default_rng(1))
    assert (mixed.labels != test.labels).any()
    labels = {image.tobytes(): label for image, label in zip(test.images, test.labels, strict=True)}
    assert [labels[image.tobytes()] for image in mixed.images] == mixed.labels.tolist()


def test_training_learns(data: tuple[Digits, Digits]) -> None:
    """A few digits by heart; the last step of an epoch is smaller than the others."""
    few = data[1].shuffled(np.random.default_rng(2))[:20]
    recipe = Recipe(epochs=20, images=4, batches=2, shift=0)
    network = lenet()
    optimizer = Adam(network.parameters, recipe.rate)
    with local(network.graph, workers=2, replicas=2) as session:
        losses = list(train(session, optimizer, few, recipe, np.random.default_rng(0)))
        assert len(losses) == 20 * 3 == 20 * recipe.steps(20)
        assert np.mean(losses[-3:]) < 0.01 < 1 < losses[0]
        assert accuracy(session, few, images=8) == 1.0
    assert optimizer.rate < 1e-5


def test_a_step_follows_the_mean_over_its_digits(data: tuple[Digits, Digits]) -> None:
    """However they are cut into mini-batches: those weigh what they hold."""
    whole, cut = (after_one_step(data[1][:7], images, batches) for images, batches in ((7, 1), (4, 2)))
    for name, parameter in whole.items():
        np.testing.assert_allclose(cut[name], parameter, rtol=1e-9, atol=1e-12)


def after_one_step(seven: Digits, images: int, batches: int) -> dict[str, Floats]:
    network = lenet(dtype="float64")
    optimizer = SGD(network.parameters, 0.1)
    recipe = Recipe(epochs=1, images=images, batches=batches, shift=0)
    double = Digits(seven.images.astype(np.float64), seven.labels)
    with local(network.graph) as session:
        assert len(list(train(session, optimizer, double, recipe, np.random.default_rng(0)))) == 1
    return optimizer.parameters


@pytest.fixture
def command(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`raygrad demo` for one epoch, which is too little to learn."""
    options = ["demo", "--epochs", "1", "--svg", str(tmp_path / "plan.svg")]
    with subprocess.Popen(
        [sys.executable, "-m", "raygrad.scheduler.cli", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        yield process
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=SECONDS)


@pytest.mark.ray
@pytest.mark.slow
def test_both_processes(command: subprocess.Popen[str], tmp_path: Path) -> None:
    output, errors = command.communicate(timeout=SECONDS)
    assert "replica 1 stage 0" in output
    assert re.search(r"epoch  1/1  loss \d\.\d{4} +\d+ images/s", output)
    found = re.search(r"Test accuracy (\d+\.\d)% on 1,000 digits", output)
    assert found, errors
    assert 70 < float(found[1]) < 97
    assert (command.returncode, "promises 97%" in errors) == (1, True)
    assert "<svg" in (tmp_path / "plan.svg").read_text()


@pytest.mark.ray
@pytest.mark.slow
def test_an_interrupt_ends_both_processes(command: subprocess.Popen[str]) -> None:
    assert command.stdout
    for line in command.stdout:
        if "coloured by stage" in line:
            break
    children = children_of(command.pid)
    assert len(children) == 2
    command.send_signal(signal.SIGINT)
    _, errors = command.communicate(timeout=SECONDS)
    assert command.returncode == 130
    assert "Traceback" not in errors
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def children_of(pid: int) -> list[int]:
    """The processes that this one has started and that still are."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
