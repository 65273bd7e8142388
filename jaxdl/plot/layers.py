"""Pictures of what happens inside a network, layer by layer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdl.errors import explain
from jaxdl.plot import _figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def gradients_by_depth(
    norms: Mapping[str, Any],
    *,
    ylabel: str = "gradient norm of the weights",
    title: str = "",
    path: str | Path | None = None,
) -> "Figure":
    """Draw a norm by layer on a logarithmic axis, one line a network: where gradients vanish or explode.

    Args:
        norms: by label, an array (layers,), first layer first, or a mapping from paths to norms such as
            `jaxdl.probe.norms` gives, drawn in its order. What is 0 or not finite is left out.
        ylabel: what the norms are of.
        title: of the picture.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ValueError: nothing to draw.

    Example:
        >>> figure = gradients_by_depth({"sigmoid": [1e-6, 1e-3, 1.0], "ReLU": [0.9, 1.0, 1.1]})
        >>> [line.get_label() for line in figure.axes[0].lines], figure.axes[0].get_yscale()
        (['sigmoid', 'ReLU'], 'log')
    """
    curves = {label: _values(curve) for label, curve in norms.items()}
    if not curves or not all(curve.ndim == 1 and len(curve) for curve in curves.values()):
        raise ValueError(
            explain("gradients_by_depth", "norms", got="without norms", expected="norms (layers,) by label",
                    fix="norms={'ReLU': [0.9, 1.0, 1.1]}")
        )  # fmt: skip
    figure = _figure.figure(1, panel_size=(6.4, 4.2))
    (axes,) = figure.axes
    for label, curve in curves.items():
        depth = np.arange(1, len(curve) + 1)
        shown = np.isfinite(curve) & (curve > 0)
        axes.plot(depth[shown], curve[shown], "o-", markersize=3.5, label=label)
    axes.set_yscale("log")
    axes.locator_params(axis="x", integer=True)
    axes.set(xlabel="layer, from the inputs to the outputs", ylabel=ylabel, title=title)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    _figure.save(figure, path)
    return figure


def activation_histograms(
    shares: Mapping[str, Mapping[str, Any]],
    *,
    low: float = -3.0,
    high: float = 3.0,
    notes: Mapping[str, Sequence[str]] | None = None,
    title: str = "",
    path: str | Path | None = None,
) -> "Figure":
    """Draw a grid of histograms, a row a network (or initialiser) and a column a layer.

    The outermost bars hold what lies outside. A bar far above all others, such as the zeros of a ReLU, is
    cut at the top of its panel.

    Args:
        shares: by label, and by layer, shares (bins,) as `jaxdl.probe.histogram` gives them; every label
            with the same number of layers.
        low: lower end of the histograms.
        high: upper end of the histograms.
        notes: by label, a few words for the corner of each panel, such as ``"std 0.7"``.
        title: of the picture.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ValueError: nothing to draw, labels with different numbers of layers, or ends out of order.

    Example:
        >>> grid = {"He": {"layer 1": [0.2, 0.6, 0.2], "layer 2": [0.1, 0.8, 0.1]}}
        >>> figure = activation_histograms(grid)
        >>> [axes.get_title() for axes in figure.axes]
        ['layer 1', 'layer 2']
    """
    columns = {len(layers) for layers in shares.values()}
    if len(columns) != 1 or 0 in columns or not low < high:
        raise ValueError(
            explain("activation_histograms", "shares", got=f"of {sorted(columns)} layers in [{low}, {high}]",
                    expected="one number of layers, at least 1, for each label, and low < high",
                    fix="shares={'He': {'layer 1': probe.histogram(outputs)}}")
        )  # fmt: skip
    figure = _figure.figure(columns.pop(), rows=len(shares), panel_size=(1.9, 1.5))
    panels = iter(figure.axes)
    for row, (label, layers) in enumerate(shares.items()):
        for column, (name, values) in enumerate(layers.items()):
            axes = next(panels)
            _bars(axes, np.asarray(values, np.float64), low, high)
            if notes is not None:
                axes.text(0.97, 0.93, notes[label][column], transform=axes.transAxes, ha="right", va="top",
                          fontsize=7)  # fmt: skip
            axes.set_yticks([])
            if row == 0:
                axes.set_title(name, fontsize=9)
            if column == 0:
                axes.set_ylabel(label, fontsize=9)
            if row < len(shares) - 1:
                axes.set_xticklabels([])
    figure.suptitle(title, fontsize=11) if title else None
    _figure.save(figure, path)
    return figure


def _bars(axes: Any, shares: np.ndarray, low: float, high: float) -> None:
    edges = np.linspace(low, high, len(shares) + 1)
    axes.bar((edges[1:] + edges[:-1]) / 2, shares, width=edges[1] - edges[0], color="C0")
    ordered = np.sort(shares)
    top = ordered[-2] if len(shares) > 4 and ordered[-1] > 4 * ordered[-2] > 0.04 else ordered[-1]
    axes.set(xlim=(low, high), ylim=(0, 1.35 * top if top > 0 else 1))
    axes.tick_params(labelsize=7)


def _values(curve: Any) -> np.ndarray:
    return np.asarray([*curve.values()] if isinstance(curve, Mapping) else curve, np.float64)
