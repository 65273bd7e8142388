"""Rows of `jaxdl.losses`."""

from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
import oracles

from jaxdl import losses
from jaxdl.errors import DtypeError, ShapeError
from rows import losses_oracles
from rows.common import (
    EXTREME,
    INTEGERS,
    LABELS,
    ROWS,
    Bad,
    Call,
    Op,
    X,
    logits_and_labels,
    logits_and_rows,
    normal,
    pair,
)

CROSS_ENTROPY_BAD: tuple[Bad, ...] = (
    ((X, jnp.zeros((4, 1), jnp.int32)), {}, ShapeError, r"labels.reshape\(\(4,\)\)"),
    ((X, jnp.zeros((4,))), {}, DtypeError, r"labels.astype\(jnp.int32\)"),
    ((X, jnp.zeros((4, 5), jnp.int32)), {}, DtypeError, r"labels.astype\(jnp.float32\)"),
    ((INTEGERS, jnp.zeros((4,), jnp.int32)), {}, DtypeError, "'logits' is of dtype int32"),
    ((X, jnp.zeros((3,), jnp.int32)), {}, ShapeError, "give one label an example"),
    ((jnp.ones((4, 0)), jnp.zeros((4,), jnp.int32)), {}, ShapeError, "at least one class"),
)

SAME = jnp.array([1, 0, 1, 0])
ROWS4 = np.eye(4, dtype=np.float32)[LABELS % 4]
CLASS_WEIGHTS = np.array([0.5, 2.0, 1.0, 0.0], np.float32)
BINARY_BAD: tuple[Bad, ...] = (
    ((jnp.ones(4), jnp.ones((4, 1))), {}, ShapeError, r"targets.reshape\(logits.shape\)"),
    ((INTEGERS, X), {}, DtypeError, "'logits' is of dtype int32"),
    ((X, X.astype(complex)), {}, DtypeError, "booleans, integers or floats"),
    ((jnp.float32(1), jnp.float32(1)), {}, ShapeError, r"\(batch, ...\)"),
    ((X, X), {"outputs": "max"}, ValueError, "'mean', 'sum'"),
    ((X, X), {"positive_weight": -1.0}, ValueError, r"\[0, inf\)"),
    ((X, X), {"positive_weight": jnp.ones(4)}, ShapeError, r"\(4,\); expected one number"),
    ((X[0], X[0]), {"positive_weight": jnp.ones(5)}, ShapeError, "one number"),
)


CROSS_ENTROPY_EXTRAS_BAD: tuple[Bad, ...] = (
    *CROSS_ENTROPY_BAD,
    ((X, SAME), {"label_smoothing": 1.5, "class_weights": None}, ValueError, r"\[0, 1\]"),
    ((X, SAME), {"label_smoothing": X, "class_weights": None}, DtypeError, "expected a number"),
    ((X, SAME), {"class_weights": jnp.ones(4)}, ShapeError, r"one weight a class, \(5,\)"),
    ((X, SAME), {"class_weights": INTEGERS[0]}, DtypeError, "'class_weights' is of dtype int32"),
)
MULTI_LABEL_BAD: tuple[Bad, ...] = (
    ((X[0], X[0]), {}, ShapeError, r"\(batch, labels\)"),
    ((X, X[:, :1]), {"groups": None}, ShapeError, "nothing is broadcast"),
    ((INTEGERS, X), {}, DtypeError, "'logits' is of dtype int32"),
    ((X, X[:, :2]), {"groups": (2, 3)}, DtypeError, "expected an integer dtype"),
    ((X, INTEGERS[:, :3]), {"groups": (2, 3)}, ShapeError, "one class number a group"),
    ((X, INTEGERS[:, :2]), {"groups": (2, 2)}, ShapeError, "add up to 5"),
    ((X, INTEGERS[:, :0]), {"groups": ()}, ShapeError, "add up to 5"),
    ((X, INTEGERS[:, :2]), {"groups": (0, 5)}, ValueError, "at least 1"),
)
PAIR_BAD: tuple[Bad, ...] = (
    ((jnp.ones(4), jnp.ones((4, 1))), {}, ShapeError, r"targets.reshape\(predictions.shape\)"),
    ((X, INTEGERS), {}, DtypeError, "'targets' is of dtype int32"),
    ((jnp.float32(1), jnp.float32(1)), {}, ShapeError, r"\(batch, ...\)"),
    ((X, X), {"outputs": "max"}, ValueError, "'mean', 'sum'"),
)
DELTA_BAD: tuple[Bad, ...] = tuple(
    ((X, X), {"delta": value}, error, "'delta' is")
    for value, error in ((0.0, ValueError), (float("nan"), ValueError), (X, DtypeError))
)
BETA_BAD: tuple[Bad, ...] = tuple(
    ((X, X), {"beta": value}, error, "'beta' is")
    for value, error in ((-1.0, ValueError), (float("nan"), ValueError), (X, DtypeError))
)
EMBEDDINGS_BAD: tuple[Bad, ...] = (
    ((X, X[:, :1]), {}, ShapeError, "'second' is of shape"),
    ((INTEGERS, X), {}, DtypeError, "'first' is of dtype int32"),
    ((jnp.float32(1), jnp.float32(1)), {}, ShapeError, r"\(..., features\)"),
)


def logits_and_chances(rng: np.random.Generator) -> tuple[Any, ...]:
    return rng.normal(size=(6, 3)) * 3, rng.random((6, 3)) * 0.9 + 0.05


def binary(torch: Any, z: Any, y: Any, **options: Any) -> Any:
    return torch.nn.BCEWithLogitsLoss(reduction="none", **options)(z, y)


def cross_entropy(options: dict[str, Any], torch: Any, z: Any, y: Any) -> Any:
    weights = options.get("class_weights")
    return torch.nn.CrossEntropyLoss(
        reduction="none",
        label_smoothing=options.get("label_smoothing", 0.0),
        weight=None if weights is None else torch.tensor(weights, dtype=torch.float32),
    )(z, y if y.is_floating_point() else y.long())


def grouped(torch: Any, z: Any, y: Any) -> Any:
    parts = torch.split(z, (3, 1, 4), dim=1)
    losses = [cross_entropy({}, torch, part, y[:, j]) for j, part in enumerate(parts)]
    return torch.stack(losses).sum(0)


def squared(a: Any, b: Any) -> Any:
    return (a - b).square().sum(-1)


def pairs_and_kinds(rng: np.random.Generator) -> tuple[Any, ...]:
    return (*pair(rng), rng.random(6))


def away_from_half(rng: np.random.Generator) -> tuple[np.ndarray]:
    x = rng.normal(size=(4, 5))
    return (x + np.sign(np.abs(x) - 0.5) * np.sign(x) * 0.05,)


def with_heads(main: Any, first: Any, second: Any, labels: Any, **options: Any) -> Any:
    outputs = losses.WithAuxiliary(main, (first, second))
    return losses.auxiliary_cross_entropy(outputs, labels, **options)


def main_and_heads(rng: np.random.Generator) -> tuple[Any, ...]:
    return (*(rng.normal(size=(6, 4)) * 3 for _ in range(3)), rng.integers(0, 4, 6).astype(np.int32))


OPS: tuple[Op, ...] = (
    *(
        Op(
            f"losses.squared_error:{outputs}", partial(losses.squared_error, outputs=outputs), pair,
            partial(oracles.squared_error, outputs=outputs),
            (
                ((jnp.ones(4), jnp.ones((4, 1))), {}, ShapeError, r"targets.reshape\(predictions.shape\)"),
                ((X, INTEGERS), {}, DtypeError, "'targets' is of dtype int32"),
                ((jnp.float32(1), jnp.float32(1)), {}, ShapeError, r"\(batch, ...\)"),
                ((X, jnp.ones((4, 4))), {}, ShapeError, "nothing is broadcast"),
            ),
            differentiable=(0, 1), extremes=((ROWS, ROWS[::-1]),), torch=twin, batched=False, length=3,
        )
        for outputs, twin in (
            ("mean", lambda torch, a, y: torch.nn.MSELoss(reduction="none")(a, y).mean(1)),
            ("sum", lambda torch, a, y: torch.nn.MSELoss(reduction="none")(a, y).sum(1)),
        )
    ),
    Op(
        "losses.auxiliary_cross_entropy", with_heads, main_and_heads, losses_oracles.with_heads,
        (
            ((X, X, X[:, :3], SAME), {}, ShapeError, r"auxiliary\[1\]' is of shape \(4, 3\)"),
            ((X, INTEGERS, X, SAME), {}, DtypeError, r"auxiliary\[0\]' is of dtype int32"),
            ((INTEGERS, X, X, SAME), {}, DtypeError, "main' is of dtype int32"),
            ((X, X, X, SAME), {"weight": -0.1}, ValueError, r"\[0, inf\)"),
            ((X, X, X, SAME), {"weight": X}, DtypeError, "expected a number"),
        ),
        differentiable=(0, 1, 2), extremes=((ROWS, ROWS[::-1], ROWS, LABELS),), length=12,
    ),
    Op(
        "losses.softmax_cross_entropy:integer", losses.softmax_cross_entropy, logits_and_labels,
        oracles.softmax_cross_entropy, CROSS_ENTROPY_BAD, extremes=((ROWS, LABELS),),
        torch=lambda torch, z, y: torch.nn.functional.cross_entropy(z, y.long(), reduction="none"), length=4,
    ),
    Op(
        "losses.softmax_cross_entropy:one_hot", losses.softmax_cross_entropy, logits_and_rows,
        oracles.softmax_cross_entropy, CROSS_ENTROPY_BAD, differentiable=(0, 1),
        extremes=((ROWS, np.eye(7, dtype=np.float32)[LABELS]), (ROWS, np.zeros_like(ROWS))),
        torch=lambda torch, z, y: torch.nn.functional.cross_entropy(z, y, reduction="none"), length=4,
    ),
    *(
        Op(
            f"losses.binary_cross_entropy:{name}", partial(losses.binary_cross_entropy, **options),
            logits_and_chances, partial(oracles.binary_cross_entropy, **options), BINARY_BAD,
            differentiable=(0, 1), batched=False, length=3, torch=twin,
            extremes=((ROWS, ROWS.clip(0, 1)), (ROWS[::-1], 1 - ROWS.clip(0, 1))),
        )
        for name, options, twin in (
            ("mean", {}, lambda torch, z, y: binary(torch, z, y).mean(1)),
            ("sum", {"outputs": "sum"}, lambda torch, z, y: binary(torch, z, y).sum(1)),
            (
                "positive_weight", {"positive_weight": 3.0},
                lambda torch, z, y: binary(torch, z, y, pos_weight=torch.tensor(3.0)).mean(1),
            ),
        )
    ),
    *(
        Op(
            f"losses.softmax_cross_entropy:{labels}_{name}",
            partial(losses.softmax_cross_entropy, **options), inputs,
            partial(losses_oracles.smoothed, **options), CROSS_ENTROPY_EXTRAS_BAD,
            differentiable=positions, extremes=((ROWS[:, :4], LABELS % 4 if labels == "integer" else ROWS4),),
            torch=partial(cross_entropy, options), length=4,
        )
        for labels, inputs, positions in (
            ("integer", logits_and_labels, (0,)), ("one_hot", logits_and_rows, (0, 1)),
        )
        for name, options in (
            ("smoothing", {"label_smoothing": 0.1}),
            ("weights", {"class_weights": CLASS_WEIGHTS}),
            ("both", {"label_smoothing": 0.3, "class_weights": CLASS_WEIGHTS}),
        )
    ),
    Op(
        "losses.multi_label_cross_entropy", losses.multi_label_cross_entropy, logits_and_chances,
        partial(oracles.binary_cross_entropy, outputs="sum"), MULTI_LABEL_BAD, differentiable=(0, 1),
        batched=False, length=3, torch=lambda torch, z, y: binary(torch, z, y).sum(1),
        extremes=((ROWS, ROWS.clip(0, 1)),),
    ),
    Op(
        "losses.multi_label_cross_entropy:groups",
        partial(losses.multi_label_cross_entropy, groups=(3, 1, 4)),
        lambda rng: (rng.normal(size=(6, 8)) * 3, np.stack([rng.integers(0, k, 6) for k in (3, 1, 4)], 1)),
        partial(losses_oracles.grouped, sizes=(3, 1, 4)), MULTI_LABEL_BAD, batched=False, length=8,
        torch=grouped, extremes=((np.tile(ROWS, 2)[:, :8], np.array([[2, 0, 3]] * 4)),),
    ),
    *(
        Op(
            f"losses.{name}", function, pair, oracle, (*PAIR_BAD, *more), differentiable=(0, 1),
            extremes=((ROWS, ROWS[::-1]), (ROWS, ROWS)), torch=twin, batched=False, length=3,
        )
        for name, function, oracle, more, twin in (
            (
                "huber", losses.huber, losses_oracles.huber, DELTA_BAD,
                lambda torch, a, y: torch.nn.HuberLoss(reduction="none")(a, y).mean(1),
            ),
            (
                "huber:sum", partial(losses.huber, delta=0.5, outputs="sum"),
                partial(losses_oracles.huber, delta=0.5, outputs="sum"), DELTA_BAD,
                lambda torch, a, y: torch.nn.HuberLoss(reduction="none", delta=0.5)(a, y).sum(1),
            ),
            (
                "smooth_l1", losses.smooth_l1, losses_oracles.smooth_l1, BETA_BAD,
                lambda torch, a, y: torch.nn.SmoothL1Loss(reduction="none")(a, y).mean(1),
            ),
            (
                "smooth_l1:sharp", partial(losses.smooth_l1, beta=0.25),
                partial(losses_oracles.smooth_l1, beta=0.25), BETA_BAD,
                lambda torch, a, y: torch.nn.SmoothL1Loss(reduction="none", beta=0.25)(a, y).mean(1),
            ),
            (
                "smooth_l1:absolute", partial(losses.smooth_l1, beta=0.0, outputs="sum"),
                partial(losses_oracles.smooth_l1, beta=0.0, outputs="sum"), BETA_BAD,
                lambda torch, a, y: torch.nn.SmoothL1Loss(reduction="none", beta=0.0)(a, y).sum(1),
            ),
        )
    ),
    Op(
        "losses.non_negative_squared_error", losses.non_negative_squared_error,
        lambda rng: (rng.normal(size=(6, 3)), rng.random((6, 3)) + 0.1),
        losses_oracles.non_negative_squared_error, PAIR_BAD, differentiable=(0, 1),
        extremes=((ROWS, np.abs(ROWS)),), batched=False, length=3,
        torch=lambda torch, z, y: torch.nn.MSELoss(reduction="none")(torch.relu(z), y).mean(1),
    ),
    *(
        Op(
            f"losses.distance:{form}", partial(losses.distance, form=form), pair,
            partial(losses_oracles.distance, form=form),
            (*EMBEDDINGS_BAD, ((X, X), {"form": "cosine"}, ValueError, "'squared_euclidean'")),
            differentiable=(0, 1), extremes=((ROWS, ROWS[::-1]), (ROWS, ROWS)), torch=twin, length=3,
        )
        for form, twin in (
            ("euclidean", lambda torch, a, b: torch.nn.PairwiseDistance(eps=0.0)(a, b)),
            ("squared_euclidean", lambda torch, a, b: squared(a, b)),
        )
    ),
    *(
        Op(
            f"losses.contrastive:{name}", partial(losses.contrastive, **options), pairs_and_kinds,
            partial(losses_oracles.contrastive, **options),
            (
                *(((*args, SAME), keywords, *wrong) for args, keywords, *wrong in EMBEDDINGS_BAD),
                ((X, X, jnp.ones((4, 1))), {}, ShapeError, r"same.reshape\(first\[..., 0\].shape\)"),
                ((X, X, jnp.ones(4, complex)), {}, DtypeError, "booleans, integers or floats"),
                ((X, X, SAME), {"margin": 0.0}, ValueError, r"\(0, inf\)"),
            ),
            differentiable=(0, 1), extremes=((ROWS, ROWS[::-1], SAME), (ROWS, ROWS, SAME)), length=3,
        )
        for name, options in (("whole", {"margin": 3.0}), ("half", {"margin": 3.0, "factor": 0.5}))
    ),
    *(
        Op(
            f"losses.triplet:{form}", partial(losses.triplet, form=form),
            lambda rng: (*pair(rng), rng.normal(size=(6, 3))), partial(losses_oracles.triplet, form=form),
            (
                ((X, X, jnp.ones((4, 1))), {}, ShapeError, "'negative' is of shape"),
                ((X, INTEGERS, X), {}, DtypeError, "'positive' is of dtype int32"),
                ((jnp.float32(1),) * 3, {}, ShapeError, "'anchor' is of shape"),
                ((X, X, X), {"margin": -1.0}, ValueError, r"\(0, inf\)"),
                ((X, X, X), {"form": "cosine"}, ValueError, "'squared_euclidean'"),
            ),
            differentiable=(0, 1, 2), extremes=((ROWS, ROWS[::-1], ROWS), (ROWS, ROWS, ROWS)), length=3,
            torch=twin,
        )
        for form, twin in (
            (
                "euclidean",
                lambda torch, a, p, n: torch.nn.TripletMarginLoss(eps=0.0, reduction="none")(a, p, n),
            ),
            (
                "squared_euclidean",
                lambda torch, a, p, n: torch.nn.TripletMarginWithDistanceLoss(
                    distance_function=squared, reduction="none"
                )(a, p, n),
            ),
        )
    ),
    Op(
        "losses.soft_threshold", partial(losses.soft_threshold, amount=0.5), away_from_half,
        partial(losses_oracles.soft_threshold, amount=0.5),
        (
            ((INTEGERS,), {"amount": 1.0}, DtypeError, "'w' is of dtype int32"),
            ((X,), {"amount": -1.0}, ValueError, r"'amount' is -1.0; expected \[0, inf\)"),
            ((X,), {"amount": float("inf")}, ValueError, "'amount' is inf"),
            ((X,), {"amount": X}, DtypeError, "expected a number"),
        ),
        extremes=((EXTREME,),), torch=lambda torch, w: torch.nn.functional.softshrink(w, 0.5),
    ),
    *(
        Op(
            f"losses.reduce:{reduction}_{name}",
            lambda v, w, r=reduction, a=already: losses.reduce(v, reduction=r, weights=w, weighted=a),
            lambda rng: (rng.normal(size=7), rng.random(7) + 0.1),
            partial(losses_oracles.weighted, reduction=reduction, already=already),
            (
                ((X, X[:, :1]), {}, ShapeError, "'weights' is of shape"),
                ((X, [1.0]), {}, DtypeError, "is a list"),
                ((INTEGERS, X), {}, DtypeError, "expected a floating dtype"),
            ),
            differentiable=(0, 1), extremes=((EXTREME, np.abs(EXTREME)),), batched=False, length=7,
        )
        for reduction in losses.REDUCTIONS
        for name, already in (("weights", False), ("weighted", True))
        if not (reduction == "sum" and already)
    ),
    *(
        Op(
            f"losses.reduce:{reduction}", partial(losses.reduce, reduction=reduction), normal(7),
            partial(oracles.reduce, reduction=reduction),
            (
                ((jnp.ones((0,)),), {}, ShapeError, "at least one loss"),
                ((jnp.ones(2, jnp.int32),), {}, DtypeError, "expected a floating dtype"),
                (([1.0],), {}, DtypeError, "is a list"),
                ((jnp.ones(2),), {"weighted": True}, ValueError, "'weights' is None"),
            ),
            extremes=((EXTREME,),), batched=False, length=7,
        )
        for reduction in losses.REDUCTIONS
    ),
)  # fmt: skip

PARAMS = {"kernel": X, "bias": X[0]}
PENALTY_BAD: tuple[Bad, ...] = (
    ((PARAMS, -1.0), {}, ValueError, r"'strength' is -1.0; expected \[0, inf\)"),
    ((PARAMS, X), {}, DtypeError, "expected a number"),
    ((PARAMS, {"layers/9": 1.0}), {}, ValueError, r"for \['layers/9'\], where nothing"),
    ((PARAMS, {"bias": 1.0}), {}, ValueError, r"among \['kernel'\]"),
    (({"bias": X}, 1.0), {}, ValueError, r"where nothing is .* among \['bias'\]"),
    ((PARAMS, {}), {}, ValueError, "for no path"),
    (({"kernel": INTEGERS}, 1.0), {}, DtypeError, r"'params\['kernel'\]' is of dtype int32"),
    ((PARAMS, 1.0), {"form": "max"}, ValueError, "'half_mean'"),
    ((PARAMS, 1.0), {"form": "half_mean"}, DtypeError, "'examples' is None"),
    ((PARAMS, 1.0), {"form": "sum", "examples": 5}, ValueError, "'examples' is 5"),
    ((PARAMS, 1.0), {"form": "mean", "examples": 0}, ValueError, "at least 1"),
    ((PARAMS, 1.0), {"where": "kernel"}, TypeError, "'where' is a str"),
)
CALLS: tuple[Call, ...] = (
    ("losses.l1_penalty", losses.l1_penalty, PENALTY_BAD),
    ("losses.l2_penalty", losses.l2_penalty, PENALTY_BAD),
    (
        "losses.proximal_l1", losses.proximal_l1,
        (
            ((-1.0,), {}, ValueError, r"'amount' is -1.0"),
            (({"kernel": float("nan")},), {}, ValueError, "'amount' is nan"),
            (("0.1",), {}, DtypeError, "expected a number"),
            ((1.0,), {"where": None}, TypeError, "'where' is a NoneType"),
        ),
    ),
    ("losses.is_weight", losses.is_weight, tuple(((p, X), {}, TypeError, "is a ") for p in (1, None, X))),
)  # fmt: skip
