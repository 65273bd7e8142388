"""The picture of a computation graph."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxdl.errors import explain
from jaxdl.graph import Graph, Node
from jaxdl.plot import _figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"input": "#dbe9f6", "constant": "#eeeeee"}
HEIGHT = 1.35  # inches a node


def graph(shown: Graph, *, path: str | Path | None = None) -> "Figure":
    """Draw a computation graph from left to right: by node its value and the derivative of the output.

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
        >>> len(graph(show(lambda x, y: x * y + y, 2.0, 3.0)).axes[0].texts)
        4
    """
    if not isinstance(shown, Graph):
        raise TypeError(
            explain("plot.graph", "shown", got=f"a {type(shown).__name__}", expected="a Graph",
                    fix="jaxdl.graph.show(f, *args)")
        )  # fmt: skip
    columns = _columns(shown)
    widest = max(map(len, columns))
    captions = {node.name: _caption(node, shown.output) for node in shown.nodes}
    lengths = [max(len(line) for node in c for line in captions[node.name].split("\n")) for c in columns]
    widths = [0.085 * length + 0.9 for length in lengths]  # inches, at 8 points
    size = (sum(widths), max(HEIGHT * widest, 1.5))
    figure = _figure.figure(1, panel_size=size)
    axes = figure.axes[0]
    places, left = {}, 0.0
    for column, width in zip(columns, widths):
        for row, node in enumerate(column):
            places[node.name] = (left + width / 2, size[1] * (1 - (row + 0.5) / len(column)))
        left += width
    labels = {}
    for node in shown.nodes:
        face = COLOURS.get(node.operation, "#d9f0d3" if node.name == shown.output else "#fff3d6")
        labels[node.name] = axes.text(
            *places[node.name], captions[node.name], ha="center", va="center", fontsize=8, zorder=3,
            bbox={"boxstyle": "round,pad=0.4", "facecolor": face, "edgecolor": "#666666"},
        )  # fmt: skip
    _arrows(axes, shown, labels)
    axes.set(xlim=(0, size[0]), ylim=(0, size[1]))
    axes.axis("off")
    _figure.save(figure, path)
    return figure


def _caption(node: Node, output: str) -> str:
    head = node.name if node.operation == "input" else f"{node.name} = {node.formula}"
    return f"{head}\n{node.value_text}\nd{output}/d{node.name} = {node.derivative_text}"


def _arrows(axes: Any, shown: Graph, labels: dict[str, Any]) -> None:
    for node in shown.nodes:
        for source in dict.fromkeys(_sources(node, labels)):
            ends = (labels[source].get_position(), labels[node.name].get_position())
            # Bent where they pass over a column, so that they are not hidden behind its boxes.
            axes.annotate(
                "", xy=ends[1], xytext=ends[0], zorder=2,
                arrowprops={
                    "arrowstyle": "->", "color": "#444444", "patchA": labels[source].get_bbox_patch(),
                    "patchB": labels[node.name].get_bbox_patch(), "connectionstyle": "arc3,rad=0.08",
                },
            )  # fmt: skip


def _sources(node: Node, known: Any) -> list[str]:
    # An output of a node of several is written "v3.1".
    names = [name if name in known else name.rpartition(".")[0] for name in node.inputs]
    return [name for name in names if name in known]


def _columns(shown: Graph) -> list[list[Node]]:
    """Place each node right of its inputs, inputs just left of their first use, and untangle the rows."""
    depth: dict[str, int] = {}
    for node in shown.nodes:
        depth[node.name] = 1 + max((depth[name] for name in _sources(node, depth)), default=-1)
    users: dict[str, list[str]] = {node.name: [] for node in shown.nodes}
    for node in shown.nodes:
        for name in _sources(node, depth):
            users[name].append(node.name)
    for node in shown.nodes:
        if not node.inputs and users[node.name]:
            depth[node.name] = min(depth[user] for user in users[node.name]) - 1
    columns: list[list[Node]] = [[] for _ in range(max(depth.values()) + 1)]
    for node in shown.nodes:
        columns[depth[node.name]].append(node)
    for _ in range(4):
        _untangle(columns, {node.name: _sources(node, depth) for node in shown.nodes})
        _untangle(columns[::-1], users)
    return columns


def _untangle(columns: list[list[Node]], neighbours: dict[str, list[str]]) -> None:
    # Barycentre rule: a node goes to the mean height of its neighbours.
    height = {n.name: (row + 0.5) / len(column) for column in columns for row, n in enumerate(column)}
    for column in columns:
        means = {
            node.name: sum(height[name] for name in near) / len(near) if (near := neighbours[node.name])
            else height[node.name]
            for node in column
        }  # fmt: skip
        column.sort(key=lambda node: means[node.name])
        height.update({node.name: (row + 0.5) / len(column) for row, node in enumerate(column)})
