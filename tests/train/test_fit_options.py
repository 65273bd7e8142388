"""What `fit` can do beside the plain run, each against a slow loop in NumPy, and the same in any chunks."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from chunked import SOFTMAX, in_any_chunks, run
from common import DATA, HYPER, KEYS, LOSS, METRICS, X, Y, adam

from jaxdl import losses, net, optim
from jaxdl.data import load_digits, split
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.models import MLP, MLPConfig
from jaxdl.scaling import pixels
from jaxdl.train import (
    EarlyStopping,
    Fitted,
    History,
    Moment,
    Spec,
    batch_order,
    door,
    make_program,
)

RNG = np.random.default_rng(3)


def every_rate(step: Any) -> dict[str, jax.Array]:
    return {"rate": optim.learning_rate(step)}


def one_of_three(hyper: Any) -> Any:
    peak = hyper["peak"]
    schedules = (
        optim.warmup_cosine(peak, warmup=5, total=30),
        optim.geometric(peak, last=1e-3, steps=30),
        lambda step: peak * 0.5 ** (step // 10),
    )
    return optim.adam(lambda step: jnp.stack([schedule(step) for schedule in schedules])[hyper["which"]])


def test_scheduled_rates_follow_their_formula_across_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    t = np.arange(30.0)
    formulas = (
        np.where(t < 5, 0.3 * t / 5, 0.15 * (1 + np.cos(np.pi * (t - 5) / 25))),
        0.3 * (1e-3 / 0.3) ** (t / 29),
        0.3 * 0.5 ** (t // 10),
    )
    for which, rates in enumerate(formulas):
        fitted = in_any_chunks(
            monkeypatch, optimizer=one_of_three, hyper={"peak": 0.3, "which": np.int32(which)}, epochs=5,
            record=every_rate, step_records=True,
        )  # fmt: skip
        np.testing.assert_allclose(fitted.history["step_rate"].ravel(), rates, rtol=2e-5, atol=1e-7)
        np.testing.assert_allclose(fitted.history["rate"], rates.reshape(5, 6).mean(1), rtol=2e-5)


# Linear regression, whose gradient is written in a line: the loops below are in float64.
LINE = net.from_pair(lambda key: {"w": jnp.zeros((4, 1))}, lambda params, x: x @ params["w"])
SLOPES = (X @ np.array([[1.0], [-2.0], [0.5], [3.0]])).astype(np.float32)


BATCHES = np.tile(np.arange(70).reshape(5, 14), (4, 1))  # of 4 epochs, in order


def recorded(step: Any) -> dict[str, jax.Array]:
    return {"w": step.params["w"][:, 0], "norm": optim.gradient_norm(step)}


ON_A_LINE: dict[str, Any] = {
    "network": LINE, "data": (X, SLOPES), "loss": losses.squared_error, "batch_size": 14,
    "optimizer": optim.sgd(0.1), "hyper": None, "record": recorded, "step_records": True, "shuffle": "none",
}  # fmt: skip


def on_a_line(**change: Any) -> Fitted:
    return run(**{**ON_A_LINE, **change})


def slope(w: np.ndarray, rows: np.ndarray) -> np.ndarray:
    x, y = X[rows].astype(np.float64), SLOPES[rows, 0].astype(np.float64)
    return 2 * x.T @ (x @ w - y) / len(rows)


def test_clipping_by_global_norm_is_the_loop_in_numpy() -> None:
    rule = optax.chain(optim.clip_by_global_norm(3.0), optim.sgd(0.1))
    fitted = on_a_line(optimizer=rule)
    w, path, norms = np.zeros(4), [], []
    for rows in BATCHES:
        g = slope(w, rows)
        path.append(w)
        norms.append(np.linalg.norm(g))
        w = w - 0.1 * g * min(1.0, 3 / norms[-1])
    np.testing.assert_allclose(fitted.history["step_w"].reshape(-1, 4), path, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(fitted.history["step_norm"].ravel(), norms, rtol=1e-4)
    np.testing.assert_allclose(fitted.params["w"][:, 0], w, rtol=1e-4)
    assert max(norms) > 3 > min(norms)


def decay(params: Any, hyper: Any) -> jax.Array:
    return hyper["penalty"] * jnp.sum(params["w"] ** 2)


@pytest.mark.parametrize(("reduction", "scale"), [("mean", 1), ("half_mean", 0.5), ("sum", 14)])
def test_accumulated_gradients_are_those_of_the_whole_batch(reduction: str, scale: float) -> None:
    fitted = on_a_line(accumulate=7, reduction=reduction, optimizer=optim.sgd(lambda step: 0.02 / (step + 1)),
                       penalty=decay, hyper={"penalty": 0.5})  # fmt: skip
    w = np.zeros(4)
    for step, rows in enumerate(BATCHES):
        np.testing.assert_allclose(fitted.history["step_w"].reshape(-1, 4)[step], w, rtol=1e-5, atol=1e-6)
        g = scale * slope(w, rows) + 2 * 0.5 * w
        np.testing.assert_allclose(fitted.history["step_norm"].ravel()[step], np.linalg.norm(g), rtol=1e-5)
        w = w - 0.02 / (step + 1) * g
    counts = [int(leaf) for leaf in jax.tree.leaves(fitted.opt_state) if leaf.dtype == jnp.int32]
    assert counts == [len(BATCHES)]


def test_accumulation_of_32_in_4_parts_records_what_the_whole_batch_does() -> None:
    options = {"batch_size": 32, "metrics": METRICS, "train_metrics": True, "shuffle": "none"}
    whole, parts = run(**options), run(**options, accumulate=4)
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(parts.history[name], whole.history[name], rtol=1e-6, atol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), parts.params, whole.params)


def test_each_micro_batch_draws_by_itself() -> None:
    def draw(
        params: Any, state: Any, x: jax.Array, *, train: bool, key: Any = None, hyper: Any = None
    ) -> Any:
        return params["w"] * (jax.random.normal(key, x.shape) if train else x), state

    def drawn(step: Any) -> dict[str, jax.Array]:
        parts = [jax.random.normal(jax.random.fold_in(step.key, i), (4, 4)).sum(0) for i in (0, 1)]
        return {"gradient": step.gradients["w"][0], "wanted": parts[0] + parts[1], "twice": 2 * parts[0]}

    def summed(outputs: jax.Array, targets: jax.Array) -> jax.Array:
        return outputs.sum(-1)

    noise = net.Net(lambda key: ({"w": jnp.ones((1, 4))}, {}), draw)
    fitted = run(network=noise, loss=summed, accumulate=2, reduction="sum", record=drawn, shuffle="none")
    np.testing.assert_allclose(fitted.history["gradient"], fitted.history["wanted"], rtol=1e-5)
    assert np.abs(fitted.history["gradient"] - fitted.history["twice"]).min() > 1e-3


def test_average_is_the_corrected_mean_of_the_trajectory(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = in_any_chunks(monkeypatch, **ON_A_LINE, average=0.9, valid=(X[:20], SLOPES[:20]))
    path = np.concatenate([fitted.history["step_w"].reshape(-1, 4)[1:], fitted.params["w"].T]).astype(float)
    mean, means = np.zeros(4), []
    for t, w in enumerate(path, 1):
        mean = 0.9 * mean + 0.1 * w
        means.append(mean / (1 - 0.9**t))
    np.testing.assert_allclose(fitted.average["w"][:, 0], means[-1], rtol=1e-5)
    for epoch, w in enumerate(means[4::5]):
        value = np.mean((X[:20] @ w - SLOPES[:20, 0]) ** 2)
        np.testing.assert_allclose(fitted.history["valid_loss"][epoch], value, rtol=1e-4)
    measured = fitted.averaged().evaluate((X[:20], SLOPES[:20]), loss=losses.squared_error)["loss"]
    np.testing.assert_allclose(measured, fitted.history["valid_loss"][-1], rtol=1e-5)


def shaken(key: jax.Array, x: jax.Array) -> jax.Array:
    return x + 0.5 * jax.random.normal(key, x.shape)


def noise_of(step: Any) -> dict[str, jax.Array]:
    return {"inputs": step.inputs}


def test_augmentation_draws_by_order_and_step_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"augment": shaken, "record": noise_of, "step_records": True, "valid": (X[50:], Y[50:])}
    fitted = in_any_chunks(monkeypatch, **options)
    seen = fitted.history["step_inputs"].reshape(-1, 8, 4)
    clean = X[np.concatenate([batch_order(door.keys(0)[1], e, examples=50, batch_size=8) for e in range(4)])]
    noise = seen - clean
    assert 0.4 < noise.std() < 0.6
    for a, b in itertools.combinations(noise, 2):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.8
        assert not np.array_equal(a, b)
    # The draws belong to the order: another run of this seed sees the same inputs.
    other = run(**{**options, "hyper": {"learning_rate": 0.3}})
    np.testing.assert_array_equal(other.history["step_inputs"], fitted.history["step_inputs"])
    measured = fitted.evaluate((X[50:], Y[50:]), loss=LOSS)["loss"]
    assert measured == pytest.approx(float(fitted.history["valid_loss"][-1]), rel=1e-5)


@pytest.mark.parametrize(
    ("augment", "words"),
    [
        (lambda key, x: x[:4], r"returns float32 \(4, 4\); expected float32 \(8, 4\)"),
        (lambda key, x: x.astype(jnp.float16), r"returns float16 \(8, 4\); expected float32"),
        (lambda key, x: (x, x), r"returns float32 \(8, 4\), float32 \(8, 4\); expected"),
        (lambda key, x: None, "returns nothing; expected float32"),
        (lambda key, x: x[..., None], r"returns float32 \(8, 4, 1\)"),
    ],
)
def test_augmentation_that_changes_the_batch_is_refused(augment: Any, words: str) -> None:
    with pytest.raises(ShapeError, match=rf"'augment' is a function that {words}.*Fix: "):
        run(augment=augment)


def test_mixed_precision_learns_digits_as_well() -> None:
    first = {"a": RNG.normal(size=(64, 32)) / 8, "b": RNG.normal(size=(32, 10)) / 4}
    whole = net.from_pair(
        lambda key: {name: jnp.float32(leaf) for name, leaf in first.items()},
        lambda params, x: jnp.maximum(x @ params["a"], 0) @ params["b"],
    )
    training, test = split(load_digits(), (0.7, 0.3), seed=0)
    found = {}
    for name, network in (("whole", whole), ("low", net.mixed_precision(whole))):
        fitted = run(network=network, data=training, valid=test, metrics=METRICS, batch_size=32, epochs=15,
                     scaling=pixels(highest=16), hyper={"learning_rate": 0.5}, shuffle="none")  # fmt: skip
        found[name] = fitted.history
    assert found["low"]["valid_accuracy"][-1] > found["whole"]["valid_accuracy"][-1] - 0.01 > 0.92
    assert np.abs(found["low"]["loss"] - found["whole"]["loss"]).max() > 1e-5


def test_mixed_precision_keeps_the_state_in_float32_and_computes_in_bfloat16() -> None:
    low = net.mixed_precision(
        net.functional(lambda rngs: MLP(MLPConfig(sizes=(4, 8, 8, 3), batch_norm=True), rngs=rngs))
    )
    program = make_program(low, LOSS, adam, Spec(epochs=2, batch_size=10, average=0.9))
    carry = jax.eval_shape(program.start, *KEYS, DATA, HYPER)
    after = jax.eval_shape(program.advance, carry, 2, DATA, HYPER)
    assert "bfloat16" not in {leaf.dtype.name for leaf in jax.tree.leaves(after)}
    assert len(jax.tree.leaves(after.state)) == 4

    def cost(params: Any) -> jax.Array:
        outputs, _ = low.apply(params, state, jnp.ones((10, 4)), train=True)
        assert outputs.dtype == jnp.float32
        return jnp.mean(LOSS(outputs, jnp.zeros(10, jnp.int32)))

    params, state = low.init(jax.random.key(0))
    text = str(jax.make_jaxpr(jax.value_and_grad(cost))(params))
    products = [line.split("=")[0] for line in text.splitlines() if "= dot_general" in line]
    assert len(products) == 8  # three forward, three for the kernels, two for the activations
    assert all(":bf16[" in line for line in products)
    maxima = [line.split("=")[0] for line in text.splitlines() if "= max " in line and "[10,8]" in line]
    assert maxima
    assert all(":bf16[10,8]" in line for line in maxima)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ((SOFTMAX, "float32"), DtypeError, "'float32'; expected bfloat16 or float16"),
        ((SOFTMAX, jnp.int8), DtypeError, "expected bfloat16 or float16"),
        ((SOFTMAX, 16), DtypeError, "16; expected bfloat16 or float16"),
        ((None, "bfloat16"), TypeError, "expected a jaxdl.net.Net"),
        ((MLP, "bfloat16"), TypeError, "jaxdl.net.functional"),
    ],
)
def test_wrong_precision_is_refused(given: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        net.mixed_precision(*given)


def test_callbacks_see_the_run_and_may_end_it() -> None:
    moments: list[Moment] = []

    def watch(moment: Moment) -> str | None:
        moments.append(moment)
        return "enough" if moment.history["loss"][-1] < 0.5 else None

    fitted = run(epochs=300, hyper={"learning_rate": 0.5}, callbacks=[watch])
    assert fitted.stopped == "enough"
    last = moments[-1]
    assert isinstance(last.history, History)
    assert last.epoch == int(last.carry.epoch) == fitted.history.epochs < 300 == last.epochs
    assert [m.epoch for m in moments] == sorted({m.epoch for m in moments})
    assert all(m.history.epochs == m.epoch and m.examples_per_second > 0 for m in moments)
    assert 0 < moments[0].seconds <= last.seconds == fitted.timing.run
    jax.tree.map(np.testing.assert_array_equal, last.carry.params, fitted.params)
    whole = run(epochs=300, callbacks=[lambda moment: "over" if moment.epoch == 300 else None])
    assert whole.stopped is None
    with pytest.raises(ValueError, match=r"Fix: fit\(..., average=0.999\)"):
        whole.averaged()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"early_stopping": 3}, DtypeError, "'early_stopping' is a int"),
        ({"early_stopping": EarlyStopping("valid_loss")}, ValueError, r"expected one of \['loss'\]"),
        ({"early_stopping": EarlyStopping("cost")}, ValueError, "monitor='cost'"),
        ({"augment": "flip"}, DtypeError, "'augment' is a str; expected a function or None"),
        ({"accumulate": 3}, ValueError, "expected a divisor of batch_size=8. Fix: batch_size=9"),
        ({"accumulate": 0}, ValueError, "at least 1"),
        ({"accumulate": 2.0}, DtypeError, "a whole number"),
        ({"average": 1.0}, ValueError, r"'average' is 1.0; expected \[0, 1\)"),
        ({"average": -0.1}, ValueError, r"expected \[0, 1\)"),
        ({"average": "0.9"}, DtypeError, "a number"),
        ({"callbacks": [3]}, DtypeError, "'callbacks'"),
        ({"callbacks": 3}, DtypeError, "'callbacks'"),
        ({"callbacks": [lambda: None]}, TypeError, "positional argument"),
        ({"callbacks": [lambda moment: True]}, TypeError, "a function that returned a bool"),
        ({"optimizer": optim.clip_by_global_norm}, (TypeError, ValueError), "Fix: "),
    ],
)
def test_wrong_options_are_refused(change: dict[str, Any], error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        run(**change)
