"""One step of training: the objective, its gradient over micro-batches, and the update."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxdl import losses, optim
from jaxdl.errors import ShapeError, explain
from jaxdl.net import Tree
from jaxdl.train import evaluation, health
from jaxdl.train.freeze import Freeze
from jaxdl.train.parts import rule
from jaxdl.train.spec import Arrays, Hyper, Loss, Penalty, Spec, Step

# Folded into the key of the order: no epoch has this number.
AUGMENTED = 2**32 - 1


def make_objective(held: Freeze, loss: Loss, spec: Spec, penalty: Penalty | None) -> Callable[..., Any]:
    """Return what a step differentiates: ``(params, state, x, y, key, hyper) -> cost, (state, recorded)``."""
    # Sums of micro-batches are added up, so that each holds its part of the penalty.
    share = spec.accumulate if spec.reduction == "sum" else 1

    def objective(params: Tree, state: Tree, x: Any, y: Any, key: jax.Array, hyper: Hyper) -> Any:
        params = held.constant(params)
        outputs, state = held.net.apply(params, state, x, train=True, key=key, hyper=hyper)
        values = evaluation.rows("loss", partial(loss, hyper=hyper), outputs, y)
        cost = losses.reduce(values, reduction=spec.reduction)
        extra = 0 if penalty is None else penalty(params, hyper) / share
        ys = {"loss": losses.reduce(values, reduction=spec.recorded)}
        for name, metric in spec.metrics if spec.train_metrics else ():
            ys[name] = jnp.mean(evaluation.rows(name, metric, evaluation.main_output(outputs), y))
        return cost + extra, (state, ys)

    return objective


def make_gradient(objective: Callable[..., Any], spec: Spec) -> Callable[..., Any]:
    """Return ``(params, state, x, y, key, hyper) -> (cost, (state, recorded)), gradients`` of a whole batch.

    With ``spec.accumulate`` above 1 a scan goes over that many micro-batches: the memory of one, and the
    gradient of the whole batch.
    """
    plan, count = spec.layout, spec.accumulate

    def gradient(params: Tree, *rest: Any) -> Any:
        found, gradients = jax.value_and_grad(objective, has_aux=True)(plan.whole(params), *rest)
        # Whole first: else the layout of the parameters would spread into the backward pass.
        return found, plan.params(plan.whole(gradients))

    if count == 1:
        return gradient

    def accumulated(params: Tree, state: Tree, x: Any, y: Any, key: jax.Array, hyper: Hyper) -> Any:
        def part(state: Tree, item: Any) -> Any:
            x, y, number = item
            (cost, (state, ys)), found = gradient(params, state, x, y, jax.random.fold_in(key, number), hyper)
            return state, (cost, ys, found)

        def add(carry: Any, item: Any) -> Any:
            state, found = part(carry[0], item)
            return (state, jax.tree.map(jnp.add, carry[1], found)), None

        parts = jax.tree.map(lambda leaf: leaf.reshape(count, -1, *leaf.shape[1:]), (x, y))
        x, y = plan.batch(parts, axis=1)
        items = (x, y, jnp.arange(count, dtype=jnp.int32))
        like = jax.eval_shape(part, state, jax.tree.map(lambda leaf: leaf[0], items))[1]
        zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), like)
        (state, (cost, ys, found)), _ = lax.scan(add, (state, zeros), items)
        share = 1 if spec.reduction == "sum" else count
        found, cost = jax.tree.map(lambda total: total / share, (found, cost))
        return (cost, (state, {name: total / count for name, total in ys.items()})), found

    return accumulated


def make_rule(held: Freeze, optimizer: Any, hyper: Hyper, spec: Spec) -> optax.GradientTransformation:
    """Return the optimizer's rule for what is not frozen, with the average of the parameters behind it."""
    whole = rule(optimizer, hyper)
    # Within what is not frozen: the average of a constant would round.
    return held.rule(whole if spec.average is None else optax.chain(whole, optim.track_average(spec.average)))


def make_step(
    objective: Callable[..., Any],
    whole_rule: optax.GradientTransformation,
    hyper: Hyper,
    spec: Spec,
    held: Freeze,
    *,
    thorough: bool = False,
) -> Callable[..., Any]:
    """Return ``step((params, state, opt_state), (x, y, key)) -> learner, recorded``.

    Among what is recorded are ``"cost"`` and ``"probe"``, of which `health.words` makes the health word, and
    if `thorough` ``"after"``, what is wrong with the parameters behind the update.
    """
    gradient = make_gradient(objective, spec)

    def step(learner: Any, batch: Any) -> Any:
        (params, before, opt_state), (x, y, key) = learner, batch
        (cost, (state, ys)), gradients = gradient(params, before, x, y, key, hyper)
        updates, opt_state = whole_rule.update(gradients, opt_state, params)
        if spec.record is not None:
            ys |= spec.record(Step(params, before, gradients, updates, opt_state, x, y, key, hyper))
        ys |= {"cost": cost, "probe": health.probe(gradients, thorough=thorough)}
        params, state = held.keep((params, before), (optax.apply_updates(params, updates), state))
        if thorough:
            ys["after"] = health.parameters_word(params)
        return spec.layout.learner((params, state, opt_state)), ys

    return step


def prepared(spec: Spec, data: Arrays, x: Any, order: jax.Array, epoch: Any, index: Any) -> Any:
    """Return a batch of inputs scaled and augmented, by a key that follows from the order alone."""
    x = data.scaled(x)
    if spec.augment is None:
        return x
    key = jax.random.fold_in(jax.random.fold_in(jax.random.fold_in(order, AUGMENTED), epoch), index)
    return _augmented(spec.augment, key, x)


def _augmented(augment: Callable[..., Any], key: jax.Array, x: Any) -> Any:
    found = augment(key, x)
    if _described(found) != _described(x):
        raise ShapeError(
            explain("train", "augment", got=f"a function that returns {_described(found)[1]}",
                    expected=f"{_described(x)[1]}",
                    fix="return as many examples of the same shape and dtype as were given")
        )  # fmt: skip
    return found


def _described(tree: Any) -> tuple[Any, str]:
    shapes = [f"{jnp.result_type(leaf)} {jnp.shape(leaf)}" for leaf in jax.tree.leaves(tree)]
    return jax.tree.structure(tree), ", ".join(shapes) or "nothing"
