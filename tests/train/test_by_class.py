"""Batches of some classes with some examples of each, drawn inside the compiled run."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import optim
from jaxdl.data import Dataset
from jaxdl.errors import DtypeError, FormatError, ShapeError
from jaxdl.layers import Linear
from jaxdl.net import functional
from jaxdl.train import ByClass, Spec, batch_order, by_class, fit

KEY = jax.random.key(1)
SIZES = (3, 4, 9, 5, 3)
LABELS = np.random.default_rng(0).permutation(np.repeat([7, 1, 4, 9, 2], SIZES))


def draw(epochs: int, shuffle: ByClass, batch_size: int) -> np.ndarray:
    """Return the batches of so many epochs, (batches, batch_size)."""

    def epoch(number: jax.Array) -> jax.Array:
        return batch_order(KEY, number, examples=len(LABELS), batch_size=batch_size, shuffle=shuffle)

    return np.asarray(jax.jit(jax.vmap(epoch))(np.arange(epochs))).reshape(-1, batch_size)


@pytest.mark.parametrize(("per_class", "batch_size"), [(3, 6), (2, 10), (3, 15)])
def test_a_batch_has_different_examples_of_so_many_classes(per_class: int, batch_size: int) -> None:
    orders = draw(9, by_class(LABELS, per_class=per_class), batch_size)
    assert len(orders) == 9 * (len(LABELS) // batch_size)
    for batch in orders:
        assert len(set(batch)) == batch_size
        values, counts = np.unique(LABELS[batch], return_counts=True)
        assert len(values) == batch_size // per_class
        assert set(counts) == {per_class}
        np.testing.assert_array_equal(LABELS[batch].reshape(-1, per_class).std(axis=1), 0)


def test_classes_and_their_examples_are_drawn_equally_often() -> None:
    drawn = draw(2000, by_class(LABELS, per_class=2), 4)
    counts = np.bincount(drawn.ravel(), minlength=len(LABELS))
    share = 2 / 5 * 2 / np.array([np.sum(label == LABELS) for label in LABELS])
    spread = np.sqrt(len(drawn) * share * (1 - share))
    assert np.max(np.abs(counts - len(drawn) * share) / spread) < 4
    # All pairs of examples within the class of nine are as likely, neighbours and ends too.
    nine = np.flatnonzero(LABELS == 4)
    within = drawn.reshape(-1, 2)[np.isin(drawn.reshape(-1, 2)[:, 0], nine)]
    pairs = np.searchsorted(nine, np.sort(within, axis=1))
    met = np.zeros((9, 9))
    np.add.at(met, tuple(pairs.T), 1)
    expected = len(pairs) / 36
    assert np.max(np.abs(met[np.triu_indices(9, 1)] - expected)) < 4.5 * np.sqrt(expected)


def test_equal_labels_are_one_program_and_other_labels_are_not() -> None:
    first, again = by_class(LABELS, per_class=2), by_class(LABELS.copy(), per_class=2)
    assert first == again
    assert hash(first) == hash(again)
    assert first != by_class(LABELS[::-1], per_class=2)
    assert first != by_class(LABELS, per_class=3)
    dataset = Dataset(np.zeros((4, 1)), [0, 0, 1, 1], classes=("a", "b"))
    assert by_class(dataset, per_class=2) == by_class([0, 0, 1, 1], per_class=2)


@pytest.mark.parametrize(
    ("labels", "per_class", "error", "words"),
    [
        ([3, 3, 3], 2, ValueError, "one class only, 3"),
        ([0, 0, 1], 2, ValueError, "1 examples of class 1.*leave this class out"),
        ([0, 0, 0, 1, 1], 3, ValueError, "2 examples of class 1.*per_class=2"),
        ([0, 0, 1, 1], 1, ValueError, "per_class"),
        ([0.0, 1.0], 2, DtypeError, "float64"),
        (["a", "b"], 2, DtypeError, "np.unique"),
        ([[0, 1]], 2, ShapeError, r"\(1, 2\)"),
        (np.zeros(0, int), 2, ShapeError, "not empty"),
        ([[0], [0, 1]], 2, DtypeError, "object"),
    ],
)
def test_bad_labels(labels: object, per_class: int, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        by_class(labels, per_class=per_class)


@pytest.mark.parametrize("batch_size", [5, 2, 12])
def test_batches_that_do_not_fit(batch_size: int) -> None:
    with pytest.raises(
        ValueError, match=r"multiple of per_class=2, of 2 to 5 classes. Fix: batch_size=(4|10)"
    ):
        draw(1, by_class(LABELS, per_class=2), batch_size)


def test_labels_of_other_data() -> None:
    with pytest.raises(ShapeError, match="the classes of 4 examples"):
        draw(1, by_class([0, 0, 1, 1], per_class=2), 4)


def test_labels_that_are_traced() -> None:
    with pytest.raises(DtypeError, match="'labels' is traced"):
        jax.make_jaxpr(lambda labels: by_class(labels).counts)(LABELS)


def test_the_order_is_the_same_type_in_double_precision() -> None:
    with jax.enable_x64(True):
        orders = draw(2, by_class(LABELS, per_class=2), 4)
    assert orders.dtype == np.int32
    assert set(np.unique(LABELS[orders[0]], return_counts=True)[1]) == {2}


@pytest.mark.parametrize(("per_class", "accumulate", "fits"), [(6, 3, 1), (3, 4, 2), (2, 6, 3), (4, 2, 1)])
def test_micro_batches_hold_two_whole_classes(per_class: int, accumulate: int, fits: int) -> None:
    drawn = by_class(np.repeat(np.arange(6), 6), per_class=per_class)
    with pytest.raises(ValueError, match=rf"2 whole classes or more.*Fix: accumulate={fits}$"):
        Spec(1, 12, shuffle=drawn, accumulate=accumulate)
    assert Spec(1, 12, shuffle=drawn, accumulate=fits).accumulate == fits


@pytest.mark.parametrize("shuffle", ["by_class", by_class])
def test_by_class_itself_is_no_order(shuffle: Any) -> None:
    with pytest.raises(ValueError, match=r"by_class itself.*Fix: shuffle=train\.by_class\(training"):
        Spec(1, 4, shuffle=shuffle)


WIDE = functional(lambda rngs: Linear(3, 2, rngs=rngs))
POINTS = np.random.default_rng(1).normal(size=(len(LABELS), 3)).astype(np.float32)


def spread(embeddings: jax.Array, labels: jax.Array) -> jax.Array:
    """Return how far each embedding lies from the mean of its own label in the batch."""
    same = (labels[:, None] == labels[None]).astype(embeddings.dtype)
    mean = same @ embeddings / same.sum(axis=1, keepdims=True)
    return jnp.square(embeddings - mean).sum(axis=-1)


def test_labels_of_embeddings_have_no_bound() -> None:
    run = {"loss": spread, "optimizer": optim.sgd(0.1), "epochs": 3, "batch_size": 6, "progress": "off",
           "shuffle": by_class(LABELS, per_class=2)}  # fmt: skip
    with pytest.raises(
        FormatError, match=r"labels in \[0, 2\).*labels='identities' where the outputs are emb"
    ):
        fit(WIDE, (POINTS, LABELS), **run)
    people = Dataset(POINTS[:4], [0, 0, 1, 1], classes=("ada", "bo"))
    others = Dataset(POINTS[4:8], [0, 0, 1, 1], classes=("cy", "di"))
    valid = fit(
        WIDE, people, valid=others, labels="identities", **(run | {"shuffle": "none", "batch_size": 4})
    )
    fitted = fit(WIDE, (POINTS, LABELS), labels="identities", **run)
    assert fitted.history["loss"][-1] < fitted.history["loss"][0]
    measured = fitted.evaluate((POINTS, LABELS), loss=spread)["loss"]
    by_hand = spread(jnp.asarray(fitted.predict(POINTS)), jnp.asarray(LABELS)).mean()
    assert measured == pytest.approx(float(by_hand), rel=1e-5)
    assert np.isfinite(valid.history["valid_loss"]).all()


def test_labels_in_another_order_than_the_examples() -> None:
    sequel = LABELS[::-1].copy()
    run = {"loss": spread, "optimizer": optim.sgd(0.1), "epochs": 1, "batch_size": 4, "labels": "identities"}
    with pytest.raises(FormatError, match="'shuffle' is by_class of the targets in another order"):
        fit(WIDE, (POINTS, sequel), shuffle=by_class(LABELS, per_class=2), progress="off", **run)
    # Other labels than the targets may well be meant.
    by_class(LABELS, per_class=2).check_order("fit", sequel + 1)


def test_other_meanings_of_labels() -> None:
    with pytest.raises(ValueError, match="'classes', 'identities'"):
        Spec(1, 1, labels="names")
