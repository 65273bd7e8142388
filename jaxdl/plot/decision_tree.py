"""A decision tree, drawn."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxdl.models._tree_text import Words, words
from jaxdl.models.decision_tree import DecisionTree
from jaxdl.plot import _figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 1.75, 1.15  # inches for a leaf and for a level


def tree(
    drawn: DecisionTree,
    *,
    names: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    max_depth: int | None = None,
    path: str | Path | None = None,
) -> "Figure":
    """Draw a decision tree: a box a node, coloured by its likeliest class, the paler the less certain.

    Args:
        drawn: the tree.
        names: a name for each feature; None: x0, x1, ...
        classes: a name for each class; None: class 0, class 1, ...
        max_depth: leave out what lies deeper; beyond some 30 leaves a picture cannot be read.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        DtypeError: `drawn` is no `DecisionTree`.
        ShapeError: a wrong number of names.

    Example:
        >>> from jaxdl.models import decision_tree
        >>> small = decision_tree.fit(np.array([[1.0], [2.0]]), np.array([0, 1]))
        >>> [text.get_text().splitlines()[0] for text in tree(small).axes[0].texts]
        ['x0 <= 1.5', 'class 0', 'class 1', 'yes', 'no']
    """
    _figure.require("plot.tree", "drawn", drawn, DecisionTree, "models.decision_tree.fit(...)")
    told = words("plot.tree", drawn, names, classes)
    places, edges = _layout(told, np.inf if max_depth is None else max_depth)
    columns = 1 + max(x for x, _ in places.values())
    rows = 1 + max(depth for _, depth in places.values())
    figure = _figure.figure(1, panel_size=(max(3.0, WIDTH * columns), HEIGHT * rows))
    (axes,) = figure.axes
    for node, (x, depth) in places.items():
        _box(axes, told, node, x, depth, shown_leaf=node not in edges)
    for node, children in edges.items():
        for child, word in zip(children, ("yes", "no"), strict=True):
            _arrow(axes, places[node], places[child], word)
    axes.set(xlim=(-0.55, columns - 0.45), ylim=(rows - 0.55, -0.5))
    axes.set_axis_off()
    _figure.save(figure, path)
    return figure


def _layout(told: Words, deepest: float) -> tuple[dict[int, tuple[float, int]], dict[int, tuple[int, int]]]:
    """Return the place (column, depth) of each node and its children; leaves stand side by side."""
    edges: dict[int, tuple[int, int]] = {}
    places: dict[int, tuple[float, int]] = {}
    columns, depths, stack = 0, {0: 0}, [0]
    order = []
    while stack:
        node = stack.pop()
        order.append(node)
        if told.is_leaf(node) or depths[node] >= deepest:
            places[node] = (float(columns), depths[node])
            columns += 1
            continue
        left = int(told.tree.left[node])
        edges[node] = (left, left + 1)
        depths |= {left: depths[node] + 1, left + 1: depths[node] + 1}
        stack += [left + 1, left]
    for node in reversed(order):
        if node in edges:
            places[node] = (sum(places[child][0] for child in edges[node]) / 2, depths[node])
    return {node: places[node] for node in sorted(places)}, edges


def _box(axes: Any, told: Words, node: int, x: float, depth: int, *, shown_leaf: bool) -> None:
    from matplotlib.colors import to_rgb

    counts = np.asarray(told.tree.counts[node], np.float64)
    certain = (counts.max() / counts.sum() * len(counts) - 1) / max(len(counts) - 1, 1)
    colour = np.array(to_rgb(f"C{int(counts.argmax()) % 10}"))
    lines = [told.answer(node), f"{told.weights(node)}"]
    if not shown_leaf:
        lines = [told.question(node), f"gain {float(told.tree.gain[node]):.3f}", told.weights(node)]
    elif not told.is_leaf(node):
        lines.insert(1, "...")
    axes.text(
        x, depth, "\n".join(lines), ha="center", va="center", fontsize=8,
        bbox={"boxstyle": "round", "facecolor": 1 - (1 - colour) * 0.6 * certain, "edgecolor": "0.35"},
    )  # fmt: skip


def _arrow(axes: Any, start: tuple[float, int], end: tuple[float, int], word: str) -> None:
    axes.plot((start[0], end[0]), (start[1], end[1]), color="0.6", linewidth=1, zorder=0)
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    axes.text(*middle, word, ha="center", va="center", fontsize=7, color="0.3",
              bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"})  # fmt: skip
