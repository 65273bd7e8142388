"""Rows of `jaxdl.graph`."""

import jax
import jax.numpy as jnp

from jaxdl import graph
from jaxdl.errors import DtypeError, ShapeError
from rows.common import Call

X = jnp.ones(3)


@jax.custom_vjp
def straight_through(x: jax.Array) -> jax.Array:
    return jnp.round(x)


straight_through.defvjp(lambda x: (straight_through(x), None), lambda _, upstream: (upstream,))


def long(x: jax.Array) -> jax.Array:
    for _ in range(70):
        x = x * 2
    return x


CALLS: tuple[Call, ...] = (
    (
        "graph.show", graph.show,
        (
            (("sin", X), {}, TypeError, "'f' is a str; expected a function"),
            ((jnp.sin, X), {}, ShapeError, r"output has shape \(3,\); expected a scalar"),
            ((lambda x: {"loss": x[0]}, X), {}, DtypeError, "returns a dict"),
            ((lambda x: jnp.argmax(x), X), {}, DtypeError, "output is of dtype int32"),
            ((lambda x: x * 2.0, 3), {}, ValueError, "write 3.0 instead of 3"),
            ((jnp.sum, jnp.array([jnp.inf])), {}, ValueError, "not finite"),
            ((jnp.sum, [X, "b"]), {}, DtypeError, "'a/1' is a str; expected numbers"),
            ((jnp.sum, X), {"expand": "some"}, ValueError, "'calls', 'all', 'none'"),
            ((jnp.sum, X), {"limit": 0}, ValueError, "'limit' is 0"),
            ((long, 1.0), {}, ValueError, "a function of 71 nodes; expected at most limit=64"),
            ((straight_through, 1.2), {"expand": "all"}, ValueError, "Fix: expand='calls'"),
        ),
    ),
)  # fmt: skip
