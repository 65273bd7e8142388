"""What embeddings are used for, against scikit-learn and brute force, and what is no number."""

import itertools
from typing import Any

import jax
import numpy as np
import pytest
from sklearn.metrics import pairwise_distances, roc_curve
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid

from jaxdl import similarity
from jaxdl.errors import FormatError
from jaxdl.similarity import _labels

KEY = jax.random.key(3)
RNG = np.random.default_rng(0)
LABELS = RNG.permutation(np.repeat(np.array([4, 9, 2, 30, 7, 11, 5]), [6, 4, 5, 2, 6, 3, 1]))
X = (RNG.normal(size=(27, 3)) * 3)[np.unique(LABELS, return_inverse=True)[1]]
X = (X + RNG.normal(size=X.shape)).astype(np.float32)


def episodes(x: Any, **options: Any) -> similarity.FewShot:
    return similarity.few_shot(x, LABELS, ways=4, shots=2, queries=1, episodes=200, key=KEY, **options)


def test_differences_do_not_cancel_where_a_product_would() -> None:
    base = np.float32(1000) + RNG.normal(size=(4, 8)).astype(np.float32)
    near = base + np.float32(1e-3)
    exact = pairwise_distances(base.astype(np.float64), near.astype(np.float64))
    np.testing.assert_allclose(similarity.distances(base, near), exact, rtol=1e-6)
    squared = similarity.distances(base, near, form="squared_euclidean")
    np.testing.assert_allclose(squared, exact**2, rtol=1e-6)
    product = (base**2).sum(1)[:, None] + (near**2).sum(1)[None] - 2 * base @ near.T
    assert np.abs(product - exact**2).max() > 0.1


@pytest.mark.parametrize("form", ["euclidean", "squared_euclidean"])
def test_what_is_no_number_spoils_its_own_distances_alone(form: str) -> None:
    spoilt = X[:4].copy()
    spoilt[1, 2], spoilt[3, 0] = np.nan, np.inf
    found = np.asarray(similarity.distances(X[:3], spoilt, form=form))
    np.testing.assert_array_equal(np.isfinite(found), [[True, False, True, False]] * 3)


@pytest.mark.parametrize(
    ("rule", "peer"), [("nearest", KNeighborsClassifier(1)), ("mean", NearestCentroid())]
)
def test_episodes_are_drawn_without_replacement_and_answered_as_scikit_learn_does(
    rule: str, peer: Any
) -> None:
    found = episodes(X, rule=rule)
    support, queries = np.asarray(found.support), np.asarray(found.queries)
    classes = LABELS[support]
    assert (classes == classes[:, :, :1]).all()
    assert (LABELS[queries] == classes[:, :, :1]).all()
    assert (np.diff(np.sort(classes[:, :, 0])) > 0).all()
    assert (np.diff(np.sort(np.concatenate([support, queries], 2).reshape(200, 12))) > 0).all()
    for shown, asked, answers in list(zip(support, queries, found.answers, strict=True))[:20]:
        peer.fit(X[shown.ravel()], np.repeat(np.arange(4), 2))
        np.testing.assert_array_equal(answers.ravel(), peer.predict(X[asked.ravel()]))
    right = np.mean(np.asarray(found.answers)[:, :, 0] == np.arange(4), axis=1)
    assert 0.4 < np.mean(right) < 1
    np.testing.assert_allclose(found.accuracies, right, rtol=1e-6)
    np.testing.assert_allclose(found.accuracy, np.mean(right), rtol=1e-6)
    np.testing.assert_allclose(found.interval, 1.96 * np.std(right, ddof=1) / 200**0.5, rtol=1e-5)
    # Classes of fewer than three examples cannot be asked for; the others are as likely as each other.
    drawn = dict(zip(*np.unique(LABELS[support[:, :, 0]], return_counts=True), strict=True))
    assert set(drawn) == {4, 9, 2, 7, 11}
    assert max(abs(count - 160) for count in drawn.values()) < 25


def test_the_same_key_draws_the_same_episodes_for_other_embeddings() -> None:
    first, second = episodes(X), episodes(RNG.normal(size=X.shape).astype(np.float32))
    np.testing.assert_array_equal(first.support, second.support)
    np.testing.assert_array_equal(first.queries, second.queries)
    assert float(second.accuracy) < float(first.accuracy)
    assert float(episodes(X * np.float32(1e25)).accuracy) == float(first.accuracy)


def test_embeddings_that_are_no_numbers_have_no_accuracy() -> None:
    spoilt = X.copy()
    spoilt[:] = np.nan
    found = jax.jit(episodes)(spoilt)
    assert np.isnan(found.accuracy)
    assert np.isnan(found.accuracies).all()
    assert (np.asarray(found.answers) == -1).all()


DISTANCES = np.round(np.concatenate([RNG.normal(1, 0.5, 40), RNG.normal(2.2, 0.6, 60)]), 1).clip(0)
DISTANCES, SAME = DISTANCES.astype(np.float32), np.repeat([1, 0], [40, 60])


def brute_force(objective: str, at_most: float | None) -> tuple[float, float, float]:
    """Return accuracy, false acceptance and false rejection of the best of all distances seen."""
    best = None
    for limit in np.unique(DISTANCES):
        accepted = limit >= DISTANCES
        wrongly, missed = np.mean(accepted[SAME == 0]), np.mean(~accepted[SAME == 1])
        accuracy = np.mean(accepted == SAME)
        cost = {"accuracy": -accuracy, "equal_error": abs(wrongly - missed)}.get(objective, missed)
        if (at_most is None or wrongly <= at_most) and (best is None or cost < best[0]):
            best = (cost, accuracy, wrongly, missed)
    assert best is not None
    return best[1:]


@pytest.mark.parametrize(
    ("objective", "at_most"),
    [("accuracy", None), ("equal_error", None), ("false_acceptance", 0.0), ("false_acceptance", 0.1)],
)
def test_threshold_is_the_best_of_all(objective: str, at_most: float | None) -> None:
    found = similarity.choose_threshold(DISTANCES, SAME, objective=objective, at_most=at_most)
    np.testing.assert_allclose(found[1:], brute_force(objective, at_most), rtol=1e-6)
    # The rule with this threshold reaches what is said, and the rates are a point of the ROC curve.
    accepted = float(found.threshold) >= DISTANCES
    assert np.mean(accepted == SAME) == pytest.approx(float(found.accuracy))
    assert not np.isin(found.threshold, DISTANCES)
    wrongly, rightly, _ = roc_curve(SAME, -DISTANCES, drop_intermediate=False)
    point = [float(found.false_acceptance), 1 - float(found.false_rejection)]
    assert np.abs(np.stack([wrongly, rightly], 1) - point).sum(1).min() < 1e-6


def test_threshold_lies_between_the_two_sorts_and_never_on_the_wrong_one() -> None:
    just_above = np.nextafter(np.float32(1), np.float32(2))
    found = similarity.choose_threshold(np.array([1, just_above], np.float32), np.array([1, 0]))
    assert float(found.threshold) == 1.0
    assert float(found.accuracy) == 1.0


def test_thresholds_that_cannot_be_chosen_are_nan_inside_a_program() -> None:
    choose = jax.jit(similarity.choose_threshold)
    bad = ((DISTANCES, np.zeros(100, int)), (np.full(100, np.nan, np.float32), SAME), (DISTANCES, SAME * 2))
    assert all(np.isnan(choose(*given)).all() for given in bad)
    assert np.isnan(choose(np.arange(100, dtype=np.float32), SAME[::-1])).all()
    assert np.isfinite(choose(DISTANCES, SAME)).all()

    @jax.jit
    def share(at_most: jax.Array) -> similarity.Threshold:
        return similarity.choose_threshold(DISTANCES, SAME, objective="false_acceptance", at_most=at_most)

    assert np.isfinite(share(0.1)).all()
    assert all(np.isnan(share(bad)).all() for bad in (1.0, -0.1, np.nan))


def test_recognition_equals_the_nearest_neighbour_of_scikit_learn_within_the_threshold() -> None:
    queries = RNG.normal(size=(40, 3)).astype(np.float32) * 4
    peer = KNeighborsClassifier(1).fit(X, LABELS)
    far = peer.kneighbors(queries)[0][:, 0]
    limit = float(np.median(far))
    found = similarity.recognise(queries, X, LABELS, threshold=limit)
    np.testing.assert_allclose(found.distances, far, rtol=1e-6)
    np.testing.assert_array_equal(found.labels, np.where(far <= limit, peer.predict(queries), -1))
    squared = similarity.recognise(queries, X, LABELS, threshold=limit**2, form="squared_euclidean")
    np.testing.assert_array_equal(squared.labels, found.labels)
    found = similarity.verify(queries[:27], X, threshold=limit)
    np.testing.assert_allclose(found.distances, np.linalg.norm(queries[:27] - X, axis=1), rtol=1e-6)
    np.testing.assert_array_equal(found.same, found.distances <= limit)
    squared = similarity.verify(queries[:27], X, threshold=limit**2, form="squared_euclidean")
    np.testing.assert_allclose(squared.distances, np.square(found.distances), rtol=1e-5)
    np.testing.assert_array_equal(squared.same, found.same)
    assert 0 < np.sum(found.same) < 27


def test_what_is_no_number_is_nobody_inside_a_program() -> None:
    spoilt = X.copy()
    spoilt[0] = np.nan

    @jax.jit
    def both(queries: jax.Array, gallery: jax.Array, threshold: jax.Array) -> Any:
        return (similarity.recognise(queries, gallery, LABELS, threshold=threshold),
                similarity.verify(queries, gallery, threshold=threshold))  # fmt: skip

    for queries, gallery, limit, count in ((spoilt, X, 1e3, 1), (X, spoilt, 1e3, 27), (X, X, -1.0, 27)):
        recognised, verified = both(queries, gallery, limit)
        assert np.sum(recognised.labels == -1) == count
        assert np.sum(np.isnan(recognised.distances)) == count
        assert not verified.same[0]
        assert np.isnan(verified.distances[0])


def test_nobody_is_minus_one_whatever_integers_the_labels_are() -> None:
    for dtype in (np.uint8, np.uint32, np.int64):
        found = similarity.recognise(X + 100, X, LABELS.astype(dtype), threshold=1.0)
        assert found.labels.tolist() == [-1] * len(X)


def test_pairs_are_of_two_examples_half_of_one_class() -> None:
    found = similarity.pairs(KEY, LABELS, 301)
    first, second = np.asarray(found.indices).T
    assert (first != second).all()
    np.testing.assert_array_equal(LABELS[first] == LABELS[second], found.same)
    assert found.same.sum() == 150
    assert set(LABELS[first]) | set(LABELS[second]) == set(LABELS)
    assert 30 in LABELS[first][np.asarray(found.same) == 1]
    assert 0.3 < np.mean(found.same[:150]) < 0.7
    other = similarity.pairs(jax.random.key(4), LABELS, 301)
    assert (other.indices != found.indices).any()


def test_what_is_drawn_in_parts_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = jax.random.split(KEY, 10)
    whole = _labels.each(jax.random.bits, keys, 3)
    monkeypatch.setattr(_labels, "AT_ONCE", 12)
    np.testing.assert_array_equal(_labels.each(jax.random.bits, keys, 3), whole)


def test_hardest_pairs_are_those_of_brute_force() -> None:
    d = pairwise_distances(X.astype(np.float64))
    all_pairs = np.array(list(itertools.combinations(range(27), 2)))
    apart = d[tuple(all_pairs.T)]
    alike = LABELS[all_pairs[:, 0]] == LABELS[all_pairs[:, 1]]
    found = similarity.hardest_pairs(X, LABELS, count=5)
    same = all_pairs[alike][np.argsort(-apart[alike])[:5]]
    other = all_pairs[~alike][np.argsort(apart[~alike])[:5]]
    np.testing.assert_array_equal(found.same, same)
    np.testing.assert_array_equal(found.other, other)
    np.testing.assert_allclose(found.same_distances, d[tuple(same.T)], rtol=1e-6)
    np.testing.assert_allclose(found.other_distances, d[tuple(other.T)], rtol=1e-6)


def test_the_hardest_pair_of_each_class_and_of_each_two() -> None:
    d = pairwise_distances(X.astype(np.float64))
    hardest: dict[tuple[int, int], tuple[float, list[int]]] = {}
    for i, j in itertools.combinations(range(27), 2):
        group = tuple(sorted((int(LABELS[i]), int(LABELS[j]))))
        alike = group[0] == group[1]
        best = hardest.get(group)
        if best is None or (d[i, j] > best[0] if alike else d[i, j] < best[0]):
            hardest[group] = d[i, j], [i, j]
    same = sorted((one for group, one in hardest.items() if group[0] == group[1]), reverse=True)
    other = sorted(one for group, one in hardest.items() if group[0] != group[1])
    count = len(same)
    found = similarity.hardest_pairs(X, LABELS, count=count, distinct=True)
    assert found.same.tolist() == [pair for _, pair in same]
    assert found.other.tolist() == [pair for _, pair in other[:count]]
    with pytest.raises(ValueError, match=f"at most {count}: there are {count} pairs of the same class"):
        similarity.hardest_pairs(X, LABELS, count=count + 1, distinct=True)


def test_distances_that_overflow_are_no_pairs() -> None:
    with pytest.raises(FormatError, match=r"distances overflow.*similarity\.normalise"):
        similarity.hardest_pairs(X * 1e30, LABELS, count=2, form="squared_euclidean")


def test_labels_must_be_known_before_compiling() -> None:
    with pytest.raises(TypeError, match="'labels' is traced"):
        jax.jit(lambda labels: similarity.few_shot(X, labels, key=KEY))(LABELS)
