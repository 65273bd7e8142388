"""A streamed run that is saved in the middle of an epoch and resumed ends as the unbroken one does."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from jaxdl import losses, optim, train
from jaxdl.errors import CheckpointWarning
from jaxdl.net import from_pair

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(48, 4)).astype(np.float32)
Y = X @ RANDOM.normal(size=(4, 2)).astype(np.float32)
LINE = from_pair(lambda key: {"w": jax.random.normal(key, (4, 2))}, lambda params, x: x @ params["w"])


def batches(epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    order = np.random.default_rng(epoch).permutation(len(X))
    for start in range(0, len(X), 8):
        chosen = order[start : start + 8]
        yield X[chosen], Y[chosen]


def adam(hyper: Any) -> Any:
    return optim.adam(hyper["learning_rate"])


def run(source: Any, **options: Any) -> train.Fitted:
    parts = {"loss": losses.squared_error, "optimizer": adam, "epochs": 4} | options
    return train.fit(LINE, train.Stream(source), hyper={"learning_rate": 0.1}, valid=(X, Y), progress="off",
                     **parts)  # fmt: skip


def digest(fitted: train.Fitted) -> str:
    trees = (fitted.params, fitted.opt_state, dict(fitted.history))
    return hashlib.sha256(b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(trees))).hexdigest()


def test_a_run_saved_within_an_epoch_goes_on_bit_by_bit(tmp_path: Path) -> None:
    places: list[tuple[int, int, int]] = []

    def stop_at_once(moment: train.Moment) -> str:
        places.append((moment.epoch, moment.cursor, moment.step))
        return "enough"

    whole = run(batches)
    policy = train.Checkpoint(tmp_path, seconds=0.0)
    for number in range(3):
        part = run(batches, checkpoint=policy, resume=number > 0, callbacks=[stop_at_once])
        assert part.stopped == "enough"
    # The first segment is always one batch, so that each part stops one step further, within the first epoch.
    assert places == [(0, 1, 1), (0, 2, 2), (0, 3, 3)]
    end = run(batches, checkpoint=policy, resume=True)
    assert end.stopped is None
    assert digest(end) == digest(whole)
    assert digest(run(batches, checkpoint=policy, resume=True)) == digest(whole)


def test_a_source_that_cannot_be_sought_says_so_at_the_start_and_at_the_end(tmp_path: Path) -> None:
    class Loader:
        def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
            return batches(0)

    with pytest.warns(CheckpointWarning, match="saved but cannot be resumed"):
        run(Loader(), checkpoint=train.Checkpoint(tmp_path, seconds=0.0), callbacks=[lambda moment: "enough"])
    with pytest.raises(ValueError, match="a source whose batches have no number"):
        run(Loader(), checkpoint=tmp_path, resume=True)


def test_another_kind_of_batch_is_another_run(tmp_path: Path) -> None:
    run(batches, checkpoint=tmp_path)

    def halves(epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return ((inputs[:4], targets[:4]) for inputs, targets in batches(epoch))

    with pytest.raises(ValueError, match=r"batch_size.* is 4"):
        run(halves, checkpoint=tmp_path, resume=True)


def test_a_run_in_memory_does_not_go_on_as_a_stream(tmp_path: Path) -> None:
    train.fit(LINE, (X, Y), loss=losses.squared_error, optimizer=adam, epochs=4, batch_size=8, valid=(X, Y),
              hyper={"learning_rate": 0.1}, progress="off", checkpoint=tmp_path)  # fmt: skip
    with pytest.raises(ValueError, match="as in the run that is resumed"):
        run(batches, checkpoint=tmp_path, resume=True)


def test_another_optimizer_is_told_whatever_the_epochs(tmp_path: Path) -> None:
    run(batches, checkpoint=tmp_path)
    run(batches, checkpoint=tmp_path, resume=True, epochs=5)
    with pytest.raises(CheckpointWarning, match="the optimizer, its schedule or a metric was changed"):
        run(batches, checkpoint=tmp_path, resume=True, epochs=5, optimizer=lambda hyper: optim.adam(0.2))
