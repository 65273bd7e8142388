"""Divergence: the exact step of planted faults, found by plain loops, with the line and the norms; soaks."""

import inspect
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from common import HYPER, LOSS, NET, X, Y, sgd

from jaxdl import net
from jaxdl.errors import DivergenceError
from jaxdl.train import Moment, Stream, batch_order, door, fit, session

SEED, BATCH, STEPS = 4, 5, 10
RNG = np.random.default_rng(7)
INPUTS = RNG.normal(size=(50, 3)).astype(np.float32)
TARGETS = np.stack([INPUTS @ [1.0, -2.0, 0.5], np.ones(50), np.ones(50)], 1).astype(np.float32)
LINE = net.from_pair(lambda key: {"w": jnp.full((3, 1), 0.1)}, lambda params, x: x @ params["w"])


def faulty(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """Half the squared error, with columns of targets that plant a fault where they are 0 in place of 1."""
    error = (outputs[:, 0] - targets[:, 0]) ** 2 / 2
    wrong = jnp.log(targets[:, 1])  # a logarithm of 0
    root = jnp.sqrt(outputs[:, 0] ** 2 + targets[:, 2])  # a root of 0: its slope is infinite
    return error + wrong + 0.0 * root


def row(text: str) -> int:
    lines, first = inspect.getsourcelines(faulty)
    return first + next(i for i, line in enumerate(lines) if text in line)


def order(epoch: int) -> np.ndarray:
    return np.asarray(batch_order(door.keys(SEED)[1], epoch, examples=50, batch_size=BATCH))


def descent(
    inputs: np.ndarray, targets: np.ndarray, rate: float, steps: int
) -> Iterator[tuple[np.ndarray, Any]]:
    """Yield parameters and gradient of each step of the same descent, in float64."""
    w = np.full(3, 0.1)
    for step in range(steps):
        index = order(step // STEPS)[step % STEPS]
        x, y = inputs[index].astype(np.float64), targets[index, 0].astype(np.float64)
        gradient = x.T @ (x @ w - y) / BATCH
        yield w, gradient
        w = w - rate * gradient


def planted(kind: str) -> tuple[np.ndarray, np.ndarray, float, int]:
    """Return inputs, targets, rate and the first bad step, found without the trainer."""
    inputs, targets = INPUTS.copy(), TARGETS.copy()
    epochs = np.concatenate([order(epoch) for epoch in range(4)])
    if kind == "overflow":
        for step, (w, _) in enumerate(descent(inputs, targets, 10.0, 40)):
            x = inputs[epochs[step]].astype(np.float64)
            errors = (x @ w - targets[epochs[step], 0]) ** 2
            if max(errors.max(), np.square(x @ w).max()) > np.finfo(np.float32).max:
                return inputs, targets, 10.0, step
    example = 17
    if kind == "log":
        targets[example, 1] = 0
    else:
        inputs[example], targets[example] = 0, 0
        targets[example, 1] = 1
    return inputs, targets, 0.1, int(np.argmax((epochs == example).any(axis=1)))


@pytest.mark.parametrize(
    ("kind", "cause", "text", "streamed"),
    [
        ("log", "loss", "of 0", False),
        ("log", "loss", "of 0", True),
        ("root", "gradient", "a root", False),
        ("overflow", "loss", "error =", False),
    ],
)
def test_step_cause_line_and_norms_of_a_planted_fault(
    kind: str, cause: str, text: str, streamed: bool
) -> None:
    inputs, targets, rate, step = planted(kind)
    assert step > 0

    def batches(epoch: int) -> Iterator[Any]:
        yield from ((inputs[index], targets[index]) for index in order(epoch))

    data: Any = Stream(batches) if streamed else (inputs, targets)
    with pytest.raises(
        DivergenceError, match=rf"diverged at step {step} \(epoch {step // STEPS + 1}\)"
    ) as caught:
        fit(LINE, data, loss=faulty, optimizer=sgd, hyper={"learning_rate": rate}, epochs=4, seed=SEED,
            batch_size=BATCH, progress="off")  # fmt: skip
    error = caught.value
    assert (error.step, error.epoch, error.cause) == (step, step // STEPS, cause)
    assert error.line is not None
    assert error.norms is not None
    assert error.line.startswith(f"{__file__}:{row(text)} in faulty")
    assert error.line in str(error)
    w, gradient = list(descent(inputs, targets, rate, step + 1))[-1]
    assert error.norms["parameters"]["w"] == pytest.approx(np.linalg.norm(w), rel=1e-3)
    if kind != "root":
        assert error.norms["gradients"]["w"] == pytest.approx(np.linalg.norm(gradient), rel=1e-3)
    else:
        assert not np.isfinite(error.norms["gradients"]["w"])
        assert "1 of 1 gradients are not finite (w)" in str(error)
    assert int(error.last_good.epoch) <= error.epoch
    assert np.isfinite(error.last_good.params["w"]).all()


def test_a_replay_that_fails_does_not_hide_the_divergence(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any) -> None:
        raise NotImplementedError("no rule")

    monkeypatch.setattr("jaxdl.train.runner.replay", broken)
    inputs, targets, rate, step = planted("log")
    with pytest.raises(
        DivergenceError, match=r"replay of this step failed \(NotImplementedError: no rule\)"
    ) as caught:
        fit(LINE, (inputs, targets), loss=faulty, optimizer=sgd, hyper={"learning_rate": rate}, epochs=4,
            seed=SEED, batch_size=BATCH, progress="off")  # fmt: skip
    assert (caught.value.step, caught.value.line, caught.value.norms) == (step, None, None)


@contextmanager
def compilations() -> Iterator[list[str]]:
    """Collect the compilations inside."""
    found: list[str] = []

    def listen(name: str, seconds: float, **more: Any) -> None:
        if "compile" in name:
            found.append(name)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield found
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


def soak(data: Any, epochs: int) -> None:
    """Train in chunks of an epoch; after the tenth nothing is compiled, and memory stays as it is."""
    seen: list[tuple[int, int, int]] = []

    def watch(moment: Moment) -> None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seen.append((len(compiled), len(jax.live_arrays()), peak))

    with compilations() as compiled:
        fit(NET, data, loss=LOSS, optimizer=sgd, hyper=HYPER, epochs=epochs, batch_size=10, progress="off",
            valid=(X[50:], Y[50:]), callbacks=[watch])  # fmt: skip
    warm, last = seen[10], seen[-1]
    assert len(seen) >= epochs
    assert compiled
    assert last[0] == warm[0]
    assert max(live for _, live, _ in seen[10:]) <= warm[1] + 2
    assert last[2] - warm[2] < 8 * 1024  # KiB: one leaked state a chunk would be 100 MiB at least


@pytest.fixture
def _short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "CHUNK_SECONDS", 0.0)
    monkeypatch.setattr("jaxdl.train.streamed.CHUNK_SECONDS", 0.0)


@pytest.mark.usefixtures("_short_chunks")
def test_two_thousand_steps_compile_nothing_and_keep_nothing() -> None:
    soak((X[:50], Y[:50]), 400)


@pytest.mark.usefixtures("_short_chunks")
def test_a_thousand_steps_of_a_stream_compile_nothing_and_keep_nothing() -> None:
    soak(Stream(lambda epoch: source()), 200)


@pytest.mark.slow  # a minute
@pytest.mark.usefixtures("_short_chunks")
@pytest.mark.parametrize("streamed", [False, True], ids=["memory", "stream"])
def test_twenty_thousand_steps_compile_nothing_and_keep_nothing(streamed: bool) -> None:
    data: Any = Stream(lambda epoch: source()) if streamed else (X[:50], Y[:50])
    soak(data, 4000)


def source() -> Iterator[Any]:
    yield from ((X[i : i + 10], Y[i : i + 10]) for i in range(0, 50, 10))
