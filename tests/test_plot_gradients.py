"""Pictures of gradients: a computation graph, a descent, times by size."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import graph, plot
from jaxdl.errors import ShapeError


def test_graph_writes_every_node_once_below_its_inputs(tmp_path: Path) -> None:
    shown = graph.show(lambda a, b: (a + b) * (b + 1.0) * a, 2.0, 1.0)
    figure = plot.graph(shown, path=tmp_path / "graph.png")
    boxes = {t.get_text().split(" ")[0].split("\n")[0]: t for t in figure.axes[0].texts if t.get_text()}
    assert list(boxes) == ["a", "b", "v1", "v2", "v3", "v4"]
    assert boxes["v3"].get_text() == "v3 = mul(v1, v2)\n6\ndv4/dv3 = 2"
    for node in shown.nodes:
        for name in set(node.inputs) & set(boxes):
            assert boxes[name].get_position()[1] > boxes[node.name].get_position()[1]
    # One line an edge: b, 1 -> v2 has one, v4 takes v3 and, past two rows, a.
    assert len(figure.axes[0].lines) == 7
    assert (tmp_path / "graph.png").read_bytes()[:4] == b"\x89PNG"


def test_boxes_do_not_overlap() -> None:
    def f(w: jax.Array, x: jax.Array) -> jax.Array:
        z = jax.nn.softmax(jnp.tanh(x @ w))
        return jnp.sum(jax.nn.silu(z)) + jnp.linalg.norm(jnp.where(z > 0.3, z, 0.5))

    figure = plot.graph(graph.show(f, jnp.ones((2, 3)), jnp.ones((4, 2))))
    figure.draw_without_rendering()
    boxes = [t.get_bbox_patch().get_window_extent() for t in figure.axes[0].texts if t.get_text()]
    assert len(boxes) > 15
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:index])
        assert figure.bbox.x0 <= box.x0 <= box.x1 <= figure.bbox.x1


def test_graph_draws_nodes_of_several_outputs() -> None:
    shown = graph.show(lambda x: jax.lax.fori_loop(0, 3, lambda i, c: c * x, x), 1.5)
    texts = [t.get_text() for t in plot.graph(shown).axes[0].texts if t.get_text()]
    assert any("scan" in text and "3; " in text for text in texts)
    with pytest.raises(TypeError, match=r"jaxdl.graph.show\(f, \*args\)"):
        plot.graph(jnp.sin)  # type: ignore[arg-type]


def test_descent_draws_the_path_until_it_leaves() -> None:
    figure = plot.descent(
        lambda w: w**2, {"inside": [1.0, 0.5], "outside": np.array([1.0, -3.0, 0.5])}, span=(-2.0, 2.0)
    )
    np.testing.assert_array_equal(figure.axes[0].lines[1].get_xydata(), [[1, 1], [0.5, 0.25]])
    np.testing.assert_array_equal(figure.axes[1].lines[1].get_xydata(), [[1, 1]])
    assert figure.axes[1].get_title() == "outside:\n2 steps, out of the picture at 1"


def test_descent_that_diverges_is_drawn() -> None:
    (axes,) = plot.descent(lambda w: w**2, {"diverges": [1.0, -4.0, np.inf, np.nan]}).axes
    assert len(axes.lines[1].get_xydata()) == 2


@pytest.mark.parametrize(
    ("paths", "span", "error", "words"),
    [
        ({}, None, ValueError, "at least one path"),
        ({"a": [[1.0]]}, None, ShapeError, r"\(steps \+ 1,\)"),
        ({"a": []}, None, ShapeError, r"\(steps \+ 1,\)"),
        ({"a": [1.0]}, (1.0, 1.0), ValueError, "lowest < highest"),
        ({"a": [np.nan]}, None, ValueError, "nowhere finite"),
    ],
)
def test_descent_refuses(paths: Any, span: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        plot.descent(lambda w: w**2, paths, span=span)


def test_times() -> None:
    figure = plot.times([10, 100], {"a": [1.0, 2.0], "b": [1.0, np.nan]}, xlabel="entries")
    assert figure.axes[0].get_xlabel() == "entries"
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["a", "b"]
    with pytest.raises(ShapeError, match="one time a size"):
        plot.times([10, 100], {"a": [1.0]})
    with pytest.raises(ValueError, match="at least one method"):
        plot.times([10], {})
