"""What augmentations refuse at the door, and what they let pass."""

import jax
import jax.numpy as jnp
import pytest

from jaxdl.data import augment
from jaxdl.errors import ShapeError

KEY = jax.random.key(1)


@pytest.mark.parametrize(
    ("shape", "fix"),
    [
        ((32, 32, 3), r"x\[None\] for one image"),
        ((28, 28, 1), r"x\[None\] for one image"),
        ((2, 3, 32, 32), r"jnp\.moveaxis\(x, 1, -1\)"),
        ((2, 1, 28, 28), r"jnp\.moveaxis\(x, 1, -1\)"),
    ],
)
def test_one_image_and_channels_in_front_are_refused(shape, fix):
    with pytest.raises(ShapeError, match=rf"the channels last.*Fix: {fix}"):
        augment.horizontal_flip()(KEY, jnp.ones(shape))


@pytest.mark.parametrize("shape", [(2, 32, 32), (1, 4, 4), (2, 3, 9, 3), (2, 32, 32, 1)])
def test_batches_pass(shape):
    assert augment.horizontal_flip()(KEY, jnp.ones(shape)).shape == shape
