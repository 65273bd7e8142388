"""Rows of `jaxdl.optim`."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxdl import optim
from jaxdl.errors import DtypeError, ShapeError
from rows.common import EXTREME, INTEGERS, Bad, Call, Op, X, normal

NAN, INF = float("nan"), float("inf")
RATE_BAD: tuple[Bad, ...] = (
    ((-0.1,), {}, ValueError, r"'learning_rate' is -0.1; expected \[0, inf\)"),
    ((NAN,), {}, ValueError, "'learning_rate' is nan"),
    (("0.1",), {}, DtypeError, "expected a number"),
    (([0.1],), {}, DtypeError, "expected a number"),
    ((INF,), {}, ValueError, "'learning_rate' is inf"),
    ((lambda step: jnp.ones(2),), {}, ShapeError, r"a schedule that returns shape \(2,\)"),
    ((lambda step: 0.1 if step < 10 else 0.01,), {}, TypeError, "cannot be traced as a schedule"),
    ((lambda: 0.1,), {}, TypeError, "cannot be traced as a schedule"),
)
EPS_BAD: tuple[Bad, ...] = (
    ((0.1,), {"eps": -1}, ValueError, r"'eps' is -1; expected \[0, inf\)"),
    ((0.1,), {"eps_inside": "yes"}, ValueError, "'eps_inside' is 'yes'; expected one of True, False"),
)
BETAS_BAD: tuple[Bad, ...] = (
    ((0.1,), {"beta1": -0.1}, ValueError, "'beta1' is -0.1"),
    ((0.1,), {"beta2": 2}, ValueError, "'beta2' is 2"),
    ((0.1,), {"eps": -1}, ValueError, "'eps' is -1"),
)
WEIGHT_BAD: tuple[Bad, ...] = (
    ((0.1,), {"decayed": "biases"}, ValueError, "'biases'; expected 'weights', 'all'"),
    ((0.1,), {"decayed": None}, ValueError, "'decayed' is None"),
    ((0.1,), {"decayed": {"w": 1.0}}, TypeError, "expected a tree of bools"),
)

NO_ARRAYS_BAD: tuple[Bad, ...] = tuple(
    ((tree,), {}, DtypeError, "expected a tree of arrays") for tree in ("a", {"w": "a"}, [None, {1}])
)


def ema_oracle(series: np.ndarray, decay: float = 0.9, debias: bool = True) -> np.ndarray:
    found, raw = [], np.zeros_like(series[0])
    for t, x in enumerate(series, 1):
        raw = decay * raw + (1 - decay) * x
        found.append(raw / (1 - decay**t) if debias else raw)
    return np.stack(found)


def traced(function: Any, size: int) -> Any:
    """Call a function with a traced vector: its values are unknown, its rank is not."""
    return jax.eval_shape(lambda x: function(x).init(x), jax.ShapeDtypeStruct((size,), jnp.float32))


def begun(rule: Any, params: Any) -> Any:
    return rule.init(params)


def once_without_params(rule: Any) -> Any:
    return rule.update(X, rule.init(X))


OPS: tuple[Op, ...] = (
    Op(
        "optim.ema", partial(optim.ema, decay=0.9), normal(7, 3), ema_oracle,
        (
            ((INTEGERS,), {}, DtypeError, "floating dtype"),
            ((jnp.float32(1),), {}, ShapeError, r"\(time, ...\)"),
            (([1.0, 2.0],), {}, DtypeError, "is a list; expected an array"),
            ((X,), {"decay": 1.0}, ValueError, r"'decay' is 1.0; expected \[0, 1\)"),
        ),
        extremes=((EXTREME,),), batched=False, length=7,
    ),
    Op(
        "optim.ema:raw", partial(optim.ema, decay=0.5, debias=False), normal(7, 3),
        partial(ema_oracle, decay=0.5, debias=False),
        (
            ((X,), {"decay": -0.1}, ValueError, "'decay' is -0.1"),
            ((X,), {"decay": "0.5"}, DtypeError, "expected a number"),
            ((X,), {"decay": NAN}, ValueError, "'decay' is nan"),
        ),
        extremes=((EXTREME,),), batched=False, length=7,
    ),
)  # fmt: skip

CALLS: tuple[Call, ...] = (
    ("optim.sgd", optim.sgd, RATE_BAD),
    ("optim.sgd", traced, tuple(((optim.sgd, n), {}, ShapeError, "expected one number") for n in (1, 2, 3))),
    (
        "optim.momentum", optim.momentum,
        (
            *RATE_BAD,
            ((0.1,), {"beta": 1.0}, ValueError, r"'beta' is 1.0; expected \[0, 1\)"),
            ((0.1,), {"form": "nesterov"}, ValueError, "'heavy_ball', 'average', 'velocity'"),
            ((0.1,), {"debias": True}, ValueError, "form='average'"),
        ),
    ),
    (
        "optim.nesterov", optim.nesterov,
        (
            *RATE_BAD,
            ((0.1,), {"beta": 1.0}, ValueError, r"'beta' is 1.0; expected \[0, 1\)"),
            ((0.1,), {"form": "average"}, ValueError, "'heavy_ball', 'velocity'"),
        ),
    ),
    (
        "optim.adagrad", optim.adagrad,
        (*RATE_BAD, *EPS_BAD, ((0.1,), {"start": -0.1}, ValueError, "'start' is -0.1")),
    ),
    ("optim.rmsprop", optim.rmsprop, (*RATE_BAD, *EPS_BAD, ((0.1,), {"beta": 1}, ValueError, "'beta' is 1"))),
    (
        "optim.adam", optim.adam,
        (*RATE_BAD, *BETAS_BAD, ((0.1,), {"form": "keras"}, ValueError, "'corrected_root', 'scaled_rate'")),
    ),
    (
        "optim.adamw", optim.adamw,
        (*RATE_BAD, *BETAS_BAD, *WEIGHT_BAD, ((0.1,), {"weight_decay": -1}, ValueError, "'weight_decay'")),
    ),
    ("optim.weight_decay", optim.weight_decay, (*WEIGHT_BAD, ((-1,), {}, ValueError, "'strength' is -1"))),
    (
        "optim.weight_decay", begun,
        tuple(
            ((optim.weight_decay(0.1), params), {}, ValueError, "without any weight.*decayed='all'")
            for params in (jnp.ones(3), {"bias": X}, [{"scale": X, "w": jnp.ones(3)}])
        ),
    ),
    (
        "optim.decay_mask", optim.decay_mask,
        NO_ARRAYS_BAD,
    ),
    ("optim.scale_by_learning_rate", optim.scale_by_learning_rate, RATE_BAD),
    (
        "optim.learning_rate", optim.learning_rate,
        (
            ((optax.adam(0.1).init(X),), {}, ValueError, "a state with 0 learning rates"),
            (([optim.sgd(0.1).init(X)] * 2,), {}, ValueError, "a state with 2 learning rates"),
            ((None,), {}, ValueError, "end the chain with optim.scale_by_learning_rate"),
        ),
    ),
    (
        "optim.warmup_cosine", optim.warmup_cosine,
        (
            ((-1.0,), {"warmup": 1, "total": 2}, ValueError, "'peak' is -1.0"),
            ((1.0,), {"warmup": -1, "total": 2}, ValueError, "'warmup' is -1"),
            ((1.0,), {"warmup": 2, "total": 2}, ValueError, "'total' is 2; expected above warmup=2"),
            ((1.0,), {"warmup": 0, "total": 0}, ValueError, "'total' is 0"),
            ((1.0,), {"warmup": 1, "total": 2, "end": NAN}, ValueError, "'end' is nan"),
            (("1",), {"warmup": 1, "total": 2}, DtypeError, "expected a number"),
        ),
    ),
    (
        "optim.geometric", optim.geometric,
        (
            ((0.0,), {"last": 1.0, "steps": 3}, ValueError, r"'first' is 0.0; expected \(0, inf\)"),
            ((1.0,), {"last": -1.0, "steps": 3}, ValueError, "'last' is -1.0"),
            ((1.0,), {"last": 1.0, "steps": 1}, ValueError, r"'steps' is 1; expected \[2, inf\)"),
        ),
    ),
    *(
        (
            f"optim.{name}", getattr(optim, name),
            NO_ARRAYS_BAD,
        )
        for name in ("gradient_norm", "update_norm")
    ),
    (
        "optim.clip_by_global_norm", optim.clip_by_global_norm,
        tuple(((value,), {}, ValueError, r"'max_norm' is .*\(0, inf\)") for value in (0, -1.0, NAN, INF)),
    ),
    (
        "optim.start_average", optim.start_average,
        (
            ((INTEGERS,), {}, DtypeError, "floating dtype"),
            (({"w": jnp.ones(2, bool)},), {}, DtypeError, "of dtype bool"),
            (("a",), {}, DtypeError, "is a str"),
        ),
    ),
    (
        "optim.update_average", partial(optim.update_average, optim.start_average(X)),
        (
            ((X,), {"decay": 1.0}, ValueError, "'decay' is 1.0"),
            ((X[0],), {"decay": 0.5}, ShapeError, r"'value' is of shape \(5,\)"),
            (("a",), {"decay": 0.5}, DtypeError, "is a str"),
        ),
    ),
    (
        "optim.read_average", optim.read_average,
        tuple(((value,), {}, DtypeError, "expected an Average") for value in (X, None, (X, 1.0))),
    ),
    (
        "optim.track_average", optim.track_average,
        tuple(((value,), {}, ValueError, "'decay' is") for value in (-0.1, 1.0, NAN)),
    ),
    (
        "optim.track_average", once_without_params,
        tuple(
            ((rule,), {}, ValueError, r"rule.update\(gradients, state, params\)")
            for rule in (optim.track_average(b) for b in (0.0, 0.5, 0.9))
        ),
    ),
    (
        "optim.averaged_params", optim.averaged_params,
        tuple(
            ((state, X), {}, ValueError, f"a state with {n} averages")
            for state, n in ((None, 0), (optim.sgd(0.1).init(X), 0), ([optim.start_average(X)] * 2, 2))
        ),
    ),
    (
        "optim.frozen", optim.frozen,
        (
            ((3,), {}, DtypeError, "is a int; expected a path"),
            (([1, 2],), {}, DtypeError, "is a list"),
            (({"w": 1.0},), {}, DtypeError, "leaves that are no bools"),
            (({"w": False},), {}, ValueError, "which freezes nothing"),
            (("",), {}, ValueError, "which freezes nothing"),
            (([],), {}, ValueError, "which freezes nothing"),
            (("w",), {"statistics": "moving"}, ValueError, "'running', 'batch'"),
        ),
    ),
    (
        "optim.keep", optim.keep,
        (
            (({"a": True}, {"b": 1}, {"a": 1}), {}, ShapeError, "'before'"),
            (({"a": True}, {"a": 1}, {"b": 1}), {}, ShapeError, "'after'"),
            (({"a": 1}, {"a": 1}, {"a": 1}), {}, DtypeError, "expected a tree of bools"),
        ),
    ),
    (
        "optim.trajectory", optim.trajectory,
        (
            ((jnp.sum, INTEGERS, optim.sgd(0.1)), {"steps": 1}, DtypeError, "floating dtype"),
            ((jnp.sum, X, 0.1), {"steps": 1}, DtypeError, "an optax transformation"),
            ((jnp.sum, X, optim.sgd(0.1)), {"steps": 0}, ValueError, "'steps' is 0"),
            ((jnp.abs, X, optim.sgd(0.1)), {"steps": 1}, ShapeError, "expected a scalar"),
        ),
    ),
)  # fmt: skip
