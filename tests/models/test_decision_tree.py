"""Decision trees against scikit-learn's, and where its conventions end."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from jaxdl import data, impurity
from jaxdl.errors import ShapeError
from jaxdl.models import DecisionTree, decision_tree

SETS = {name: getattr(data, f"load_{name}")() for name in ("iris", "wine", "breast_cancer", "digits")}
LIMITS = ({"max_depth": 3}, {"min_samples_leaf": 5}, {"min_samples_split": 20}, {"max_depth": 1})


def theirs(inputs: Any, targets: Any, weights: Any = None, seed: int = 0, **options: Any) -> Any:
    options = {"criterion": "entropy", "random_state": seed} | options
    return DecisionTreeClassifier(**options).fit(inputs, targets, weights)


def root_gain(tree: Any) -> float:
    """Return scikit-learn's gain at the root."""
    tree = tree.tree_
    weight = tree.weighted_n_node_samples
    children = [tree.children_left[0], tree.children_right[0]]
    return float(tree.impurity[0] - sum(weight[i] * tree.impurity[i] for i in children) / weight[0])


def accuracy(tree: Any, inputs: Any, targets: Any) -> float:
    return float(np.mean(np.asarray(tree.predict(inputs)) == targets))


@pytest.mark.parametrize("criterion", ["entropy", "gini"])
@pytest.mark.parametrize("name", SETS)
def test_equals_sklearn_on_real_data(name: str, criterion: str) -> None:
    training, test = data.split(SETS[name], (0.7, 0.3), seed=1)
    ours = decision_tree.fit(training.inputs, training.targets, criterion=criterion)
    peers = [theirs(training.inputs, training.targets, seed=s, criterion=criterion) for s in range(6)]
    assert accuracy(ours, training.inputs, training.targets) == 1
    np.testing.assert_allclose(ours.gain[0], root_gain(peers[0]), rtol=1e-6)
    # Ties are broken at random there, so that its trees differ in size and on the test set.
    tested = [accuracy(peer, test.inputs, test.targets) for peer in peers]
    spread = max(0.01, max(tested) - min(tested))
    assert min(tested) - spread <= accuracy(ours, test.inputs, test.targets) <= max(tested) + spread
    sizes = [peer.get_n_leaves() for peer in peers]
    assert 0.95 * min(sizes) <= ours.leaves <= 1.05 * max(sizes)


@pytest.mark.parametrize("limits", LIMITS, ids=str)
@pytest.mark.parametrize("name", SETS)
def test_limits_give_the_leaves_of_sklearn(name: str, limits: dict[str, int]) -> None:
    inputs, targets = SETS[name].inputs, SETS[name].targets
    ours = decision_tree.fit(inputs, targets, **limits)
    peers = [theirs(inputs, targets, seed=s, **limits) for s in range(6)]
    assert ours.leaves in {peer.get_n_leaves() for peer in peers}
    trained = [accuracy(peer, inputs, targets) for peer in peers]
    assert min(trained) <= accuracy(ours, inputs, targets) <= max(trained)


def without_ties(seed: int, examples: int = 600) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(examples, 4)).astype(np.float32)
    score = (inputs[:, 0] > 0).astype(int) + (inputs[:, 1] * inputs[:, 2] > 0.3)
    return inputs, np.where(rng.random(examples) < 0.1, rng.integers(0, 3, examples), score)


NODE_BY_NODE = (
    {"max_depth": 3},
    {"min_gain": 0.01},
    {"max_depth": 3, "criterion": "gini", "min_samples_leaf": 20},
    {"max_depth": 3, "weights": np.random.default_rng(5).uniform(0.1, 3, 600)},
    {"max_depth": 3, "weights": np.random.default_rng(5).uniform(0.1, 3, 600), "criterion": "gini"},
)


@pytest.mark.parametrize("options", NODE_BY_NODE, ids=lambda options: " ".join(options))
def test_equals_sklearn_node_by_node(options: dict[str, Any]) -> None:
    inputs, targets = without_ties(0)
    tree = decision_tree.fit(inputs, targets, **options)
    renamed = {"min_gain": "min_impurity_decrease"}
    peer = theirs(inputs, targets, **{renamed.get(name, name): value for name, value in options.items()})
    expected = peer.tree_
    pairs = [(0, 0)]
    for i, j in pairs:
        share = np.asarray(tree.counts[i]) / np.sum(tree.counts[i])
        np.testing.assert_allclose(share, expected.value[j, 0], atol=1e-6)
        if expected.children_left[j] >= 0:
            assert int(tree.feature[i]) == expected.feature[j]
            np.testing.assert_allclose(tree.threshold[i], expected.threshold[j], rtol=1e-6)
            pairs += [(int(tree.left[i]), expected.children_left[j]),
                      (int(tree.right[i]), expected.children_right[j])]  # fmt: skip
    assert len(pairs) == expected.node_count == tree.nodes


def test_predictions_equal_those_of_sklearn_on_new_inputs() -> None:
    inputs, targets = without_ties(1)
    fresh = np.random.default_rng(2).normal(size=(500, 4)).astype(np.float32)
    ours, peer = decision_tree.fit(inputs, targets, max_depth=3), theirs(inputs, targets, max_depth=3)
    np.testing.assert_array_equal(ours.predict(fresh), peer.predict(fresh))
    np.testing.assert_allclose(ours(fresh), peer.predict_proba(fresh), atol=1e-6)


def test_thresholds_compare_as_the_exact_middle() -> None:
    low = np.float32(1)
    for steps in range(1, 6):
        high = low
        for _ in range(steps):
            high = np.nextafter(high, np.float32(2))
        tree = decision_tree.fit(np.array([[low], [high]]), np.array([0, 1]))
        points = np.array([[low + i * np.spacing(low)] for i in range(steps + 1)], np.float32)
        middle = (np.float64(low) + np.float64(high)) / 2
        np.testing.assert_array_equal(tree.predict(points), points[:, 0] > middle)


@pytest.mark.parametrize("criterion", ["entropy", "gini"])
def test_gains_are_the_information_gain_of_the_counts(criterion: str) -> None:
    inputs, targets = without_ties(3)
    tree = decision_tree.fit(inputs, targets, criterion=criterion, max_depth=5)
    split = np.isfinite(tree.threshold)
    counts = np.asarray(tree.counts)
    children = [counts[np.asarray(side)[split]] for side in (tree.left, tree.right)]
    np.testing.assert_array_equal(children[0] + children[1], counts[split])
    assert (counts[tree.nodes :] == 0).all()
    found = impurity.information_gain(*map(jnp.asarray, children), criterion=criterion)
    np.testing.assert_allclose(tree.gain[split], found, atol=1e-6)
    assert (np.asarray(tree.gain)[~split] == 0).all()


def test_min_gain_is_of_the_tree_or_of_the_node() -> None:
    inputs, targets = without_ties(4)
    for of in ("tree", "node"):
        tree = decision_tree.fit(inputs, targets, min_gain=0.03, min_gain_of=of)
        weight = np.asarray(tree.counts).sum(1)
        gain = np.asarray(tree.gain) * (weight / weight[0] if of == "tree" else 1)
        assert gain[np.isfinite(tree.threshold)].min() >= 0.03
    whole = decision_tree.fit(inputs, targets, min_gain=0.03)
    assert whole.leaves < tree.leaves


@pytest.mark.parametrize("kind", ["subset", "repeated", "scaled"])
def test_weights_are_numbers_of_examples(kind: str) -> None:
    inputs, targets = without_ties(5)
    times = np.random.default_rng(6).integers(0, 2 if kind == "subset" else 4, len(targets))
    rows = np.repeat(np.arange(len(targets)), times)
    weights = times * (0.3 if kind == "scaled" else 1.0)
    tree = decision_tree.fit(inputs, targets, weights=weights, max_depth=4)
    again = decision_tree.fit(inputs[rows], targets[rows], max_depth=4)
    np.testing.assert_array_equal(tree.feature, again.feature)
    np.testing.assert_array_equal(tree.threshold, again.threshold)
    np.testing.assert_allclose(tree.counts, again.counts * (0.3 if kind == "scaled" else 1), rtol=1e-6)


def whole_tree(tree: DecisionTree) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in vars(tree).items() if name != "features"}


def test_a_traced_fit_is_the_fit() -> None:
    inputs, targets = without_ties(7, 60)
    folds = jnp.stack([jnp.arange(60) % 3 != fold for fold in range(3)]).astype(jnp.float32)

    @jax.jit
    @jax.vmap
    def sweep(weights: jax.Array, gain: jax.Array) -> tuple[DecisionTree, jax.Array]:
        tree = decision_tree.fit(
            jnp.asarray(inputs), jnp.asarray(targets), classes=3, weights=weights, min_gain=gain, max_depth=4
        )
        return tree, tree(jnp.asarray(inputs))

    gains = jnp.array([0.0, 0.02, 0.1])
    trees, outputs = sweep(folds, gains)
    for fold in range(3):
        alone = decision_tree.fit(inputs, targets, classes=3, weights=folds[fold],
                                  min_gain=gains[fold], max_depth=4)  # fmt: skip
        np.testing.assert_allclose(outputs[fold], alone(inputs), atol=1e-6)
        member = jax.tree.map(lambda x, fold=fold: x[fold], trees)
        assert str(member) == str(alone)
        assert (int(member.depth), member.leaves) == (int(alone.depth), alone.leaves)
    poisoned, outputs = sweep(folds.at[1].set(0.0), gains)
    assert np.isnan(outputs[1]).all()
    assert np.isfinite(outputs[0]).all()
    bad = jax.tree.map(lambda x: x[1], poisoned)
    assert np.unique(bad.predict(inputs)).tolist() == [-1]


def test_a_traced_fit_needs_the_number_of_classes() -> None:
    inputs, targets = without_ties(7, 30)
    with pytest.raises(ValueError, match="traced fit"):
        jax.jit(decision_tree.fit)(inputs, targets)


def test_what_cannot_be_parted_is_a_leaf() -> None:
    one_class = decision_tree.fit(np.arange(6.0).reshape(3, 2), np.zeros(3, int), classes=2)
    constant = decision_tree.fit(np.ones((4, 2)), np.array([0, 1, 1, 1]))
    single = decision_tree.fit(np.ones((1, 2)), np.array([1]))
    for tree, expected in ((one_class, [1, 0]), (constant, [0.25, 0.75]), (single, [0, 1])):
        assert (tree.leaves, int(tree.depth), tree.left.shape) == (1, 0, (1,))
        np.testing.assert_array_equal(tree(np.zeros((1, 2))), [expected])
    twins = decision_tree.fit(np.array([[1.0], [1.0], [2.0]]), np.array([0, 1, 1]))
    np.testing.assert_array_equal(twins(np.array([[1.0], [2.0]])), [[0.5, 0.5], [0, 1]])


def test_a_split_that_gains_nothing_yet_is_made_unless_a_gain_is_asked_for() -> None:
    inputs, targets = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
    assert decision_tree.fit(inputs, targets).leaves == 4
    assert decision_tree.fit(inputs, targets, min_gain=1e-9).leaves == 1


def test_what_a_prediction_takes() -> None:
    tree = decision_tree.fit(np.array([[1.0, 0], [2.0, 0]]), np.array([0, 1]))
    strange = np.array([[np.nan, 0], [0, np.nan], [np.inf, 0], [-np.inf, 0]])
    assert tree.predict(strange).tolist() == [-1, -1, 1, 0]
    assert tree.leaf(strange).tolist() == [-1, -1, 2, 1]
    assert np.isnan(tree(strange)).all(1).tolist() == [True, True, False, False]
    assert tree(np.zeros((0, 2))).shape == (0, 2)
    assert tree.predict(np.array([[True, False]])).tolist() == [0]
    for method in (tree, tree.predict, tree.leaf):
        for wrong in (np.zeros(2), np.zeros((1, 3)), np.zeros((1, 1, 2))):
            with pytest.raises(ShapeError, match=r"\(batch, 2\)"):
                method(wrong)


def test_prediction_compiles_once_for_a_shape() -> None:
    inputs, targets = without_ties(8, 64)
    traces = 0

    @jax.jit
    def predict(tree: DecisionTree, x: jax.Array) -> jax.Array:
        nonlocal traces
        traces += 1
        return tree.predict(x)

    for flip in (False, True):  # trees of one size and different depth share the program
        tree = decision_tree.fit(-inputs if flip else inputs, targets, max_depth=1)
        np.testing.assert_array_equal(predict(tree, inputs), tree.predict(inputs))
    assert traces == 1


@pytest.mark.parametrize("classes", [127, 128, 300, 40000])
def test_many_classes_do_not_wrap(classes: int) -> None:
    targets = np.array([0, classes - 1, classes - 2, 0])
    tree = decision_tree.fit(np.arange(4.0)[:, None], targets, classes=classes)
    assert tree.predict(np.arange(4.0)[:, None]).tolist() == targets.tolist()


def test_text_names_features_and_classes() -> None:
    iris = SETS["iris"]
    tree = decision_tree.fit(iris.inputs, iris.targets, max_depth=2)
    names = ("sepal length", "sepal width", "petal length", "petal width")
    assert tree.text(names=names, classes=iris.classes).splitlines() == [
        "petal length <= 2.45, gain 0.918, 150 examples",
        "├── yes: setosa (50, 0, 0)",
        "└── no: petal width <= 1.75, gain 0.690, 100 examples",
        "    ├── yes: versicolor (0, 49, 5)",
        "    └── no: virginica (0, 1, 45)",
    ]
    assert tree.text(max_depth=1).splitlines()[-1] == "└── no: ... (100 examples, mostly class 1)"
    with pytest.raises(ShapeError, match="'names' is of 2 names; expected 4"):
        tree.text(names=("a", "b"))
    with pytest.raises(ShapeError, match="'classes'"):
        tree.text(classes="abc")
    with pytest.raises(ValueError, match="max_depth"):
        tree.text(max_depth=0)


@pytest.mark.parametrize("late", [0, 30, 400])
def test_rows_that_go_deeper_than_usual_arrive(late: int) -> None:
    """A chain of 60 questions: nearly all training rows end early, and `late` of 400 fresh ones do not."""
    chain = np.arange(60.0)
    inputs = np.concatenate([np.full(2000, -1.0), chain])[:, None]
    targets = np.concatenate([np.full(2000, 2), np.arange(60) % 2])
    tree = decision_tree.fit(inputs, targets)
    assert int(tree.usual_depth) < int(tree.depth)
    fresh = np.full((400, 1), -1.0)
    fresh[400 - late :, 0] = np.resize(chain[::-1], late)
    expected = np.full(400, 2)
    expected[400 - late :] = np.resize(np.arange(60)[::-1] % 2, late)
    np.testing.assert_array_equal(tree.predict(fresh), expected)
    peer = theirs(inputs, targets)
    assert (int(tree.depth), tree.leaves) == (peer.get_depth(), peer.get_n_leaves())
