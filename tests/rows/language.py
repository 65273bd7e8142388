"""Rows of `jaxdl.models.ngram`."""

import jax.numpy as jnp

from jaxdl.errors import DtypeError, ShapeError
from jaxdl.models import ngram
from rows.common import Bad, Call

TOKENS = jnp.array([[1, 4, 4, 2], [1, 4, 2, 0]])
TOKENS_BAD: tuple[Bad, ...] = (
    ((TOKENS * 1.0,), {}, DtypeError, "'tokens' is of dtype float32"),
    ((TOKENS[0],), {}, ShapeError, r"\(texts, time\)"),
    ((TOKENS[:, :1],), {}, ShapeError, "2 steps or more"),
    ((TOKENS.at[1, 2].set(5),), {}, ValueError, r"out of range in text 1; expected within \[0, 5\)"),
    ((-TOKENS,), {}, ValueError, "out of range in text 0"),
)


def sized(tokens: jnp.ndarray, vocabulary_size: int = 5, **options: float) -> ngram.NGram:
    return ngram.fit(tokens, vocabulary_size=vocabulary_size, **options)  # type: ignore[arg-type]


CALLS: tuple[Call, ...] = (
    (
        "models.ngram.fit", sized,
        (
            *TOKENS_BAD,
            ((TOKENS,), {"vocabulary_size": 1}, ValueError, "'vocabulary_size' is 1"),
            ((TOKENS,), {"order": 0}, ValueError, "'order' is 0"),
            ((TOKENS * 0,), {}, ValueError, "without any token"),
            ((jnp.array([[1, 2, 0], [1, 0, 2]]),), {}, ValueError, "padding before a token in text 1"),
            ((TOKENS,), {"vocabulary_size": 1000}, ValueError, "at most 134,217,728"),
            ((TOKENS,), {"added": 0.0}, ValueError, r"'added' is 0.0; expected \(0, inf\)"),
            ((TOKENS,), {"also": (3, 5)}, ValueError, r"'also' is \(3, 5\); expected tokens in \[0, 5\)"),
        ),
    ),
    (
        "models.ngram.cross_entropy", lambda tokens: ngram.cross_entropy(sized(TOKENS), tokens),
        TOKENS_BAD,
    ),
)  # fmt: skip
