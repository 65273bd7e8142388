"""`fit`: the pure run in chunks, compiled once; divergence by name; prediction; the door."""

import io
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from common import DATA, HYPER, LOSS, METRICS, NET, X, Y, sgd
from flax import nnx
from rich.console import Console

from jaxdl import losses, net, optim, scaling, train
from jaxdl.data import Dataset
from jaxdl.errors import DivergenceError, DtypeError, FormatError, ShapeError
from jaxdl.models import MLP, MLPConfig
from jaxdl.train import History, door, fit, progress

OPTIONS: dict[str, Any] = {"loss": LOSS, "epochs": 4, "batch_size": 8, "progress": "off"}


def run(**change: Any) -> train.Fitted:
    data = change.pop("data", (X[:50], Y[:50]))
    return fit(NET, data, **{"optimizer": sgd, "hyper": HYPER, **OPTIONS, **change})


def test_equals_make_train() -> None:
    fitted = run(valid=(X[50:], Y[50:]), metrics=METRICS, seed=5)
    spec = train.Spec(epochs=4, batch_size=8, metrics=METRICS)
    result = jax.jit(train.make_train(NET, LOSS, sgd, spec))(*door.keys(5), DATA, HYPER)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), fitted.params, result.params
    )
    for name in ("loss", "valid_loss", "valid_accuracy"):
        np.testing.assert_allclose(fitted.history[name], result.history[name], rtol=1e-5)
    assert fitted.history.epochs == 4


def test_another_learning_rate_does_not_compile_again() -> None:
    traces = 0

    def counted(outputs: jax.Array, targets: jax.Array) -> jax.Array:
        nonlocal traces
        traces += 1
        return LOSS(outputs, targets)

    first = run(loss=counted, hyper={"learning_rate": 0.01})
    after_first = traces
    for rate in (1, 0.2, np.float64(0.3), np.float32(0.4), jnp.float32(0.5)):
        again = run(loss=counted, hyper={"learning_rate": rate}, seed=1)
        assert again.timing.compile < first.timing.compile / 10
    assert traces == after_first > 0


def test_seed_decides_everything() -> None:
    a, b, c = run(seed=1), run(seed=1), run(seed=2)
    jax.tree.map(np.testing.assert_array_equal, a.params, b.params)
    assert any((x != y).any() for x, y in zip(jax.tree.leaves(a.params), jax.tree.leaves(c.params)))


def test_optax_transformation_is_taken_as_it_is() -> None:
    fitted = run(optimizer=optim.sgd(0.1), hyper=None)
    np.testing.assert_allclose(fitted.history["loss"], run().history["loss"], rtol=1e-5)


def test_learns_and_predicts_each_example_once() -> None:
    fitted = run(epochs=40, metrics=METRICS, train_metrics=True, hyper={"learning_rate": 0.5})
    assert fitted.history["accuracy"][-1] > 0.9
    z, _ = NET.apply(fitted.params, fitted.state, jnp.asarray(X), train=False)
    for size in (1, 7, 35, 70, 1000):
        np.testing.assert_allclose(fitted.predict(X, batch_size=size), z, rtol=1e-5, atol=1e-5)
    measured = fitted.evaluate((X, Y), loss=LOSS, metrics=METRICS, batch_size=11)
    assert measured["loss"] == pytest.approx(float(LOSS(z, jnp.asarray(Y)).mean()), rel=1e-5)
    assert measured["accuracy"] == pytest.approx(float((z.argmax(-1) == Y).mean()), abs=1e-6)


def test_scaling_goes_with_the_model() -> None:
    raw = X * 100 + 1000
    fitted = run(data=(raw[:50], Y[:50]), scaling=scaling.z_score(raw[:50]), epochs=30)
    assert fitted.evaluate((raw, Y), loss=LOSS, metrics=METRICS)["accuracy"] > 0.8


def test_divergence_says_step_cause_and_last_good_state() -> None:
    def squares(outputs: jax.Array, targets: jax.Array) -> jax.Array:
        return losses.squared_error(outputs, jax.nn.one_hot(targets, 3))

    with pytest.raises(
        DivergenceError, match=r"diverged at step \d+ \(epoch 1\).*learning_rate=1e\+30.*Fix: lower"
    ) as caught:
        run(loss=squares, hyper={"learning_rate": 1e30})
    error = caught.value
    assert error.cause in ("loss", "gradient")
    assert error.epoch == 0
    assert 0 <= error.step < 6
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(error.last_good.params))


def test_divergence_in_a_later_epoch_keeps_the_epochs_before() -> None:
    def late(outputs: jax.Array, targets: jax.Array, hyper: Any) -> jax.Array:
        return LOSS(outputs, targets) * jnp.where(jnp.abs(outputs).max() > hyper["limit"], jnp.inf, 1)

    with pytest.raises(DivergenceError) as caught:
        run(loss=late, epochs=400, hyper={"learning_rate": 0.5, "limit": 4.0})
    error = caught.value
    assert error.epoch > 0
    assert 0 < int(error.last_good.epoch) <= error.epoch
    assert error.step // 6 == error.epoch


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"data": (X[:50], Y[:49])}, ShapeError, "as many targets"),
        ({"data": (X[:0], Y[:0])}, ShapeError, "at least one"),
        ({"data": X}, DtypeError, "a Dataset or a pair"),
        ({"data": (np.where(X > 2, np.nan, X), Y)}, FormatError, r"'data\[0\]' is nan at row \d+, column \d"),
        ({"data": (X[:50], Y[:50] - 1)}, FormatError, r"-1 at row \d+; expected labels in \[0, 3\)"),
        ({"data": (X[:50], Y[:50] + 1)}, FormatError, "labels count from 1"),
        (
            {"data": (X, Y.astype(np.int64) + 2**32)},
            FormatError,
            "at row 0; expected a number that fits int32",
        ),
        ({"data": (X.astype(np.float64) * 1e300, Y)}, FormatError, "fits float32"),
        ({"valid": (X, Y[:, None])}, ShapeError, "'valid' is targets of shape"),
        ({"metrics": METRICS}, ValueError, "with nothing to measure them on"),
        ({"hyper": {"learning_rate": -0.1}}, ValueError, r"'learning_rate' is -0.1; expected \[0, inf\)"),
        ({"hyper": {"learning_rate": 0.1j}}, DtypeError, "a real number"),
        ({"valid": (X[:, :3], Y)}, ShapeError, "prepare both data sets in the same way"),
        ({"valid": (X, Y + 1)}, FormatError, "valid targets"),
        ({"data": (X.astype(np.uint8), Y)}, DtypeError, r"scaling=jaxdl.scaling.pixels\(\)"),
        ({"batch_size": 51}, ValueError, "at most 50, the examples"),
        ({"epochs": -1}, ValueError, "at least 1"),
        ({"seed": 2**32}, ValueError, r"below 2\^32"),
        ({"seed": -1}, ValueError, "at least 0"),
        ({"seed": 0.5}, DtypeError, "a whole number"),
        ({"hyper": {"learning_rate": [0.1, 0.2]}}, DtypeError, "is a list"),
        ({"hyper": {"learning_rate": np.ones(2)}}, ShapeError, "vmap make_train"),
        ({"hyper": 0.1}, DtypeError, "a dict of numbers"),
        ({"hyper": {"rate": 0.1}}, ValueError, r"without 'learning_rate' \(it has \['rate'\]\)"),
        ({"hyper": None}, ValueError, "without 'learning_rate'"),
        ({"optimizer": lambda hyper: 0.1}, TypeError, "returns a float"),
        ({"optimizer": 0.1}, TypeError, "'optimizer' is a float; expected a function"),
        ({"loss": "mse"}, TypeError, "'loss' is a str; expected a function"),
        ({"penalty": 0.1}, TypeError, "'penalty' is a float"),
        ({"progress": "loud"}, ValueError, "'bar', 'lines', 'off'"),
        ({"loss": losses.squared_error}, (ShapeError, DtypeError), "targets"),
    ],
)
def test_door_refuses(change: dict[str, Any], error: Any, words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        run(**change)
    assert "Fix: " in str(caught.value)


def test_a_module_is_no_net() -> None:
    for network in (MLP(MLPConfig(sizes=(4, 3)), rngs=nnx.Rngs(0)), None):
        with pytest.raises(TypeError, match=r"expected a jaxdl.net.Net.*jaxdl.net.functional"):
            fit(network, (X, Y), optimizer=sgd, hyper=HYPER, **OPTIONS)


def test_predict_refuses() -> None:
    fitted = run(epochs=1)
    for inputs, error, words in (
        (X[:0], ShapeError, "at least one example"),
        (X[:, :2], ShapeError, "expected 4 inputs an example"),
        (X * np.nan, FormatError, "nan at row 0"),
    ):
        with pytest.raises(error, match=words):
            fitted.predict(inputs)


def test_outputs_not_by_example_are_refused() -> None:
    total = net.from_pair(lambda key: {}, lambda params, x: x.sum())
    with pytest.raises(ShapeError, match=r"outputs \(70, ...\)"):
        train.predict(total, {}, {}, X)
    with pytest.raises(ValueError, match="'mean', 'half_mean'"):
        run(epochs=1).evaluate((X, Y), loss=LOSS, reduction="sum")


def test_dropout_rate_is_checked_before_it_is_traced() -> None:
    network = net.functional(lambda rngs: MLP(MLPConfig(sizes=(4, 8, 3), dropout="rate"), rngs=rngs))
    for rate in (1.5, -1.0):
        with pytest.raises(ValueError, match=r"'rate' is .*; expected \[0, 1\)"):
            fit(network, (X, Y), optimizer=sgd, hyper={**HYPER, "rate": rate}, **OPTIONS)


def test_classes_of_both_sets_must_agree() -> None:
    one, other = (Dataset(X, Y, classes=names) for names in (("a", "b", "c"), ("c", "b", "a")))
    with pytest.raises(FormatError, match="number the classes of both data sets alike"):
        run(data=one, valid=other)


def test_a_broadcast_in_a_loss_of_ones_own_is_found() -> None:
    line = net.from_pair(lambda key: {"w": jnp.ones((4, 1))}, lambda p, x: x @ p["w"])
    with (
        jax.numpy_rank_promotion("allow"),
        pytest.raises(ShapeError, match=r"broadcast from \(8, 1\) and \(8,\)"),
    ):
        fit(line, (X, X[:, 0]), optimizer=sgd, hyper=HYPER, **{**OPTIONS, "loss": lambda o, y: (o - y) ** 2})


def test_nan_in_the_gradient_of_a_kernel_alone_is_dated_exactly() -> None:
    def poisoned(params: Any, x: jax.Array) -> jax.Array:
        # The root's derivative at 0 is infinite, times 0: the kernel's gradient is NaN, the loss is not.
        return x @ params["w"] + 0 * jnp.sqrt(jnp.sum(0 * params["w"])) + params["b"][None]

    network = net.from_pair(lambda key: {"w": jnp.ones((4, 3)), "b": jnp.zeros(3)}, poisoned)
    with pytest.raises(DivergenceError, match="a gradient is not finite") as caught:
        fit(network, (X, Y), optimizer=sgd, hyper=HYPER, **OPTIONS)
    assert (caught.value.step, caught.value.cause) == (0, "gradient")


def test_reduction_is_remembered() -> None:
    fitted = run(reduction="half_mean", valid=(X[50:], Y[50:]))
    measured = fitted.evaluate((X[50:], Y[50:]), loss=LOSS)["loss"]
    assert measured == pytest.approx(float(fitted.history["valid_loss"][-1]), rel=1e-5)
    mean = float(LOSS(jnp.asarray(fitted.predict(X[50:])), jnp.asarray(Y[50:])).mean())
    for reduction, factor in (("mean", 1), ("half_mean", 0.5)):
        found = train.evaluate(
            NET, fitted.params, fitted.state, (X[50:], Y[50:]), loss=LOSS, reduction=reduction
        )
        assert found["loss"] == pytest.approx(factor * mean, rel=1e-5)
    assert measured == pytest.approx(mean / 2, rel=1e-5)


def test_dataset_brings_its_class_names() -> None:
    fitted = run(data=Dataset(X[:50], Y[:50], classes=("a", "b", "c")))
    assert fitted.classes == ("a", "b", "c")


def test_progress_lines_and_bar() -> None:
    history = History({"loss": np.array([1.0, 0.5, np.nan], np.float32)})
    screen = io.StringIO()
    with progress.Reporter("lines", 3, console=Console(file=screen, width=100)) as reporter:
        reporter.compiled(1.5)
        reporter.epoch(2, history, 1000.0)
    lines = ["compiled in 1.5 s", "epoch   1  loss 1.0000", "epoch   2  loss 0.5000"]
    assert screen.getvalue().splitlines() == lines
    silent = io.StringIO()
    with progress.Reporter("off", 3, console=Console(file=silent)) as reporter:
        reporter.epoch(2, history, 1000.0)
    assert silent.getvalue() == ""


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (40, "300/1000 -:--:--"),
        (60, "300/1000 -:--:-- a_long_name 1.0000"),
        (61, "300/1000 -:--:-- 1,234,567 examples/s"),
        (80, "300/1000 -:--:-- 1,234,567 examples/s  loss 0.5000"),
    ],
)
def test_what_does_not_fit_beside_the_bar_is_left_out_whole(width: int, shown: str) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=width, color_system=None)
    with progress.Reporter("bar", 1000, console=console) as reporter:
        reporter.compiled(1.5)
        reporter.epoch(300, History({"loss": np.full(300, 0.5), "a_long_name": np.ones(300)}), 1234567.0)
    assert (
        [line for line in screen.getvalue().splitlines() if "300/1000" in line][-1].rstrip().endswith(shown)
    )
    assert "…" not in screen.getvalue()


def test_history() -> None:
    history = History(
        {"loss": np.array([3.0, np.nan, 1.0, 2.0]), "valid_accuracy": np.array([0.1, 0.9, 0.8, 0.2])}
    )
    assert history.best("loss") == (2, 1.0)
    assert history.best("valid_accuracy", mode="max") == (1, 0.9)
    assert list(history) == ["loss", "valid_accuracy"]
    with pytest.raises(KeyError, match="recorded are loss, valid_accuracy"):
        history["accuracy"]
    with pytest.raises(ValueError, match="expected a curve with one value an epoch"):
        History({"step_loss": np.ones((2, 3))}).best("step_loss")
    assert History({}).epochs == 0


def test_a_bare_function_is_no_scaling() -> None:
    with pytest.raises(TypeError, match=r"'scaling' is a function; expected a jaxdl.scaling.Scaling"):
        fit(NET, (X, Y), optimizer=sgd, hyper=HYPER, scaling=lambda x: x / 2, **OPTIONS)


def test_regression_with_a_bare_pair() -> None:
    line = net.from_pair(
        lambda key: {"w": jnp.zeros((4, 1)), "b": jnp.zeros(1)}, lambda p, x: x @ p["w"] + p["b"][None]
    )
    target = (X @ np.array([[1.0], [-2.0], [0.5], [0.0]]) + 3).astype(np.float32)
    fitted = fit(
        line,
        (X, target),
        optimizer=optim.sgd(0.1),
        **{**OPTIONS, "loss": losses.squared_error, "epochs": 100},
    )
    np.testing.assert_allclose(fitted.params["w"].ravel(), [1, -2, 0.5, 0], atol=1e-3)
