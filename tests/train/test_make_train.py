"""`make_train`: equal to a plain loop, one compilation, sweeps, chunks, evaluation, poison and health."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from common import DATA, HYPER, KEYS, LOSS, METRICS, NET, X, Y, adam, sgd

from jaxdl import losses, net, optim, scaling
from jaxdl.errors import ShapeError
from jaxdl.models import MLP, MLPConfig
from jaxdl.train import Arrays, Spec, batch_order, by_class, make_program, make_train

SPEC = Spec(epochs=3, batch_size=8, metrics=METRICS, eval_batch_size=6)


def test_equals_a_plain_loop() -> None:
    result = jax.jit(make_train(NET, LOSS, adam, SPEC))(*KEYS, DATA, HYPER)
    initial, _ = jax.random.split(KEYS[0])
    params, state = NET.init(initial)
    rule = optim.adam(0.1)
    memory = rule.init(params)

    @jax.jit
    def step(params: Any, memory: Any, x: jax.Array, y: jax.Array) -> Any:
        def cost(p: Any) -> jax.Array:
            return jnp.mean(LOSS(NET.apply(p, state, x, train=True)[0], y))

        value, gradients = jax.value_and_grad(cost)(params)
        updates, memory = rule.update(gradients, memory, params)
        return optax.apply_updates(params, updates), memory, value

    for epoch in range(3):
        values = []
        for index in batch_order(KEYS[1], epoch, examples=50, batch_size=8):
            params, memory, value = step(params, memory, DATA.inputs[index], DATA.targets[index])
            values.append(float(value))
        assert float(result.history["loss"][epoch]) == pytest.approx(np.mean(values), rel=1e-5)
    for ours, theirs in zip(jax.tree.leaves(result.params), jax.tree.leaves(params)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    z, _ = NET.apply(params, state, DATA.valid_inputs, train=False)
    assert float(result.history["valid_loss"][-1]) == pytest.approx(
        float(LOSS(z, DATA.valid_targets).mean()), rel=1e-4
    )
    accuracy = float((z.argmax(-1) == DATA.valid_targets).mean())
    assert float(result.history["valid_accuracy"][-1]) == pytest.approx(accuracy, abs=1e-6)


def test_sweep_equals_single_runs_and_compiles_once() -> None:
    traces = 0
    train = make_train(NET, LOSS, sgd, SPEC)

    def counted(*arguments: Any) -> Any:
        nonlocal traces
        traces += 1
        return train(*arguments)

    rates = jnp.array([0.01, 0.1, 0.3])
    many = jax.jit(jax.vmap(counted, in_axes=(None, None, None, 0)))
    many(*KEYS, DATA, {"learning_rate": rates + 1})
    swept = many(*KEYS, DATA, {"learning_rate": rates})
    assert traces == 1
    single = jax.jit(train)
    for i, rate in enumerate(rates):
        alone = single(*KEYS, DATA, {"learning_rate": rate})
        for ours, theirs in zip(jax.tree.leaves(swept.params), jax.tree.leaves(alone.params)):
            np.testing.assert_allclose(ours[i], theirs, rtol=1e-4, atol=1e-5)


def test_python_floats_do_not_compile_again() -> None:
    traces = 0
    train = make_train(NET, LOSS, sgd, Spec(epochs=1, batch_size=8))

    def counted(*arguments: Any) -> Any:
        nonlocal traces
        traces += 1
        return train(*arguments)

    jitted = jax.jit(counted)
    for rate in (0.1, 0.2, 0.3):
        jitted(*KEYS, DATA, {"learning_rate": rate})
    assert traces == 1


@pytest.mark.parametrize("shuffle", ["permutation", "replacement", "none", "by class"])
def test_chunks_are_bit_identical_to_the_whole(shuffle: str) -> None:
    chosen = by_class(np.asarray(DATA.targets), per_class=4) if shuffle == "by class" else shuffle
    spec = Spec(epochs=6, batch_size=8, shuffle=chosen, metrics=METRICS)
    program = make_program(NET, LOSS, adam, spec)
    advance = jax.jit(program.advance)
    ends = []
    for stops in ((6,), (1, 2, 3, 4, 5, 6), (4, 6)):
        carry = jax.jit(program.start)(*KEYS, DATA, HYPER)
        for stop in stops:
            carry = advance(carry, stop, DATA, HYPER)
        ends.append(carry._replace(key=None, order=None))
    for other in ends[1:]:
        jax.tree.map(np.testing.assert_array_equal, ends[0], other)


@pytest.mark.parametrize("size", [1, 3, 6, 7, 20, 1000])
def test_validation_counts_every_example_once(size: int) -> None:
    spec = Spec(epochs=1, batch_size=8, metrics=METRICS, eval_batch_size=size)
    result = make_train(NET, LOSS, sgd, spec)(*KEYS, DATA, {"learning_rate": 0.0})
    z, _ = NET.apply(result.params, {}, DATA.valid_inputs, train=False)
    assert float(result.history["valid_loss"][0]) == pytest.approx(
        float(LOSS(z, DATA.valid_targets).mean()), rel=1e-5
    )


@pytest.mark.parametrize(("reduction", "factor"), [("mean", 1.0), ("sum", 8.0), ("half_mean", 0.5)])
def test_reductions_scale_the_step(reduction: str, factor: float) -> None:
    def run(reduction: str, rate: float) -> Any:
        train = make_train(NET, LOSS, sgd, Spec(epochs=1, batch_size=8, reduction=reduction))
        return train(*KEYS, DATA, {"learning_rate": rate})

    for ours, theirs in zip(
        jax.tree.leaves(run(reduction, 0.08 / factor).params), jax.tree.leaves(run("mean", 0.08).params)
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_penalty_is_trained_on_but_left_out_of_the_recorded_loss() -> None:
    def penalty(params: Any, hyper: Any) -> jax.Array:
        return hyper["decay"] * sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(params))

    train = jax.jit(make_train(NET, LOSS, sgd, Spec(epochs=5, batch_size=8), penalty=penalty))
    plain, shrunk = (train(*KEYS, DATA, {**HYPER, "decay": decay}) for decay in (0.0, 0.1))
    norms = [sum(float((leaf**2).sum()) for leaf in jax.tree.leaves(r.params)) for r in (plain, shrunk)]
    assert norms[1] < 0.5 * norms[0]
    assert float(plain.history["loss"][0]) == pytest.approx(float(shrunk.history["loss"][0]), rel=0.1)


def test_loss_and_dropout_receive_hyper() -> None:
    config = MLPConfig(sizes=(4, 8, 3), dropout="rate")
    network = net.functional(lambda rngs: MLP(config, rngs=rngs))

    def weighted(outputs: jax.Array, targets: jax.Array, hyper: Any) -> jax.Array:
        return hyper["weight"] * LOSS(outputs, targets)

    train = jax.jit(make_train(network, weighted, sgd, Spec(epochs=1, batch_size=50)))
    losses_seen = [
        float(train(*KEYS, DATA, {"learning_rate": 0.0, "rate": rate, "weight": weight}).history["loss"][0])
        for rate, weight in ((0.0, 1.0), (0.0, 2.0), (0.9, 1.0))
    ]
    assert losses_seen[1] == pytest.approx(2 * losses_seen[0], rel=1e-5)
    assert losses_seen[2] != pytest.approx(losses_seen[0], rel=1e-3)


def test_bytes_stay_bytes_and_are_scaled_in_the_step() -> None:
    raw = np.clip(X * 40 + 128, 0, 255).astype(np.uint8)
    held = Arrays(
        jnp.asarray(raw[:50]), DATA.targets, jnp.asarray(raw[50:]), DATA.valid_targets, scaling.pixels()
    )
    floats = Arrays(
        jnp.asarray(raw[:50] / np.float32(255)),
        DATA.targets,
        jnp.asarray(raw[50:] / np.float32(255)),
        DATA.valid_targets,
    )
    train = make_train(NET, LOSS, sgd, SPEC)
    ours, theirs = train(*KEYS, held, HYPER), train(*KEYS, floats, HYPER)
    for name in ours.history:
        np.testing.assert_allclose(ours.history[name], theirs.history[name], rtol=1e-4)


def test_batch_norm_statistics_and_dropout_run_inside(key: jax.Array) -> None:
    network = net.functional(
        lambda rngs: MLP(MLPConfig(sizes=(4, 8, 3), dropout=0.2, batch_norm=True), rngs=rngs)
    )
    result = jax.jit(make_train(network, LOSS, adam, Spec(epochs=20, batch_size=10, metrics=METRICS)))(
        *KEYS, DATA, HYPER
    )
    assert float(result.history["valid_accuracy"][-1]) > 0.7
    assert np.abs(result.state["norms"][0]["mean"]).max() > 0.01
    assert int(result.health.step) == -1


@pytest.mark.parametrize("bad", [-1, 3, 2**31 - 1])
def test_bad_label_poisons_its_own_row_only(bad: int) -> None:
    logits = jax.random.normal(jax.random.key(0), (5, 3))
    labels = jnp.array([0, 1, bad, 2, 0])
    gradient = jax.grad(lambda z: jnp.nansum(losses.softmax_cross_entropy(z, labels)))(logits)
    values = losses.softmax_cross_entropy(logits, labels)
    assert np.isnan(values[2])
    clean = jax.grad(lambda z: losses.softmax_cross_entropy(z, jnp.maximum(labels, 0) % 3).sum())(logits)
    good = np.array([0, 1, 3, 4])
    whole = jax.grad(lambda z: losses.softmax_cross_entropy(z, labels).sum())(logits)
    assert np.isnan(whole[2]).all()
    np.testing.assert_array_equal(whole[good], clean[good])
    np.testing.assert_array_equal(gradient[good], clean[good])


def test_health_names_the_first_bad_step() -> None:
    labels = np.array(Y[:50])
    labels[17] = 3
    spec = Spec(epochs=2, batch_size=10, shuffle="none")
    result = make_train(NET, LOSS, sgd, spec)(*KEYS, DATA._replace(targets=jnp.asarray(labels)), HYPER)
    assert int(result.health.step) == 1
    assert int(result.health.word) & 4
    exploded = make_train(NET, losses_of_squares, sgd, spec)(*KEYS, DATA, {"learning_rate": 1e25})
    assert 0 < int(exploded.health.step) < 5


def losses_of_squares(outputs: jax.Array, targets: jax.Array) -> jax.Array:
    return losses.squared_error(outputs, jax.nn.one_hot(targets, 3))


def test_a_diverging_member_leaves_the_others_alone() -> None:
    train = jax.jit(jax.vmap(make_train(NET, losses_of_squares, sgd, SPEC), in_axes=(None, None, None, 0)))
    healthy = train(*KEYS, DATA, {"learning_rate": jnp.array([0.1, 0.2, 0.1])})
    broken = train(*KEYS, DATA, {"learning_rate": jnp.array([0.1, 1e30, 0.1])})
    assert [int(s) >= 0 for s in broken.health.step] == [False, True, False]
    for a, b in zip(jax.tree.leaves(healthy.params), jax.tree.leaves(broken.params)):
        np.testing.assert_array_equal(a[jnp.array([0, 2])], b[jnp.array([0, 2])])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"loss": lambda z, y: jnp.mean(LOSS(z, y))}, r"loss\(\).*one value per example, \(8, ...\)"),
        ({"metrics": {"f": lambda z, y: jnp.float32(1)}}, r"f\(\).*train.predict"),
        ({"data": DATA._replace(targets=DATA.targets[:40])}, "unlike inputs: lengths"),
        ({"data": DATA._replace(valid_targets=None)}, "unlike valid_inputs"),
        ({"data": Arrays(jnp.ones((0, 4)), jnp.ones((0,)))}, "expected equal lengths, not 0"),
    ],
)
def test_refuses(change: dict[str, Any], words: str) -> None:
    spec = Spec(epochs=1, batch_size=8, metrics=change.get("metrics", {}))
    with pytest.raises(ShapeError, match=words):
        make_train(NET, change.get("loss", LOSS), sgd, spec)(*KEYS, change.get("data", DATA), HYPER)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"epochs": 0}, ValueError, "'epochs' is 0; expected at least 1"),
        ({"batch_size": 2.0}, TypeError, "a whole number"),
        ({"shuffle": True}, ValueError, "'permutation'"),
        ({"reduction": "avg"}, ValueError, "'mean', 'sum', 'half_mean'"),
        ({"metrics": {"loss": LOSS}}, ValueError, "none called"),
        ({"metrics": {"accuracy": "accuracy"}}, ValueError, "functions by name"),
    ],
)
def test_spec_refuses(change: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        Spec(**{"epochs": 1, "batch_size": 8, **change})


def test_record_may_not_hide_the_loss() -> None:
    spec = Spec(epochs=1, batch_size=10, record=lambda step: {"loss": jnp.zeros(())})
    with pytest.raises(ValueError, match="a function that returns 'loss'"):
        make_train(NET, LOSS, sgd, spec)(*KEYS, DATA, HYPER)
    with pytest.raises(TypeError, match="Spec: argument 'record' is a str; expected a function or None"):
        Spec(epochs=1, batch_size=10, record="norm")  # type: ignore[arg-type]


def test_batches_fetched_in_the_step_are_those_of_the_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = Spec(epochs=3, batch_size=8, step_losses=True)
    by_epoch = jax.jit(make_train(NET, LOSS, sgd, spec))(*KEYS, DATA, HYPER)
    for limit in ("COPIED_WIDE", "SMALL_BATCH"):
        monkeypatch.setattr(f"jaxdl.train.fetch.{limit}", 0)
    by_step = jax.jit(make_train(NET, LOSS, sgd, spec))
    assert "optimization_barrier" in by_step.lower(*KEYS, DATA, HYPER).as_text()
    losses = (run.history["step_loss"] for run in (by_epoch, by_step(*KEYS, DATA, HYPER)))
    np.testing.assert_allclose(*losses, rtol=1e-5)
