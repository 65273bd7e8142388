"""Evaluation: every example exactly once, in batches of one shape."""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxdl.errors import ShapeError, explain
from jaxdl.net import Net, Tree

if TYPE_CHECKING:
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


def means(
    net: Net, loss: "Loss", spec: "Spec", params: Tree, state: Tree, data: "Arrays", hyper: "Hyper"
) -> dict[str, jax.Array]:
    """Return the mean loss and metrics over the validation examples; traceable.

    The last batch reaches back over examples that were seen already, and a mask leaves these out.
    """
    inputs, targets = data.valid_inputs, data.valid_targets
    examples = jax.tree.leaves(inputs)[0].shape[0]
    size = min(spec.eval_batch_size, examples)
    blocks = -(-examples // size)

    def block(totals: dict[str, jax.Array], number: jax.Array) -> tuple[dict[str, jax.Array], None]:
        start = jnp.minimum(number * size, examples - size)
        x, y = jax.tree.map(lambda a: lax.dynamic_slice_in_dim(a, start, size), (inputs, targets))
        outputs, _ = net.apply(params, state, data.scaled(x), train=False, hyper=hyper)
        values = {"loss": loss(outputs, y, hyper=hyper)}
        values |= {name: metric(outputs, y) for name, metric in spec.metrics}
        fresh = start + jnp.arange(size) >= number * size
        for name, value in values.items():
            rows = per_example(name, value, size)
            totals = totals | {name: totals[name] + jnp.sum(jnp.where(fresh, rows, 0))}
        return totals, None

    zeros = {name: jnp.zeros(()) for name in ("loss", *dict(spec.metrics))}
    totals, _ = lax.scan(block, zeros, jnp.arange(blocks))
    found = {name: total / examples for name, total in totals.items()}
    return found | {"loss": found["loss"] * (0.5 if spec.recorded == "half_mean" else 1)}
