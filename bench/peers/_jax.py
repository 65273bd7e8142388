"""What the flax peers share: the loss, and the step's gather from data on the device."""

import jax
import jax.numpy as jnp
import optax


def batch_of(images: jax.Array, labels: jax.Array, index: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Pixels scaled to [0, 1], and labels, of the examples at `index`."""
    return images[index].astype(jnp.float32) / 255, labels[index]


def batch_loss(logits: jax.Array, labels: jax.Array, loss: str) -> jax.Array:
    """Mean loss of a batch by the names of Problem.loss."""
    if loss == "cross_entropy":
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
    error = jax.nn.sigmoid(logits) - jax.nn.one_hot(labels, logits.shape[-1])
    return jnp.square(error).sum(-1).mean()
