"""A whole training run as one pure function: a scan over steps in a loop over epochs."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax

from jaxdl.net import Net
from jaxdl.train.freeze import freeze
from jaxdl.train.parts import check_parts, with_hyper
from jaxdl.train.run import Run
from jaxdl.train.spec import Arrays, Carry, Hyper, Loss, Optimizer, Penalty, Result, Spec
from jaxdl.train.step import make_objective

Kind = TypeVar("Kind", bound=Run)


class Program(NamedTuple):
    """A run in pure pieces, so that a chunk of 1 epoch or of 16 is the same program.

    Attributes:
        start: ``start(key, order, data, hyper) -> Carry``.
        advance: ``advance(carry, stop, data, hyper) -> Carry``, trained up to epoch `stop`, a traced
            number, or until early stopping ends the run.
        epoch: ``epoch(number, carry, data, hyper) -> Carry``: one epoch. A run that early stopping has ended
            is left as it is, so that the members of a sweep are mapped over this with `number`,
            ``carry.order`` and ``carry.epoch`` in common.
        step: ``step(carry, index, data, hyper) -> (Carry, recorded)``: step `index` of epoch ``carry.epoch``
            alone; the epoch is not counted.
        check: ``check(carry, data) -> Carry``: note in the health when a parameter is not finite, as
            `advance` does at its end.
        result: ``result(carry) -> Result``.
    """

    start: Callable[..., Carry]
    advance: Callable[..., Carry]
    epoch: Callable[..., Carry]
    step: Callable[..., tuple[Carry, dict[str, jax.Array]]]
    check: Callable[..., Carry]
    result: Callable[[Carry], Result]


def make_train(
    net: Net,
    loss: Loss,
    optimizer: Optimizer,
    spec: Spec,
    *,
    penalty: Penalty | None = None,
) -> Callable[[jax.Array, jax.Array, Arrays, Hyper], Result]:
    """Make a whole training run a pure function, for the caller to jit, vmap or shard.

    Args:
        net: the network.
        loss: ``loss(outputs, targets) -> (batch, ...)``, values per example; it also receives `hyper`
            when it has a parameter of that name.
        optimizer: ``optimizer(hyper) -> optax transformation``, such as
            ``lambda hyper: optim.adam(hyper["learning_rate"])``, or a transformation.
        spec: epochs, batch size and what else is static.
        penalty: ``penalty(params, hyper) -> scalar``, added in training only.

    Returns:
        ``train(key, order, data, hyper) -> Result``: `key` draws the initial parameters and feeds
        dropout, `order` the order of examples, `data` is `Arrays`, `hyper` a dict of scalars.

    Raises:
        ShapeError: at trace time, when lengths differ or a loss or metric is not one value per example.
        ValueError: at trace time, when the batch size exceeds the examples.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxdl import losses, optim
        >>> from jaxdl.net import from_pair
        >>> net = from_pair(lambda key: {"w": jnp.zeros((1, 1))}, lambda params, x: x @ params["w"])
        >>> x = jnp.linspace(-1, 1, 32)[:, None]
        >>> train = make_train(net, losses.squared_error, lambda hyper: optim.sgd(hyper["rate"]),
        ...                    Spec(epochs=20, batch_size=8))
        >>> keys = jax.random.key(0), jax.random.key(1)
        >>> many = jax.jit(jax.vmap(train, in_axes=(None, None, None, 0)))
        >>> result = many(*keys, Arrays(x, 3 * x), {"rate": jnp.array([0.0, 0.5])})
        >>> [round(float(w), 3) for w in result.params["w"].ravel()]
        [0.0, 3.0]
    """
    program = make_program(net, loss, optimizer, spec, penalty=penalty)

    def train(key: jax.Array, order: jax.Array, data: Arrays, hyper: Hyper) -> Result:
        carry = program.advance(program.start(key, order, data, hyper), spec.epochs, data, hyper)
        return program.result(carry)

    return train


def make_program(
    net: Net,
    loss: Loss,
    optimizer: Optimizer,
    spec: Spec,
    *,
    penalty: Penalty | None = None,
    thorough: bool = False,
) -> Program:
    """Make a run in pure pieces, for callers that stop, look and go on, as `fit` does.

    Args:
        net: the network.
        loss: as in `make_train`.
        optimizer: as in `make_train`.
        spec: as in `make_train`.
        penalty: as in `make_train`.
        thorough: read every gradient for the health of a step, not the biases alone; this costs a pass
            over all parameters, and finds the exact first step.

    Returns:
        The `Program`. Stopping between epochs changes no bit of the result.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxdl import losses, optim
        >>> from jaxdl.net import from_pair
        >>> net = from_pair(lambda key: {"w": jnp.zeros((1, 1))}, lambda params, x: x @ params["w"])
        >>> x = jnp.linspace(-1, 1, 32)[:, None]
        >>> program = make_program(net, losses.squared_error, lambda hyper: optim.sgd(0.5), Spec(9, 8))
        >>> data = Arrays(x, 3 * x)
        >>> carry = program.start(jax.random.key(0), jax.random.key(1), data, {})
        >>> for stop in (1, 5, 9):
        ...     carry = jax.jit(program.advance)(carry, stop, data, {})
        >>> int(carry.epoch), int(carry.health.step)
        (9, -1)
    """
    return program_of(make_run(net, loss, optimizer, spec, penalty=penalty, thorough=thorough))


def program_of(run: Run) -> Program:
    """Return the pieces of a run."""
    return Program(run.start, run.advance, run.epoch, run.step, run.check, run.result)


def make_run(
    net: Net,
    loss: Loss,
    optimizer: Optimizer,
    spec: Spec,
    *,
    penalty: Penalty | None = None,
    thorough: bool = False,
    kind: type[Kind] = Run,  # type: ignore[assignment]
    **more: Any,
) -> Kind:
    """Return the `Run` of these parts, or a kind of its own with `more` fields."""
    check_parts(net, loss, optimizer, penalty)
    held = freeze(net, spec.frozen)
    loss = with_hyper(loss)
    objective = make_objective(held, loss, spec, penalty)
    return kind(net, loss, optimizer, spec, objective, held, thorough, **more)
