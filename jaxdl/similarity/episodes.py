"""Learning from few examples: classes never seen in training are told apart by a handful of each."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import explain
from jaxdl.losses import _pairwise
from jaxdl.losses.similarity import _distance
from jaxdl.similarity import _labels

RULES = ("nearest", "mean")


class FewShot(NamedTuple):
    """What `few_shot` found; indices are rows of the embeddings that it was given.

    Attributes:
        accuracy: share of queries that got their class, over all episodes.
        interval: half the width of its 95 % confidence interval, ``1.96 s / sqrt(episodes)`` with the
            standard deviation s of the episodes; NaN of a single one.
        accuracies: share of right answers by episode (episodes,).
        support: rows shown, (episodes, ways, shots).
        queries: rows asked for, (episodes, ways, queries).
        answers: the way that each query is given to, (episodes, ways, queries); right is the number of its
            own way; -1 where embeddings are not finite.
    """

    accuracy: jax.Array
    interval: jax.Array
    accuracies: jax.Array
    support: jax.Array
    queries: jax.Array
    answers: jax.Array


def few_shot(
    embeddings: jax.Array,
    labels: Any,
    *,
    ways: int = 5,
    shots: int = 1,
    queries: int = 1,
    episodes: int = 1000,
    key: jax.Array,
    rule: str = "nearest",
) -> FewShot:
    """Accuracy on N-way k-shot episodes: queries are named after the nearest of k examples of N classes.

    An episode draws `ways` classes, and of each `shots` examples that are shown and `queries` others that are
    asked for, all without replacement. The distance is the Euclidean one. All episodes are one compiled
    program. Guessing reaches ``1 / ways``.

    Args:
        embeddings: floating array (n, features), such as a network's of classes it was not trained on; or
            pixels, for a baseline. Inside a compiled program NaN makes the accuracy NaN.
        labels: integers (n,), known before compiling.
        ways: classes of an episode N, at least 2.
        shots: examples shown of each class k.
        queries: examples asked for of each class.
        episodes: number of episodes.
        key: key by which they are drawn; the same key draws the same episodes for other embeddings.
        rule: ``"nearest"``, the class of the nearest example shown; ``"mean"``, of the nearest mean.

    Returns:
        `FewShot`.

    Raises:
        DtypeError: embeddings that are not floating, labels that are no integers or traced, or no typed key.
        ShapeError: embeddings that are not (n, features), or labels that are not (n,).
        FormatError: embeddings that are not finite.
        ValueError: fewer classes with ``shots + queries`` examples than `ways`, a number below its least, or
            an unknown `rule`.

    Example:
        >>> x, y = jnp.array([[0.0], [0.1], [5.0], [5.1], [9.0], [9.1]]), np.array([0, 0, 1, 1, 2, 2])
        >>> found = few_shot(x, y, ways=3, episodes=10, key=jax.random.key(0))
        >>> float(found.accuracy), float(found.interval), found.answers[0].ravel().tolist()
        (1.0, 0.0, [0, 1, 2])

    Reference:
        Vinyals et al. (2016); the rule "mean" with squared distances: Snell, Swersky and Zemel (2017).
    """
    op = "few_shot"
    _checks.one_of(op, "rule", rule, RULES)
    sizes = {"ways": ways, "shots": shots, "queries": queries, "episodes": episodes}
    for name, size in sizes.items():
        sizes[name] = _checks.positive_integer(op, name, size, least=2 if name == "ways" else 1)
    x, known = _labels.finite(op, "embeddings", embeddings), _labels.known(op, labels)
    _pairwise.one_each(op, known.shape, x)
    places = _places(op, known, **sizes)
    keys = jax.random.split(_checks.key(op, key), sizes.pop("episodes"))
    return _run(x, jnp.asarray(places.rows), jnp.asarray(places.counts), keys, rule=rule, **sizes)


def _places(op: str, labels: np.ndarray, *, ways: int, shots: int, queries: int, episodes: int) -> Any:
    examples = shots + queries
    places, classes = _labels.places(labels, least=examples), len(np.unique(labels))
    enough = len(places.counts)
    if enough < ways:
        raise ValueError(
            explain(op, "labels", got=f"of {classes} classes, {enough} with {examples} examples or more",
                    expected=f"at least ways = {ways} classes of shots + queries = {examples} examples",
                    fix=f"ways={enough}" if enough > 1 else "fewer shots, or fewer queries")
        )  # fmt: skip
    return places


@partial(jax.jit, static_argnames=("ways", "shots", "queries", "rule"))
def _run(
    x: jax.Array, rows: jax.Array, counts: jax.Array, keys: jax.Array,
    *, ways: int, shots: int, queries: int, rule: str,
) -> FewShot:  # fmt: skip
    # Divided by the largest, so that no square overflows, or vanishes where the difference does not.
    largest = jnp.max(jnp.abs(x))
    x = x / jnp.where(largest == 0, 1, largest)

    def episode(key: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        drawn = _labels.draw(key, rows, counts, ways, shots + queries)
        support, asked = drawn[:, :shots], drawn[:, shots:]
        return support, asked, _answers(x[support], x[asked], rule)

    numbers = ways * (shots + queries) * (x.shape[1] + rows.shape[1]) + counts.size
    support, asked, answers = _labels.each(episode, keys, numbers)
    right = answers == jnp.arange(ways, dtype=answers.dtype)[None, :, None]
    known = jnp.all(answers >= 0, (1, 2))
    accuracies = jnp.where(known, jnp.mean(right, (1, 2), dtype=x.dtype), jnp.nan)
    spread = jnp.std(accuracies, ddof=1) if len(keys) > 1 else jnp.asarray(jnp.nan, x.dtype)
    interval = 1.96 * spread / len(keys) ** 0.5
    return FewShot(jnp.mean(accuracies), interval, accuracies, support, asked, answers)


def _answers(shown: jax.Array, asked: jax.Array, rule: str) -> jax.Array:
    """Return the way (ways, queries) that each query belongs to, -1 where a distance is not finite."""
    if rule == "mean":
        shown = jnp.mean(shown, 1, keepdims=True)
    d = _distance(asked[:, :, None, None], shown[None, None], "squared_euclidean")
    d = jnp.min(d, -1)
    return jnp.where(jnp.all(jnp.isfinite(d), -1), jnp.argmin(d, -1), -1).astype(jnp.int32)
