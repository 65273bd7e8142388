"""Functions of one number, each with its derivative."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import activations as act
from jaxdl.errors import explain
from jaxdl.plot import _figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Function = Callable[[jax.Array], jax.Array]
POINTS = 601


def functions(
    curves: Mapping[str, Function],
    *,
    bounds: tuple[float, float] = (-5.0, 5.0),
    together: bool = False,
    derivative: bool = True,
    label: str = "z",
    path: str | Path | None = None,
) -> "Figure":
    """Draw functions of one number, each with the derivative that ``jax.grad`` finds for it.

    A jump is drawn as a gap, not as a line.

    Args:
        curves: differentiable functions by name, each of a scalar to a scalar.
        bounds: first and last number.
        together: draw all in one panel instead of one panel each.
        derivative: draw the derivatives too, dashed.
        label: of the horizontal axis.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ValueError: no function, or bounds that are not in order.

    Example:
        >>> drawn = functions({"-log a": lambda a: -jnp.log(a)}, bounds=(0.01, 1.0), label="a")
        >>> [line.get_label() for line in drawn.axes[0].lines]
        ['-log a', 'its derivative']
    """
    if not curves or not bounds[0] < bounds[1]:
        raise ValueError(
            explain("plot.functions", "curves" if not curves else "bounds",
                    got="empty" if not curves else bounds, expected="functions over (low, high)",
                    fix="functions({'sigmoid': activations.sigmoid}, bounds=(-5, 5))")
        )  # fmt: skip
    panels = 1 if together else len(curves)
    columns = min(panels, 3)
    drawn = _figure.figure(
        columns, rows=-(-panels // columns), panel_size=(5.6, 3.8) if panels == 1 else (4.2, 3.0)
    )
    for axes in drawn.axes[panels:]:
        axes.remove()
    for index, (name, function) in enumerate(curves.items()):
        axes = drawn.axes[0 if together else index]
        colour = f"C{index}" if together else "C0"
        x = jnp.linspace(*bounds, POINTS)
        axes.plot(x, _broken(jax.vmap(function)(x)), colour, label=name)
        if derivative:
            slopes = _broken(jax.vmap(jax.grad(function))(x))
            words = f"derivative of {name}" if together else "its derivative"
            axes.plot(x, slopes, f"{colour if together else 'C1'}--", label=words)
        axes.set(xlabel=label, title="" if together else name)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    _figure.save(drawn, path)
    return drawn


def activations(*, bounds: tuple[float, float] = (-5.0, 5.0), path: str | Path | None = None) -> "Figure":
    """Draw every elementwise activation with its derivative, one panel each.

    Args:
        bounds: first and last input.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ValueError: bounds that are not in order.

    Example:
        >>> [axes.get_title() for axes in activations().axes][:3]
        ['identity', 'step', 'sigmoid']
    """
    curves: dict[str, Function] = {
        "identity": act.identity,
        "step": act.step,
        "sigmoid": act.sigmoid,
        "tanh": act.tanh,
        "softsign": act.softsign,
        "relu": act.relu,
        "leaky_relu, slope 0.01": act.leaky_relu,
        "prelu, slope 0.25": lambda x: act.prelu(x, jnp.asarray(0.25, x.dtype)),
        "swish": act.swish,
    }
    return functions(curves, bounds=bounds, path=path)


def step_and_sigmoid(*, path: str | Path | None = None) -> "Figure":
    """Draw the step beside the sigmoid at three sharpnesses: ``sigmoid(k z)`` becomes the step as k grows.

    Args:
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.

    Example:
        >>> [line.get_label() for line in step_and_sigmoid().axes[0].lines]
        ['sigmoid(z)', 'sigmoid(3 z)', 'sigmoid(10 z)', 'step']
    """
    curves: dict[str, Function] = {
        "sigmoid(z)": act.sigmoid,
        "sigmoid(3 z)": lambda z: act.sigmoid(3 * z),
        "sigmoid(10 z)": lambda z: act.sigmoid(10 * z),
        "step": act.step,
    }
    return functions(curves, together=True, derivative=False, path=path)


def _broken(values: jax.Array) -> np.ndarray:
    """Return values with NaN where they jump, so that no line is drawn across."""
    found = np.array(values, np.float64)
    steps = np.abs(np.diff(found))
    jumps = steps > 0.25 * max(1e-12, float(np.ptp(found)))
    if jumps.sum() <= 3:
        found[1:][jumps] = np.nan
    return found
