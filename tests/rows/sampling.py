"""Rows of `jaxdl.sampling`."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxdl import sampling
from jaxdl.errors import DtypeError, ShapeError
from rows.common import INTEGERS, Bad, Call, X

KEY = jax.random.key(0)
CARRY = jnp.zeros((2, 3))


def step(carry: Any, tokens: Any) -> Any:
    return carry, jnp.zeros((len(tokens), 5))


def looped(**options: Any) -> tuple[Bad, ...]:
    """Return what `generate` and `beam_search` refuse alike; `options` are what they need besides."""
    given: dict[str, Any] = {"steps": 3, "start": 1, "end": 2} | options
    return (
        ((step, CARRY), given | {"steps": 0}, ValueError, "'steps' is 0"),
        ((step, CARRY), given | {"end": 5}, ValueError, r"'end' is 5; expected a whole number in \[0, 4\]"),
        ((step, CARRY), given | {"padding": -1}, ValueError, "'padding' is -1"),
        ((step, CARRY), given | {"start": jnp.array([1, 1, 1])}, ShapeError, r"one token, or \(2,\)"),
        ((step, CARRY), given | {"start": 1.0}, DtypeError, "'start' is of dtype float32"),
        ((step, (CARRY, CARRY[:1])), given, ShapeError, "the batch in front"),
        ((step, None), given, ShapeError, "'carry' is of leaves of length"),
        ((5, CARRY), given, DtypeError, "'step' is a int"),
        ((lambda c, t: (c, jnp.zeros(5)), CARRY), given, ShapeError, r"logits \(2, classes\)"),
        ((lambda c, t: jnp.zeros((2, 5)), CARRY), given, ShapeError, "return the carry first"),
        ((lambda c, t: (c[:, :1], step(c, t)[1]), CARRY), given, ShapeError, "a carry of the shapes"),
        ((lambda c, t: (c, step(c, t)[1].astype(int)), CARRY), given, DtypeError, "'logits' is of dtype int"),
    )


CALLS: tuple[Call, ...] = (
    (
        "sampling.greedy", sampling.greedy,
        (
            ((INTEGERS,), {}, DtypeError, "expected a floating dtype"),
            ((jnp.float32(1),), {}, ShapeError, r"\(..., classes\)"),
            ((X[:, :0],), {}, ShapeError, "at least one class"),
        ),
    ),
    (
        "sampling.sample", sampling.sample,
        (
            ((0, X), {}, DtypeError, r"jax.random.key\(seed\)"),
            ((KEY, INTEGERS), {}, DtypeError, "expected a floating dtype"),
            ((KEY, X), {"temperature": -1.0}, ValueError, r"'temperature' is -1.0; expected \[0, inf\)"),
            ((KEY, X), {"temperature": float("nan")}, ValueError, "'temperature' is nan"),
            ((KEY, X), {"temperature": X}, DtypeError, "expected a number"),
            ((KEY, X), {"top_k": 0}, ValueError, "'top_k' is 0"),
            ((KEY, X), {"top_k": 6}, ValueError, r"\[1, 5\]"),
            ((KEY, X), {"top_k": 2.0}, DtypeError, "a whole number"),
        ),
    ),
    (
        "sampling.generate", sampling.generate,
        (
            *(((*args, KEY), *rest) for args, *rest in looped()),
            ((step, CARRY, 0), {"steps": 3, "start": 1, "end": 2}, DtypeError, "a typed PRNG key"),
            ((step, CARRY, KEY), {"steps": 3, "start": 1, "end": 2, "top_k": 6}, ValueError, "'top_k' is 6"),
        ),
    ),
    (
        "sampling.beam_search", sampling.beam_search,
        (
            *looped(beams=2),
            ((step, CARRY), {"beams": 0, "steps": 3, "start": 1, "end": 2}, ValueError, "'beams' is 0"),
            (
                (step, CARRY), {"beams": 2, "steps": 3, "start": 1, "end": 2, "length_penalty": -0.5},
                ValueError, "'length_penalty' is -0.5",
            ),
        ),
    ),
)  # fmt: skip
