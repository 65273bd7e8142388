"""Losses of a whole batch of embeddings, whose pairs and triplets are found inside the compiled step."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

from jaxdl import _checks, _targets
from jaxdl.losses import _pairwise
from jaxdl.losses.similarity import DISTANCES, _positive

MININGS = ("batch_all", "batch_hard", "semi_hard")
AVERAGES = ("active", "all")
NEGATIVES = ("every", "nearest")
FALLBACKS = ("none", "nearest", "farthest")
LACKING = ("nan", "zero")
OPTIONS = {
    "mining": MININGS,
    "form": DISTANCES,
    "average": AVERAGES,
    "negatives": NEGATIVES,
    "fallback": FALLBACKS,
    "lacking": LACKING,
}
_Mining = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]


def mined_triplet(
    embeddings: jax.Array,
    labels: jax.Array,
    *,
    margin: float | jax.Array = 0.2,
    mining: str = "semi_hard",
    form: str = "squared_euclidean",
    average: str = "active",
    negatives: str = "every",
    fallback: str = "none",
    lacking: str = "nan",
) -> jax.Array:
    """Triplet losses ``max(d(a, p) - d(a, n) + margin, 0)`` of triplets that are found within the batch.

    A triplet is an anchor a, a positive p of its class and a negative n of another. The mean of what is
    returned is the mean over triplets of the batch: every anchor has the sum over its own triplets, times
    ``anchors / triplets``; an anchor without a triplet has 0. What is mined is a constant to the gradient.
    Embeddings that are not finite make every loss NaN. Memory is that of (n, n) numbers.

    Args:
        embeddings: floating array (n, features), normalised or not; computed in float32 or wider.
        labels: integers (n,); draw batches that hold several examples of each of several classes.
        margin: by how much n must lie farther away than p, positive, or a traced scalar.
        mining: ``"batch_all"``, every triplet; ``"batch_hard"``, of each anchor its farthest positive and its
            nearest negative; ``"semi_hard"``, every positive, and negatives that lie farther than it, but by
            less than the margin: ``d(a, p) < d(a, n) < d(a, p) + margin``.
        form: of d: ``"squared_euclidean"`` or ``"euclidean"``.
        average: triplets that the mean is over: ``"active"``, mined ones whose loss is above 0, or ``"all"``
            that were mined.
        negatives: semi-hard ones of each pair (a, p): ``"every"`` one, or the ``"nearest"`` that lies farther
            than p, within the margin or not. Not looked at by the other minings.
        fallback: negative of a pair (a, p) that has no such one: ``"none"``, the pair is left out; the
            ``"nearest"`` of all, which is the hardest, or the ``"farthest"``. Not looked at by the others.
        lacking: losses of a batch in which no triplet can be made, of one class alone or without two of a
            class: ``"nan"``, so that it does not pass for learnt, or ``"zero"``.

    Returns:
        Array (n,) of the dtype of the embeddings.

    Raises:
        DtypeError: embeddings that are not floating, or labels that are not integers.
        ShapeError: embeddings that are not (n, features), or labels that are not (n,).
        ValueError: an unknown option, a `margin` that is not positive, or concrete labels of one class alone.

    Example:
        >>> x, y = jnp.array([[0.0], [1.0], [1.5], [5.0]]), jnp.array([0, 0, 1, 1])
        >>> mined_triplet(x, y, margin=2.0).tolist()
        [3.0, 0.0, 0.0, 0.0]

    Reference:
        Schroff, Kalenichenko and Philbin (2015); Hermans, Beyer and Leibe (2017). The mean equals
        ``TripletMarginLoss`` of pytorch-metric-learning behind its miners ``TripletMarginMiner`` (``all``,
        ``semihard``) and ``BatchHardMiner``; ``average="all", negatives="nearest", fallback="farthest"`` is
        ``triplet_semihard_loss`` of TensorFlow Addons, and "batch_hard" with ``average="all"`` the form of
        Hermans et al.
    """
    options = {"mining": mining, "form": form, "average": average, "negatives": negatives,
               "fallback": fallback, "lacking": lacking}  # fmt: skip
    for name, value in options.items():
        _checks.one_of("mined_triplet", name, value, OPTIONS[name])
    batch = _pairwise.batch("mined_triplet", embeddings, labels)
    margin = _positive("mined_triplet", "margin", margin, batch.embeddings.dtype)
    return _mined(batch.embeddings, batch.same, batch.other, margin, **options).astype(batch.dtype)


@partial(jax.jit, static_argnames=tuple(OPTIONS))
def _mined(
    embeddings: jax.Array, same: jax.Array, other: jax.Array, margin: jax.Array,
    *, mining: str, form: str, average: str, negatives: str, fallback: str, lacking: str,
) -> jax.Array:  # fmt: skip
    semi_hard = partial(_semi_hard, negatives=negatives, fallback=fallback)
    minings: dict[str, _Mining] = {"batch_all": _every, "batch_hard": _hardest, "semi_hard": semi_hard}
    d = _pairwise.table(embeddings, embeddings, form)
    weights, mined, active = _weights(jax.lax.stop_gradient(d), same, other, margin, minings[mining])
    count = jnp.sum(active if average == "active" else mined)
    values = (jnp.sum(weights * d, 1) + margin * active) * (len(d) / jnp.maximum(count, 1))
    possible = jnp.any(jnp.any(same, 1) & jnp.any(other, 1)) | (lacking == "zero")
    return values * _targets.poison(possible & jnp.all(jnp.isfinite(d)), d.dtype)


def _weights(
    d: jax.Array, same: jax.Array, other: jax.Array, margin: jax.Array, choose: _Mining
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return, anchor by anchor, how often each distance is added or subtracted; triplets mined, and active.

    The loss of an anchor is the sum of these distances, and of a margin for each active triplet.
    """

    def of_anchor(row: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        distances, same, other = row
        limits = distances + margin
        chosen = choose(distances, limits, same[:, None] & other[None])
        active = chosen & (distances[None] < limits[:, None])
        as_positive, as_negative = (jnp.sum(active, axis, dtype=d.dtype) for axis in (1, 0))
        return as_positive - as_negative, jnp.sum(chosen, dtype=d.dtype), jnp.sum(as_positive)

    return jax.lax.map(of_anchor, (d, same, other))


def _every(d: jax.Array, limits: jax.Array, triplets: jax.Array) -> jax.Array:
    """Return what is mined of the `triplets` (positives, negatives) of one anchor, d (n,) away from it."""
    return triplets


def _hardest(d: jax.Array, limits: jax.Array, triplets: jax.Array) -> jax.Array:
    farthest = jnp.argmax(jnp.where(jnp.any(triplets, 1), d, -jnp.inf))
    return triplets & _at(farthest, d).T & _at(_extreme(d, triplets, "nearest"), d)


def _semi_hard(
    d: jax.Array, limits: jax.Array, triplets: jax.Array, *, negatives: str, fallback: str
) -> jax.Array:
    farther = triplets & (d[None] > d[:, None])
    chosen = farther & (d[None] < limits[:, None])
    if negatives == "nearest":
        chosen = farther & _at(jnp.argmin(jnp.where(farther, d[None], jnp.inf), 1), d)
    if fallback != "none":
        alone = ~jnp.any(chosen, 1, keepdims=True)
        chosen |= triplets & alone & _at(_extreme(d, triplets, fallback), d)
    return chosen


def _extreme(d: jax.Array, triplets: jax.Array, which: str) -> jax.Array:
    """Return the index of the nearest or the farthest negative."""
    sign = 1 if which == "nearest" else -1
    return jnp.argmin(jnp.where(jnp.any(triplets, 0), sign * d, jnp.inf))


def _at(index: jax.Array, like: jax.Array) -> jax.Array:
    """Return what is true at the index alone, (1, n) of one index or (k, n) of k."""
    return jnp.arange(len(like))[None] == index.reshape(-1, 1)
