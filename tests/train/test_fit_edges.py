"""Corners of a run: a bad update, names of records, frozen averages, parts that cannot be kept."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from common import LOSS, X, Y

from jaxdl import net, optim
from jaxdl.errors import DivergenceError, DtypeError
from jaxdl.train import Stream, fit, session

SOFTMAX = net.from_pair(
    lambda key: {"w": jnp.zeros((4, 3)), "b": jnp.full(3, 0.1)},
    lambda params, x: x @ params["w"] + params["b"][None],
)
OPTIONS: dict[str, Any] = {"loss": LOSS, "epochs": 6, "progress": "off"}
# An infinite rate in the 24th step: loss and gradient of that step are finite, what it leaves is not.
JUMP = optax.sgd(lambda count: jnp.where(count == 23, jnp.inf, 0.1))


@pytest.mark.parametrize("chunk", [0.0, 1e9])
@pytest.mark.parametrize("streamed", [False, True])
def test_a_bad_update_is_found_at_its_step_in_any_chunks(
    chunk: float, streamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "CHUNK_SECONDS", chunk)
    monkeypatch.setattr("jaxdl.train.streamed.CHUNK_SECONDS", chunk)
    parts = [(X[i : i + 8], Y[i : i + 8]) for i in range(0, 48, 8)]
    data: Any = Stream(parts) if streamed else (X[:50], Y[:50])
    with pytest.raises(DivergenceError, match=r"at step 23 \(epoch 4\): a parameter is not finite") as caught:
        fit(SOFTMAX, data, optimizer=JUMP, batch_size=8, **OPTIONS)
    assert (caught.value.step, caught.value.cause) == (23, "parameters")
    done = int(caught.value.last_good.epoch)
    assert f"The state after {'1 whole epoch' if done == 1 else f'{done} whole epochs'} is" in str(
        caught.value
    )
    assert done == 3 if chunk == 0.0 else streamed or done == 1


def test_a_record_may_be_called_as_another_one_by_step() -> None:
    found = fit(
        SOFTMAX, (X[:50], Y[:50]), optimizer=optim.sgd(0.1), batch_size=8, **OPTIONS,
        record=lambda step: {"size": jnp.ones(2), "step_size": jnp.float32(3)},
    )  # fmt: skip
    assert repr(found).startswith("Fitted(epoch   6  loss ")
    assert found.history["size"].shape == (6, 2)
    assert found.history["step_size"].tolist() == [3.0] * 6


@pytest.mark.parametrize("wrong", [[1.0], {"norms": {"w": 1.0}}, 2.0])
def test_a_record_of_another_kind_is_named(wrong: Any) -> None:
    with pytest.raises(DtypeError, match=r"argument .record.*expected a dict of arrays by name"):
        fit(SOFTMAX, (X[:50], Y[:50]), optimizer=optim.sgd(0.1), batch_size=8, record=lambda step: wrong,
            **OPTIONS)  # fmt: skip


def test_what_is_frozen_keeps_every_bit_in_the_average() -> None:
    found = fit(SOFTMAX, (X[:50], Y[:50]), optimizer=optim.sgd(0.1), batch_size=8, average=0.9,
                frozen=optim.frozen("b"), **OPTIONS)  # fmt: skip
    average: Any = found.average
    np.testing.assert_array_equal(average["b"], np.full(3, 0.1, np.float32))
    assert np.abs(average["w"] - found.params["w"]).max() > 1e-4


@pytest.mark.parametrize("optimizer", [optim.sgd, optax.sgd])
def test_an_optimizer_that_was_not_called_is_named(optimizer: Any) -> None:
    words = r"'optimizer' is sgd itself.*Fix: such as lambda hyper: optim.sgd\(hyper\['learning_rate'\]\)"
    with pytest.raises(TypeError, match=words):
        fit(SOFTMAX, (X[:50], Y[:50]), optimizer=optimizer, batch_size=8, **OPTIONS)


def test_a_stream_shows_itself_in_a_line() -> None:
    shown = repr(Stream(lambda epoch: [], steps=3, drop_remainder=True))
    assert shown == "Stream(passes, steps=3, drop_remainder=True, prefetch=2)"


def test_a_part_that_cannot_be_hashed_is_named() -> None:
    @dataclasses.dataclass
    class Weighted:
        weight: float

        def __call__(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
            return self.weight * LOSS(outputs, targets)

    with pytest.raises(TypeError, match=r"argument .loss. is a Weighted that cannot be hashed.*frozen=True"):
        fit(SOFTMAX, (X[:50], Y[:50]), **OPTIONS | {"loss": Weighted(math.e)}, optimizer=optim.sgd(0.1),
            batch_size=8)  # fmt: skip
