"""Pictures of sequence-to-sequence networks: where they look, and how they do by length."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdl.errors import ShapeError, explain
from jaxdl.plot import _figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def attention_map(
    weights: Any,
    source: Sequence[str],
    target: Sequence[str],
    *,
    title: str = "",
    path: str | Path | None = None,
) -> "Figure":
    """Draw the weights of attention: a row for each token written, a column for each token looked at.

    Args:
        weights: (target time, source time) of one example, in [0, 1]; rows and columns past the tokens are
            padding, and left out.
        source: the tokens looked at; a string is its characters.
        target: the tokens written.
        title: of the picture.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: weights that are not a matrix, or smaller than the tokens; no token.

    Example:
        >>> figure = attention_map([[0.9, 0.1, 0.0], [0.2, 0.7, 0.1]], "abc", "xy")
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['x', 'y']
    """
    rows, columns, values = len(target), len(source), np.asarray(weights, np.float64)
    if values.ndim != 2 or values.shape[0] < rows or values.shape[1] < columns or not rows * columns:
        raise ShapeError(
            explain("attention_map", "weights", got=f"of shape {values.shape}",
                    expected=f"(target, source) with at least {rows} rows and {columns} columns, and a token",
                    fix="pass the weights of one example, weights[i]")
        )  # fmt: skip
    figure = _figure.figure(1, panel_size=(1.8 + 0.26 * columns, 1.0 + 0.26 * rows))
    (axes,) = figure.axes
    image = axes.imshow(values[:rows, :columns], cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(columns), [_shown(token) for token in source])
    axes.set_yticks(range(rows), [_shown(token) for token in target])
    axes.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="0.92", linewidth=0.5)
    axes.tick_params(which="both", length=0)
    axes.set(xlabel="looked at", ylabel="written", title=title)
    figure.colorbar(image, ax=axes, label="weight", aspect=30, pad=0.02)
    _figure.save(figure, path)
    return figure


def accuracy_by_length(
    lengths: Any,
    right: Mapping[str, Any],
    *,
    bins: int = 8,
    xlabel: str = "tokens of the source",
    path: str | Path | None = None,
) -> "Figure":
    """Draw the share of sequences that are right against their length, a line a network.

    Args:
        lengths: (examples,) tokens of each.
        right: by label, (examples,) whether each is right, 0 and 1 or booleans.
        bins: groups of lengths, as many examples in each as equal lengths allow.
        xlabel: what the lengths count.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure; the grey bars are the examples of each group.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: no network, no example, or arrays of other lengths.
        ValueError: no bin.

    Example:
        >>> figure = accuracy_by_length([3, 3, 9, 9], {"RNN": [1, 1, 1, 0]}, bins=2)
        >>> figure.axes[0].lines[0].get_ydata().tolist()
        [100.0, 50.0]
    """
    found, shares = np.asarray(lengths), {name: np.asarray(row, np.float64) for name, row in right.items()}
    if (
        found.ndim != 1
        or not found.size
        or not shares
        or any(row.shape != found.shape for row in shares.values())
    ):
        raise ShapeError(
            explain("accuracy_by_length", "right", got=f"of shapes {[row.shape for row in shares.values()]}",
                    expected=f"arrays of the shape of 'lengths', {found.shape}, by name, of some examples",
                    fix="one entry an example: {'LSTM': predictions == targets}")
        )  # fmt: skip
    groups = _groups(found, bins)
    middles = np.array([found[group].mean() for group in groups])
    figure = _figure.figure(1, panel_size=(6.4, 4.0))
    (axes,) = figure.axes
    behind = axes.twinx()
    widths = np.array([np.ptp(found[group]) + 0.8 for group in groups])
    behind.bar(middles, [len(group) for group in groups], width=widths, color="0.9", zorder=0)
    behind.set(ylabel="examples", ylim=(0, 3 * max(len(group) for group in groups)))
    axes.set_zorder(behind.get_zorder() + 1)
    axes.patch.set_visible(False)
    for label, row in shares.items():
        axes.plot(middles, [100 * row[group].mean() for group in groups], "o-", markersize=4, label=label)
    axes.set(xlabel=xlabel, ylabel="exactly right, %", ylim=(-3, 103))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="center right")
    _figure.save(figure, path)
    return figure


def _groups(lengths: np.ndarray, bins: int) -> list[np.ndarray]:
    """Return the indices of each group of lengths, the shortest first; equal lengths stay together."""
    if not isinstance(bins, int) or bins < 1:
        raise ValueError(
            explain("accuracy_by_length", "bins", got=repr(bins), expected="a whole number of at least 1",
                    fix="bins=8")
        )  # fmt: skip
    edges = np.unique(np.quantile(lengths, np.arange(1, bins) / bins))
    number = np.searchsorted(
        edges, lengths, side="right" if len(edges) and edges[0] > lengths.min() else "left"
    )
    return [np.flatnonzero(number == group) for group in np.unique(number)]


def _shown(token: str) -> str:
    return {" ": "\N{OPEN BOX}", "": "\N{EMPTY SET}"}.get(token, token)
