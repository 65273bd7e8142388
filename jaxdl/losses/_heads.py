"""What a network with auxiliary heads returns in training."""

from typing import NamedTuple

import jax


class WithAuxiliary(NamedTuple):
    """Outputs of a network with auxiliary heads in training; in evaluation it returns `main` alone.

    Attributes:
        main: (batch, ...), what the network is asked for; metrics are measured on it.
        auxiliary: the outputs of the heads, each shaped as `main`.

    Example:
        >>> import jax.numpy as jnp
        >>> WithAuxiliary(jnp.ones((2, 3)), (jnp.zeros((2, 3)),)).main.shape
        (2, 3)
    """

    main: jax.Array
    auxiliary: tuple[jax.Array, ...]
