"""The language model: what padding changes, its steps, its classes; vectors of tokens; counting trigrams."""

import collections
import math
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxdl import losses, net, optim, sampling, train
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.layers import Embedding
from jaxdl.models import LanguageModel, LanguageModelConfig, ngram
from jaxdl.train import model_file

SMALL: dict[str, Any] = {"vocabulary_size": 8, "features": 5, "embedding_features": 3}
TOKENS = np.array([[1, 4, 5, 6, 7], [1, 6, 0, 0, 0], [1, 4, 7, 0, 0]], np.int32)
CONFIGS = {
    "lstm": LanguageModelConfig(**SMALL),
    "classes": LanguageModelConfig(**SMALL, cell="gru", num_layers=2, num_classes=3, dropout=0.5),
}


def network(config: LanguageModelConfig) -> net.Net:
    return net.functional(lambda rngs: LanguageModel(config, rngs=rngs))


NETS = {name: network(config) for name, config in CONFIGS.items()}
STARTED = {name: made.init(jax.random.key(3)) for name, made in NETS.items()}


@jax.jit
def outputs(tokens: jax.Array) -> jax.Array:
    return NETS["lstm"].apply(*STARTED["lstm"], tokens, train=False)[0]


def test_padding_changes_nothing() -> None:
    logits = np.asarray(outputs(TOKENS))
    assert logits.shape == (3, 5, 8)
    assert (logits[TOKENS == 0] == 0).all()
    assert (logits[TOKENS != 0] != 0).all()
    alone = np.array([[1, 6], [1, 4]], np.int32)
    np.testing.assert_allclose(outputs(alone)[0], logits[1, :2], rtol=1e-5, atol=1e-6)
    others = TOKENS.copy()
    others[1:] = [1, 7, 7, 7, 0]
    np.testing.assert_array_equal(outputs(others)[0], logits[0])


def test_a_text_of_padding_alone_has_no_gradient() -> None:
    @jax.jit
    def slope(tokens: jax.Array) -> Any:
        def cost(params: Any) -> jax.Array:
            return jnp.sum(NETS["lstm"].apply(params, STARTED["lstm"][1], tokens, train=False)[0] ** 2)

        return jax.grad(cost)(STARTED["lstm"][0])

    text = jnp.array([[1, 5, 0]])
    first, second = slope(jnp.concatenate([text, 0 * text])), slope(jnp.concatenate([0 * text, text]))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), first, second)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(first))


def test_what_comes_later_is_not_seen() -> None:
    other = TOKENS.copy()
    other[0, 3:] = 5
    before, after = outputs(TOKENS)[0], outputs(other)[0]
    np.testing.assert_array_equal(before[:3], after[:3])
    assert (before[3:] != after[3:]).any()


@pytest.mark.parametrize("wrong", [[1, 0, 4, 0, 0], [1, 8, 4, 0, 0], [1, -1, 4, 0, 0]])
def test_bad_tokens_poison_their_own_text(wrong: list[int]) -> None:
    spoiled = TOKENS.copy()
    spoiled[1] = wrong
    logits = outputs(spoiled)
    assert np.isnan(logits[1, 2]).all()
    np.testing.assert_array_equal(logits[jnp.array([0, 2])], outputs(TOKENS)[jnp.array([0, 2])])


def test_steps_and_pieces_are_the_whole() -> None:
    classes = np.array([0, 2, 1], np.int32)
    made, (params, state) = NETS["classes"], STARTED["classes"]
    tokens = np.where(TOKENS == 0, 5, TOKENS)

    @jax.jit
    def each() -> Any:
        model = made.bind(params, state)  # type: ignore[misc]
        whole = made.apply(params, state, {"tokens": tokens, "classes": classes}, train=False)[0]
        carry = model.initial(3, classes)
        first, after = model.run(tokens[:, :2], carry)
        rest, _ = model.run(tokens[:, 2:], after)
        stepped = jax.lax.scan(lambda c, t: model.step(c, t), carry, jnp.asarray(tokens).T)[1]
        return (
            whole,
            jnp.concatenate([first, rest], 1),
            jnp.swapaxes(stepped, 0, 1),
            model.initial(3, classes),
        )

    whole, pieces, stepped, carry = each()
    np.testing.assert_allclose(pieces, whole, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(stepped, whole, rtol=1e-5, atol=1e-6)
    assert [leaf.shape for leaf in jax.tree.leaves(carry)] == [(3, 5)] * 2
    assert np.ptp(np.asarray(carry[0]), axis=0).min() > 0


def test_it_is_saved_and_bound(tmp_path: Path) -> None:
    params, state = STARTED["classes"]
    untrained = model_file.Loaded(NETS["classes"], params, state, CONFIGS["classes"], None, None)
    loaded = train.load(train.save(tmp_path / "model.safetensors", untrained))
    assert loaded.config == CONFIGS["classes"]
    model = loaded.net.bind(loaded.params, loaded.state)  # type: ignore[misc]
    np.testing.assert_array_equal(model.embedding.embedding[...], params["embedding"]["embedding"])
    with pytest.raises(ShapeError, match=r"Net.bind: argument 'params"):
        loaded.net.bind(STARTED["lstm"][0], state)  # type: ignore[misc]


@pytest.mark.slow
def test_it_learns_a_text_of_each_class_by_heart() -> None:
    texts = np.array([[1, 4, 5, 6, 2, 0], [1, 7, 7, 2, 0, 0]], np.int32)
    config = LanguageModelConfig(**SMALL | {"features": 12}, num_classes=2)
    fitted = train.fit(
        network(config), ({"tokens": texts[:, :-1], "classes": np.array([0, 1])}, texts[:, 1:]),
        loss=lambda z, y: losses.sequence_cross_entropy(z, y, padding=0), optimizer=optim.adam(0.05),
        epochs=60, batch_size=2, progress="off",
    )  # fmt: skip
    model = fitted.net.bind(fitted.params, fitted.state)  # type: ignore[misc]
    carry = model.initial(2, jnp.array([1, 0]))
    found = sampling.generate(model.step, carry, None, steps=5, start=1, end=2)
    assert found.tokens.tolist() == [[7, 7, 2, 0, 0], [4, 5, 6, 2, 0]]


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"cell": "elman"}, ValueError, "'gru', 'lstm', 'rnn'"),
        ({"vocabulary_size": 1}, ValueError, "at least 2"),
        ({"features": 2.5}, DtypeError, "a whole number"),
        ({"num_layers": 0}, ValueError, "at least 1"),
        ({"num_classes": -1}, ValueError, "at least 0"),
        ({"dropout": 1.0}, ValueError, r"\[0, 1\)"),
    ],
)
def test_configs_refuse(change: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        LanguageModelConfig(**SMALL | change)


def test_inputs_are_checked() -> None:
    plain, named = (nnx.eval_shape(lambda c=c: LanguageModel(c, rngs=nnx.Rngs(0))) for c in CONFIGS.values())
    pair = {"tokens": jnp.asarray(TOKENS), "classes": jnp.array([0, 1, 2])}
    for model, x, error, words in (
        (plain, pair, DtypeError, "expected an array of tokens"),
        (named, pair["tokens"], DtypeError, "a dict of 'tokens' and 'classes'"),
        (named, {"tokens": pair["tokens"]}, DtypeError, r"a dict of \['tokens'\]"),
        (plain, pair["tokens"][0], ShapeError, r"expected \(batch, time\)"),
        (plain, jnp.ones((2, 3)), DtypeError, "'tokens' is of dtype float32"),
        (named, pair | {"classes": jnp.array([0, 1])}, ShapeError, r"with classes \(2,\)"),
    ):
        with pytest.raises(error, match=words):
            model(x)
    with pytest.raises(ValueError, match="classes of a model with 3 of them"):
        named.initial(3)
    with pytest.raises(ValueError, match="classes of a model with 0 of them"):
        plain.initial(3, pair["classes"])


def test_vectors_of_tokens() -> None:
    layer = Embedding(6, 4, rngs=nnx.Rngs(0))
    table = layer.embedding[...]
    assert float(jnp.std(Embedding(500, 20, rngs=nnx.Rngs(1)).embedding[...])) == pytest.approx(1, abs=0.03)
    np.testing.assert_array_equal(layer(jnp.array([[5, 0]], jnp.uint8)), table[jnp.array([[5, 0]])])

    made = net.functional(lambda rngs: Embedding(6, 4, rngs=rngs))

    @jax.jit
    def slope(numbers: jax.Array) -> jax.Array:
        return jax.grad(lambda table: made.apply({"embedding": table}, {}, numbers, train=True)[0].sum())(
            table
        )

    np.testing.assert_array_equal(slope(jnp.array([4, 1, 4]))[:, 0], [0, 1, 0, 0, 2, 0])
    for wrong in (-1, 6):
        gradient = slope(jnp.array([4, wrong, 4]))
        assert np.isnan(gradient).any()
        np.testing.assert_array_equal(gradient[4], [2] * 4)
    for bad, words in (([0, 6], r"6 at \(1,\); expected within \[0, 6\)"), ([-1], r"-1 at \(0,\)")):
        with pytest.raises(ValueError, match=words):
            layer(jnp.array(bad))
    with pytest.raises(DtypeError, match="'inputs' is of dtype float32"):
        layer(jnp.ones(3))
    with pytest.raises(ValueError, match="'features' is 0"):
        Embedding(3, 0, rngs=nnx.Rngs(0))


def padded(texts: list[list[int]]) -> jax.Array:
    rows = np.zeros((len(texts), 9), np.int32)
    for row, text in zip(rows, texts, strict=True):
        row[: len(text) + 2] = [1, *text, 2]
    return jnp.asarray(rows)


COUNTED = {
    order: jax.jit(
        lambda tokens, order=order: ngram.fit(tokens, vocabulary_size=9, order=order, also=(3,) * (order - 2))
    )
    for order in (2, 3)
}


def test_trigrams_are_counted() -> None:
    """Against counting by hand, in the order of the texts."""
    rng = np.random.default_rng(0)
    texts = [rng.integers(4, 8, rng.integers(1, 7)).tolist() for _ in range(30)]
    counts: collections.Counter[tuple[int, ...]] = collections.Counter()
    for text in texts[:20]:
        path = [1, 1, *text, 2]
        counts.update(zip(path, path[1:], path[2:]))
    before: collections.Counter[tuple[int, ...]] = collections.Counter()
    for (a, b, _), count in counts.items():
        before[a, b] += count
    model = COUNTED[3](padded(texts[:20]))
    found = jax.jit(ngram.cross_entropy)(model, padded(texts))
    for text, loss in zip(texts, found, strict=True):
        path = [1, 1, *text, 2]
        wanted = -sum(
            math.log((counts[a, b, c] + 1) / (before[a, b] + 6)) for a, b, c in zip(path, path[1:], path[2:])
        )
        assert float(loss) == pytest.approx(wanted, rel=1e-5)


def test_chances_add_up_and_wrong_tokens_are_loud() -> None:
    tokens = padded([[4, 5, 4], [5]] * 10)
    for order, fit in COUNTED.items():
        table = np.asarray(fit(tokens).log_probabilities)
        assert table.shape == (9,) * order
        np.testing.assert_allclose(np.exp(table).sum(-1), 1, rtol=1e-5)
        assert (table[..., [0, 1, 6]] == -np.inf).all()
        assert (table[..., 3] > -np.inf).all() == (order == 3)
    assert np.isnan(COUNTED[2](tokens.at[0, 1].set(9)).log_probabilities).any()
    traced = jax.jit(ngram.cross_entropy)(COUNTED[3](tokens), padded([[4], [9], [6]] * 10))
    assert np.isfinite(traced[::3]).all()
    assert np.isnan(traced[1::3]).all()
    assert (traced[2::3] == np.inf).all()
