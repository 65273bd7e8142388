"""What a folder of checkpoints tells of its run: the best epoch to predict with, and what was changed."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import losses, optim, scaling, train
from jaxdl.errors import CheckpointWarning, FormatError, ShapeError
from jaxdl.net import from_pair
from jaxdl.train import Checkpoint
from jaxdl.train.checkpoint import Store

X = np.linspace(-1, 1, 32, dtype=np.float32)[:, None]
LINE = from_pair(lambda key: {"w": jnp.zeros((1, 1))}, lambda params, x: x @ params["w"])
RISING = optim.sgd(lambda step: 0.3 * 2.0 ** (step // 4))  # nearer to the minimum, never on it, then away
DOUBLE = scaling.z_score(X)


def run(checkpoint: Any = None, **options: Any) -> train.Fitted:
    arguments = {"loss": losses.squared_error, "optimizer": RISING, "epochs": 8, "batch_size": 8,
                 "valid": (X, 3 * X), "progress": "off", "checkpoint": checkpoint}  # fmt: skip
    return train.fit(LINE, (X, 3 * X), **(arguments | options))


def w(found: Any) -> float:
    return float(found.params["w"][0, 0])


def test_the_best_epoch_is_saved_and_read_back(tmp_path: Path) -> None:
    policy = Checkpoint(tmp_path, keep=1, best="valid_loss")
    assert (policy.every, policy.seconds) == (1, None)
    assert Checkpoint(tmp_path, best="loss", seconds=2.0).every is None
    fitted = run(policy)
    epoch, value = fitted.history.best("valid_loss")
    assert 0 < epoch < 7
    best = train.restore(tmp_path, LINE)
    assert (best.epoch, best.score) == (epoch + 1, value)
    assert best.evaluate((X, 3 * X), loss=losses.squared_error)["loss"] == pytest.approx(value, rel=1e-5)
    newest = train.restore(tmp_path, LINE, which="newest")
    assert w(newest) == w(fitted) != w(best)
    np.testing.assert_array_equal(newest.predict(X), fitted.predict(X))
    train.save(tmp_path / "model.safetensors", best)
    assert w(train.load(tmp_path / "model.safetensors", net=LINE)) == w(best)


def test_the_greatest_is_the_best_by_the_mode_of_the_run(tmp_path: Path) -> None:
    fitted = run(Checkpoint(tmp_path, keep=1, best="valid_loss", mode="max"))
    assert train.restore(tmp_path, LINE).score == fitted.history.best("valid_loss", mode="max")[1]
    with pytest.raises(ValueError, match=r"'best' is \['valid_loss', 'min'\]; expected .*'max'.*Fix: Checkp"):
        run(Checkpoint(tmp_path, best="valid_loss"), resume=True)
    with pytest.raises(ValueError, match="'best' is None; expected"):
        run(tmp_path, resume=True)


def test_scaling_average_and_hyper_come_back(tmp_path: Path) -> None:
    options = {"average": 0.5, "scaling": DOUBLE, "optimizer": lambda hyper: optim.adam(hyper["rate"])}
    fitted = run(tmp_path, hyper={"rate": 0.3, "depth": np.int32(2)}, **options)
    found = train.restore(tmp_path, LINE, which="newest", scaling=DOUBLE)
    np.testing.assert_array_equal(found.average["w"], fitted.average["w"])
    np.testing.assert_array_equal(found.predict(X), fitted.predict(X))
    assert {name: (v.dtype, float(v)) for name, v in found.hyper.items()} == {
        name: (v.dtype, float(v)) for name, v in fitted.hyper.items()
    }
    with pytest.raises(ValueError, match="'scaling' is None; expected that of the run"):
        train.restore(tmp_path, LINE, which="newest")
    with pytest.raises(ValueError, match=r"'best', of .* without a score.*which='newest'"):
        train.restore(tmp_path, LINE, scaling=DOUBLE)
    wide = from_pair(lambda key: {"w": jnp.zeros((1, 2))}, lambda params, x: x @ params["w"])
    more = from_pair(lambda key: {"w": jnp.zeros((1, 1)), "b": jnp.zeros(1)}, lambda params, x: x)
    few = from_pair(lambda key: {}, lambda params, x: x)
    for other in (wide, more, few):
        with pytest.raises(ShapeError, match=r"restore: argument '.*as saved|a tree with"):
            train.restore(tmp_path, other, which="newest", scaling=DOUBLE)
    with pytest.raises(ValueError, match="without a step"):
        train.restore(tmp_path / "other", LINE, which="newest")
    with pytest.raises(ValueError, match="'which' is 'last'"):
        train.restore(tmp_path, LINE, which="last")
    (tmp_path / "step_00000008" / "MANIFEST").write_text("damaged")
    with pytest.raises(FormatError, match="step 8: MANIFEST was changed"):
        train.restore(tmp_path, LINE, which="newest", scaling=DOUBLE)


def test_another_optimizer_is_told_whatever_the_epochs(tmp_path: Path) -> None:
    """More epochs are the same program, and say nothing; a constant in it is another one."""
    run(tmp_path, optimizer=optim.sgd(0.1), epochs=2)
    run(tmp_path, optimizer=optim.sgd(0.1), epochs=3, resume=True)
    # An error, as all warnings are here, which saves a program.
    with pytest.raises(CheckpointWarning, match="the network, the loss, the optimizer, its schedule or a m"):
        run(tmp_path, optimizer=optim.sgd(0.5), epochs=4, resume=True)


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    numbers = {"seed": np.int64(1), "epochs": np.int64(8), "batch_size": np.int32(8),
               "average": np.float32(0.5), "step_losses": np.bool_(True)}  # fmt: skip
    one = run(tmp_path, **numbers)
    (record,) = Store(tmp_path, writable=False).records()
    assert (record["seed"], record["epochs"], record["spec"]["average"]) == (1, 8, 0.5)
    again = run(tmp_path, resume=True, seed=1, average=0.5, step_losses=True)
    assert w(again) == w(one)


def test_a_callback_that_returns_no_text_ends_the_run_after_it_is_saved(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="a function that returned a bool; expected None, or a str") as caught:
        run(tmp_path, callbacks=[lambda moment: True])
    assert "The state was saved before" in caught.value.__notes__
    assert len(Store(tmp_path, writable=False).steps()) == 1


@pytest.mark.parametrize(("call", "name"), [(train.fit, "fit"), (train.compile, "compile")])
def test_an_unknown_option_names_the_function_and_what_there_is(call: Any, name: str) -> None:
    with pytest.raises(
        TypeError, match=rf"^{name}: argument 'foo' is unknown; expected .*shuffle, .*, shard"
    ):
        call(LINE, (X, X), loss=losses.squared_error, optimizer=RISING, epochs=1, batch_size=8, foo=1)
