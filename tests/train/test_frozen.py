"""Frozen parts: bit-identical parameters and statistics, whatever the rule, the network or the label."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from common import DATA, KEYS, LOSS, X, Y
from flax import linen

from jaxdl import _trees, net, optim
from jaxdl.errors import DtypeError
from jaxdl.models import MLP, MLPConfig
from jaxdl.train import Spec, fit, make_program, make_train


class LinenMLP(linen.Module):
    @linen.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        for _ in range(2):
            x = linen.relu(linen.BatchNorm(use_running_average=not train, momentum=0.9)(linen.Dense(8)(x)))
        return linen.Dense(3)(x)


class Called(linen.Module):
    """The same, with the mode given to the call of the norm by position."""

    @linen.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        for _ in range(2):
            x = linen.relu(linen.BatchNorm(momentum=0.9)(linen.Dense(8)(x), not train))
        return linen.Dense(3)(x)


CONFIG = MLPConfig(sizes=(4, 8, 8, 3), batch_norm=True)
NETS = {
    "nnx": net.functional(lambda rngs: MLP(CONFIG, rngs=rngs)),
    "linen": net.from_linen(LinenMLP(), X[:1]),
    "called": net.from_linen(Called(), X[:1]),
}
LABELS = {
    "nnx": ("layers/0", "norms/0"),
    "linen": ("Dense_0", "BatchNorm_0"),
    "called": ("Dense_0", "BatchNorm_0"),
}
RULES = {"momentum": optim.momentum(0.1), "adamw": optim.adamw(0.01, weight_decay=0.1)}
NORM, MOMENTS = ["norms/0/bias", "norms/0/scale"], ["norms/0/mean", "norms/0/var"]
PARAMS, STATE = jax.eval_shape(NETS["nnx"].init, jax.random.key(0))


def start(network: net.Net) -> Any:
    return network.init(jax.random.split(KEYS[0])[0])


def run(network: net.Net, rule: Any, **options: Any) -> Any:
    train = make_train(network, LOSS, rule, Spec(epochs=2, batch_size=10, **options))
    return jax.jit(train)(*KEYS, DATA, {})


def moved(before: Any, after: Any) -> dict[str, bool]:
    old, new = _trees.named_leaves(before), _trees.named_leaves(after)
    return {name: np.asarray(old[name]).tobytes() != np.asarray(new[name]).tobytes() for name in old}


@pytest.mark.parametrize(("kind", "rule"), [("nnx", "momentum"), ("nnx", "adamw"), ("linen", "adamw")])
def test_frozen_leaves_keep_every_bit_and_others_move(kind: str, rule: str) -> None:
    program = make_program(NETS[kind], LOSS, RULES[rule], Spec(2, 10, frozen=optim.frozen(LABELS[kind])))
    before = jax.jit(program.start)(*KEYS, DATA, {})
    result = jax.jit(program.advance)(before, 2, DATA, {})
    for trees in ((before.params, result.params), (before.state, result.state)):
        for name, changed in moved(*trees).items():
            inner = name.removeprefix("batch_stats/")
            held = any(inner.startswith(f"{label}/") for label in LABELS[kind])
            assert changed != held, name
    kernels = [leaf for leaf in jax.tree.leaves(result.opt_state) if leaf.shape == (4, 8)]
    assert kernels == []
    assert [leaf for leaf in jax.tree.leaves(result.opt_state) if leaf.shape == (8, 8)]
    assert int(result.health.step) == -1


def test_negative_zero_stays_negative() -> None:
    network = net.from_pair(
        lambda key: {"a": jnp.full((4, 3), -0.0), "b": jnp.zeros(3)}, lambda p, x: x @ p["a"] + p["b"][None]
    )
    result = run(network, RULES["momentum"], frozen=optim.frozen("a"))
    assert np.signbit(result.params["a"]).all()
    assert np.asarray(result.params["b"]).any()


@pytest.mark.parametrize("kind", NETS)
def test_a_frozen_norm_normalises_as_asked(kind: str) -> None:
    network, labels = NETS[kind], LABELS[kind]
    params, state = network.init(KEYS[0])
    held = network.hold(frozenset(labels))  # type: ignore[misc]
    outputs = {
        "held": held.apply(params, state, X, train=True)[0],
        "train": network.apply(params, state, X, train=True)[0],
        "eval": network.apply(params, state, X, train=False)[0],
    }
    assert not np.allclose(outputs["held"], outputs["train"], atol=1e-2)
    assert not np.allclose(outputs["held"], outputs["eval"], atol=1e-2)
    both = network.hold(frozenset([labels[1], labels[1].replace("0", "1")]))  # type: ignore[misc]
    np.testing.assert_allclose(both.apply(params, state, X, train=True)[0], outputs["eval"], rtol=1e-6)
    np.testing.assert_array_equal(held.apply(params, state, X, train=False)[0], outputs["eval"])


def test_statistics_of_the_batch_or_of_the_run() -> None:
    rule = optim.sgd(0.0)
    found = {
        name: run(NETS["nnx"], rule, frozen=optim.frozen("norms", statistics=name))
        for name in ("running", "batch")
    }
    params, state = start(NETS["nnx"])
    for train, name in ((True, "batch"), (False, "running")):
        outputs = NETS["nnx"].apply(params, state, DATA.inputs, train=train)[0]
        if name == "running":
            loss = float(LOSS(outputs, DATA.targets).mean())
            assert float(found[name].history["loss"][0]) == pytest.approx(loss, rel=1e-5)
        assert not any(moved(state, found[name].state).values())
    assert float(found["batch"].history["loss"][0]) != pytest.approx(
        float(found["running"].history["loss"][0])
    )


def test_gradients_of_frozen_parameters_are_zero() -> None:
    def norm(step: Any) -> dict[str, jax.Array]:
        held = step.gradients["layers"][0]
        return {"whole": optim.gradient_norm(step), "held": optim.gradient_norm(held)}

    history = run(NETS["nnx"], RULES["momentum"], frozen=optim.frozen("layers/0"), record=norm).history
    assert (np.asarray(history["held"]) == 0).all()
    assert (np.asarray(history["whole"]) > 0).all()


@pytest.mark.parametrize(
    ("labels", "params", "state"),
    [
        ("norms/0", NORM, MOMENTS),
        (NORM, NORM, MOMENTS),
        ("norms/0/bias", ["norms/0/bias"], []),
        ("norms/0/mean", [], ["norms/0/mean"]),
        ({"layers": False, "norms": {0: True, 1: False}}, NORM, MOMENTS),
        (lambda path: path.startswith("norms/0"), NORM, MOMENTS),
        (lambda path: path.endswith("/kernel"), [f"layers/{i}/kernel" for i in range(3)], []),
    ],
)
def test_what_a_label_means(labels: Any, params: list[str], state: list[str]) -> None:
    masks = optim.frozen(labels).masks(PARAMS, STATE)
    found = [[name for name, hold in _trees.named_leaves(mask).items() if hold] for mask in masks]
    assert found == [params, state]


def test_statistics_of_a_norm_without_parameters_follow_the_module_around_it() -> None:
    params = {"block": {"dense": {"kernel": jnp.ones((2, 2))}}, "head": {"kernel": jnp.ones((2, 2))}}
    state = {"block": {"norm": {"mean": jnp.ones(2)}}}
    masks = [optim.frozen(label).masks(params, state)[1] for label in ("block/dense", "block", "head")]
    assert [mask["block"]["norm"]["mean"] for mask in masks] == [True, True, False]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ("layer/0", "'layer/0', which matches nothing.*choose from layers/0, layers/1"),
        (["layers/0", "layers/01"], "'layers/01', which matches nothing"),
        ({"layers": {9: True}}, "'layers/9'"),
        ({"layers": {0: True}, "convolutions": False}, "'convolutions'"),
        (lambda path: False, "a function that chooses nothing"),
    ],
)
def test_a_label_that_matches_nothing_is_an_error(labels: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make_train(NETS["nnx"], LOSS, RULES["momentum"], Spec(1, 10, frozen=optim.frozen(labels)))


def test_spec_and_nets_of_ones_own_say_what_they_need() -> None:
    with pytest.raises(DtypeError, match=r"'frozen' is a str.*optim.frozen\('layers/0'\)"):
        Spec(1, 10, frozen="layers/0")  # type: ignore[arg-type]
    own = net.Net(NETS["nnx"].init, NETS["nnx"].apply)
    with pytest.raises(ValueError, match="statistics='batch'"):
        make_train(own, LOSS, RULES["momentum"], Spec(1, 10, frozen=optim.frozen("norms/0")))
    frozen = optim.frozen("norms/0", statistics="batch")
    make_train(own, LOSS, RULES["momentum"], Spec(1, 10, frozen=frozen))


def test_fit_freezes_too_and_compiles_once() -> None:
    fitted = [
        fit(NETS["nnx"], (X, Y), loss=LOSS, optimizer=RULES["momentum"], epochs=1, batch_size=35,
            progress="off", frozen=optim.frozen(["layers/0", "norms"]))
        for _ in range(2)
    ]  # fmt: skip
    initial = jax.jit(NETS["nnx"].init)(jax.random.split(jax.random.split(jax.random.key(0))[0])[0])[0]
    np.testing.assert_array_equal(fitted[0].params["layers"][0]["kernel"], initial["layers"][0]["kernel"])
    assert fitted[1].timing.compile < fitted[0].timing.compile / 5


def test_a_loop_of_ones_own_wraps_the_rule() -> None:
    params = {"a": jnp.ones((2, 2)), "b": jnp.ones((2, 2))}
    rule = optim.frozen("a").wrap(optim.adamw(0.1))
    updates, state = rule.update(params, rule.init(params), params)
    assert not np.asarray(updates["a"]).any()
    assert np.asarray(updates["b"]).all()
    assert len([leaf for leaf in jax.tree.leaves(state) if leaf.shape == (2, 2)]) == 2
    assert float(optim.learning_rate(state)) == pytest.approx(0.1)


def test_biases_may_be_trained_alone_by_a_rule_with_weight_decay() -> None:
    labels = optim.frozen(lambda path: "kernel" in path)
    params = {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}
    gradients = jax.tree.map(lambda w: 0.5 * w, params)
    for rule, plain in (
        (optim.adamw(0.1, weight_decay=0.5), optim.adam(0.1)),
        (optax.chain(optim.weight_decay(0.5), optim.sgd(0.1)), optim.sgd(0.1)),
    ):
        held, bare = labels.wrap(rule), labels.wrap(plain)
        found, _ = held.update(gradients, held.init(params), params)
        wanted, _ = bare.update(gradients, bare.init(params), params)
        jax.tree.map(np.testing.assert_array_equal, found, wanted)
        assert found["bias"].all()
        assert not found["kernel"].any()
        with pytest.raises(ValueError, match="without any weight"):
            rule.init({"bias": jnp.ones(2)})
    program = make_program(NETS["nnx"], LOSS, RULES["adamw"], Spec(2, 10, frozen=labels))
    before = jax.jit(program.start)(*KEYS, DATA, {})
    result = jax.jit(program.advance)(before, 2, DATA, {})
    for name, changed in moved(before.params, result.params).items():
        assert changed != name.endswith("kernel"), name
