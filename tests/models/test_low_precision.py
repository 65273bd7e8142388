"""Networks of tokens in few bits: what they compute is in bfloat16 from the table of vectors on."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxdl import models, net
from jaxdl.layers import Embedding

TOKENS = np.array([[4, 5, 4], [5, 3, 0]], np.int32)
SIZES: dict[str, Any] = {"features": 4}
CASES: dict[str, tuple[Any, Any, Any]] = {
    "classifier": (
        models.SequenceClassifier,
        models.SequenceClassifierConfig(in_features=3, num_classes=2, widths=(4,), vocabulary=6),
        TOKENS,
    ),
    "language": (
        models.LanguageModel, models.LanguageModelConfig(6, **SIZES, embedding_features=3), TOKENS,
    ),
    "translator": (
        models.EncoderDecoder,
        models.EncoderDecoderConfig(6, 6, 3, **SIZES, embedding=3, units=4),
        {"source": TOKENS, "target": TOKENS},
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", CASES)
def test_vectors_of_tokens_and_all_that_follows_are_in_few_bits(kind: str) -> None:
    model, config, x = CASES[kind]
    low = net.mixed_precision(net.functional(lambda rngs: model(config, rngs=rngs)))
    params, state = low.init(jax.random.key(0))
    seen = jax.jit(lambda params: low.trace(params, state, x, train=False))(params)
    values = {name: leaf for name, one in seen.items() for leaf in jax.tree.leaves(one.value)}
    assert {name for name in values if "embedding" in name}
    floating = {name: leaf for name, leaf in values.items() if jnp.issubdtype(leaf.dtype, jnp.floating)}
    assert {name: leaf.dtype.name for name, leaf in floating.items()} == dict.fromkeys(floating, "bfloat16")
    assert all(np.isfinite(np.asarray(leaf, np.float32)).all() for leaf in floating.values())
    logits = jax.eval_shape(lambda params: low.apply(params, state, x, train=False)[0], params)
    assert logits.dtype == jnp.float32


def test_a_dtype_that_is_asked_for_is_kept() -> None:
    layer = Embedding(6, 4, dtype=jnp.float16, rngs=nnx.Rngs(0))
    assert layer.embedding[...].dtype == jnp.float32
    assert layer(jnp.array([1])).dtype == layer.attend(jnp.ones((1, 4))).dtype == jnp.float16
