"""The picture of a computation graph."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl.errors import explain
from jaxdl.graph import Graph, Node
from jaxdl.plot import _figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"input": "#dbe9f6", "constant": "#eeeeee"}
BOX, GAP = 0.62, 0.5  # inches: height of a box, and from one row to the next
ARROW = {"arrowstyle": "->", "color": "#444444", "shrinkA": 0, "shrinkB": 1}
LONGEST = 34  # characters of a value; longer ones are given by shape and norm

Slots = list[list[str]]


def graph(shown: Graph, *, path: str | Path | None = None) -> "Figure":
    """Draw a computation graph from top to bottom: by node its value and the derivative of the output.

    Args:
        shown: what `jaxdl.graph.show` returns.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        TypeError: `shown` is no `Graph`.

    Example:
        >>> from jaxdl.graph import show
        >>> axes = graph(show(lambda x, y: x * y + y, 2.0, 3.0)).axes[0]
        >>> len(axes.lines)  # one an edge
        4

    Reference:
        Sugiyama, Tagawa and Toda (1981), whose layered layout this is.
    """
    if not isinstance(shown, Graph):
        raise TypeError(
            explain("plot.graph", "shown", got=f"a {type(shown).__name__}", expected="a Graph",
                    fix="jaxdl.graph.show(f, *args)")
        )  # fmt: skip
    captions = {node.name: _caption(node, shown.output) for node in shown.nodes}
    rows, chains = _layers(shown)
    widths = {name: 0.075 * max(map(len, text.split("\n"))) + 0.5 for name, text in captions.items()}
    size = (max(sum(widths.get(slot, 0.3) for slot in row) for row in rows), len(rows) * (BOX + GAP))
    places = _places(rows, widths, size)
    figure = _figure.figure(1, panel_size=size)
    axes = figure.axes[0]
    for points in _lines(shown, chains, places):
        x, y = zip(*points[:-1])
        axes.plot(x, y, color="#444444", lw=1, zorder=1)
        axes.annotate("", xy=points[-1], xytext=points[-2], zorder=1, arrowprops=ARROW)
    for node in shown.nodes:
        face = COLOURS.get(node.operation, "#d9f0d3" if node.name == shown.output else "#fff3d6")
        axes.text(*places[node.name], captions[node.name], ha="center", va="center", fontsize=8, zorder=3,
                  bbox={"boxstyle": "round,pad=0.4", "facecolor": face, "edgecolor": "#666666"})  # fmt: skip
    axes.set(xlim=(0, size[0]), ylim=(0, size[1]))
    axes.axis("off")
    _figure.save(figure, path)
    return figure


def _caption(node: Node, output: str) -> str:
    head = node.name if node.operation == "input" else f"{node.name} = {node.formula}"
    value = _short(node.value_text, node.value)
    return f"{head}\n{value}\nd{output}/d{node.name} = {_short(node.derivative_text, node.derivative)}"


def _short(text: str, value: Any) -> str:
    if len(text) <= LONGEST:
        return text
    parts = value if isinstance(value, tuple) else (value,)
    return "; ".join("-" if part is None else f"{np.shape(part)}{_norm(part)}" for part in parts)


def _norm(part: Any) -> str:
    if jnp.issubdtype(part.dtype, jax.dtypes.prng_key):
        return ""
    return f", norm {np.linalg.norm(np.asarray(part, np.float64).ravel()):.4g}"


def _sources(node: Node, known: Mapping[str, Any]) -> list[str]:
    # An output of a node of several is written "v3.1".
    names = [name if name in known else name.rpartition(".")[0] for name in node.inputs]
    return list(dict.fromkeys(name for name in names if name in known))


def _layers(shown: Graph) -> tuple[Slots, dict[str, list[str]]]:
    """Return the rows of slots, and by node the slots that a line from it passes through, row by row."""
    depth: dict[str, int] = {}
    users: dict[str, list[str]] = {node.name: [] for node in shown.nodes}
    for node in shown.nodes:
        sources = _sources(node, depth)
        depth[node.name] = 1 + max((depth[name] for name in sources), default=-1)
        for name in sources:
            users[name].append(node.name)
    for node in shown.nodes:
        if not node.inputs and users[node.name]:
            depth[node.name] = min(depth[user] for user in users[node.name]) - 1
    rows: Slots = [[] for _ in range(max(depth.values()) + 1)]
    near: dict[str, list[str]] = {}
    chains: dict[str, list[str]] = {}
    for node in shown.nodes:
        rows[depth[node.name]].append(node.name)
        lowest = max((depth[user] for user in users[node.name]), default=0)
        chains[node.name] = [f"{node.name}@{row}" for row in range(depth[node.name] + 1, lowest)]
        for row, slot in enumerate(chains[node.name], depth[node.name] + 1):
            rows[row].append(slot)
    for name, chain in chains.items():
        whole = [name, *chain]
        for user in users[name]:
            above = whole[depth[user] - depth[name] - 1]
            near.setdefault(user, []).append(above)
            near.setdefault(above, []).append(user)
        for above, below in zip(whole, chain):
            near.setdefault(above, []).append(below)
            near.setdefault(below, []).append(above)
    for _ in range(4):
        _untangle(rows, near)
        _untangle(rows[::-1], near)
    return rows, chains


def _untangle(rows: Slots, near: Mapping[str, list[str]]) -> None:
    # Barycentre rule: a slot goes to the mean place of its neighbours in the rows before.
    place: dict[str, float] = {}
    for row in rows:
        means = {}
        for index, slot in enumerate(row):
            before = [place[name] for name in near.get(slot, ()) if name in place]
            means[slot] = sum(before) / len(before) if before else (index + 0.5) / len(row)
        row.sort(key=lambda slot: means[slot])
        place.update({slot: (index + 0.5) / len(row) for index, slot in enumerate(row)})


def _places(
    rows: Slots, widths: Mapping[str, float], size: tuple[float, float]
) -> dict[str, tuple[float, float]]:
    places = {}
    for number, row in enumerate(rows):
        room = (size[0] - sum(widths.get(slot, 0.3) for slot in row)) / len(row)
        left = 0.0
        for slot in row:
            width = widths.get(slot, 0.3) + room
            places[slot] = (left + width / 2, size[1] - (number + 0.5) * (BOX + GAP))
            left += width
    return places


def _lines(
    shown: Graph, chains: Mapping[str, list[str]], places: Mapping[str, tuple[float, float]]
) -> list[list[tuple[float, float]]]:
    """Return one line of points for each edge: slanted between rows, upright beside boxes."""
    lines = []
    for node in shown.nodes:
        end = places[node.name]
        for name in _sources(node, chains):
            x, y = places[name]
            points = [(x, y), (x, y - BOX / 2)]
            for slot in chains[name]:
                x, y = places[slot]
                if y > end[1] + BOX / 2:
                    points += [(x, y + BOX / 2), (x, y - BOX / 2)]
            lines.append([*points, (end[0], end[1] + BOX / 2)])
    return lines
