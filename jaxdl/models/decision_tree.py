"""Decision trees for classification: grown on the host in NumPy, predicting as one compiled program."""

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import ShapeError, explain
from jaxdl.impurity import CRITERIA
from jaxdl.models import _tree_checks as checks
from jaxdl.models._grow import Data, Limits, Nodes, grow, padded
from jaxdl.models._tree_predict import labels, leaf_of, probabilities
from jaxdl.models._tree_text import tree_text

GAINS = ("tree", "node")


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class DecisionTree:
    """A binary tree: at node i an input goes left when ``x[feature[i]] <= threshold[i]``, else right.

    Nodes are numbered breadth first, the root is 0. A leaf has threshold inf and is its own left child. The
    number of rows is a power of two, so that trees of like size share their compiled programs; rows beyond
    the last node are leaves without examples, which nothing leads to.

    Attributes:
        feature: (rows,) the feature that a node asks for; 0 at a leaf.
        threshold: (rows,) half-way between two neighbouring training values; inf at a leaf.
        left: (rows,) the left child; the right one is its successor.
        gain: (rows,) information gain of the split, in bits for entropy; 0 at a leaf.
        counts: (rows, classes) weight of the training examples of each class; all NaN where a fit inside
            a compiled program met bad values.
        depth: number of questions on the longest path.
        usual_depth: number of questions within which nine tenths of the training weight found a leaf.
        features: number of features of an input; static.

    Example:
        >>> inputs = np.array([[1.0], [2.0], [4.0]], np.float32)
        >>> tree = fit(inputs, np.array([0, 0, 1]))
        >>> tree(np.array([[2.9], [3.1]], np.float32)).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
        >>> print(tree)
        x0 <= 3, gain 0.918, 3 examples
        ├── yes: class 0 (2, 0)
        └── no: class 1 (0, 1)
    """

    feature: jax.Array
    threshold: jax.Array
    left: jax.Array
    gain: jax.Array
    counts: jax.Array
    depth: jax.Array
    usual_depth: jax.Array
    features: int = dataclasses.field(metadata={"static": True})

    @property
    def right(self) -> jax.Array:
        """The right child of each node; a leaf is its own."""
        return self.left + jnp.isfinite(self.threshold)

    @property
    def leaves(self) -> int:
        """Number of leaves, counted on the host."""
        return int(np.sum(np.isfinite(self.threshold))) + 1

    @property
    def nodes(self) -> int:
        """Number of nodes, leaves included, counted on the host."""
        return 2 * self.leaves - 1

    def leaf(self, inputs: Any) -> jax.Array:
        """Return the leaf (batch,) that each input (batch, features) ends at; -1 for one with a NaN."""
        return leaf_of(self, self._checked("leaf", inputs))

    def __call__(self, inputs: Any) -> jax.Array:
        """Return class probabilities (batch, classes) of inputs (batch, features); NaN for one with a NaN."""
        return probabilities(self, self._checked("__call__", inputs))

    def predict(self, inputs: Any) -> jax.Array:
        """Give the likeliest class (batch,) of inputs (batch, features), -1 for a NaN; the lower in a tie."""
        return labels(self, self._checked("predict", inputs))

    def text(
        self,
        *,
        names: Sequence[str] | None = None,
        classes: Sequence[str] | None = None,
        max_depth: int | None = None,
    ) -> str:
        """Print the questions of the tree, one a line.

        Args:
            names: a name for each feature; None: x0, x1, ...
            classes: a name for each class; None: class 0, class 1, ...
            max_depth: leave out what lies deeper.

        Returns:
            The lines; numbers in brackets are the weights of the training examples, by class.

        Raises:
            ShapeError: a wrong number of names.
        """
        return tree_text(self, names=names, classes=classes, max_depth=max_depth)

    def __str__(self) -> str:
        return self.text(max_depth=8)

    def _checked(self, method: str, inputs: Any) -> jax.Array:
        op = f"DecisionTree.{method}"
        x = _checks.array(op, "inputs", inputs)
        if x.ndim != 2 or x.shape[1] != self.features:
            raise ShapeError(
                explain(op, "inputs", got=f"of shape {x.shape}", expected=f"(batch, {self.features})",
                        fix="one row an example, with the features of the fit")
            )  # fmt: skip
        return x.astype(jnp.float32)


def fit(
    inputs: Any,
    targets: Any,
    *,
    classes: int | None = None,
    criterion: str = "entropy",
    max_depth: int | None = None,
    min_samples_split: int = 2,
    min_samples_leaf: int = 1,
    min_gain: Any = 0.0,
    min_gain_of: str = "tree",
    weights: Any = None,
) -> DecisionTree:
    """Grow a tree greedily: split each node where ``I(node) - sum_s n_s/n I(child_s)`` is greatest.

    All features are numbers, read as float32; categories become columns of 0 and 1 (`data.one_hot`). Equal
    values are never parted. Of equal gains the first feature and the least threshold are taken. A node with
    one class only, or with equal inputs only, is a leaf; a gain of 0 is no reason to stop, since a later
    question may gain (XOR), unless `min_gain` is positive.

    The tree is grown on the host. Inside `jax.jit` and `jax.vmap` that is a callback: the tree then has as
    many rows as it could ever need, ``2 min(examples / min_samples_leaf, 2^max_depth) - 1``.

    Args:
        inputs: (examples, features) finite numbers.
        targets: (examples,) integer classes.
        classes: number of classes; None: the largest target plus 1, which a traced fit cannot know.
        criterion: the impurity I: ``"entropy"``, in bits, or ``"gini"``.
        max_depth: most questions on a path; None: no limit.
        min_samples_split: a node of fewer examples is not split.
        min_samples_leaf: fewest examples of a child.
        min_gain: least gain of a split; may be traced.
        min_gain_of: ``"tree"`` compares with `min_gain` the gain times the node's share of all weight, by
            which the impurity of the whole tree falls (scikit-learn's ``min_impurity_decrease``); ``"node"``
            the gain at the node itself, as textbooks do.
        weights: (examples,) not negative; an example of weight 0 is not there, for the limits neither; may
            be traced.

    Returns:
        The `DecisionTree`.

    Raises:
        ShapeError: arrays that do not fit together, no example, no feature.
        DtypeError: not numbers, or targets that are not integers.
        FormatError: inputs not finite, targets outside [0, classes), weights negative or all 0. A traced fit
            gives NaN counts instead.
        ValueError: a limit or a name out of range.

    Example:
        >>> inputs = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        >>> tree = fit(inputs, np.array([0, 1, 1, 0]), classes=2)
        >>> tree.predict(inputs).tolist(), int(tree.depth), tree.leaves
        ([0, 1, 1, 0], 2, 4)

    Reference:
        Breiman, Friedman, Olshen and Stone (1984); Quinlan (1986). The splits of
        ``sklearn.tree.DecisionTreeClassifier``, which breaks ties at random and takes values closer than
        1e-7 for equal.
    """
    options = _options(criterion, max_depth, min_samples_split, min_samples_leaf, min_gain, min_gain_of)
    arrays = {"inputs": inputs, "targets": targets}
    arrays |= {} if weights is None else {"weights": weights}
    if any(isinstance(value, jax.core.Tracer) for value in (*arrays.values(), min_gain)):
        return _traced_fit(arrays, classes, min_gain, options)
    host = {name: checks.host(name, value) for name, value in arrays.items()}
    checks.check_shapes(**host)
    classes = checks.check_values(**host, classes=classes)
    nodes, *depths = _grown(**host, min_gain=float(min_gain), classes=classes, options=options)
    rows = 1 << (len(nodes.left) - 1).bit_length()
    return _model(padded(nodes, rows), *depths, features=host["inputs"].shape[1])


def _options(
    criterion: str, max_depth: Any, split: Any, leaf: Any, min_gain: Any, min_gain_of: str
) -> tuple[str, Limits]:
    _checks.one_of("fit", "criterion", criterion, CRITERIA)
    _checks.one_of("fit", "min_gain_of", min_gain_of, GAINS)
    _checks.in_range("fit", "min_gain", min_gain, 0, np.inf, "[0, inf)")
    depth = np.inf if max_depth is None else _checks.positive_integer("fit", "max_depth", max_depth)
    split = _checks.positive_integer("fit", "min_samples_split", split, least=2)
    leaf = _checks.positive_integer("fit", "min_samples_leaf", leaf)
    return criterion, Limits(depth, split, leaf, 0.0, min_gain_of == "tree")


def _grown(
    inputs: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    min_gain: float,
    classes: int,
    options: tuple[str, Limits],
) -> tuple[Nodes, int, int]:
    if weights is not None:
        there = weights > 0
        inputs, targets, weights = inputs[there], targets[there], weights[there].astype(np.float64)
        if (weights == 1).all():
            weights = None
        elif (weights == np.floor(weights)).all() and weights.sum() < 2**31:
            weights = weights.astype(np.int32)
    narrow = next(kind for kind in (np.int8, np.int16, np.int32) if classes <= np.iinfo(kind).max)
    values = np.ascontiguousarray(inputs.T.astype(np.float32, order="F"))
    criterion, limits = options
    return grow(
        Data(values, targets.astype(narrow), weights, classes), criterion, limits._replace(min_gain=min_gain)
    )


def _model(nodes: Nodes, *depths: Any, features: int) -> DecisionTree:
    feature, threshold, left, gain, counts = (jnp.asarray(part) for part in nodes)
    depth, usual = (jnp.asarray(part, jnp.int32) for part in depths)
    return DecisionTree(feature, threshold, left, gain, counts, depth, usual, features)


def _traced_fit(
    arrays: dict[str, Any], classes: int | None, min_gain: Any, options: tuple[str, Limits]
) -> DecisionTree:
    arrays = {name: _checks.array("fit", name, value) for name, value in arrays.items()}
    checks.check_shapes(**arrays)
    if classes is None:
        raise ValueError(explain("fit", "classes", got=None, expected="the number of classes in a traced fit",
                                 fix="classes=3"))  # fmt: skip
    count = _checks.positive_integer("fit", "classes", classes)
    examples, features = arrays["inputs"].shape
    most = max(1, examples // options[1].min_samples_leaf)
    rows = 2 * int(min(most, 2 ** min(options[1].max_depth, 32))) - 1
    kinds = (np.int32, np.float32, np.int32, np.float32)
    shapes = [jax.ShapeDtypeStruct((rows,), kind) for kind in kinds]
    shapes += [jax.ShapeDtypeStruct((rows, count), np.float32), *2 * [jax.ShapeDtypeStruct((), np.int32)]]
    call = partial(_callback, rows=rows, classes=count, options=options)
    found = jax.pure_callback(call, shapes, arrays, min_gain, vmap_method="sequential")
    return _model(Nodes(*found[:5]), *found[5:], features=features)


def _callback(
    arrays: dict[str, Any], min_gain: Any, *, rows: int, classes: int, options: tuple[str, Limits]
) -> list[Any]:
    host = {name: np.asarray(value) for name, value in arrays.items()}
    faults = checks.faults(host["inputs"], host["targets"], host.get("weights"), classes)
    if any(bad.any() for bad in faults.values()) or not 0 <= float(min_gain) < np.inf:
        host = {"inputs": np.zeros((1, 1)), "targets": np.zeros(1, int)}
        nodes, *depths = _grown(**host, min_gain=0, classes=classes, options=options)
        nodes = nodes._replace(counts=nodes.counts * np.nan)
    else:
        nodes, *depths = _grown(**host, min_gain=float(min_gain), classes=classes, options=options)
    return [*padded(nodes, rows), *map(np.int32, depths)]
