"""Penalties on the size of parameters, added to the cost in training and left out everywhere else."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxdl import _checks, _targets
from jaxdl._math import magnitude
from jaxdl._trees import named_leaves
from jaxdl.errors import ShapeError, explain

FORMS = ("sum", "half_sum", "mean", "half_mean")
UNPENALISED = ("b", "beta", "gamma", "intercept", "scale", "slope")
Strength = float | jax.Array | Mapping[str, Any]
Where = Callable[[str, jax.Array], bool]


def is_weight(path: str, leaf: jax.Array) -> bool:
    """Tell weights from what is not to be penalised, by the last name of the path.

    Biases (a name that holds "bias", or b, intercept), the scale and shift of normalisation (scale, gamma,
    beta) and the slopes of rectifiers (slope) are none.

    Args:
        path: the path of a leaf in its tree, such as ``"layers/0/kernel"``.
        leaf: the array there; it is not looked at.

    Returns:
        Whether the leaf is a weight.

    Raises:
        TypeError: `path` is no text.

    Example:
        >>> [is_weight(path, None) for path in ("layers/0/kernel", "layers/0/bias", "w", "b")]
        [True, False, True, False]

    Reference:
        The practice of ``sklearn`` (intercepts go free) and of Keras (`kernel_regularizer`);
        ``torch.optim.SGD(weight_decay=...)`` shrinks biases too: ``where=lambda path, leaf: True``.
    """
    if not isinstance(path, str):
        raise TypeError(
            explain("is_weight", "path", got=f"a {type(path).__name__}",
                    expected="text such as 'layers/0/kernel'", fix="is_weight(path, leaf)")
        )  # fmt: skip
    name = path.rpartition("/")[2].lower()
    return "bias" not in name and name not in UNPENALISED


def l2_penalty(
    params: Any,
    strength: Strength,
    *,
    form: str = "half_sum",
    examples: int | None = None,
    where: Where = is_weight,
) -> jax.Array:
    """L2 penalty of the weights: ``c sum w^2``, ``c/2 sum w^2``, or the lambda/(2m) of the texts.

    ===============  ====================  ==============================================================
    form             penalty               the same as
    ===============  ====================  ==============================================================
    ``"half_sum"``   c/2 sum w^2           ``torch.optim.SGD(weight_decay=c)``: the gradient is c w
    ``"sum"``        c sum w^2             Keras ``L2(c)``, with no half
    ``"mean"``       lambda/m sum w^2
    ``"half_mean"``  lambda/(2m) sum w^2   beside 1/(2m) sum (f - y)^2: ``sklearn.linear_model.Ridge(lambda)``
    ===============  ====================  ==============================================================

    With ``"half_mean"`` a step of gradient descent shrinks w by ``1 - lr lambda / m`` first. For a run:
    ``make_train(..., penalty=lambda params, hyper: l2_penalty(params, hyper["l2"]))``.

    Args:
        params: tree of floating arrays.
        strength: c or lambda, at least 0: a number or traced scalar for all, or a mapping from the first
            names of paths to such strengths, ``{"layers/0": 1e-3, "layers/1/kernel": 1e-2}``. The longest
            that fits counts, "" fits all, and leaves that none fits go free.
        form: one of the table.
        examples: m, the size of the training set (not of the batch), for the forms that divide by it.
        where: ``where(path, leaf) -> bool``, which leaves are penalised.

    Returns:
        Scalar, in float32 or wider. A negative traced strength makes it NaN.

    Raises:
        DtypeError: a penalised leaf is not floating.
        ShapeError: a strength is no scalar.
        ValueError: negative strength, a path that fits no penalised leaf, no penalised leaf at all,
            unknown `form`, or `examples` missing or superfluous.

    Example:
        >>> import jax.numpy as jnp
        >>> params = {"kernel": jnp.array([[3.0], [4.0]]), "bias": jnp.array([7.0])}
        >>> float(l2_penalty(params, 0.5)), float(l2_penalty(params, 0.5, form="half_mean", examples=5))
        (6.25, 1.25)

    Reference:
        Hoerl and Kennard (1970); Krogh and Hertz (1992).
    """
    factor = _factor("l2_penalty", form, examples)
    return _total("l2_penalty", params, strength, where, jnp.square) * factor


def l1_penalty(
    params: Any,
    strength: Strength,
    *,
    form: str = "sum",
    examples: int | None = None,
    where: Where = is_weight,
) -> jax.Array:
    """L1 penalty of the weights: ``c sum |w|``, or ``lambda/m sum |w|``; it draws weights towards 0.

    ``"sum"`` is Keras's ``L1(c)``; ``"mean"`` beside 1/(2m) sum (f - y)^2 is
    ``sklearn.linear_model.Lasso(alpha=lambda / m)``; ``"half_sum"`` and ``"half_mean"`` halve these. The
    subgradient, sign(w) and 0 at 0, leaves weights small but not 0: `proximal_l1` gives exact zeros.

    Args:
        params: tree of floating arrays.
        strength: c or lambda, as in `l2_penalty`.
        form: ``"sum"``, ``"half_sum"``, ``"mean"`` or ``"half_mean"``.
        examples: m, as in `l2_penalty`.
        where: ``where(path, leaf) -> bool``, which leaves are penalised.

    Returns:
        Scalar, in float32 or wider. A negative traced strength makes it NaN.

    Raises:
        DtypeError: a penalised leaf is not floating.
        ShapeError: a strength is no scalar.
        ValueError: as in `l2_penalty`.

    Example:
        >>> import jax.numpy as jnp
        >>> params = {"kernel": jnp.array([[3.0], [-4.0]]), "bias": jnp.array([7.0])}
        >>> float(l1_penalty(params, 0.5)), float(l1_penalty(params, 0.5, form="mean", examples=7))
        (3.5, 0.5)

    Reference:
        Tibshirani (1996).
    """
    return _total("l1_penalty", params, strength, where, magnitude) * _factor("l1_penalty", form, examples)


def soft_threshold(w: jax.Array, amount: float | jax.Array) -> jax.Array:
    """Shrink towards 0: ``sign(w) max(|w| - amount, 0)``, the proximal operator of ``amount |w|``.

    Args:
        w: floating array of any shape.
        amount: how far, at least 0; a number or a traced scalar. A negative traced one gives NaN.

    Returns:
        Array of the shape and dtype of `w`, exactly 0 where ``|w| <= amount``.

    Raises:
        DtypeError: `w` is not floating, or `amount` is no number.
        ValueError: `amount` is negative or not finite.

    Example:
        >>> import jax.numpy as jnp
        >>> soft_threshold(jnp.array([-2.0, 0.3, 1.0]), 0.5).tolist()
        [-1.5, 0.0, 0.5]

    Reference:
        Donoho (1995). Equals ``torch.nn.functional.softshrink(w, amount)``.
    """
    w = _checks.floating("soft_threshold", "w", w)
    bound = _strength("soft_threshold", "amount", amount).astype(w.dtype)
    return jnp.where(jnp.abs(w) <= bound, jnp.zeros_like(w), w - jnp.sign(w) * bound)


def proximal_l1(amount: Strength, *, where: Where = is_weight) -> optax.GradientTransformation:
    """Proximal step of an L1 penalty: ``w <- soft_threshold(w + update, amount)``, with exact zeros.

    It stands last in a chain, behind the step on the cost *without* the penalty. For gradient descent with
    rate lr and penalty ``c sum |w|`` the amount is ``lr c``:
    ``optax.chain(optim.sgd(lr), proximal_l1(lr * c))``.

    Args:
        amount: how far weights shrink in each step, as the strengths of `l2_penalty`.
        where: ``where(path, leaf) -> bool``, which leaves shrink.

    Returns:
        An optax transformation, which needs the parameters in `update`.

    Raises:
        TypeError: `where` is no function.
        DtypeError: when it updates a leaf that is not floating.
        ShapeError: when it updates, a strength that is no scalar.
        ValueError: negative amount; when it updates, as in `l2_penalty`.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> from jaxdl import optim
        >>> w = {"kernel": jnp.array([0.5, -2.0])}
        >>> rule = optax.chain(optim.sgd(0.5), proximal_l1(0.5 * 0.25))
        >>> updates, _ = rule.update({"kernel": jnp.array([0.9, 1.0])}, rule.init(w), w)
        >>> optax.apply_updates(w, updates)["kernel"].tolist()
        [0.0, -2.375]

    Reference:
        Iterative soft thresholding: Daubechies, Defrise and De Mol (2004). The limit for least squares
        equals ``sklearn.linear_model.Lasso``, zeros included.
    """
    _callable("proximal_l1", where)
    for value in amount.values() if isinstance(amount, Mapping) else (amount,):
        _strength("proximal_l1", "amount", value)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        if params is None:
            raise ValueError(explain("proximal_l1", "params", got="None", expected="the parameters",
                                     fix="rule.update(gradients, state, params)"))  # fmt: skip
        amounts = _assigned("proximal_l1", params, amount, where)
        names = iter(named_leaves(params))

        def shrunk(change: jax.Array, w: jax.Array) -> jax.Array:
            path = next(names)
            return soft_threshold(w + change, amounts[path][1]) - w if path in amounts else change

        return jax.tree.map(shrunk, updates, params), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def _total(
    op: str, params: Any, strength: Strength, where: Where, size: Callable[[jax.Array], jax.Array]
) -> jax.Array:
    _callable(op, where)
    terms = []
    for leaf, amount in _assigned(op, params, strength, where).values():
        # Summed in float32 at least: the squares of a whole layer overflow in float16.
        wide = _wide(leaf)
        terms.append(amount.astype(wide.dtype) * jnp.sum(size(wide)))
    return sum(terms[1:], terms[0])


def _wide(x: jax.Array) -> jax.Array:
    return x if x.dtype == jnp.float64 else x.astype(jnp.float32)


def _assigned(
    op: str, params: Any, strength: Strength, where: Where
) -> dict[str, tuple[jax.Array, jax.Array]]:
    """Return the leaves that are penalised and their strengths, by path."""
    leaves = named_leaves(params)
    chosen = {path: leaf for path, leaf in leaves.items() if where(path, leaf)}
    by_path = strength if isinstance(strength, Mapping) else {"": strength}
    fits = {path: [name for name in by_path if _starts(path, name)] for path in chosen}
    unused = sorted(set(by_path) - {name for names in fits.values() for name in names})
    if unused or not any(fits.values()):
        argument, got = ("strength", f"for {unused or 'no path'}") if chosen else ("params", "an array tree")
        raise ValueError(
            explain(op, argument, got=f"{got}, where nothing is penalised",
                    expected=f"the first names of paths among {sorted(chosen or leaves)}",
                    fix="where=lambda path, leaf: True penalises every array")
        )  # fmt: skip
    found = {path: _checks.floating(op, f"params['{path}']", leaf) for path, leaf in chosen.items()}
    longest = {path: max(names, key=len) for path, names in fits.items() if names}
    return {path: (found[path], _strength(op, "strength", by_path[name])) for path, name in longest.items()}


def _starts(path: str, name: str) -> bool:
    return name == "" or f"{path}/".startswith(f"{name}/")


def _strength(op: str, argument: str, value: Any) -> jax.Array:
    _checks.in_range(op, argument, value, 0, float("inf"), "[0, inf)")
    found = _checks.array(op, argument, value)
    if found.ndim != 0:
        raise ShapeError(explain(op, argument, got=f"of shape {found.shape}", expected="a scalar",
                                 fix="vmap over the strengths"))  # fmt: skip
    return _wide(found) * _targets.within(found, 0, float("inf"), _wide(found).dtype)


def _factor(op: str, form: str, examples: int | None) -> float:
    _checks.one_of(op, "form", form, FORMS)
    factor = 0.5 if form.startswith("half") else 1.0
    if form.endswith("mean"):
        return factor / _checks.positive_integer(op, "examples", examples)
    if examples is not None:
        raise ValueError(explain(op, "examples", got=examples, expected=f"None for form='{form}'",
                                 fix="form='half_mean' divides by the examples"))  # fmt: skip
    return factor


def _callable(op: str, where: Any) -> None:
    if not callable(where):
        raise TypeError(explain(op, "where", got=f"a {type(where).__name__}", expected="a function",
                                fix="where=lambda path, leaf: 'kernel' in path"))  # fmt: skip
