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
# Of an anchor: how often each distance (n,) is added or subtracted, triplets mined, and those above 0. Its
# loss is the sum of these distances, and of a margin for each triplet above 0.
_Mined = tuple[jax.Array, jax.Array, jax.Array]


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
    Embeddings that are not finite make every loss NaN. Memory is that of (n, n) numbers. A loss of the
    hardest that stays at the margin says that all embeddings fell together: begin with another mining. Of
    embeddings that did, nothing is semi-hard, and the loss is 0 unless there is a fallback.

    Args:
        embeddings: floating array (n, features), normalised or not; computed in float32 or wider.
        labels: integers (n,); draw batches that hold several examples of each of several classes, as
            `train.by_class` does. An evaluation takes the examples in their order: where they stand class by
            class, its batches are to be larger than a class.
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
        FormatError: labels that the integers of the device cannot hold.
        ValueError: an unknown option, a `margin` that is not positive, or concrete labels of one class alone.

    Example:
        >>> x, y = jnp.array([[0.0], [1.0], [1.5], [5.0]]), jnp.array([0, 0, 1, 1])
        >>> mined_triplet(x, y, margin=2.0).tolist()
        [3.0, 0.0, 0.0, 0.0]

    Reference:
        Schroff, Kalenichenko and Philbin (2015); Hermans, Beyer and Leibe (2017). The mean equals
        ``TripletMarginLoss`` of pytorch-metric-learning, without a miner and behind ``BatchHardMiner`` and
        the ``semihard`` of ``TripletMarginMiner``, all by the distances of `form`, which by default it takes
        of normalised embeddings; ``average="all", negatives="nearest", fallback="farthest"`` is
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
    d = _pairwise.table(embeddings, embeddings, form)
    minings: dict[str, Callable[..., _Mined]] = {
        "batch_all": _every,
        "batch_hard": _hardest,
        "semi_hard": partial(_semi_hard, negatives=negatives, fallback=fallback),
    }
    rows = (jax.lax.stop_gradient(d), same, other)
    weights, mined, active = jax.lax.map(lambda row: minings[mining](*row, margin), rows)
    count = jnp.sum(active if average == "active" else mined)
    values = (jnp.sum(weights * d, 1) + margin * active) * (len(d) / jnp.maximum(count, 1))
    possible = jnp.any(jnp.any(same, 1) & jnp.any(other, 1)) | (lacking == "zero")
    return values * _targets.poison(possible & jnp.all(jnp.isfinite(d)), d.dtype)


def _every(d: jax.Array, same: jax.Array, other: jax.Array, margin: jax.Array) -> _Mined:
    """Mine of one anchor, d (n,) away from the others."""
    return _counted(d, same[:, None] & other[None], margin)


def _hardest(d: jax.Array, same: jax.Array, other: jax.Array, margin: jax.Array) -> _Mined:
    positive = _least(jnp.where(same, -d, jnp.inf)[None])[0] & same & jnp.any(other)
    negative = _least(jnp.where(other, d, jnp.inf)[None])[0] & other & jnp.any(same)
    near, far = (jnp.sum(jnp.where(chosen, d, 0)) for chosen in (positive, negative))
    mined = jnp.any(positive).astype(d.dtype)
    active = jnp.where(far < near + margin, mined, 0)
    return active * (positive.astype(d.dtype) - negative.astype(d.dtype)), mined, active


def _semi_hard(
    d: jax.Array, same: jax.Array, other: jax.Array, margin: jax.Array, *, negatives: str, fallback: str
) -> _Mined:
    triplets = same[:, None] & other[None]
    farther = triplets & (d[None] > d[:, None])
    if negatives == "nearest":
        chosen = farther & _least(jnp.where(farther, d[None], jnp.inf))
    else:
        chosen = farther & (d[None] < (d + margin)[:, None])
    if fallback != "none":
        sign = 1 if fallback == "nearest" else -1
        alone = ~jnp.any(chosen, 1, keepdims=True)
        chosen |= triplets & alone & _least(jnp.where(other, sign * d, jnp.inf)[None])
    return _counted(d, chosen, margin)


def _counted(d: jax.Array, chosen: jax.Array, margin: jax.Array) -> _Mined:
    """Count the triplets (positives, negatives) that are chosen, and those of them whose loss is above 0."""
    active = chosen & (d[None] < (d + margin)[:, None])
    as_positive, as_negative = (jnp.sum(active, axis, dtype=d.dtype) for axis in (1, 0))
    return as_positive - as_negative, jnp.sum(chosen, dtype=d.dtype), jnp.sum(as_positive)


def _least(values: jax.Array) -> jax.Array:
    """Tell the first of the least of every row (rows, n); two plain minima are quicker than one argmin."""
    places = jnp.arange(values.shape[1])[None]
    of_least = jnp.where(values == jnp.min(values, 1, keepdims=True), places, values.shape[1])
    return places == jnp.min(of_least, 1, keepdims=True)
