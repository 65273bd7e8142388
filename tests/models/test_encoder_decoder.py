"""The encoder-decoder: what it learns, where it looks, when it stops, and what padding may not touch."""

import dataclasses
import functools
import itertools
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from jaxdl import data, losses, net, optim, train
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.models import EncoderDecoder, EncoderDecoderConfig

# One shape for all tests, as compiling is the cost.
SMALL = EncoderDecoderConfig(7, 7, 5, features=16, embedding=8, units=8, cell="gru")
SOURCE = np.tile(np.array([[4, 5, 6, 4], [5, 6, 0, 0], [6, 0, 0, 0]], np.int32), (10, 1))
TARGET = np.tile(np.array([[3, 4, 2, 0, 0], [4, 2, 0, 0, 0], [3, 3, 3, 3, 3]], np.int32), (10, 1))
KINDS = [
    ("additive", "gru"),
    pytest.param("scaled_dot", "lstm", marks=pytest.mark.slow),
    pytest.param("none", "lstm", marks=pytest.mark.slow),
]


@functools.cache
def network(config: EncoderDecoderConfig) -> net.Net:
    return net.functional(lambda rngs: EncoderDecoder(config, rngs=rngs))


@functools.cache
def started(config: EncoderDecoderConfig) -> tuple[Any, Any]:
    return jax.jit(network(config).init)(jax.random.key(0))


@functools.cache
def program(config: EncoderDecoderConfig) -> Any:
    """Return tokens and weights, or of a target: loss, logits and weights, and the gradients of the loss."""
    graph, shaped = nnx.split(nnx.eval_shape(lambda: EncoderDecoder(config, rngs=nnx.Rngs(0))))

    def model(params: Any) -> EncoderDecoder:
        nnx.replace_by_pure_dict(shaped, params)
        return nnx.merge(graph, shaped)

    def cost(params: Any, x: Any) -> Any:
        logits, weights = model(params)._teach(x["source"], x["target"])
        return losses.sequence_cross_entropy(logits, x["target"], padding=0).sum(), (logits, weights)

    def run(params: Any, x: Any) -> Any:
        if "target" in x:
            return jax.value_and_grad(cost, has_aux=True)(params, x)
        return model(params)._greedy(x["source"])

    return jax.jit(run)


@functools.cache
def searching(beams: int) -> Any:
    made, (_, state) = network(dataclasses.replace(SMALL, beams=beams)), started(SMALL)
    return jax.jit(lambda params: made.apply(params, state, {"source": SOURCE}, train=False)[0])


def changed(params: Any, name: str, row: int, value: float) -> Any:
    """Return parameters with one row of an embedding, or one entry of the bias of the head, replaced."""
    part = "bias" if name == "head" else "embedding"
    return params | {name: params[name] | {part: params[name][part].at[row].set(value)}}


@pytest.mark.parametrize(("attention", "cell"), KINDS)
def test_padding_changes_no_bit(attention: str, cell: str) -> None:
    """NaN in the embedding of the padding, of source and target, which is fed in at every padded step."""
    config = dataclasses.replace(SMALL, attention=attention, cell=cell)
    params, _ = started(config)
    x = {"source": SOURCE, "target": TARGET}
    plain = program(config)(params, x)
    odd = changed(changed(params, "source_embedding", 0, jnp.nan), "target_embedding", 0, jnp.nan)
    jax.tree.map(np.testing.assert_array_equal, plain, program(config)(odd, x))
    (_, (logits, weights)), slopes = plain
    assert (np.asarray(logits)[1, 2] == 0).all()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((logits, weights, slopes)))
    unused = {"source_embedding", "target_embedding"}
    assert all(
        leaf.any() for name, part in slopes.items() for leaf in jax.tree.leaves(part) if name not in unused
    )
    assert not any(slopes[name]["embedding"][0].any() for name in unused)


def test_logits_equal_a_loop() -> None:
    """One example against the formulas, step by step, in float64."""
    params, _ = started(SMALL)
    p = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    (_, (logits, weights)), _ = program(SMALL)(params, {"source": SOURCE, "target": TARGET})

    def sigmoid(x: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-x))

    def gru(cell: Any, x: np.ndarray, h: np.ndarray) -> np.ndarray:
        r, z, n = np.split(x @ cell["input"] + cell["bias"], 3)
        of_r, of_z, of_n = np.split(h @ cell["recurrent"], 3)
        n, z = np.tanh(n + sigmoid(r + of_r) * (of_n + cell["recurrent_bias"])), sigmoid(z + of_z)
        return (1 - z) * n + z * h

    def read(name: str, order: Any) -> np.ndarray:
        h, states = np.zeros(16), {}
        for t in order:
            embedded = p["source_embedding"]["embedding"][SOURCE[1, t]]
            h = states[t] = gru(p["encoder"]["layers"][0][name], embedded, h)
        return np.stack([states[t] for t in sorted(states)])

    forward, backward = read("forward", (0, 1)), read("backward", (1, 0))
    states, look = np.concatenate([forward, backward], 1), p["look"]["scorer"]
    last = np.concatenate([forward[-1], backward[0]])
    h = np.tanh(last @ p["bridge"]["kernel"] + p["bridge"]["bias"])
    for t, token in enumerate((data.START, TARGET[1, 0])):
        scores = np.tanh(h @ look["query_kernel"] + states @ look["key_kernel"]) @ look["vector"]
        alpha = np.exp(scores) / np.exp(scores).sum()
        context = alpha @ states
        embedded = p["target_embedding"]["embedding"][token]
        h = gru(p["decoder"]["layers"][0]["forward"], np.concatenate([embedded, context]), h)
        wanted = np.concatenate([h, context]) @ p["head"]["kernel"] + p["head"]["bias"]
        np.testing.assert_allclose(logits[1, t], wanted, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(weights[1, t], [*alpha, 0, 0], rtol=1e-4, atol=1e-6)


def test_decoding_takes_the_likeliest_token_of_each_step() -> None:
    """Fed with its own tokens, teacher forcing chooses them again, and looks at the same places."""
    params, _ = started(SMALL)
    tokens, weights = program(SMALL)(params, {"source": SOURCE})
    (_, (logits, again)), _ = program(SMALL)(params, {"source": SOURCE, "target": tokens})
    there = np.asarray(tokens) != 0
    best = np.argmax(np.asarray(logits)[..., 2:], axis=-1) + 2
    np.testing.assert_array_equal(np.where(there, best, 0), tokens)
    np.testing.assert_allclose(weights, again, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("beams", [1, 27])
def test_decoding_stops_at_the_end(beams: int) -> None:
    run, (params, _) = searching(beams), started(SMALL)
    np.testing.assert_array_equal(run(changed(params, "head", 2, 99.0)), [[2, 0, 0, 0, 0]] * 30)
    endless = np.asarray(run(changed(params, "head", 2, -99.0)))
    assert endless.shape == (30, SMALL.target_steps)
    assert (endless > 2).all()
    start = np.asarray(run(changed(changed(params, "head", 1, 99.0), "head", 0, 99.0)))
    assert not (start == 1).any()
    assert (start[:, 0] != 0).all()


def test_a_wide_search_finds_the_likeliest_translation() -> None:
    """No translation of two tokens is likelier than what so many beams find, nor is the greedy one."""
    params = jax.tree.map(lambda leaf: 4 * leaf, started(SMALL)[0])
    found = searching(27)(params)

    def log_probability(tokens: Any) -> np.ndarray:
        (_, (logits, _)), _ = program(SMALL)(params, {"source": SOURCE, "target": tokens})
        logits = jnp.where(jnp.arange(7) < 2, -jnp.inf, logits)
        return np.asarray(-losses.sequence_cross_entropy(logits, tokens, padding=0))

    best = log_probability(found)
    assert (best >= log_probability(program(SMALL)(params, {"source": SOURCE})[0]) - 1e-5).all()
    for tokens in itertools.product((3, 4, 5, 6), repeat=2):
        assert (best >= log_probability(jnp.array([[*tokens, 2, 0, 0]] * 30, jnp.int32)) - 1e-5).all()


@pytest.mark.parametrize("bad", [[0, 0, 0, 0], [4, 0, 5, 0], [4, 7, 0, 0], [4, -1, 0, 0]])
def test_a_malformed_source_poisons_its_own_example(bad: list[int]) -> None:
    params, _ = started(SMALL)
    source = SOURCE.copy()
    source[1] = bad
    tokens, weights = program(SMALL)(params, {"source": source})
    good, looks = program(SMALL)(params, {"source": SOURCE})
    np.testing.assert_array_equal(tokens[1], -1)
    assert np.isnan(weights[1]).all()
    (_, (logits, _)), _ = program(SMALL)(params, {"source": source, "target": TARGET})
    assert np.isnan(logits[1]).all()
    for other in (0, 2):
        np.testing.assert_array_equal(tokens[other], good[other])
        np.testing.assert_array_equal(weights[other], looks[other])
        assert np.isfinite(logits[other]).all()


@pytest.mark.parametrize("bad", [[0, 0, 0, 0, 0], [3, 0, 2, 0, 0], [3, 7, 2, 0, 0], [-1, 2, 0, 0, 0]])
def test_a_malformed_target_poisons_its_own_example(bad: list[int]) -> None:
    params, _ = started(SMALL)
    target = TARGET.copy()
    target[1] = bad
    (_, (logits, _)), _ = program(SMALL)(params, {"source": SOURCE, "target": target})
    assert np.isnan(logits[1]).all()
    assert np.isfinite(np.asarray(logits)[[0, 2]]).all()


def test_weights_of_attention_for_pictures() -> None:
    params, state = started(SMALL)
    tokens, weights = program(SMALL)(params, {"source": SOURCE})
    np.testing.assert_allclose(np.asarray(weights).sum(-1), np.asarray(tokens) != 0, rtol=1e-5)
    assert (np.asarray(weights)[SOURCE[:, None].repeat(5, 1) == 0] == 0).all()
    made = network(SMALL)
    traced = jax.jit(lambda x: made.trace(params, state, x, train=False)["attention_map"].value)
    np.testing.assert_allclose(traced({"source": SOURCE}), weights, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("attention", "beams"), [("additive", 1), ("dot", 2), ("none", 1)])
def test_the_method_that_returns_weights(attention: str, beams: int) -> None:
    config = dataclasses.replace(SMALL, attention=attention, beams=beams)
    graph, shaped = nnx.split(nnx.eval_shape(lambda: EncoderDecoder(config, rngs=nnx.Rngs(0))))

    def look(x: Any) -> Any:
        return jax.eval_shape(lambda shaped: nnx.merge(graph, shaped).attention_weights(x), shaped)

    for x in ({"source": SOURCE}, {"source": SOURCE, "target": TARGET}):
        if attention == "none":
            with pytest.raises(ValueError, match="expected a network with attention"):
                look(x)
        else:
            assert look(x).shape == (30, 5, 4)


def test_learns_to_reverse() -> None:
    """Sequences of one to four of three tokens, a quarter of them never seen."""
    words = [word for n in (1, 2, 3, 4) for word in itertools.product((4, 5, 6), repeat=n)]
    order = np.random.default_rng(0).permutation(len(words))
    source, _ = data.pad([words[i] for i in order])
    target, _ = data.pad([[*reversed(words[i]), 2] for i in order])
    rule = optax.chain(optim.clip_by_global_norm(1.0), optim.adam(0.02))

    @jax.jit
    def update(params: Any, state: Any, gradients: Any) -> tuple[Any, Any]:
        updates, state = rule.update(gradients, state)
        return optax.apply_updates(params, updates), state

    params, _ = started(SMALL)
    state, rng = jax.jit(rule.init)(params), np.random.default_rng(1)
    for _ in range(150):
        rows = rng.choice(90, 30, replace=False)
        _, slopes = program(SMALL)(params, {"source": source[rows], "target": target[rows]})
        params, state = update(params, state, jax.tree.map(lambda leaf: leaf / 30, slopes))
    said, _ = program(SMALL)(params, {"source": source[90:]})
    assert (np.asarray(said) == target[90:]).all(1).mean() >= 0.9


def test_fit_and_a_member_of_a_sweep_are_the_same() -> None:
    """Two batches of four by three epochs, the target both an input and what is told."""
    config = EncoderDecoderConfig(6, 6, 3, features=4, embedding=3, units=4, cell="gru")
    made, rng = network(config), np.random.default_rng(0)
    # NumPy draws the parameters: an orthogonal start costs most to compile.
    shapes = jax.eval_shape(made.init, jax.random.key(0))
    drawn = jax.tree.map(lambda leaf: rng.normal(scale=0.5, size=leaf.shape).astype(leaf.dtype), shapes)
    made = dataclasses.replace(made, init=lambda key: jax.tree.map(jnp.asarray, drawn))
    source = rng.integers(3, 6, (8, 3)).astype(np.int32)
    target = source[:, ::-1] * np.array([1, 1, 0], np.int32) + np.array([0, 0, 2], np.int32)
    options: dict[str, Any] = {
        "loss": functools.partial(losses.sequence_cross_entropy, padding=0), "epochs": 3, "batch_size": 4,
        "optimizer": lambda hyper: optax.sgd(hyper["learning_rate"]), "progress": "off",
    }  # fmt: skip
    examples = ({"source": source, "target": target}, target)
    fitted = train.fit(made, examples, seed=3, hyper={"learning_rate": 0.1}, **options)
    assert fitted.history["loss"][-1] < fitted.history["loss"][0]
    grid = train.points.grid(learning_rate=[0.0, 0.1])
    sweep = train.sweep(made, examples, seeds=3, hyper=grid, strategy="scan", **options)
    jax.tree.map(np.testing.assert_array_equal, sweep.member(1).params, fitted.params)
    jax.tree.map(np.testing.assert_array_equal, sweep.member(0).params, drawn[0])


def test_dropout_by_the_name_of_a_hyperparameter() -> None:
    made = network(dataclasses.replace(SMALL, dropout="dropout"))
    params, state = started(SMALL)
    x = {"source": SOURCE, "target": TARGET}

    @jax.jit
    def logits(rate: jax.Array) -> jax.Array:
        return made.apply(params, state, x, train=True, key=jax.random.key(0), hyper={"dropout": rate})[0]

    (_, (plain, _)), _ = program(SMALL)(params, x)
    np.testing.assert_allclose(logits(jnp.float32(0.0)), plain, rtol=1e-4, atol=1e-5)
    assert abs(logits(jnp.float32(0.5)) - plain).max() > 0.1
    with pytest.raises(DtypeError, match="key"):
        made.apply(params, state, x, train=True, hyper={"dropout": 0.5})


def test_a_saved_network_is_built_again(tmp_path: Path) -> None:
    params, state = started(SMALL)
    model = train.Loaded(network(SMALL), params, state, None, None, None)
    again = train.load(train.save(tmp_path / "model.safetensors", model))
    assert again.net.config == SMALL
    jax.tree.map(np.testing.assert_array_equal, again.params, params)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"source_vocabulary": 3}, ValueError, "'source_vocabulary' is 3; expected at least 4"),
        ({"target_vocabulary": 2.5}, DtypeError, "a whole number"),
        ({"target_steps": 0}, ValueError, "'target_steps' is 0"),
        ({"features": 0}, ValueError, "'features' is 0"),
        ({"beams": 0}, ValueError, "'beams' is 0"),
        ({"cell": "rnn"}, ValueError, "one of 'lstm', 'gru'"),
        ({"attention": None}, ValueError, "one of 'additive', 'dot', 'scaled_dot', 'none'"),
        ({"dropout": 1.0}, ValueError, "'dropout' is 1.0"),
    ],
)
def test_configs_refuse(change: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        dataclasses.replace(SMALL, **change)


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (SOURCE[0], ShapeError, r"'x' is of shape \(4,\); expected \(batch, time\)"),
        (SOURCE[:, :0], ShapeError, "one step or more"),
        (SOURCE.astype(np.float32), DtypeError, "of dtype float32"),
        ({"source": SOURCE, "target": TARGET[0]}, ShapeError, r"x\['target'\]' is of shape \(5,\)"),
        ({"source": SOURCE, "target": TARGET[:2]}, ShapeError, r"30 sequences, as many as in x\['source'\]"),
        ({"source": SOURCE, "target": np.tile(TARGET, (1, 3))}, ShapeError, "at most target_steps="),
        ({"target": TARGET}, ValueError, r"a dict of \['target'\]; expected 'source'"),
        (
            {"source": SOURCE, "lengths": SOURCE[:, 0]},
            ValueError,
            "Fix: {'source': tokens, 'target': tokens}",
        ),
    ],
)
def test_inputs_are_checked(x: Any, error: type[Exception], words: str) -> None:
    params, state = started(SMALL)
    with pytest.raises(error, match=words):
        network(SMALL).apply(params, state, x, train=False)
