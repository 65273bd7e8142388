"""How much of a gradient is left by the distance it has gone back in time: where it vanishes or explodes.

``d L_T / d h_t = d L_T / d h_T  J_T ... J_{t+1}`` with J_s the Jacobian of step s: a product of as many
matrices as there are steps between, whose norm goes as their singular values to that power.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain


def state_gradient_norms(
    cell: Callable[[jax.Array, Any], Any], x: Any, carry: Any, *, direction: Any = None
) -> jax.Array:
    """Norm of the gradient in the states before, by distance in time: ``g_k = ||d <v, h_T> / d s_{T-k}||``.

    s is the whole carry behind a step: h, or (h, c) together. A linear RNN has ``g_k = ||v (U^T)^k||``: for a
    recurrence that is s times an orthogonal matrix, s^k exactly.

    Args:
        cell: ``cell(x, carry) -> carry`` of one step, x (batch, features); the carry is h (batch, units), or
            a tuple whose first part is h. Such as ``lambda x, h: kernels.recurrent.rnn_cell(x, h, weights)``.
        x: sequences (batch, time, features), floating.
        carry: the carry before the first step.
        direction: v (units,); None for equal entries of norm 1.

    Returns:
        Norms (batch, time + 1) by distance k: entry 0 is ``||v||``, the last that of the first carry. A value
        that is not finite gives NaN or inf, never a number.

    Raises:
        DtypeError: `x`, a part of the carry or `direction` that is not floating.
        ShapeError: arrays that do not fit each other.

    Example:
        >>> halve = lambda x, h: 0.5 * h + x
        >>> state_gradient_norms(halve, jnp.ones((1, 3, 4)), jnp.zeros((1, 4))).tolist()
        [[1.0, 0.5, 0.25, 0.125]]

    Reference:
        Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural networks, 2013.
    """
    op = "state_gradient_norms"
    x = _sequences(op, x)
    carry = jax.tree.map(lambda part: _checks.floating(op, "carry", part), carry)
    units = _units(op, x, carry)
    direction = _direction(op, direction, units, x.dtype)
    steps = jnp.swapaxes(x, 0, 1)
    # Added to the carry behind each step, so that the gradient in them is that in the states.
    nudges = jax.tree.map(lambda part: jnp.zeros((len(steps), *part.shape), part.dtype), carry)

    def along(start: Any, nudges: Any) -> jax.Array:
        def body(carry: Any, item: tuple[jax.Array, Any]) -> tuple[Any, None]:
            return jax.tree.map(jnp.add, cell(item[0], carry), item[1]), None

        last, _ = jax.lax.scan(body, start, (steps, nudges))
        return jnp.sum(jax.tree.leaves(last)[0] @ direction)

    first, later = jax.grad(along, argnums=(0, 1))(carry, nudges)
    whole = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), first, later)
    norms = _norm(jnp.concatenate(jax.tree.leaves(whole), axis=-1))
    return norms[::-1].T


def input_gradient_norms(
    sequence: Callable[[jax.Array], jax.Array], x: Any, *, direction: Any = None
) -> jax.Array:
    """Norm of the gradient in the inputs before, by distance in time: ``g_k = ||d <v, y_T> / d x_{T-k}||``.

    For layers and whole networks, whose states are out of reach.

    Args:
        sequence: maps (batch, time, features) to outputs (batch, time, units), or, of many to one,
            (batch, units). Such as ``lambda x: layer(x)[0]``.
        x: sequences (batch, time, features), floating.
        direction: v (units,); None for equal entries of norm 1.

    Returns:
        Norms (batch, time) by distance k from the last step. A value that is not finite gives NaN or inf.

    Raises:
        DtypeError: `x`, the outputs or `direction` that are not floating.
        ShapeError: arrays that do not fit each other.

    Example:
        >>> norms = input_gradient_norms(lambda x: jnp.cumsum(x, axis=1), jnp.ones((1, 4, 4)))
        >>> norms.tolist()
        [[1.0, 1.0, 1.0, 1.0]]

    Reference:
        Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural networks, 2013.
    """
    op = "input_gradient_norms"
    x = _sequences(op, x)
    outputs, pull = jax.vjp(sequence, x)
    outputs = _checks.floating(op, "sequence(x)", outputs)
    if outputs.shape[:-1] not in (x.shape[:1], x.shape[:2]):
        raise ShapeError(
            explain(op, "sequence(x)", got=f"of shape {outputs.shape}",
                    expected=f"{(*x.shape[:2], 'units')} or {(len(x), 'units')}",
                    fix="lambda x: layer(x)[0], where a layer returns its carry too")
        )  # fmt: skip
    direction = _direction(op, direction, outputs.shape[-1], outputs.dtype)
    last = (slice(None), -1) if outputs.ndim == 3 else slice(None)
    (gradients,) = pull(jnp.zeros_like(outputs).at[last].set(direction))
    return _norm(gradients)[:, ::-1]


def _sequences(op: str, x: Any) -> jax.Array:
    x = _checks.floating(op, "x", x)
    if x.ndim != 3 or 0 in x.shape:
        raise ShapeError(
            explain(op, "x", got=f"of shape {x.shape}", expected="(batch, time, features), none of them 0",
                    fix="x[None] for a single sequence")
        )  # fmt: skip
    return x


def _units(op: str, x: jax.Array, carry: Any) -> int:
    parts = jax.tree.leaves(carry)
    if not parts or any(part.ndim != 2 or len(part) != len(x) for part in parts):
        raise ShapeError(
            explain(op, "carry", got=f"of shapes {[part.shape for part in parts]}",
                    expected=f"({len(x)}, units) in each part", fix="jnp.zeros((batch, units))")
        )  # fmt: skip
    return int(parts[0].shape[1])


def _direction(op: str, direction: Any, units: int, dtype: Any) -> jax.Array:
    if direction is None:
        return jnp.full((units,), units**-0.5, dtype)
    direction = _checks.floating(op, "direction", direction)
    if direction.shape != (units,):
        raise ShapeError(
            explain(op, "direction", got=f"of shape {direction.shape}", expected=f"({units},)",
                    fix="one entry for each unit, or None")
        )  # fmt: skip
    return direction.astype(dtype)


def _norm(gradients: jax.Array) -> jax.Array:
    """Return the norm over the last axis, scaled, so that what has nearly vanished is not 0 when squared."""
    largest = jnp.max(jnp.abs(gradients), axis=-1, keepdims=True)
    safe = jnp.where((largest > 0) & jnp.isfinite(largest), largest, 1)
    return safe[..., 0] * jnp.sqrt(jnp.sum(jnp.square(gradients / safe), axis=-1))
