"""What a compiled run says of its steps: rate and norms; batch, mini-batch and single-example descent."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from common import DATA, HYPER, KEYS, LOSS, NET, sgd

from jaxdl import optim
from jaxdl.train import Spec, Step, make_train


def watch(step: Step) -> dict[str, jax.Array]:
    return {
        "rate": optim.learning_rate(step),
        "gradient_norm": optim.gradient_norm(step),
        "update_norm": optim.update_norm(step),
    }


def test_rates_and_norms_of_every_step_in_a_sweep_over_peaks() -> None:
    def rule(hyper: Any) -> Any:
        rate = optim.warmup_cosine(hyper["peak"], warmup=hyper["warmup"], total=15)
        return optax.chain(optim.clip_by_global_norm(hyper["longest"]), optim.sgd(rate))

    spec = Spec(epochs=3, batch_size=10, record=watch, step_records=True)
    many = jax.jit(jax.vmap(make_train(NET, LOSS, rule, spec), in_axes=(None, None, None, 0)))
    peaks, warmups = np.array([0.1, 0.4], np.float32), np.array([3, 6], np.int32)
    hyper = {"peak": jnp.asarray(peaks), "warmup": jnp.asarray(warmups), "longest": jnp.full(2, 0.3)}
    history = many(*KEYS, DATA, hyper).history
    for member, (peak, warmup) in enumerate(zip(peaks.tolist(), warmups.tolist())):
        wanted = optax.warmup_cosine_decay_schedule(0.0, peak, warmup, 15)(np.arange(15)).reshape(3, 5)
        np.testing.assert_allclose(history["step_rate"][member], wanted, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(history["rate"][member], wanted.mean(1), rtol=1e-4)
    clipped = np.minimum(history["step_gradient_norm"], 0.3) * history["step_rate"]
    np.testing.assert_allclose(history["step_update_norm"], clipped, rtol=1e-4, atol=1e-6)
    assert (np.asarray(history["step_gradient_norm"]) > 0.3).any()


def test_a_constant_rate_is_readable_and_may_be_swept() -> None:
    for make in (optim.adam, lambda rate: optim.momentum(rate, form="velocity")):
        spec = Spec(epochs=1, batch_size=25, record=lambda step: {"rate": optim.learning_rate(step)})
        train = make_train(NET, LOSS, lambda hyper, make=make: make(hyper["learning_rate"]), spec)
        rates = jnp.array([0.1, 0.2])
        found = jax.jit(jax.vmap(train, in_axes=(None, None, None, 0)))(*KEYS, DATA, {"learning_rate": rates})
        np.testing.assert_allclose(found.history["rate"], rates[:, None], rtol=1e-6)


def test_rates_of_injected_hyperparameters_are_read_too() -> None:
    rule = optax.inject_hyperparams(optax.sgd)(learning_rate=0.3)
    assert float(optim.learning_rate(rule.init(jnp.ones(2)))) == pytest.approx(0.3)


def test_names_of_step_records_may_not_clash() -> None:
    spec = Spec(1, 10, record=lambda step: {"step_x": jnp.zeros(())}, step_records=True)
    with pytest.raises(ValueError, match="a function that returns 'step_x'"):
        make_train(NET, LOSS, sgd, spec)(*KEYS, DATA, HYPER)


def full_gradient_descent(steps: int) -> Any:
    params, state = NET.init(jax.random.split(KEYS[0])[0])

    @jax.jit
    def descend(params: Any) -> Any:
        def cost(p: Any) -> jax.Array:
            return jnp.mean(LOSS(NET.apply(p, state, DATA.inputs, train=True)[0], DATA.targets))

        return jax.tree.map(lambda w, g: w - 0.1 * g, params, jax.grad(cost)(params))

    for _ in range(steps):
        params = descend(params)
    return params


def test_batch_mini_batch_and_single_example_descent() -> None:
    kinds = {
        "batch": Spec(epochs=6, batch_size=50, shuffle="none"),
        "mini_batch": Spec(epochs=6, batch_size=10),
        "drawn": Spec(epochs=6, batch_size=10, shuffle="replacement"),
        "single": Spec(epochs=6, batch_size=1),
    }
    losses = {}
    for name, spec in kinds.items():
        result = jax.jit(make_train(NET, LOSS, sgd, spec))(*KEYS, DATA, HYPER)
        losses[name] = float(result.history["loss"][-1])
        if name == "batch":
            jax.tree.map(
                lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
                result.params, full_gradient_descent(6),
            )  # fmt: skip
    # As many passes over the data, 1, 5 and 50 steps each: what takes more steps has gone further.
    assert losses["single"] < losses["mini_batch"] < losses["batch"]
    assert losses["drawn"] < losses["batch"]
    assert losses["drawn"] != losses["mini_batch"]
