"""The learning-rate range test: one short run whose rate grows from step to step."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxdl import _checks, _hyper, optim
from jaxdl.data import Dataset
from jaxdl.errors import explain
from jaxdl.net import Net
from jaxdl.train import door
from jaxdl.train.freeze import freeze
from jaxdl.train.order import batch_order, steps_per_epoch
from jaxdl.train.parts import check_lengths, check_parts, rule, strong, with_hyper
from jaxdl.train.spec import Arrays, Hyper, Loss, Optimizer, Penalty, Spec
from jaxdl.train.step import make_objective

LIMIT = 4.0
SKIPPED = 10
PROGRAMS_KEPT = 16


class RateRange(NamedTuple):
    """What a range test found.

    Attributes:
        rates: the learning rate of every step, (steps,).
        losses: the loss of every step, NaN from the divergence on, (steps,).
        smoothed: its exponentially weighted average, NaN from the divergence on, (steps,).
        counted: number of steps before the divergence; all steps where there was none.
        suggested: the rate at which `smoothed` falls fastest over log(rate); NaN where it never falls.
    """

    rates: jax.Array
    losses: jax.Array
    smoothed: jax.Array
    counted: jax.Array
    suggested: jax.Array


def make_rate_range(
    net: Net,
    loss: Loss,
    optimizer: Optimizer,
    spec: Spec,
    *,
    steps: int = 100,
    rate: str = "learning_rate",
    smoothing: float = 0.9,
    penalty: Penalty | None = None,
) -> Callable[..., RateRange]:
    """Make a range test a pure function, for the caller to jit and vmap: ``lr_i = low (high/low)^(i/(n-1))``.

    The run starts from fresh parameters and takes one step at each rate. It has diverged at the first
    step whose loss is not finite or whose smoothed loss is above 4 times the lowest one before it; nothing
    from there on is counted. The suggested rate is that of the steepest descent: where the central
    difference of the smoothed loss over log(lr) is lowest, the first tenth of the steps left out, since few
    batches are averaged there.

    Args:
        net: the network.
        loss: as in `make_train`.
        optimizer: ``optimizer(hyper) -> optax transformation``; it must read ``hyper[rate]``.
        spec: batch size, order, reduction and what is frozen; its epochs and metrics play no part.
        steps: number of rates, at least 20.
        rate: the name of the learning rate in `hyper`.
        smoothing: decay of the average, in [0, 1).
        penalty: as in `make_train`.

    Returns:
        ``run(key, order, data, hyper, low, high) -> RateRange``; `hyper` holds all but the rate, and `low`
        and `high` may be traced.

    Raises:
        ValueError: an argument out of range; at trace time, an optimizer that does not read the rate.
        TypeError: a part that is no function.

    Example:
        >>> from jaxdl import losses
        >>> from jaxdl.net import from_pair
        >>> net = from_pair(lambda key: {"w": jnp.zeros((1, 1))}, lambda params, x: x @ params["w"])
        >>> x = jnp.linspace(-1, 1, 32)[:, None]
        >>> run = make_rate_range(net, losses.squared_error, lambda hyper: optim.sgd(hyper["learning_rate"]),
        ...                       Spec(epochs=1, batch_size=32))
        >>> keys = jax.random.key(0), jax.random.key(1)
        >>> found = jax.jit(run)(*keys, Arrays(x, 3 * x + 1), {}, 1e-3, 1e2)
        >>> bool(0.05 < found.suggested < 3), int(found.counted) < 100
        (True, True)

    Reference:
        Smith (2017), with growth by equal factors; fastai's ``lr_find`` stops by the same rule.
    """
    check_parts(net, loss, optimizer, penalty)
    _checks.positive_integer("rate_range", "steps", steps, least=2 * SKIPPED)
    _hyper.decay("rate_range", "smoothing", smoothing)
    held = freeze(net, spec.frozen)
    objective = make_objective(held, with_hyper(loss), spec, penalty)

    def run(key: jax.Array, order: jax.Array, data: Arrays, hyper: Hyper, low: Any, high: Any) -> RateRange:
        check_lengths(data)
        _check_rates(low, high)
        _check_read(optimizer, hyper, rate)
        initial, key = jax.random.split(_checks.key("rate_range", key))
        params, state = net.init(initial)
        rates = jax.vmap(optim.geometric(low, last=high, steps=steps))(jnp.arange(steps))

        def step(learner: Any, item: Any) -> Any:
            (params, before, opt_state), (number, index, now) = learner, item
            values = strong({**hyper, rate: now})
            x, y = jax.tree.map(lambda leaf: leaf[index], (data.inputs, data.targets))
            (_, (state, ys)), gradients = jax.value_and_grad(objective, has_aux=True)(
                params, before, data.scaled(x), y, jax.random.fold_in(key, number), values
            )
            update = held.rule(rule(optimizer, values)).update
            updates, opt_state = update(gradients, opt_state, params)
            params, state = held.keep((params, before), (optax.apply_updates(params, updates), state))
            return (params, state, opt_state), ys["loss"]

        opt_state = held.rule(rule(optimizer, strong({**hyper, rate: rates[0]}))).init(params)
        xs = (jnp.arange(steps), _batches(order, data, spec, steps), rates)
        _, losses = lax.scan(step, (params, state, opt_state), xs)
        return _judged(rates, losses, smoothing)

    return run


def rate_range(
    net: Net,
    data: Dataset | tuple[Any, Any],
    *,
    loss: Loss,
    optimizer: Optimizer,
    batch_size: int,
    low: float = 1e-5,
    high: float = 10.0,
    steps: int = 100,
    rate: str = "learning_rate",
    smoothing: float = 0.9,
    hyper: Hyper | None = None,
    penalty: Penalty | None = None,
    scaling: Any = None,
    seed: int = 0,
    **options: Any,
) -> RateRange:
    """Try learning rates from low to high, one step each, and suggest one; see `make_rate_range`.

    Args:
        net: the network.
        data: a `Dataset`, or (inputs, targets), arrays with examples first. Checked once, at the door.
        loss: ``loss(outputs, targets) -> (batch, ...)``.
        optimizer: ``optimizer(hyper) -> optax transformation``; it must read ``hyper[rate]``.
        batch_size: examples a step.
        low: the first rate, positive.
        high: the last rate, above `low`.
        steps: number of rates, at least 20.
        rate: the name of the learning rate in `hyper`.
        smoothing: decay of the average of the losses, in [0, 1).
        hyper: the other hyperparameters.
        penalty: as in `fit`.
        scaling: as in `fit`.
        seed: as in `fit`.
        options: further fields of `Spec`: `shuffle`, `labels`, `reduction`, `frozen`.

    Returns:
        `RateRange`, drawn by `plot.rate_range`.

    Raises:
        FormatError, ShapeError, DtypeError: data that do not fit each other or the network.
        ValueError: an argument out of range, or an optimizer that does not read the rate.

    Example:
        >>> import numpy as np
        >>> from jaxdl import losses
        >>> from jaxdl.net import from_pair
        >>> net = from_pair(lambda key: {"w": jnp.zeros((1, 1))}, lambda params, x: x @ params["w"])
        >>> x = np.linspace(-1, 1, 32, dtype=np.float32)[:, None]
        >>> found = rate_range(net, (x, 3 * x), loss=losses.squared_error, batch_size=8,
        ...                    optimizer=lambda hyper: optim.sgd(hyper["learning_rate"]))
        >>> found.rates.shape, bool(0.01 < found.suggested < 3)
        ((100,), True)
    """
    spec = Spec(1, batch_size, **options)
    _check_rates(low, high)
    values = door.hyper(hyper)
    arrays = door.arrays(net, data, None, scaling, values, labels=spec.labels, shuffle=spec.shuffle)
    run = _runner(net, loss, optimizer, spec, steps, rate, smoothing, penalty)
    return run(*door.keys(seed), arrays, values, jnp.float32(low), jnp.float32(high))


@functools.lru_cache(maxsize=PROGRAMS_KEPT)
def _runner(
    net: Net, loss: Loss, optimizer: Optimizer, spec: Spec, steps: int, rate: str, smoothing: float,
    penalty: Penalty | None,
) -> Callable[..., RateRange]:  # fmt: skip
    return jax.jit(make_rate_range(net, loss, optimizer, spec, steps=steps, rate=rate, smoothing=smoothing,
                                   penalty=penalty))  # fmt: skip


def _batches(order: jax.Array, data: Arrays, spec: Spec, steps: int) -> jax.Array:
    examples = int(jax.tree.leaves(data.inputs)[0].shape[0])
    epochs = -(-steps // steps_per_epoch(examples, spec.batch_size))
    drawn = jax.vmap(lambda epoch: batch_order(order, epoch, examples=examples, batch_size=spec.batch_size,
                                               shuffle=spec.shuffle))(jnp.arange(epochs))  # fmt: skip
    return drawn.reshape(-1, spec.batch_size)[:steps]


def _judged(rates: jax.Array, losses: jax.Array, smoothing: float) -> RateRange:
    """Cut at the divergence, and find the steepest descent before it."""
    smoothed = optim.ema(losses, decay=smoothing)
    lowest = lax.cummin(jnp.where(jnp.isfinite(smoothed), smoothed, jnp.inf))
    before = jnp.concatenate([jnp.full(1, jnp.inf), lowest[:-1]])
    diverged = ~jnp.isfinite(losses) | (smoothed > LIMIT * before)
    counted = jnp.where(jnp.any(diverged), jnp.argmax(diverged), len(losses))
    number = jnp.arange(len(losses))
    slopes = (smoothed[2:] - smoothed[:-2]) / (jnp.log(rates[2:]) - jnp.log(rates[:-2]))
    judged = (number[2:] < counted) & (number[1:-1] >= len(losses) // SKIPPED)
    slopes = jnp.where(judged, slopes, jnp.inf)
    steepest = jnp.argmin(slopes)
    suggested = jnp.where(slopes[steepest] < 0, rates[1:-1][steepest], jnp.nan)
    kept = number < counted
    losses, smoothed = (jnp.where(kept, values, jnp.nan) for values in (losses, smoothed))
    return RateRange(rates, losses, smoothed, counted, suggested)


def _check_rates(low: Any, high: Any) -> None:
    for name, value in (("low", low), ("high", high)):
        _hyper.positive("rate_range", name, value)
    if not isinstance(low, jax.core.Tracer) and not isinstance(high, jax.core.Tracer) and high <= low:
        raise ValueError(explain("rate_range", "high", got=high, expected=f"above low={low}",
                                 fix="low=1e-5, high=10.0"))  # fmt: skip


class _Watched(dict[str, Any]):
    """Hyperparameters that remember which of them were read."""

    def __init__(self, values: Hyper) -> None:
        super().__init__(values)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default  # noqa: SIM401


def _check_read(optimizer: Any, hyper: Hyper, rate: str) -> None:
    if rate in hyper:
        raise ValueError(
            explain("rate_range", "hyper", got=f"with a '{rate}' of its own", expected="all but the rate",
                    fix=f"leave '{rate}' out; it goes from low to high")
        )  # fmt: skip
    watched = _Watched({**hyper, rate: jnp.float32(1)})
    if not isinstance(optimizer, optax.GradientTransformation):
        rule(optimizer, {**hyper, rate: jnp.float32(1)})
        optimizer(watched)
    if rate not in watched.read:
        raise ValueError(
            explain("rate_range", "optimizer", got=f"a rule that does not read hyper['{rate}']",
                    expected="a function of hyper that reads it, or the rates change nothing",
                    fix=f"optimizer=lambda hyper: optim.sgd(hyper['{rate}'])")
        )  # fmt: skip
