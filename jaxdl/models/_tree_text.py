"""A decision tree in words."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain

if TYPE_CHECKING:
    from jaxdl.models.decision_tree import DecisionTree


class Words(NamedTuple):
    """A tree on the host, with the names of its features and classes."""

    tree: "DecisionTree"
    names: Sequence[str]
    classes: Sequence[str]

    def is_leaf(self, node: int) -> bool:
        """Tell whether a node asks nothing."""
        return int(self.tree.left[node]) == node

    def question(self, node: int) -> str:
        """Word what a node asks."""
        return f"{self.names[int(self.tree.feature[node])]} <= {float(self.tree.threshold[node]):.4g}"

    def answer(self, node: int) -> str:
        """Word the likeliest class of a node."""
        return self.classes[int(np.argmax(self.tree.counts[node]))]

    def weights(self, node: int) -> str:
        """Word the weights of the classes that are there."""
        counts = np.asarray(self.tree.counts[node])
        return ", ".join(f"{value:.6g}" for value in counts)


def words(op: str, tree: "DecisionTree", names: Sequence[str] | None, classes: Sequence[str] | None) -> Words:
    """Check the names, and fetch the tree from the device."""
    import jax

    tree = jax.device_get(tree)
    known = {"names": (names, tree.features, "x"), "classes": (classes, tree.counts.shape[1], "class ")}
    found = []
    for argument, (given, count, stem) in known.items():
        if given is not None and (isinstance(given, str) or len(given) != count):
            raise ShapeError(
                explain(op, argument, got=f"of {len(given)} names", expected=f"{count} names in a sequence",
                        fix=f"one for each of {count}, or None")
            )  # fmt: skip
        found.append([f"{stem}{i}" for i in range(count)] if given is None else list(given))
    return Words(tree, *found)


def tree_text(
    tree: "DecisionTree",
    *,
    names: Sequence[str] | None,
    classes: Sequence[str] | None,
    max_depth: int | None,
) -> str:
    """Print a tree; see `DecisionTree.text`."""
    deepest = np.inf
    if max_depth is not None:
        deepest = _checks.positive_integer("DecisionTree.text", "max_depth", max_depth)
    return "\n".join(_lines(words("DecisionTree.text", tree, names, classes), deepest))


def _lines(words: Words, deepest: float) -> Iterator[str]:
    # A stack of its own: a tree may be deeper than Python's.
    stack = [(0, "", "", 0)]
    while stack:
        node, lead, indent, depth = stack.pop()
        total = f"{np.sum(words.tree.counts[node]):.6g} examples"
        if words.is_leaf(node):
            yield f"{lead}{words.answer(node)} ({words.weights(node)})"
        elif depth >= deepest:
            yield f"{lead}... ({total}, mostly {words.answer(node)})"
        else:
            yield f"{lead}{words.question(node)}, gain {float(words.tree.gain[node]):.3f}, {total}"
            left = int(words.tree.left[node])
            stack.append((left + 1, f"{indent}└── no: ", f"{indent}    ", depth + 1))
            stack.append((left, f"{indent}├── yes: ", f"{indent}│   ", depth + 1))
