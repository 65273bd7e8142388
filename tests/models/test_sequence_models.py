"""The networks of sequences: padding by a bit, both directions, the door, fit, sweep and model files."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxdl import losses, net, optim, probe, train
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.models import SequenceClassifier, SequenceClassifierConfig, SequenceTagger, SequenceTaggerConfig

BATCH, TIME, FEATURES = 3, 5, 2
LENGTHS = np.array([5, 2, 4], np.int32)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(BATCH, TIME, FEATURES)).astype(np.float32)
TOKENS = np.array([[1, 2, 3, 1, 3], [2, 3, 0, 0, 0], [3, 1, 2, 2, 0]], np.int32)
INSIDE = np.arange(TIME) < LENGTHS[:, None]
CLASSIFIER = SequenceClassifierConfig(in_features=FEATURES, num_classes=2, widths=(3,))
TAGGER = SequenceTaggerConfig(in_features=FEATURES, num_classes=2, widths=(3,))
DEEP = {"widths": (3, 2), "bidirectional": True, "cell": "rnn"}


def network(config: Any) -> net.Net:
    kind = SequenceTagger if isinstance(config, SequenceTaggerConfig) else SequenceClassifier
    return net.functional(lambda rngs: kind(config, rngs=rngs))


def started(config: Any) -> net.Net:
    """The network with parameters that NumPy draws: an orthogonal start costs most to compile."""
    made, rng = network(config), np.random.default_rng(1)
    shapes = jax.eval_shape(made.init, jax.random.key(0))
    drawn = jax.tree.map(lambda leaf: rng.normal(scale=0.5, size=leaf.shape).astype(leaf.dtype), shapes)
    return dataclasses.replace(made, init=lambda key: jax.tree.map(jnp.asarray, drawn))


def filled(value: float) -> dict[str, np.ndarray]:
    return {"sequence": np.where(INSIDE[..., None], X, np.float32(value)), "lengths": LENGTHS}


@pytest.mark.parametrize(
    "config",
    [
        CLASSIFIER,
        dataclasses.replace(CLASSIFIER, pooling="mean", cell="gru"),
        dataclasses.replace(TAGGER, **DEEP),
    ],
    ids=["last", "mean", "tagger"],
)
def test_what_stands_in_padding_changes_no_bit(config: Any) -> None:
    made = started(config)
    params, state = made.init(jax.random.key(0))

    @jax.jit
    def run(x: Any) -> Any:
        def total(params: Any, sequence: Any) -> Any:
            y, _ = made.apply(params, state, {**x, "sequence": sequence}, train=True, key=jax.random.key(1))
            return jnp.sum(jnp.sin(y)), y

        (_, y), gradients = jax.value_and_grad(total, argnums=(0, 1), has_aux=True)(params, x["sequence"])
        return y, gradients

    plain, *others = (run(filled(value)) for value in (0.0, 7.0, np.nan))
    for other in others:
        jax.tree.map(np.testing.assert_array_equal, plain, other)
    y, (gradients, of_inputs) = plain
    assert all(np.isfinite(leaf).all() and np.any(leaf) for leaf in jax.tree.leaves(gradients))
    assert not np.any(np.asarray(of_inputs)[~INSIDE])
    if isinstance(config, SequenceTaggerConfig):
        assert not np.any(np.asarray(y)[~INSIDE])
    bad = run({**filled(0.0), "lengths": np.array([5, 0, 6], np.int32)})
    assert np.isfinite(bad[0][0]).all()
    assert np.isnan(bad[0][1:]).all()


def test_each_sequence_is_told_as_if_it_were_alone() -> None:
    """The pooled state and the tags of a ragged batch against each sequence cut to its length."""
    last = dataclasses.replace(CLASSIFIER, bidirectional=True, cell="rnn")
    for config in (last, dataclasses.replace(last, pooling="mean"), TAGGER):
        made = started(config)
        params, _ = made.init(jax.random.key(0))
        run = jax.jit(lambda *xs, made=made, p=params: [made.apply(p, {}, x, train=False)[0] for x in xs])
        whole, alone = run(filled(3.0), X[1:2, : LENGTHS[1]])
        got = whole[1, : LENGTHS[1]] if config is TAGGER else whole[1]
        np.testing.assert_allclose(got, alone[0], rtol=1e-5, atol=1e-6)


def test_tokens_tell_their_lengths_and_those_out_of_range_are_no_number() -> None:
    config = dataclasses.replace(TAGGER, vocabulary=4)
    made = started(config)
    params, state = made.init(jax.random.key(0))
    run = jax.jit(lambda x: made.apply(params, state, x, train=False)[0])
    table, y = np.asarray(params["embedding"]["embedding"]), run(TOKENS)
    plain = network(TAGGER)
    given = {"sequence": table[TOKENS], "lengths": LENGTHS}
    rest = {name: value for name, value in params.items() if name != "embedding"}
    np.testing.assert_array_equal(y, plain.apply(rest, {}, given, train=False)[0])
    told = {"sequence": np.where(INSIDE, TOKENS, 99), "lengths": LENGTHS}
    np.testing.assert_array_equal(y, made.apply(params, state, told, train=False)[0])
    for place, token in (((0, 1), 4), ((0, 2), -1), ((0, 2), 0)):
        wrong = TOKENS.copy()
        wrong[place] = token
        found = np.asarray(run(wrong))
        assert np.isnan(found[0]).any()
        np.testing.assert_array_equal(found[1:], y[1:])


# The least to compile.
SIMPLE = dataclasses.replace(TAGGER, cell="rnn")


def rule(hyper: Any) -> Any:
    return optim.adam(hyper["learning_rate"])


def of_tags(logits: jax.Array, targets: Any) -> jax.Array:
    return losses.sequence_cross_entropy(logits, targets["tags"], lengths=targets["lengths"])


@pytest.fixture(scope="module")
def fitted() -> Callable[[float], train.Fitted]:
    made = started(SIMPLE)
    targets = {"tags": (X[..., 0] > 0).astype(np.int32), "lengths": LENGTHS}

    def fit(value: float) -> train.Fitted:
        return train.fit(made, (filled(value), targets), loss=of_tags, optimizer=rule, seed=3,
                         hyper={"learning_rate": 0.1}, epochs=2, batch_size=3, progress="off")  # fmt: skip

    return fit


def test_fit_and_a_member_of_a_sweep_are_the_same_whatever_the_padding(
    fitted: Callable[[float], train.Fitted], tmp_path: Path
) -> None:
    first, second = fitted(0.0), fitted(1e30)
    jax.tree.map(np.testing.assert_array_equal, first.params, second.params)
    targets = {"tags": (X[..., 0] > 0).astype(np.int32), "lengths": LENGTHS}
    sweep = train.sweep(
        first.net, (filled(5.0), targets), loss=of_tags, optimizer=rule, seeds=3, epochs=2, batch_size=3,
        hyper=train.points.grid(learning_rate=[0.01, 0.1]), strategy="scan", progress="off",
    )  # fmt: skip
    jax.tree.map(np.testing.assert_array_equal, sweep.member(1).params, first.params)
    model = train.load(train.save(tmp_path / "tagger.safetensors", first))
    assert model.config == SIMPLE
    np.testing.assert_array_equal(model.predict(filled(2.0)), first.predict(filled(0.0)))


def test_modules_that_return_a_carry_are_seen_inside() -> None:
    made = network(dataclasses.replace(CLASSIFIER, dropout=0.5))
    params, state = jax.eval_shape(made.init, jax.random.key(0))
    seen = jax.eval_shape(
        lambda p, s, x, key: made.trace(p, s, x, train=True, key=key), params, state, filled(0.0),
        jax.random.key(0),
    )  # fmt: skip
    whole = {"layers/0/0": (3, 5, 3), "layers/0/1/0": (3, 3), "layers/0/1/1": (3, 3)}
    assert {name: seen[name].value.shape for name in whole} == whole
    record = probe.activations(made, "mean", paths=("layers/0/0", "head"))
    step = train.Step(params, state, *[None] * 3, filled(0.0), None, jax.random.key(0), {})
    assert set(jax.eval_shape(record, step)) == {"mean/layers/0/0", "mean/head"}


def test_the_table_counts_every_step_and_finds_no_idle_bias() -> None:
    config = dataclasses.replace(TAGGER, vocabulary=4)
    table = net.summary(started(config), jax.ShapeDtypeStruct((1, TIME), jnp.int32))
    assert table.macs == TIME * (FEATURES + 3) * 12 + TIME * 3 * 2
    assert table.warnings == ()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"widths": ()}, ValueError, "at least one layer"),
        ({"widths": 8}, DtypeError, r"Fix: widths=\(8,\)"),
        ({"cell": "transformer"}, ValueError, "one of 'rnn', 'gru', 'lstm'"),
        ({"num_classes": 0}, ValueError, "at least 1"),
        ({"vocabulary": -1}, ValueError, "at least 0"),
        ({"bidirectional": "yes"}, ValueError, "one of True, False"),
        ({"dropout": 1.0}, ValueError, r"\[0, 1\)"),
        ({"pooling": "max"}, ValueError, "one of 'last', 'mean'"),
    ],
)
def test_configs_refuse(change: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        dataclasses.replace(CLASSIFIER, **change)


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (X[0], ShapeError, r"x\[None\] for a single sequence"),
        (X[..., :1], ShapeError, "in_features=1"),
        (X[:, :0], ShapeError, "one step or more"),
        (TOKENS, DtypeError, "floating"),
        ({"sequence": X}, ValueError, r"expected a dict of \['lengths', 'sequence'\]"),
        ({"sequence": X, "lengths": LENGTHS[:2]}, ShapeError, r"\(3,\)"),
        ({"sequence": X, "lengths": LENGTHS - 2}, ValueError, r"lengths\[1\]' is 0"),
        ({"sequence": X, "lengths": LENGTHS + 1}, ValueError, r"within \[1, 5\]"),
        ({"sequence": X, "lengths": LENGTHS / 1}, DtypeError, "integer"),
    ],
)
def test_inputs_are_checked(x: Any, error: type[Exception], words: str) -> None:
    model = nnx.eval_shape(lambda: SequenceClassifier(CLASSIFIER, rngs=nnx.Rngs(0)))
    with pytest.raises(error, match=words):
        model(x)


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [(X, DtypeError, "integer"), (TOKENS[0], ShapeError, r"\(batch, time\) tokens"),
     (TOKENS * 0, ValueError, r"lengths\[0\]' is 0")],
)  # fmt: skip
def test_tokens_are_checked(x: Any, error: type[Exception], words: str) -> None:
    config = dataclasses.replace(TAGGER, vocabulary=4)
    model = nnx.eval_shape(lambda: SequenceTagger(config, rngs=nnx.Rngs(0)))
    with pytest.raises(error, match=words):
        model(x)
