"""What a step of a network must be, what it starts from, and what its logits say."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import DtypeError, ShapeError, explain

Step = Callable[[Any, jax.Array], tuple[Any, jax.Array]]
BROKEN = -1


def floating_logits(op: str, logits: Any) -> jax.Array:
    """Return floating logits (..., classes), at least in float32: a chance in bfloat16 has three digits."""
    found = _checks.floating(op, "logits", logits)
    _checks.rank_at_least(op, "logits", found, 1, "(..., classes)")
    if found.shape[-1] == 0:
        raise ShapeError(
            explain(op, "logits", got=f"of shape {found.shape}", expected="at least one class",
                    fix="give the last axis one entry a class")
        )  # fmt: skip
    return found.astype(jnp.float32) if found.dtype.itemsize < 4 else found


def whole(logits: jax.Array) -> jax.Array:
    """Tell where there is something to choose: the largest logit is a finite number, and none is NaN."""
    return jnp.isfinite(jnp.max(logits, axis=-1)) & ~jnp.any(jnp.isnan(logits), axis=-1)


def log_softmax(logits: jax.Array) -> jax.Array:
    return jax.nn.log_softmax(floating_logits("sampling", logits), axis=-1)


def at_most(op: str, argument: str, value: Any, most: int, *, least: int = 1) -> int:
    number = _checks.positive_integer(op, argument, value, least=least)
    if number > most:
        raise ValueError(
            explain(op, argument, got=number, expected=f"a whole number in [{least}, {most}]",
                    fix="count the classes of the logits")
        )  # fmt: skip
    return number


def first_tokens(op: str, carry: Any, start: Any) -> jax.Array:
    """Return the first tokens, int32 (batch,); the carry says how many sequences there are."""
    sizes = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(carry)}
    tokens = _checks.integer(op, "start", start).astype(jnp.int32)
    if len(sizes) != 1 or sizes == {()}:
        raise ShapeError(
            explain(op, "carry", got=f"of leaves of length {sorted(sizes)}",
                    expected="a pytree of arrays with the batch in front",
                    fix="give every leaf the batch as its first axis, such as jnp.zeros((batch, 1))")
        )  # fmt: skip
    (shape,) = sizes
    if tokens.shape not in ((), shape):
        raise ShapeError(
            explain(op, "start", got=f"of shape {tokens.shape}", expected=f"one token, or {shape} of them",
                    fix="one first token a sequence")
        )  # fmt: skip
    if not isinstance(start, jax.core.Tracer) and int(np.min(start, initial=0)) < 0:
        raise ValueError(
            explain(op, "start", got=f"{start}", expected="tokens of at least 0",
                    fix="the start token of the vocabulary")
        )  # fmt: skip
    return jnp.broadcast_to(tokens, shape)


def check_step(
    op: str, step: Any, carry: Any, tokens: jax.Array, special: dict[str, Any]
) -> jax.ShapeDtypeStruct:
    """Return the shape and dtype that `log_softmax` of the logits has.

    Raises:
        ShapeError: `step` does not give a carry like its own, and logits.
        ValueError: a special token is no class.
    """
    if not callable(step):
        raise DtypeError(
            explain(op, "step", got=f"a {type(step).__name__}", expected="a function (carry, tokens)",
                    fix="model.step, of a model that was bound to its parameters")
        )  # fmt: skip
    found = jax.eval_shape(step, carry, tokens)
    good = isinstance(found, tuple) and len(found) == 2 and hasattr(found[1], "shape")
    if not good or len(found[1].shape) != 2 or found[1].shape[0] != tokens.shape[0]:
        got = f"a function that returns {jax.tree.map(lambda leaf: leaf.shape, found)}"
        raise ShapeError(
            explain(op, "step", got=got, expected=f"carry, logits ({tokens.shape[0]}, classes)",
                    fix="return the carry first")
        )  # fmt: skip
    before, after = (jax.tree.map(lambda leaf: (jnp.shape(leaf), jnp.result_type(leaf)), c)
                     for c in (carry, found[0]))  # fmt: skip
    if before != after:
        raise ShapeError(
            explain(op, "step", got=f"a function whose carry is {after}", expected=f"{before}, as it was",
                    fix="return a carry of the shapes and dtypes that came in")
        )  # fmt: skip
    for name, token in special.items():
        at_most(op, name, token, found[1].shape[1] - 1, least=0)
    return jax.eval_shape(log_softmax, found[1])
