"""The distance of two Gram matrices, which a descent takes with the style's computed once."""

import jax
import jax.numpy as jnp


def gram_distance(of_picture: jax.Array, of_style: jax.Array, normaliser: str) -> jax.Array:
    """Return `style_loss` from Gram matrices (batch, channels, channels), both divided by positions."""
    scale = (0.25 if normaliser == "gatys" else 1.0) / of_picture.shape[-1] ** 2
    return jnp.sum(jnp.square(of_picture - of_style), axis=(1, 2)) * jnp.asarray(scale, of_picture.dtype)
