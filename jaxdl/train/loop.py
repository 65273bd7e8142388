"""A whole training run as one pure function: a scan over steps in a loop over epochs."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxdl import _checks, losses
from jaxdl import net as net_module
from jaxdl.errors import ShapeError, explain
from jaxdl.net import Net, Tree
from jaxdl.train import evaluation, health
from jaxdl.train.freeze import Freeze, freeze
from jaxdl.train.order import batch_order, steps_per_epoch
from jaxdl.train.spec import (
    RESERVED,
    Arrays,
    Carry,
    Health,
    Hyper,
    Loss,
    Optimizer,
    Record,
    Result,
    Spec,
    Step,
)

Penalty = Callable[..., jax.Array]
# Bytes of examples up to which an epoch is copied: integers of less than 32 bits, and all else.
# A batch of fewer bytes costs more to gather by itself than as a part of the epoch.
COPIED_NARROW, COPIED_WIDE, SMALL_BATCH = 256 * 2**20, 4 * 2**20, 8 * 2**10


class Program(NamedTuple):
    """A run in two pure pieces, so that a chunk of 1 epoch or of 16 is the same program.

    Attributes:
        start: ``start(key, order, data, hyper) -> Carry``.
        advance: ``advance(carry, stop, data, hyper) -> Carry``, trained up to epoch `stop`, a traced
            number.
    """

    start: Callable[..., Carry]
    advance: Callable[..., Carry]


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
        return Result(carry.params, carry.state, carry.opt_state, carry.history, carry.health)

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
    """Make a run in two pure pieces, for callers that stop, look and go on, as `fit` does.

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
    check_parts(net, loss, optimizer, penalty)
    loss = with_hyper(loss)
    held = freeze(net, spec.frozen)
    objective = make_objective(held, loss, spec, penalty)

    def start(key: jax.Array, order: jax.Array, data: Arrays, hyper: Hyper) -> Carry:
        check_lengths(data)
        initial, key = jax.random.split(_checks.key("train", key))
        params, state = net.init(initial)
        names = ["loss", *(name for name, _ in spec.metrics if spec.train_metrics)]
        if data.valid_inputs is not None:
            names += [f"valid_{name}" for name in ("loss", *dict(spec.metrics))]
        history = {name: jnp.full(spec.epochs, jnp.nan, jnp.float32) for name in names}
        if spec.step_losses:
            steps = steps_per_epoch(_examples(data), spec.batch_size)
            history["step_loss"] = jnp.full((spec.epochs, steps), jnp.nan, jnp.float32)
        nothing = Health(jnp.int32(-1), jnp.int32(0))
        hyper = strong(hyper)
        opt_state = held.rule(rule(optimizer, hyper)).init(params)
        for name, shape in _recorded(spec, params, state, opt_state, data, hyper).items():
            if name in history or name in RESERVED or (spec.step_records and name.startswith("step_")):
                raise ValueError(
                    explain("train", "record", got=f"a function that returns '{name}'",
                            expected=f"names other than {sorted({*history, *RESERVED})}",
                            fix="choose another name")
                )  # fmt: skip
            history[name] = jnp.full((spec.epochs, *shape), jnp.nan, jnp.float32)
            if spec.step_records:
                steps = steps_per_epoch(_examples(data), spec.batch_size)
                history[f"step_{name}"] = jnp.full((spec.epochs, steps, *shape), jnp.nan, jnp.float32)
        return Carry(params, state, opt_state, key, order, jnp.int32(0), history, nothing)

    def advance(carry: Carry, stop: jax.Array | int, data: Arrays, hyper: Hyper) -> Carry:
        hyper = strong(hyper)
        update = _make_step(objective, rule(optimizer, hyper), hyper, thorough, spec.record, held)
        outputs = _abstract_outputs(net, carry, data, hyper, spec)
        wrong = partial(health.wrong_labels, outputs, data.targets)

        def epoch(number: jax.Array, carry: Carry) -> Carry:
            carry, ys = _steps(update, wrong, number, carry, data, spec)
            if data.valid_inputs is not None:
                ys |= _validate(net, loss, spec, carry, data, hyper)
            history = {name: carry.history[name].at[number].set(ys[name]) for name in carry.history}
            return carry._replace(history=history, epoch=number + 1)

        carry = lax.fori_loop(carry.epoch, jnp.asarray(stop, jnp.int32), epoch, carry)
        steps = steps_per_epoch(_examples(data), spec.batch_size)
        word = health.parameters_word(carry.params)
        last = jnp.where(word == 0, -1, carry.epoch * steps - 1)
        return carry._replace(health=_first(carry.health, Health(last, word)))

    return Program(start, advance)


def with_hyper(loss: Loss) -> Loss:
    """Return ``loss(outputs, targets, hyper)`` for a loss with or without a parameter `hyper`."""
    try:
        takes = "hyper" in inspect.signature(loss).parameters
    except ValueError:
        takes = False
    return loss if takes else lambda outputs, targets, hyper: loss(outputs, targets)


def make_objective(held: Freeze, loss: Loss, spec: Spec, penalty: Penalty | None) -> Callable[..., Any]:
    """Return what a step differentiates: ``(params, state, x, y, key, hyper) -> cost, (state, recorded)``."""

    def objective(params: Tree, state: Tree, x: Any, y: Any, key: jax.Array, hyper: Hyper) -> Any:
        params = held.constant(params)
        outputs, state = held.net.apply(params, state, x, train=True, key=key, hyper=hyper)
        values = evaluation.rows("loss", partial(loss, hyper=hyper), outputs, y)
        cost = losses.reduce(values, reduction=spec.reduction)
        extra = 0 if penalty is None else penalty(params, hyper)
        ys = {"loss": losses.reduce(values, reduction=spec.recorded)}
        for name, metric in spec.metrics if spec.train_metrics else ():
            ys[name] = jnp.mean(evaluation.rows(name, metric, outputs, y))
        return cost + extra, (state, ys)

    return objective


def _make_step(
    objective: Callable[..., Any],
    optimizer: optax.GradientTransformation,
    hyper: Hyper,
    thorough: bool,
    record: Record | None,
    held: Freeze,
) -> Callable[..., Any]:
    optimizer = held.rule(optimizer)

    def step(learner: Any, batch: Any) -> Any:
        (params, before, opt_state), (x, y, key) = learner, batch
        (cost, (state, ys)), gradients = jax.value_and_grad(objective, has_aux=True)(
            params, before, x, y, key, hyper
        )
        updates, opt_state = optimizer.update(gradients, opt_state, params)
        if record is not None:
            ys |= record(Step(params, before, gradients, updates, opt_state, x, y, key, hyper))
        ys |= {"cost": cost, "probe": health.probe(gradients, thorough=thorough)}
        params, state = held.keep((params, before), (optax.apply_updates(params, updates), state))
        return (params, state, opt_state), ys

    return step


def _steps(
    update: Callable[..., Any],
    wrong: Callable[[jax.Array], jax.Array],
    number: jax.Array,
    carry: Carry,
    data: Arrays,
    spec: Spec,
) -> tuple[Carry, dict[str, jax.Array]]:
    """Scan over the steps of one epoch; return the carry and what is recorded, by name."""
    examples = _examples(data)
    indices = batch_order(carry.order, number, examples=examples, batch_size=spec.batch_size,
                          shuffle=spec.shuffle)  # fmt: skip
    fetch, xs = _fetcher(data, indices)
    key = jax.random.fold_in(carry.key, number)

    def body(learner: Any, item: Any) -> Any:
        index, xs = item
        x, y = fetch(xs)
        return update(learner, (data.scaled(x), y, jax.random.fold_in(key, index)))

    steps = jnp.arange(len(indices), dtype=jnp.int32)
    learner = (carry.params, carry.state, carry.opt_state)
    (params, state, opt_state), ys = lax.scan(body, learner, (steps, xs))
    words = health.words(ys.pop("cost"), ys.pop("probe"), wrong(indices))
    first = jnp.argmax(words != 0).astype(jnp.int32)
    found = Health(jnp.where(words[first] == 0, -1, number * len(indices) + first), words[first])
    carry = carry._replace(params=params, state=state, opt_state=opt_state,
                           health=_first(carry.health, found))  # fmt: skip
    recorded = {name: jnp.mean(values, axis=0) for name, values in ys.items()}
    return carry, recorded | {f"step_{name}": values for name, values in ys.items()}


def _fetcher(data: Arrays, indices: jax.Array) -> tuple[Callable[[Any], Any], Any]:
    """Gather the whole epoch at once where the copy is faster, else step by step: a measured rule.

    Bytes gathered in the step are converted one by one; wide rows gathered by the epoch go through memory
    twice. See "Fetching batches" in bench/NOTES.md.
    """
    examples = (data.inputs, data.targets)
    leaves = jax.tree.leaves(examples)
    sizes = [leaf.size * leaf.dtype.itemsize for leaf in leaves]
    narrow = leaves[sizes.index(max(sizes))].dtype.itemsize < 4

    def take(index: jax.Array) -> Any:
        return jax.tree.map(lambda leaf: jnp.asarray(leaf).at[index].get(mode="promise_in_bounds"), examples)

    few = sum(sizes) // len(leaves[0]) * indices.shape[1] < SMALL_BATCH
    if sum(sizes) <= (COPIED_NARROW if narrow or few else COPIED_WIDE):
        return (lambda batch: batch), take(indices)
    # Kept apart from what follows: fused into two products, the gather would be done twice.
    return (lambda index: lax.optimization_barrier(take(index))), indices


def _validate(
    net: Net, loss: Loss, spec: Spec, carry: Carry, data: Arrays, hyper: Hyper
) -> dict[str, jax.Array]:
    means = evaluation.means(net, loss, spec, carry.params, carry.state, data, hyper)
    return {f"valid_{name}": value for name, value in means.items()}


def _recorded(
    spec: Spec, params: Tree, state: Tree, opt_state: Any, data: Arrays, hyper: Hyper
) -> dict[str, tuple[int, ...]]:
    """Return names and shapes of what `Spec.record` gives, without computing it."""
    if spec.record is None:
        return {}

    def record(opt_state: Any, inputs: Any, targets: Any, key: jax.Array) -> Any:
        step = Step(params, state, params, params, opt_state, data.scaled(inputs), targets, key, hyper)
        return dict(spec.record(step))  # type: ignore[misc]

    batch = _abstract_batch((data.inputs, data.targets), spec)
    found = jax.eval_shape(record, opt_state, *batch, jax.random.key(0))
    return {name: value.shape for name, value in found.items()}


def _abstract_batch(examples: Any, spec: Spec) -> Any:
    def batch(leaf: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((spec.batch_size, *leaf.shape[1:]), leaf.dtype)

    return jax.tree.map(batch, examples)


def _abstract_outputs(net: Net, carry: Carry, data: Arrays, hyper: Hyper, spec: Spec) -> Any:
    def run(x: Any) -> Any:
        return net.apply(carry.params, carry.state, data.scaled(x), train=False, hyper=hyper)[0]

    return jax.eval_shape(run, _abstract_batch(data.inputs, spec))


def _first(before: Health, found: Health) -> Health:
    kept = before.step >= 0
    return Health(*(jnp.where(kept, old, new) for old, new in zip(before, found, strict=True)))


class _Named(dict[str, Any]):
    """Hyperparameters that say which of them there are when another one is read."""

    def __missing__(self, name: str) -> Any:
        raise ValueError(
            explain("train", "hyper", got=f"without '{name}' (it has {sorted(self)})",
                    expected=f"a value for '{name}', which is read in training",
                    fix=f"hyper={{..., '{name}': 0.1}}")
        )  # fmt: skip


def rule(optimizer: Optimizer | optax.GradientTransformation, hyper: Hyper) -> optax.GradientTransformation:
    """Return the transformation of `optimizer` at these hyperparameters, or raise when it is none."""
    found = optimizer if isinstance(optimizer, optax.GradientTransformation) else optimizer(_Named(hyper))
    if not isinstance(found, optax.GradientTransformation):
        raise TypeError(
            explain("train", "optimizer", got=f"a function that returns a {type(found).__name__}",
                    expected="a function of hyper that returns an optax transformation",
                    fix="lambda hyper: jaxdl.optim.sgd(hyper['learning_rate'])")
        )  # fmt: skip
    return found


def check_parts(net: Any, loss: Any, optimizer: Any, penalty: Any) -> None:
    """Raise `TypeError` when a part of a run is no `Net` or no function."""
    net_module.require("train", net)
    parts = {"loss": loss, "optimizer": optimizer, "penalty": penalty}
    for name, part in parts.items():
        whole = name == "optimizer" and isinstance(part, optax.GradientTransformation)
        if not (callable(part) or whole or (name == "penalty" and part is None)):
            raise TypeError(
                explain("train", name, got=f"a {type(part).__name__}", expected="a function",
                        fix="see jaxdl.train.make_train for what it is called with")
            )  # fmt: skip


def strong(hyper: Hyper) -> Hyper:
    """Make hyperparameters arrays of a strong dtype: a Python float would compile once more."""
    strong = {
        name: lax.convert_element_type(v, jnp.result_type(jnp.asarray(v)))
        for name, v in (hyper or {}).items()
    }
    return _Named(strong)


def _examples(data: Arrays) -> int:
    return int(jax.tree.leaves(data.inputs)[0].shape[0])


def check_lengths(data: Arrays) -> None:
    """Raise `ShapeError` unless there is one target an example, and an example."""
    for kind in ("", "valid_"):
        inputs, targets = (getattr(data, f"{kind}{part}") for part in ("inputs", "targets"))
        lengths = {leaf.shape[0] if leaf.ndim else None for leaf in jax.tree.leaves((inputs, targets))}
        if len(lengths) > 1 or None in lengths or lengths == {0} or (inputs is None) != (targets is None):
            raise ShapeError(
                explain("train", f"{kind}targets", got=f"unlike {kind}inputs: lengths {lengths}",
                        expected="equal lengths, not 0", fix="give one target an example")
            )  # fmt: skip
