"""The probe inside a run: equal to the same measured outside, and no bit of the run is changed."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen, nnx

from jaxdl import losses, net, optim, probe, train
from jaxdl.layers import Linear
from jaxdl.models import MLP, MLPConfig

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 6)).astype(np.float32)
Y = RNG.integers(0, 3, 40).astype(np.int32)
CONFIG = MLPConfig(sizes=(6, 8, 5, 3), activation="relu", output="sigmoid", batch_norm=True, dropout=0.3)
NET = net.functional(lambda rngs: MLP(CONFIG, rngs=rngs))
RULE = optim.momentum(0.1)


def fitted(made: net.Net, record: Any, *, epochs: int = 3, batch_size: int = 40) -> train.Fitted:
    return train.fit(made, (X, Y), loss=losses.softmax_cross_entropy, optimizer=RULE, epochs=epochs,
                     batch_size=batch_size, progress="off", record=record)  # fmt: skip


def leaves(run: train.Fitted) -> list[np.ndarray]:
    return [np.asarray(leaf) for leaf in jax.tree.leaves((run.params, run.state, run.opt_state))]


@pytest.fixture(scope="module")
def plain() -> train.Fitted:
    return fitted(NET, None, batch_size=8)


# So where it is compiled as users do: the older emitters of conftest.py round otherwise what is read twice.
@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [lambda: probe.layers(NET), lambda: probe.activations(NET, "mean", train=False)],
    ids=["layers", "evaluation"],
)
def test_a_record_changes_no_bit_of_the_run(make: Callable[[], probe.Record], plain: train.Fitted) -> None:
    probed = fitted(NET, make(), batch_size=8)
    for ours, theirs in zip(leaves(probed), leaves(plain), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(probed.history["loss"], plain.history["loss"])
    assert len(probed.history) > len(plain.history)


def test_norms_equal_those_of_the_steps_done_by_hand() -> None:
    """Full batches in their own order: an epoch is one step, which can be repeated outside."""
    made = net.functional(lambda rngs: MLP(MLPConfig(sizes=(6, 8, 3)), rngs=rngs))
    spec = train.Spec(epochs=4, batch_size=40, shuffle="none", record=probe.parameters())
    run = jax.jit(train.make_train(made, losses.softmax_cross_entropy, RULE, spec))
    key, order = jax.random.key(3), jax.random.key(4)
    history = run(key, order, train.Arrays(jnp.asarray(X), jnp.asarray(Y)), {}).history
    params, _ = made.init(jax.random.split(key)[0])
    state = RULE.init(params)

    def cost(params: Any) -> jax.Array:
        return losses.reduce(losses.softmax_cross_entropy(made.apply(params, {}, X, train=True)[0], Y))

    for epoch in range(4):
        gradients = jax.grad(cost)(params)
        updates, state = RULE.update(gradients, state, params)
        for name, tree in (("gradient_norm", gradients), ("update_norm", updates), ("weight_norm", params)):
            for i in range(2):
                for part in ("kernel", "bias"):
                    wanted = np.linalg.norm(np.asarray(tree["layers"][i][part], np.float64))
                    np.testing.assert_allclose(
                        history[f"{name}/layers/{i}/{part}"][epoch], wanted, rtol=1e-5, atol=1e-7
                    )
        ratio = optax.tree.norm(updates["layers"][1]["kernel"]) / optax.tree.norm(
            params["layers"][1]["kernel"]
        )
        np.testing.assert_allclose(history["update_ratio/layers/1/kernel"][epoch], ratio, rtol=1e-5)
        params = optax.apply_updates(params, updates)
    assert "update_ratio/layers/1/bias" not in history


def test_activations_equal_a_forward_pass_outside() -> None:
    """The first step of a run, whose parameters, masks and batch can be had outside."""
    spec = train.Spec(epochs=1, batch_size=40, shuffle="none", record=probe.activations(NET, bins=11))
    run = train.make_train(NET, losses.softmax_cross_entropy, RULE, spec)
    keys = jax.random.key(5), jax.random.key(6)
    history = jax.jit(run)(*keys, train.Arrays(jnp.asarray(X), jnp.asarray(Y)), {}).history
    initial, rest = jax.random.split(keys[0])
    key = jax.random.fold_in(jax.random.fold_in(rest, 0), 0)
    params, state = NET.init(initial)
    z = X @ np.asarray(params["layers"][0]["kernel"])
    a = np.maximum((z - z.mean(0)) / np.sqrt(z.var(0) + 1e-5), 0)
    np.testing.assert_allclose(history["mean/layers/0"][0], z.mean(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(history["std/layers/0"][0], z.std(), rtol=1e-5)
    np.testing.assert_allclose(history["mean/activations/0"][0], a.mean(), rtol=1e-5)
    np.testing.assert_allclose(history["dead/activations/0"][0], (a <= 0).all(0).mean())
    traced = NET.trace(params, state, jnp.asarray(X), train=True, key=key)  # type: ignore[misc]
    outputs = np.asarray(traced["activations/2"].value, np.float64)
    assert traced["activations/2"].kind == "sigmoid"
    near = np.minimum(outputs, 1 - outputs) <= 0.05
    np.testing.assert_allclose(history["saturated/activations/2"][0], near.mean(), atol=1e-6)
    shares = np.histogram(np.clip(traced["drops/1"].value, -2.999, 2.999), 11, (-3, 3))[0]
    np.testing.assert_allclose(history["histogram/drops/1"][0], shares / shares.sum(), atol=1e-6)
    assert (np.asarray(traced["drops/1"].value) == 0).mean() > 0.3


def test_outputs_come_in_the_order_of_the_calls_with_their_kinds(key: jax.Array) -> None:
    params, state = NET.init(key)
    traced = jax.jit(lambda x: NET.trace(params, state, x, train=True, key=key))(X)  # type: ignore[misc]
    evaluated = NET.trace(params, state, X, train=False)  # type: ignore[misc]
    order = [f"{part}/{i}" for i in range(2) for part in ("layers", "norms", "activations", "drops")]
    assert list(evaluated) == [*order, "layers/2", "activations/2"]
    assert set(traced) == set(evaluated)
    assert [output.kind for output in evaluated.values()][:4] == ["Linear", "BatchNorm", "relu", "Dropout"]
    y = NET.apply(params, state, X, train=False)[0]
    np.testing.assert_array_equal(evaluated["activations/2"].value, y)


class Repeated(nnx.Module):
    """Calls one layer twice, one within a scan, and returns a pair."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.again = Linear(4, 4, rngs=rngs)
        self.inside = nnx.Linear(4, 4, rngs=rngs)

    def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        x = self.again(self.again(x))
        y, _ = jax.lax.scan(lambda carry, _: (self.inside(carry), None), x, length=2)
        return x, y


def test_repeated_calls_are_numbered_and_those_of_a_scan_left_out(key: jax.Array) -> None:
    made = net.functional(Repeated)
    params, state = made.init(key)
    before = nnx.Linear.__call__, Linear.__call__
    for run in (made.trace, jax.jit(made.trace, static_argnames="train")):
        found = run(params, state, jnp.ones((2, 4)), train=False)  # type: ignore[misc]
        assert sorted(found) == ["again", "again#2"]
    assert (nnx.Linear.__call__, Linear.__call__) == before
    assert "__call__" not in vars(Linear)
    with pytest.raises(TypeError):
        made.trace(params, state, "no array", train=False)  # type: ignore[misc]
    assert (nnx.Linear.__call__, Linear.__call__) == before


def test_a_bare_layer_and_a_linen_module_are_traced(key: jax.Array) -> None:
    bare = net.functional(lambda rngs: Linear(6, 2, rngs=rngs))
    (found,) = bare.trace(*bare.init(key), X, train=False).items()  # type: ignore[misc]
    assert (found[0], found[1].kind) == ("output", "Linear")
    stack = net.from_linen(linen.Sequential([linen.Dense(5), linen.relu, linen.Dense(3)]), X[:1])
    params, state = stack.init(key)
    traced = stack.trace(params, state, X, train=True)  # type: ignore[misc]
    assert [(name, output.kind) for name, output in traced.items()] == [
        ("layers_0", "Dense"), ("layers_2", "Dense"),
    ]  # fmt: skip
    np.testing.assert_array_equal(traced["layers_2"].value, stack.apply(params, state, X, train=False)[0])
    record = probe.layers(stack, kinds={"layers_0": "relu"})
    history = fitted(stack, record).history
    assert history["dead/layers_0"].shape == (3,)
    assert "dead/layers_2" not in history


def test_pairs_have_norms_but_no_outputs() -> None:
    made = net.from_pair(lambda key: {"w": jnp.zeros((6, 3))}, lambda params, x: x @ params["w"])
    history = fitted(made, probe.parameters("weight_norm")).history
    assert history["weight_norm/w"][0] == 0
    assert history["weight_norm/w"][1] > 0


def test_records_are_vmapped_with_the_run() -> None:
    made = net.functional(lambda rngs: MLP(MLPConfig(sizes=(6, 3)), rngs=rngs))
    spec = train.Spec(epochs=2, batch_size=20, record=probe.layers(made, bins=5, paths=("layers/0",)))
    run = train.make_train(made, losses.softmax_cross_entropy, RULE, spec)
    keys = jax.random.split(jax.random.key(0), 3)
    data = train.Arrays(jnp.asarray(X), jnp.asarray(Y))
    history = jax.jit(jax.vmap(run, in_axes=(0, None, None, None)))(keys, keys[0], data, {}).history
    assert history["histogram/layers/0"].shape == (3, 2, 5)
    np.testing.assert_allclose(history["histogram/layers/0"].sum(-1), 1, rtol=1e-6)
    assert len({float(norm) for norm in history["gradient_norm/layers/0/kernel"][:, 0]}) == 3


def test_what_cannot_be_recorded_is_named() -> None:
    with pytest.raises(ValueError, match="'paths' is 'activation/0'; expected one of 'layers/0'"):
        fitted(NET, probe.activations(NET, paths=("activation/0",)))
    with pytest.raises(ValueError, match="'paths' is 'hidden'"):
        fitted(NET, probe.activations(NET, kinds={"hidden": "relu"}))
    with pytest.raises(ValueError, match="two that return 'gradient_norm/"):
        fitted(NET, probe.join(probe.parameters(), probe.parameters("gradient_norm")))


def test_a_nan_is_not_hidden() -> None:
    outputs = jnp.array([[jnp.nan, -1.0], [-1.0, -1.0]])
    assert np.isnan(probe.histogram(outputs)).all()
    assert np.isnan(probe.dead(outputs))
    assert np.isnan(probe.saturated(outputs))
    assert np.isnan(probe.norms({"w": outputs})["w"])
    assert np.isinf(probe.norms({"w": jnp.array([jnp.inf, 1.0])})["w"])
    np.testing.assert_allclose(probe.norms({"w": jnp.full(4, 1e-30)})["w"], 2e-30, rtol=1e-6)
