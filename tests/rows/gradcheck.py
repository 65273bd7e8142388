"""Rows of `jaxdl.gradcheck` and `jaxdl.backprop`."""

import jax
import jax.numpy as jnp

from jaxdl import backprop, gradcheck
from jaxdl.errors import DtypeError, GradientError, ShapeError
from rows.common import Bad, Call

X = jnp.ones(3)
FUNCTION_BAD: tuple[Bad, ...] = (
    ((3.0, X), {}, TypeError, "'f' is a float; expected a function"),
    ((lambda x: x, X), {}, ShapeError, r"output has shape \(3,\); expected a scalar"),
    ((lambda x: (jnp.sum(x), 1.0), X), {}, DtypeError, "returns a tuple"),
    ((lambda x: jnp.sum(x > 0), X), {}, DtypeError, "output is of dtype int"),
    ((jnp.sum, jnp.arange(3)), {}, DtypeError, "of dtype int32; expected floating"),
    ((jnp.sum, {"w": X, "n": 3}), {}, DtypeError, "/n' is of dtype int32"),
    ((lambda x: 1.0, {}), {}, ValueError, "without any entry"),
    ((jnp.sum, jnp.zeros((0, 3))), {}, ValueError, "without any entry"),
    ((jnp.sum, jnp.array([1.0, jnp.nan])), {}, ValueError, "not finite"),
    ((jnp.sum, ["a"]), {}, DtypeError, "is a str; expected numbers"),
    ((jnp.sum, X), {"step": 0.0}, ValueError, r"'step' is 0.0; expected \(0, inf\)"),
    ((jnp.sum, 1e9 * X), {"step": 1e-7}, ValueError, "lost in the rounding of an entry"),
    ((jnp.sum, X), {"step": "small"}, DtypeError, "expected a number"),
)
W, B, DATA = jnp.ones((3, 2)), jnp.ones(2), jnp.ones((5, 3))
CALLS: tuple[Call, ...] = (
    (
        "gradcheck.numerical_gradient", gradcheck.numerical_gradient, FUNCTION_BAD,
    ),
    (
        "gradcheck.check", gradcheck.check,
        (
            *FUNCTION_BAD,
            ((lambda x: jnp.log(x[0] - 1), X), {}, ValueError, "-inf at this point; expected a finite value"),
            ((lambda x: jnp.sum(x).astype(jnp.bfloat16), X), {}, DtypeError, "answers in bfloat16"),
            ((jnp.sum, X), {"argnums": 1}, ValueError, "positions among 1 arguments"),
            ((jnp.sum, X), {"argnums": ()}, ValueError, "positions among 1 arguments"),
            ((jnp.sum, X), {"directions": 0}, ValueError, "'directions' is 0"),
            ((jnp.sum, X), {"tolerance": 1.0}, ValueError, r"'tolerance' is 1.0; expected \(0, 1\)"),
            ((jnp.sum, X), {"key": 0}, DtypeError, r"jax.random.key\(seed\)"),
            ((lambda x: jnp.sum(jax.lax.stop_gradient(x) * x), X), {}, GradientError, r"at x\[0\] is 1 by"),
        ),
    ),
    (
        "backprop.backpropagation", backprop.backpropagation,
        (
            (([], DATA, DATA), {}, ValueError, "'params' is empty"),
            (({"w": W}, DATA, DATA), {}, DtypeError, r"a list of pairs \(W, b\)"),
            (([(W, B)], X, X), {}, ShapeError, r"'x' is of shape \(3,\); expected \(batch, inputs\)"),
            (([(W, B)], DATA.astype(int), DATA), {}, DtypeError, "expected a floating dtype"),
            (([(W.T, B)], DATA, DATA), {}, ShapeError, r"'params\[0\]' is W \(2, 3\)"),
            (([(W, B), (W, B)], DATA, DATA), {}, ShapeError, r"'params\[1\]' is W \(3, 2\)"),
            (([(W, X)], DATA, DATA), {}, ShapeError, r"b \(outputs,\)"),
            (([(W, B)], DATA, DATA), {}, ShapeError, "the shape of 'predictions'"),
            (([(W, B)], DATA, DATA), {"layout": "rows"}, ValueError, "'inputs_first', 'outputs_first'"),
            (([(W, B)], DATA, DATA), {"activation": "relu"}, TypeError, "'activation' is 'relu'; expected a"),
            (([(W, B)], DATA, DATA), {"loss": None}, TypeError, "'loss' is None; expected a function"),
            (([(W, B)], DATA, DATA[:, :2]), {"reduction": "max"}, ValueError, "'reduction' is 'max'"),
        ),
    ),
)  # fmt: skip
