"""Rows of `jaxdl.similarity`, and of the losses that find their pairs and triplets within the batch."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import losses, similarity
from jaxdl.errors import DtypeError, FormatError, ShapeError
from rows import similarity_oracles as oracles
from rows.common import INTEGERS, ROWS, Bad, Call, Op, X, normal

KINDS = np.array([0, 0, 1, 1])
ONE = np.zeros(4, np.int32)
NAN = np.full((4, 5), np.nan, np.float32)
KEY = jax.random.key(0)


def batch(rng: np.random.Generator) -> tuple[Any, ...]:
    return rng.normal(size=(8, 3)), rng.permutation(np.array([0, 0, 0, 1, 1, 2, 2, 3], np.int32))


def two_sets(rng: np.random.Generator) -> tuple[Any, ...]:
    return rng.normal(size=(4, 3)), rng.normal(size=(5, 3))


def torch_mined(torch: Any, x: Any, labels: Any, **options: Any) -> Any:
    """Triplets found by loops, their losses by torch, shared out to the anchors."""
    form = options.get("form", "squared_euclidean")
    d = oracles.distances(x.detach().numpy(), x.detach().numpy(), form=form)
    keys = ("mining", "negatives", "fallback")
    chosen = {"mining": "semi_hard", "negatives": "every", "fallback": "none"}
    chosen |= {key: options[key] for key in keys if key in options}
    triplets = oracles.mined(d, labels.numpy(), margin=options["margin"], **chosen)
    anchors, positives, negatives = torch.tensor(triplets).T

    def distance(a: Any, b: Any) -> Any:
        squares = (a - b).square().sum(-1)
        return squares if form == "squared_euclidean" else squares.sqrt()

    loss = torch.nn.TripletMarginWithDistanceLoss(
        distance_function=distance, margin=options["margin"], reduction="none"
    )(x[anchors], x[positives], x[negatives])
    count = (loss > 0).sum() if options.get("average", "active") == "active" else len(loss)
    return torch.zeros(len(labels)).index_add(0, anchors, loss) * len(labels) / count


BATCH_BAD: tuple[Bad, ...] = (
    ((INTEGERS, KINDS), {}, DtypeError, "'embeddings' is of dtype int32"),
    (
        (X[0], KINDS),
        {},
        ShapeError,
        r"\(5,\); expected \(examples, features\), none 0. Fix: embeddings\[None\]",
    ),
    ((X[:0], KINDS[:0]), {}, ShapeError, "none 0"),
    ((X, KINDS[:3]), {}, ShapeError, r"of shape \(3,\); expected one label an embedding, \(4,\)"),
    ((X, KINDS[:, None]), {}, ShapeError, r"\(4, 1\)"),
    ((X, KINDS.astype(np.float32)), {}, DtypeError, r"labels.astype\(jnp.int32\)"),
    ((X, KINDS + 2**40), {}, FormatError, "up to 1099511627777; expected labels that int32 can hold"),
    ((X, ONE), {}, ValueError, "'labels' is 0 alone; expected at least two classes"),
    ((X, KINDS), {"margin": 0.0}, ValueError, r"\(0, inf\)"),
)
FEW_BAD: tuple[Bad, ...] = (
    ((INTEGERS, KINDS), {"key": KEY}, DtypeError, "'embeddings' is of dtype int32"),
    ((X[:0], KINDS[:0]), {"key": KEY}, ShapeError, "'embeddings' is of shape"),
    ((X, KINDS[:3]), {"key": KEY}, ShapeError, "one label an embedding"),
    ((X, KINDS.astype(float)), {"key": KEY}, DtypeError, "'labels' is of dtype float"),
    ((NAN, KINDS), {"key": KEY, "ways": 2}, FormatError, "'embeddings' is not finite at 0"),
    ((X, KINDS), {"key": KEY}, ValueError, r"2 classes, 2 with 2 examples.*at least ways = 5.*Fix: ways=2"),
    ((X, KINDS), {"key": KEY, "ways": 2, "shots": 2}, ValueError, "0 with 3 examples .* fewer shots"),
    ((X, KINDS), {"key": KEY, "ways": 2, "shots": 0}, ValueError, "'shots' is 0; expected at least 1"),
    ((X, KINDS), {"key": KEY, "ways": 1}, ValueError, "'ways' is 1; expected at least 2"),
    ((X, KINDS), {"key": KEY, "ways": 2, "queries": 0}, ValueError, "'queries' is 0"),
    ((X, KINDS), {"key": KEY, "ways": 2, "episodes": 1.5}, DtypeError, "a whole number"),
    ((X, KINDS), {"key": 0, "ways": 2}, DtypeError, "typed PRNG key"),
    ((X, KINDS), {"key": KEY, "rule": "median"}, ValueError, "'nearest', 'mean'"),
)
D = np.array([0.1, 0.9, 0.2, 0.8], np.float32)
SAME = np.array([1, 0, 1, 0])
THRESHOLD_BAD: tuple[Bad, ...] = (
    ((SAME, SAME), {}, DtypeError, "'distances' is of dtype int"),
    ((D, D), {}, DtypeError, "'same' is of dtype float32"),
    ((D, SAME[:3]), {}, ShapeError, r"'same' is of shape \(3,\)"),
    ((D.reshape(2, 2), SAME.reshape(2, 2)), {}, ShapeError, r"expected \(pairs,\)"),
    ((D[:0], SAME[:0]), {}, ShapeError, "at least one example"),
    ((NAN[0, :4], SAME), {}, FormatError, "nan at 0; expected finite numbers"),
    ((D, SAME + 1), {}, FormatError, r"a label in \[0, 2\)"),
    ((D, ONE), {}, ValueError, "'same' is of one sort alone"),
    ((D, ONE + 1), {}, ValueError, "'same' is of one sort alone"),
    ((D, SAME), {"objective": "f1"}, ValueError, "'equal_error'"),
    ((D, SAME), {"objective": "false_acceptance"}, ValueError, "'at_most' is None"),
    ((D, SAME), {"at_most": 0.1}, ValueError, "with objective='false_acceptance' alone"),
    ((D, SAME), {"objective": "false_acceptance", "at_most": 1.0}, ValueError, r"\[0, 1\)"),
    ((D, SAME), {"objective": "false_acceptance", "at_most": float("nan")}, ValueError, r"\[0, 1\)"),
    ((D, 1 - SAME), {"objective": "false_acceptance", "at_most": 0.4}, ValueError, "meet it nowhere"),
    ((D, np.array([0, 1, 0, 0])), {}, ValueError, "errs no more often than to accept no pair"),
)
THRESHOLD_OF_RULE_BAD: tuple[Bad, ...] = (
    ((X, X), {"threshold": -1.0}, ValueError, r"'threshold' is -1.0; expected \[0, inf\)"),
    ((X, X), {"threshold": float("nan")}, ValueError, r"\[0, inf\)"),
    ((X, X), {"threshold": float("inf")}, ValueError, r"\[0, inf\)"),
    ((X, X), {"threshold": X}, DtypeError, "expected a number"),
    ((X, X), {"threshold": 1.0, "form": "cosine"}, ValueError, "'squared_euclidean'"),
    ((X, NAN), {"threshold": 1.0}, FormatError, "not finite at 0"),
    ((NAN, X), {"threshold": 1.0}, FormatError, "not finite at 0"),
    ((X, INTEGERS), {"threshold": 1.0}, DtypeError, "is of dtype int32"),
)
GALLERY_BAD: tuple[Bad, ...] = (
    (
        (X, X[:, :3], KINDS),
        {"threshold": 1.0},
        ShapeError,
        r"'gallery' is of shape \(4, 3\); expected \(n, 5\)",
    ),
    ((X, X[:0], KINDS[:0]), {"threshold": 1.0}, ShapeError, r"'gallery' is of shape \(0, 5\)"),
    ((X, X, KINDS[:2]), {"threshold": 1.0}, ShapeError, "one label an embedding"),
    ((X, X, KINDS + 2**40), {"threshold": 1.0}, FormatError, "labels that int32 can hold"),
    ((X, X, KINDS - 1), {"threshold": 1.0}, FormatError, "-1 is for nobody"),
    ((X, X, KINDS.astype(np.uint32) + 2**31), {"threshold": 1.0}, FormatError, "0 or more in int32"),
    ((X, X, KINDS + 0.5), {"threshold": 1.0}, DtypeError, "'labels' is of dtype float"),
    *(((*args, KINDS), *rest) for args, *rest in THRESHOLD_OF_RULE_BAD),
)
LABELS_BAD: tuple[Bad, ...] = (
    ((KEY, KINDS + 0.5, 4), {}, DtypeError, "'labels' is of dtype float"),
    ((KEY, KINDS[:, None], 4), {}, ShapeError, r"expected \(n,\)"),
    ((KEY, ONE, 4), {}, ValueError, "of 1 class; expected at least two"),
    ((KEY, np.zeros(0, int), 4), {}, ValueError, "of 0 class"),
    ((KEY, np.arange(4), 4), {}, ValueError, "without two examples of a class"),
    ((KEY, KINDS, 1), {}, ValueError, "'count' is 1; expected at least 2"),
    ((KEY, KINDS, 2.0), {}, DtypeError, "a whole number"),
    ((0, KINDS, 2), {}, DtypeError, "typed PRNG key"),
)
HARDEST_BAD: tuple[Bad, ...] = (
    ((X, KINDS), {"count": 3}, ValueError, "at most 2: there are 2 pairs of the same class and 4"),
    ((X, ONE), {"count": 1}, ValueError, "of 1 class"),
    ((X, KINDS[:3]), {"count": 1}, ShapeError, "one label an embedding"),
    ((NAN, KINDS), {"count": 1}, FormatError, "not finite at 0"),
    ((X, KINDS), {"count": 1, "form": "cosine"}, ValueError, "'squared_euclidean'"),
    ((X, KINDS), {"count": 0}, ValueError, "at least 1"),
)
MINED: dict[str, dict[str, Any]] = {
    "semi_hard": {"margin": 2.0},
    "batch_hard": {"margin": 0.7, "mining": "batch_hard", "form": "euclidean", "average": "all"},
}
OPS: tuple[Op, ...] = (
    *(
        Op(
            f"losses.mined_triplet:{name}", partial(losses.mined_triplet, **options), batch,
            partial(oracles.mined_triplet, **options),
            (
                *BATCH_BAD,
                ((X, KINDS), {"mining": "hard"}, ValueError, "'batch_all', 'batch_hard', 'semi_hard'"),
                ((X, KINDS), {"form": "cosine"}, ValueError, "'squared_euclidean'"),
                ((X, KINDS), {"average": "mean"}, ValueError, "'active', 'all'"),
                ((X, KINDS), {"negatives": "all"}, ValueError, "'every', 'nearest'"),
                ((X, KINDS), {"fallback": None}, ValueError, "'none', 'nearest', 'farthest'"),
                ((X, KINDS), {"lacking": 0}, ValueError, "'nan', 'zero'"),
            ),
            extremes=((ROWS, KINDS), (np.zeros_like(ROWS), KINDS)), batched=False, length=8,
            torch=partial(torch_mined, **options),
        )
        for name, options in MINED.items()
    ),
    Op(
        "losses.batch_contrastive", partial(losses.batch_contrastive, margin=2.0, average="kinds"), batch,
        partial(oracles.batch_contrastive, margin=2.0, average="kinds"),
        (
            *BATCH_BAD,
            ((X, KINDS), {"average": "classes"}, ValueError, "'pairs', 'kinds'"),
            ((X, KINDS), {"factor": X[:, :1]}, DtypeError, r"'factor' is a \w+; expected a number"),
            ((X, KINDS), {"factor": float("nan")}, ValueError, "a finite number"),
        ),
        extremes=((ROWS, KINDS), (np.zeros_like(ROWS), KINDS)), batched=False, length=8,
    ),
    Op(
        "similarity.distances", similarity.distances, two_sets, oracles.distances,
        (
            ((X, INTEGERS), {}, DtypeError, "'second' is of dtype int32"),
            ((X, X[:, :3]), {}, ShapeError, r"'second' is of shape \(4, 3\); expected \(m, 5\)"),
            ((X[0], X), {}, ShapeError, "'first' is of shape"),
            ((X[:0], X), {}, ShapeError, "'first' is of shape"),
            ((X, X), {"form": "cosine"}, ValueError, "'squared_euclidean'"),
        ),
        differentiable=(0, 1), extremes=((ROWS, ROWS), (ROWS, ROWS[:1])), batched=False, length=3,
        torch=lambda torch, a, b: torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist"),
    ),
    Op(
        "similarity.normalise", similarity.normalise, normal(4, 5), oracles.normalise,
        (
            ((INTEGERS,), {}, DtypeError, "'embeddings' is of dtype int32"),
            ((jnp.float32(1),), {}, ShapeError, r"\(..., features\)"),
            (([1.0],), {}, DtypeError, "is a list"),
            ((X[:, :0],), {}, ShapeError, r"of shape \(4, 0\)"),
        ),
        extremes=((ROWS,), (np.zeros_like(ROWS),)), length=5,
        torch=lambda torch, x: torch.nn.functional.normalize(x, dim=-1),
    ),
)  # fmt: skip
CALLS: tuple[Call, ...] = (
    ("similarity.few_shot", similarity.few_shot, FEW_BAD),
    ("similarity.choose_threshold", similarity.choose_threshold, THRESHOLD_BAD),
    ("similarity.verify", similarity.verify, THRESHOLD_OF_RULE_BAD),
    ("similarity.recognise", similarity.recognise, GALLERY_BAD),
    ("similarity.pairs", similarity.pairs, LABELS_BAD),
    ("similarity.hardest_pairs", similarity.hardest_pairs, HARDEST_BAD),
)
