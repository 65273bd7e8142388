"""Evaluation: every example exactly once, in batches of one shape."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxdl.errors import ShapeError, explain
from jaxdl.losses import WithAuxiliary
from jaxdl.net import Net, Tree
from jaxdl.train.spec import Arrays, Hyper, Loss, Spec


def per_example(name: str, values: Any, batch: int) -> jax.Array:
    """Return values (batch,), the mean over further axes, or raise when they are not per example."""
    shape = jnp.shape(values)
    if not shape or shape[0] != batch:
        raise ShapeError(
            explain("train", f"{name}()", got=f"of shape {shape}",
                    expected=f"one value per example, ({batch}, ...)",
                    fix="do not reduce over the batch; for a metric of a whole set use train.predict")
        )  # fmt: skip
    return jnp.mean(values.astype(jnp.float32).reshape(batch, -1), axis=1)


def rows(name: str, function: Any, outputs: Any, targets: Any) -> jax.Array:
    """Call a loss or metric; return values (batch,), or raise when they are not one row an example.

    A silent broadcast, (N, 1) against (N,) giving (N, N), is found by asking for the shape at N + 1
    examples: what follows the batch axis must not grow with the batch.
    """
    batch = jax.tree.leaves(outputs)[0].shape[0]
    values = function(outputs, targets)
    if jnp.ndim(values) > 1:
        wider = jax.tree.map(
            lambda a: jax.ShapeDtypeStruct((batch + 1, *a.shape[1:]), a.dtype), (outputs, targets)
        )
        other = jax.eval_shape(function, *wider)
        if other.shape[1:] != values.shape[1:]:
            shapes = " and ".join(str(leaf.shape) for leaf in jax.tree.leaves((outputs, targets)))
            raise ShapeError(
                explain("train", f"{name}()", got=f"of shape {values.shape}, broadcast from {shapes}",
                        expected=f"one value per example, ({batch}, ...)",
                        fix="give outputs and targets one shape, such as targets[:, None]")
            )  # fmt: skip
    return per_example(name, values, batch)


def main_output(outputs: Any) -> Any:
    """Return what metrics are measured on: the main output of a network with auxiliary heads."""
    return outputs.main if isinstance(outputs, WithAuxiliary) else outputs


def means(
    net: Net, loss: Loss, spec: Spec, params: Tree, state: Tree, data: Arrays, hyper: Hyper
) -> dict[str, jax.Array]:
    """Return the mean loss and metrics over the validation examples; traceable.

    The last batch reaches back over examples that were seen already, and a mask leaves these out.
    """
    inputs, targets = data.valid_inputs, data.valid_targets
    examples = jax.tree.leaves(inputs)[0].shape[0]
    plan = spec.layout
    size = plan.rows(min(spec.eval_batch_size, examples))
    blocks = -(-examples // size)

    def block(totals: dict[str, jax.Array], number: jax.Array) -> tuple[dict[str, jax.Array], None]:
        start = jnp.minimum(number * size, examples - size)
        batch = jax.tree.map(lambda a: lax.dynamic_slice_in_dim(a, start, size), (inputs, targets))
        x, y = plan.batch(batch)
        # Gathered in the loop: a layout that comes into it from outside would spread over the batch.
        outputs, _ = net.apply(plan.whole(params), state, data.scaled(x), train=False, hyper=hyper)
        values = {"loss": rows("loss", partial(loss, hyper=hyper), outputs, y)}
        values |= {name: rows(name, metric, main_output(outputs), y) for name, metric in spec.metrics}
        fresh = start + jnp.arange(size) >= number * size
        for name, value in values.items():
            totals = totals | {name: totals[name] + jnp.sum(jnp.where(fresh, value, 0))}
        return totals, None

    zeros = {name: jnp.zeros(()) for name in ("loss", *dict(spec.metrics))}
    totals, _ = lax.scan(block, zeros, jnp.arange(blocks))
    found = {name: total / examples for name, total in totals.items()}
    return found | {"loss": found["loss"] * (0.5 if spec.recorded == "half_mean" else 1)}
