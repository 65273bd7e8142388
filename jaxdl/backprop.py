"""Backpropagation of a multi-layer perceptron, written out by the four equations."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdl import _checks, activations, losses
from jaxdl.errors import DtypeError, ShapeError, explain

Activation = Callable[[jax.Array], jax.Array]
LAYOUTS = ("inputs_first", "outputs_first")


class Backpropagation(NamedTuple):
    """Every quantity of a forward and a backward pass, by layer.

    Attributes:
        cost: the scalar C.
        weighted_inputs: z_l (batch, units), one array a layer.
        activations: a_0 = x, a_1, ..., a_L, one array more.
        errors: delta_l = dC/dz_l (batch, units), one array a layer.
        gradients: (dC/dW, dC/db) a layer, of the shapes of the parameters.
    """

    cost: jax.Array
    weighted_inputs: list[jax.Array]
    activations: list[jax.Array]
    errors: list[jax.Array]
    gradients: list[tuple[jax.Array, jax.Array]]


def backpropagation(
    params: Sequence[tuple[jax.Array, jax.Array]],
    x: jax.Array,
    y: jax.Array,
    *,
    activation: Activation = activations.sigmoid,
    output: Activation | None = None,
    loss: Callable[[jax.Array, jax.Array], jax.Array] = losses.squared_error,
    reduction: str = "mean",
    layout: str = "inputs_first",
) -> Backpropagation:
    """Run the layer-error recursion ``delta_l = (W_{l+1}^T delta_{l+1}) * g'(z_l)`` of an MLP.

    Forward ``z_l = W_l a_{l-1} + b_l``, ``a_l = g(z_l)``; then, summed over the batch,

        delta_L = dC/da_L * g_L'(z_L)        dC/dW_l = delta_l a_{l-1}^T        dC/db_l = delta_l

    With `squared_error(outputs="sum", factor=1/2)` delta_L is ``(a_L - y) * g_L'(z_L)``, divided by the batch
    when `reduction` is ``"mean"``; with `softmax_cross_entropy`, which takes logits, `output` is the
    identity and delta_L is ``softmax(z_L) - y``. A softmax between layers is no elementwise function: its
    whole Jacobian stands in place of g'.

    Args:
        params: one pair (W, b) a layer; W is (inputs, outputs) or, by `layout`, (outputs, inputs); b is
            (outputs,).
        x: floating inputs (batch, inputs).
        y: targets, as `loss` takes them.
        activation: g of the hidden layers.
        output: g_L of the last layer; None: the identity.
        loss: ``loss(outputs, targets) -> (batch,)``, such as those of `jaxdl.losses`.
        reduction: from values per example to the cost C, as in `losses.reduce`.
        layout: ``"inputs_first"`` as flax stores W, or ``"outputs_first"`` as texts and torch do.

    Returns:
        The `Backpropagation`; its gradients equal `jax.grad` of the cost.

    Raises:
        DtypeError: an array is not floating, or `params` is no list of pairs.
        ShapeError: shapes that do not follow each other, named by layer.
        TypeError: `activation`, `output` or `loss` is no function.
        ValueError: no layer, unknown `layout` or `reduction`.

    Example:
        >>> import jax.numpy as jnp
        >>> w, b = jnp.array([[2.0], [1.0]]), jnp.array([0.5])
        >>> passed = backpropagation([(w, b)], jnp.array([[1.0, 3.0]]), jnp.array([[5.0]]))
        >>> passed.errors[0].tolist(), passed.gradients[0][0].tolist()
        ([[1.0]], [[1.0], [3.0]])

    Reference:
        Rumelhart, Hinton and Williams (1986). Equals ``torch.autograd.grad`` of the same network.
    """
    _checks.one_of("backpropagation", "layout", layout, LAYOUTS)
    for name, function in (("activation", activation), ("loss", loss), ("output", output)):
        if not callable(function) and (name, function) != ("output", None):
            raise TypeError(
                explain("backpropagation", name, got=repr(function), expected="a function of arrays",
                        fix="such as jaxdl.activations.relu or jaxdl.losses.squared_error")
            )  # fmt: skip
    layers, x = _checked(params, x, layout)
    z, a = [], [x]
    functions = [*[activation] * (len(layers) - 1), output or (lambda last: last)]
    for (w, b), g in zip(layers, functions):
        z.append(a[-1] @ w + b[None])
        a.append(g(z[-1]))
    cost, to_output = jax.vjp(lambda last: losses.reduce(loss(last, y), reduction=reduction), a[-1])
    (upstream,) = to_output(jnp.ones_like(cost))
    errors: list[jax.Array] = []
    for index in reversed(range(len(layers))):
        errors.insert(0, _times_derivative(functions[index], z[index], upstream))
        upstream = errors[0] @ layers[index][0].T
    gradients = []
    for before, delta in zip(a, errors):
        dw = before.T @ delta
        gradients.append((dw if layout == "inputs_first" else dw.T, jnp.sum(delta, axis=0)))
    return Backpropagation(cost, z, a, errors, gradients)


def _times_derivative(g: Activation, z: jax.Array, upstream: jax.Array) -> jax.Array:
    # upstream * g'(z) where g is elementwise; the product with its Jacobian where it is not.
    return jax.vjp(g, z)[1](upstream)[0]


def _checked(params: Any, x: Any, layout: str) -> tuple[list[tuple[jax.Array, jax.Array]], jax.Array]:
    op = "backpropagation"
    pairs = isinstance(params, list | tuple) and all(
        isinstance(p, list | tuple) and len(p) == 2 for p in params
    )
    if not pairs:
        raise DtypeError(
            explain(op, "params", got=f"a {type(params).__name__} of other things",
                    expected="a list of pairs (W, b)", fix="[(kernel, bias), ...], one pair a layer")
        )  # fmt: skip
    if not params:
        raise ValueError(
            explain(op, "params", got="empty", expected="at least one layer", fix="pass [(W, b)]")
        )
    x = _checks.floating(op, "x", x)
    if x.ndim != 2:
        raise ShapeError(
            explain(op, "x", got=f"of shape {x.shape}", expected="(batch, inputs)",
                    fix="x.reshape(len(x), -1)")
        )  # fmt: skip
    layers, units = [], x.shape[1]
    for index, (w, b) in enumerate(params):
        w, b = (_checks.floating(op, f"params[{index}][{n}]", part) for n, part in enumerate((w, b)))
        w = w.T if layout == "outputs_first" else w
        if w.ndim != 2 or w.shape[0] != units or b.shape != w.shape[1:]:
            raise ShapeError(
                explain(op, f"params[{index}]", got=f"W {w.shape} as (inputs, outputs) and b {b.shape}",
                        expected=f"W ({units}, outputs) and b (outputs,)",
                        fix=f"check the order of the layers, and layout={layout!r}")
            )  # fmt: skip
        layers.append((w, b))
        units = w.shape[1]
    return layers, x
