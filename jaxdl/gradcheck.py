"""Gradients checked against difference quotients, in float64."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from jaxdl import _checks, _differences, _functions, _gradient_report, _trees
from jaxdl._differences import Probes, Quotients
from jaxdl._gradient_report import Kink as Kink
from jaxdl._gradient_report import Place
from jaxdl._gradient_report import Report as Report
from jaxdl.errors import DtypeError, GradientError, explain

BY_ENTRY = 100  # leaves of more entries are probed along random directions
DIRECTIONS = 8
TOLERANCES = {"float64": 1e-6, "float32": 1e-2}  # by the dtype in which the function answers


def numerical_gradient(f: Callable[[Any], jax.Array], x: Any, *, step: float | None = None) -> Any:
    """Differentiate by central differences, entry by entry: ``(f(x + h e_i) - f(x - h e_i)) / 2h``.

    The error is ``h^2 f'''/6``, of order O(h^2), from the formula and ``O(eps |f| / h)`` from rounding; the
    default step balances them: about 1e-10 in float64. It costs two values of `f` an entry, where `jax.grad`
    costs a few values in all. Outside jit the work is done in float64, whatever the global setting of
    x64; inside jit, in the dtype of `x`.

    Args:
        f: function of `x` alone that returns a scalar. What it closes over is used as it is.
        x: floating array, or a tree of them.
        step: the step h, the same for every entry; None: the power of two next to ``eps^(1/3)``, times the
            binary order of the entry where that is above 1. Inside jit a step that is lost in the
            rounding of an entry makes its derivative NaN.

    Returns:
        The gradient, of the structure and shapes of `x`: NumPy arrays in float64, or traced arrays.

    Raises:
        DtypeError: an entry of `x` or the output of `f` is not floating.
        ShapeError: the output of `f` is no scalar.
        ValueError: `x` has no entry, or is not finite, or `step` is not positive or lost in rounding.

    Example:
        >>> import jax.numpy as jnp
        >>> numerical_gradient(lambda x: jnp.sum(x**3), jnp.array([1.0, 2.0])).round(6).tolist()
        [3.0, 12.0]

    Reference:
        Goodfellow, Bengio and Courville, Deep Learning (2016), section 11.6. Equals
        ``scipy.optimize.approx_fprime`` of the central kind, which SciPy calls ``"3-point"``.
    """
    op = "numerical_gradient"
    _functions.named_arguments(op, f, (x,))
    _functions.numbers(op, {"x": x})
    _functions.differentiable(op, {"x": x})
    _check_step(op, step)
    traced = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(x))
    with contextlib.nullcontext() if traced else jax.enable_x64(True):
        wide = x if traced else _wide(x)
        flat, unravel = ravel_pytree(wide)
        out = _functions.scalar_output(op, f, wide)
        base = _differences.default_step(out.dtype, *map(jnp.result_type, jax.tree.leaves(wide)))
        h = _differences.steps(flat, base, step)
        if not traced:
            _check_steps(op, h, step)
        table = _differences.values(
            lambda moved: f(unravel(moved)), flat, _differences.by_entry(h), (-1.0, 1.0)
        )
        slopes = unravel(((table[:, 1] - table[:, 0]) / (2 * h)).astype(flat.dtype))
    return slopes if traced else jax.tree.map(np.asarray, slopes)


def check(
    f: Callable[..., jax.Array],
    *args: Any,
    argnums: int | Sequence[int] = 0,
    directions: int | None = None,
    key: jax.Array | None = None,
    step: float | None = None,
    tolerance: float | None = None,
    raises: bool = True,
) -> Report:
    """Compare `jax.grad` with central differences: ``g . v = (4 D(h/2) - D(h)) / 3 + O(h^4)``.

    D(h) is ``(f(x + h v) - f(x - h v)) / 2h``; the errors O(h^2) of two steps cancel. Done in float64,
    whatever the global setting of x64. Small leaves are probed at every entry, large ones along random
    directions v with entries ``+-1/sqrt(size)``. Where the slopes from the left and from the right stay apart
    as the step shrinks, the point lies on a kink, as that of relu at 0: any slope between them is accepted
    and listed in `Report.kinks`, since differences cannot tell which is right.

    Args:
        f: function of `args` that returns a scalar.
        args: its arguments, arrays or trees of arrays. Floating ones are widened to float64.
        argnums: position or positions of the arguments to differentiate by, as in `jax.grad`.
        directions: random directions a leaf, for every leaf; None: every entry of leaves of up to 100
            entries, 8 directions for larger ones.
        key: of the directions; None: ``jax.random.key(0)``, the same directions every time.
        step: the step h; None: chosen as in `numerical_gradient`.
        tolerance: largest relative error that passes; None: 1e-6, or 1e-2 where `f` answers in float32.
        raises: whether to raise; else `Report.passed` tells.

    Returns:
        The `Report`.

    Raises:
        GradientError: the gradient is wrong (a wrong custom rule, say), not finite, or the differences cannot
            resolve it; its `report` holds the figures.
        DtypeError: an integer leaf is differentiated by, or the output of `f` is not floating.
        ShapeError: the output of `f` is no scalar.
        ValueError: nothing to differentiate by, inputs or output not finite, an option out of range.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> check(lambda x: jnp.sum(jnp.sin(x)), jnp.array([0.5, 1.0])).passed
        True
        >>> print(check(lambda x: jax.nn.relu(x), jnp.array(0.0)).kinks[0])
        Kink(where='x', left=0.0, right=1.0, analytic=0.0)

    Reference:
        Serves as ``torch.autograd.gradcheck`` does.
    """
    op = "check"
    names, argnums = _positions(op, f, args, argnums)
    _check_step(op, step)
    if directions is not None:
        _checks.positive_integer(op, "directions", directions)
    if tolerance is not None:
        _checks.in_range(op, "tolerance", tolerance, 1e-300, 1, "(0, 1)")
    key = jax.random.key(0) if key is None else _checks.key(op, key)
    with jax.enable_x64(True):
        wide = [_wide(argument) for argument in args]
        dtype = _functions.scalar_output(op, f, *wide).dtype
        if dtype.name not in TOLERANCES:
            raise DtypeError(
                explain(op, "f", got=f"a function that answers in {dtype}", expected="float64 or float32",
                        fix="let it keep the dtype of its inputs")
            )  # fmt: skip
        tolerance = TOLERANCES[dtype.name] if tolerance is None else tolerance
        probed = _probe(f, wide, dict(zip(names, argnums)), dtype, tolerance, directions, step, key)
    report = _gradient_report.report(*probed, tolerance)
    if raises and not report.passed:
        raise GradientError(report.message, report=report)
    return report


@dataclasses.dataclass(frozen=True)
class _Leaf:
    """A leaf as a stretch of the flat point, and how it is probed."""

    path: str
    shape: tuple[int, ...]
    start: int
    stop: int
    by_entry: bool
    probes: int

    def places(self) -> Iterator[Place]:
        for number in range(self.probes):
            if self.by_entry:
                index = tuple(int(i) for i in np.unravel_index(number, self.shape)) if self.shape else ()
                where = f"[{', '.join(map(str, index))}]" if index else ""
                yield self.path, index, self.path + where
            else:
                yield self.path, None, f"{self.path}, direction {number}"


def _probe(
    f: Callable[..., Any], args: list[Any], names: dict[str, int], dtype: Any, tolerance: float,
    directions: int | None, step: float | None, key: jax.Array,
) -> tuple[list[Place], np.ndarray, Quotients]:  # fmt: skip
    chosen = {name: args[position] for name, position in names.items()}
    flat, unravel = ravel_pytree(chosen)

    def of_flat(moved: jax.Array) -> jax.Array:
        tree = unravel(moved)
        positions = {position: tree[name] for name, position in names.items()}
        return f(*(positions.get(position, argument) for position, argument in enumerate(args)))

    value, gradient = jax.jit(jax.value_and_grad(of_flat))(flat)
    if not np.isfinite(value):
        raise ValueError(
            explain("check", "f", got=f"a function that is {value} at this point", expected="a finite value",
                    fix="check at a point where it is defined")
        )  # fmt: skip
    h = np.asarray(_differences.steps(flat, _differences.default_step(dtype), step))
    _check_steps("check", h, step)
    leaves = _leaves(chosen, directions)
    probes = _probes(leaves, h, key)
    table = _differences.values(of_flat, flat, probes)
    slopes, signs = np.asarray(gradient), np.asarray(probes.signs)
    stretches = zip(*map(np.asarray, (probes.start, probes.stop, probes.row)))
    along = [signs[row, a:b] @ slopes[a:b] / (b - a) ** 0.5 for a, b, row in stretches]
    return (
        [place for leaf in leaves for place in leaf.places()],
        np.asarray(along),
        _differences.quotients(
            np.asarray(table), np.asarray(probes.h), float(jnp.finfo(dtype).eps), tolerance
        ),
    )


def _leaves(tree: Any, directions: int | None) -> list[_Leaf]:
    leaves, start = [], 0
    for path, leaf in _trees.named_leaves(tree).items():
        by_entry = directions is None and leaf.size <= BY_ENTRY
        count = leaf.size if by_entry else (directions or DIRECTIONS)
        leaves.append(_Leaf(path, leaf.shape, start, start + leaf.size, by_entry, count if leaf.size else 0))
        start += leaf.size
    return leaves


def _probes(leaves: list[_Leaf], h: np.ndarray, key: jax.Array) -> Probes:
    tables = []
    for leaf in leaves:
        number = np.arange(leaf.probes)
        if leaf.by_entry:
            tables.append(
                (leaf.start + number, leaf.start + number + 1, 0 * number, h[leaf.start : leaf.stop])
            )
        elif leaf.probes:
            whole = np.ones_like(number)
            largest = np.full(leaf.probes, h[leaf.start : leaf.stop].max())
            tables.append((leaf.start * whole, leaf.stop * whole, 1 + number, largest))
    start, stop, row, step = (jnp.asarray(np.concatenate(column)) for column in zip(*tables))
    rows = int(row.max())
    signs = jnp.ones((1, h.size), step.dtype)
    if rows:
        signs = jnp.concatenate([signs, jax.random.rademacher(key, (rows, h.size), step.dtype)])
    return Probes(start, stop, row, step, signs)


def _positions(op: str, f: Any, args: tuple[Any, ...], argnums: Any) -> tuple[list[str], tuple[int, ...]]:
    named = _functions.named_arguments(op, f, args)
    _functions.concrete(op, named)
    chosen = tuple(argnums) if isinstance(argnums, list | tuple) else (argnums,)
    if not chosen or not all(isinstance(n, int) and -len(args) <= n < len(args) for n in chosen):
        raise ValueError(
            explain(op, "argnums", got=repr(argnums), expected=f"positions among {len(args)} arguments",
                    fix="argnums=0 for the first")
        )  # fmt: skip
    positions = tuple(dict.fromkeys(n % len(args) for n in chosen))
    names = [list(named)[position] for position in positions]
    _functions.numbers(op, named)
    _functions.differentiable(op, {name: named[name] for name in names})
    return names, positions


def _check_step(op: str, step: Any) -> None:
    if step is not None:
        _checks.in_range(op, "step", step, 1e-300, np.inf, "(0, inf)")


def _check_steps(op: str, h: Any, step: Any) -> None:
    if not np.isfinite(h).all():
        raise ValueError(
            explain(op, "step", got=step, expected="one that is not lost in the rounding of an entry",
                    fix="pass a larger step, or None")
        )  # fmt: skip


def _wide(tree: Any) -> Any:
    def widened(leaf: Any) -> jax.Array:
        array = jnp.asarray(leaf)
        return array.astype(jnp.float64) if jnp.issubdtype(array.dtype, jnp.floating) else array

    return jax.tree.map(widened, tree)
