"""Recurrent cells and sequences: RNN, GRU and LSTM, in the conventions of the texts and of the libraries.

A cell takes one step, ``(x, carry, weights) -> carry``. A sequence takes (batch, time, in) to the outputs
(batch, time, features) and the carry behind the last step, so that a long one may be taken in pieces. With
`lengths`, the outputs of padded steps are 0 and the carry is that behind the last valid step: what stands in
the padding, NaN included, changes neither an output nor a gradient by a bit. `reverse` begins at the last
valid step.

Formulations side by side:

* ``"scan"``: ``lax.scan`` of the cell, and its derivative as jax makes it; this one alone has forward
  derivatives (`jax.jvp`).
* ``"inner"``: a derivative of its own: the gates are kept, and the gradients of the weights are single
  products of all steps after the loop.
* ``"hoisted"``: the same, and the products with the inputs are a single one before the loop.
* ``"summed"``: as ``"inner"``, but the gradients of the weights are summed step by step, within the loop.
* ``"cudnn"``: cuDNN's LSTM, on NVIDIA GPUs: float32, the standard form, no lengths, not reversed. Never
  chosen by itself, as it has not been measured.

The rule for ``implementation=None`` was measured by ``python -m bench.recurrent_table`` (2 cores, Zen 4, jax
0.10.2). Forward, backward and update of an LSTM and a GRU take 0.84 and 0.64 of the time of the plain scan
at (time, batch, in, features) = (28, 32, 28, 64), 0.70 and 0.56 at (100, 32, 64, 128), 0.75 and 0.81 at
(100, 64, 128, 256). Up to some width the hoisted form is the fastest or ties; beyond it the gradients of an
LSTM are best summed in the loop. On accelerators, where nothing has been measured, the products with the
inputs are hoisted, since one large product fills them best.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from . import _recurrent_cudnn as cudnn
from ._recurrent_cells import Cell, Parts, forward
from ._recurrent_cells import Weights as Weights
from ._recurrent_checks import check, inside, one_of
from ._recurrent_loops import differentiated, project, scanned

# Of batch x features: from here on the projected inputs of all steps no longer pay for the memory they move.
# Measured at 4,096, where they pay, and here; nothing between.
WIDE = 2**14
IMPLEMENTATIONS = ("scan", "inner", "hoisted", "summed", "cudnn")
# Part of the key of jit's caches: what was traced by one formulation is traced anew for another.
_FIXED: Any = jax.make_user_context(None)


@contextlib.contextmanager
def using(implementation: str | None) -> Iterator[None]:
    """Let every sequence that this thread traces inside, and that names no formulation, use this one.

    Args:
        implementation: one of `IMPLEMENTATIONS`, or None for the measured rule.

    Returns:
        A context manager, which yields nothing.

    Raises:
        ValueError: unknown implementation.

    Example:
        >>> with using("scan"):
        ...     pass
    """
    one_of("using", "implementation", implementation, (None, *IMPLEMENTATIONS))
    with _FIXED(implementation):
        yield


def rnn_cell(x: jax.Array, h: jax.Array, weights: Weights, *, activation: str = "tanh") -> jax.Array:
    """Take one step of the simple RNN: ``h' = g(x W + h U + b)``.

    Args:
        x: (batch, in).
        h: (batch, features).
        weights: W (in, features), U (features, features), b (features,).
        activation: g, ``"tanh"`` or ``"relu"``.

    Returns:
        The new h, (batch, features).

    Raises:
        TypeError: an array that is not floating, or not of the dtype of the others.
        ValueError: shapes that do not fit, or an unknown activation.

    Example:
        >>> import jax.numpy as jnp
        >>> one = Weights(jnp.ones((1, 1)), jnp.ones((1, 1)), jnp.zeros(1))
        >>> rnn_cell(jnp.array([[2.0]]), jnp.array([[1.0]]), one, activation="relu").tolist()
        [[3.0]]

    Reference:
        Elman (1990). Equals ``torch.nn.RNNCell`` with its two biases summed.
    """
    return _step("rnn_cell", _rnn(activation), x, (h,), weights)[0]


def gru_cell(
    x: jax.Array, h: jax.Array, weights: Weights, *, reset: str | None = "after", update: str = "state"
) -> jax.Array:
    """Take one step of the GRU: ``h' = z h + (1 - z) n``, a mean of the state and of a candidate.

    ``z = sigmoid(x Wz + h Uz + bz)``, ``r = sigmoid(x Wr + h Ur + br)``, and the candidate is
    ``n = tanh(x Wn + bn + r (h Un + b_hn))`` where the reset comes after the product,
    ``n = tanh(x Wn + bn + (r h) Un)`` where it comes before, and has r = 1 without reset.

    Args:
        x: (batch, in).
        h: (batch, features).
        weights: gates r, z, n side by side, or z, n without reset; `recurrent_bias` is b_hn.
        reset: ``"after"`` the product, as in torch and Keras; ``"before"``, as first published; None.
        update: ``"state"``: z weighs the state, as in torch. ``"candidate"``: it weighs the candidate,
            ``h' = u n + (1 - u) h``, as the texts print it.

    Returns:
        The new h, (batch, features).

    Raises:
        TypeError: an array that is not floating, or not of the dtype of the others.
        ValueError: shapes that do not fit, or an unknown convention.

    Example:
        >>> import jax.numpy as jnp
        >>> zero = Weights(jnp.zeros((1, 2)), jnp.zeros((1, 2)), jnp.zeros(2))
        >>> gru_cell(jnp.ones((1, 1)), jnp.ones((1, 1)), zero, reset=None, update="candidate").tolist()
        [[0.5]]

    Reference:
        Cho et al. (2014). Equals ``torch.nn.GRUCell``, whose b_hr and b_hz are part of the bias here.
    """
    return _step("gru_cell", _gru("gru_cell", reset, update), x, (h,), weights)[0]


def lstm_cell(
    x: jax.Array, carry: Parts, weights: Weights, *, output_tanh: bool = True, coupled: bool = False
) -> Parts:
    """Take one step of the LSTM: ``c' = f c + i g``, ``h' = o tanh(c')``.

    ``i, f, o = sigmoid(x W + h U + b)`` and ``g = tanh(x W + h U + b)``, each with weights of its own.

    Args:
        x: (batch, in).
        carry: (h, c), each (batch, features).
        weights: gates i, f, g, o side by side; i, g, o where they are coupled. With `peephole` p, ``p_i c``,
            ``p_f c`` and ``p_o c'`` are added within the sigmoids.
        output_tanh: False for ``h' = o c'``, as one text prints it.
        coupled: ``f = 1 - i``.

    Returns:
        The new (h, c).

    Raises:
        TypeError: an array that is not floating, or not of the dtype of the others.
        ValueError: shapes that do not fit.

    Example:
        >>> import jax.numpy as jnp
        >>> zero, one = Weights(jnp.zeros((1, 4)), jnp.zeros((1, 4)), jnp.zeros(4)), jnp.ones((1, 1))
        >>> lstm_cell(one, (one, one), zero, output_tanh=False)[1].tolist()
        [[0.5]]

    Reference:
        Hochreiter and Schmidhuber (1997), Gers et al. (2000, 2002) for forget gate and peepholes, Greff et
        al. (2017) for coupled gates. Equals ``torch.nn.LSTMCell`` with its two biases summed.
    """
    return _step("lstm_cell", Cell("lstm", output_tanh=output_tanh, coupled=coupled), x, carry, weights)


def rnn(
    x: jax.Array,
    h: jax.Array,
    weights: Weights,
    *,
    lengths: jax.Array | None = None,
    reverse: bool = False,
    activation: str = "tanh",
    implementation: str | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Run `rnn_cell` over a sequence.

    Args:
        x: (batch, time, in).
        h: (batch, features), the state before the first step.
        weights: as in `rnn_cell`.
        lengths: (batch,) integers within [0, time], the valid steps of each sequence, which come first; None:
            all. Traced ones that lie outside are taken as 0 or as all.
        reverse: begin at the last valid step.
        activation: as in `rnn_cell`.
        implementation: one of `IMPLEMENTATIONS`, or None for the measured rule.

    Returns:
        The outputs (batch, time, features), and the state behind the last step (batch, features).

    Raises:
        TypeError: an array that is not floating, or not of the dtype of the others.
        ValueError: shapes that do not fit, or an unknown activation or implementation.

    Example:
        >>> import jax.numpy as jnp
        >>> one = Weights(jnp.ones((1, 1)), jnp.ones((1, 1)), jnp.zeros(1))
        >>> y, h = rnn(jnp.ones((1, 3, 1)), jnp.zeros((1, 1)), one, lengths=jnp.array([2]), activation="relu")
        >>> y.ravel().tolist(), h.tolist()
        ([1.0, 2.0, 0.0], [[2.0]])
    """
    y, (h,) = _sequence("rnn", _rnn(activation), x, (h,), weights, lengths, reverse, implementation)
    return y, h


def gru(
    x: jax.Array,
    h: jax.Array,
    weights: Weights,
    *,
    lengths: jax.Array | None = None,
    reverse: bool = False,
    reset: str | None = "after",
    update: str = "state",
    implementation: str | None = None,
) -> tuple[jax.Array, jax.Array]:
    """Run `gru_cell` over a sequence.

    Args:
        x: (batch, time, in).
        h: (batch, features), the state before the first step.
        weights: as in `gru_cell`.
        lengths: (batch,) integers within [0, time], the valid steps of each sequence, which come first; None:
            all. Traced ones that lie outside are taken as 0 or as all.
        reverse: begin at the last valid step.
        reset: as in `gru_cell`.
        update: as in `gru_cell`.
        implementation: one of `IMPLEMENTATIONS`, or None for the measured rule.

    Returns:
        The outputs (batch, time, features), and the state behind the last step (batch, features).

    Raises:
        TypeError: an array that is not floating, or not of the dtype of the others.
        ValueError: shapes that do not fit, or an unknown convention or implementation.

    Example:
        >>> import jax.numpy as jnp
        >>> zero = Weights(jnp.zeros((1, 3)), jnp.zeros((1, 3)), jnp.zeros(3))
        >>> gru(jnp.ones((1, 2, 1)), jnp.ones((1, 1)), zero)[0].ravel().tolist()
        [0.5, 0.25]
    """
    cell = _gru("gru", reset, update)
    y, (h,) = _sequence("gru", cell, x, (h,), weights, lengths, reverse, implementation)
    return y, h


def lstm(
    x: jax.Array,
    carry: Parts,
    weights: Weights,
    *,
    lengths: jax.Array | None = None,
    reverse: bool = False,
    output_tanh: bool = True,
    coupled: bool = False,
    implementation: str | None = None,
) -> tuple[jax.Array, Parts]:
    """Run `lstm_cell` over a sequence.

    Args:
        x: (batch, time, in).
        carry: (h, c), each (batch, features), before the first step.
        weights: as in `lstm_cell`.
        lengths: (batch,) integers within [0, time], the valid steps of each sequence, which come first; None:
            all. Traced ones that lie outside are taken as 0 or as all.
        reverse: begin at the last valid step.
        output_tanh: as in `lstm_cell`.
        coupled: as in `lstm_cell`.
        implementation: one of `IMPLEMENTATIONS`, or None for the measured rule.

    Returns:
        The outputs (batch, time, features), and (h, c) behind the last step.

    Raises:
        TypeError: an array that is not floating, or not of the dtype of the others.
        ValueError: shapes that do not fit, an unknown implementation, or a form that cuDNN does not have.

    Example:
        >>> import jax.numpy as jnp
        >>> zero, one = Weights(jnp.zeros((1, 4)), jnp.zeros((1, 4)), jnp.zeros(4)), jnp.ones((1, 1))
        >>> lstm(jnp.ones((1, 2, 1)), (one, one), zero, output_tanh=False)[0].ravel().tolist()
        [0.25, 0.125]
    """
    cell = Cell("lstm", output_tanh=output_tanh, coupled=coupled)
    return _sequence("lstm", cell, x, carry, weights, lengths, reverse, implementation)


def _rnn(activation: str) -> Cell:
    one_of("rnn", "activation", activation, ("tanh", "relu"))
    return Cell("rnn", activation)


def _gru(op: str, reset: str | None, update: str) -> Cell:
    one_of(op, "reset", reset, ("after", "before", None))
    one_of(op, "update", update, ("state", "candidate"))
    return Cell("gru", reset=reset, update=update)


def _step(op: str, cell: Cell, x: jax.Array, carry: Parts, weights: Weights) -> Parts:
    check(op, cell, x, carry, weights, ("batch", "in"))
    return forward(cell, weights, project(x, weights), tuple(carry))[0]


def _sequence(
    op: str,
    cell: Cell,
    x: jax.Array,
    carry: Parts,
    weights: Weights,
    lengths: jax.Array | None,
    reverse: bool,
    implementation: str | None,
) -> tuple[jax.Array, Parts]:
    one_of(op, "implementation", implementation, (None, *IMPLEMENTATIONS))
    check(op, cell, x, carry, weights, ("batch", "time", "in"))
    here = inside(op, x, lengths)
    # A NaN in a padded step would reach the gradient of the weights as 0 x NaN.
    x = x if here is None else jnp.where(here, x, 0)
    chosen = implementation or _FIXED.value or _rule(cell, x, weights)
    if chosen == "cudnn":
        return cudnn.lstm(cell, x, carry, weights, plain=here is None and not reverse)
    steps, here = jnp.swapaxes(x, 0, 1), None if here is None else jnp.swapaxes(here, 0, 1)
    if chosen == "scan":
        y, carry = scanned(cell, reverse, steps, here, tuple(carry), weights)
    else:
        y, carry = differentiated(cell, reverse, chosen, steps, here, tuple(carry), weights)
    y = y if here is None else jnp.where(here, y, 0)
    return jnp.swapaxes(y, 0, 1), carry


def _rule(cell: Cell, x: jax.Array, weights: Weights) -> str:
    if jax.default_backend() != "cpu" or x.shape[0] * weights.recurrent.shape[0] < WIDE:
        return "hoisted"
    return "summed" if cell.kind == "lstm" else "inner"
