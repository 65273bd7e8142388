"""What augmentations refuse at the door, and what they let pass."""

import jax
import jax.numpy as jnp
import pytest

from jaxdl.data import augment
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.train import Spec

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


@pytest.mark.parametrize(
    ("function", "fix"),
    [
        (augment.random_crop, r"augment\.random_crop\(\)"),
        (augment.cutout, r"augment\.cutout\(\.\.\.\)"),
        (augment.mixup, "mixup takes targets too: call it in a step of your own"),
        (lambda x: x, r"lambda key, x: \.\.\."),
    ],
)
def test_what_is_no_function_of_key_and_batch_is_refused(function, fix):
    for door in (
        augment.compose,
        augment.maybe,
        lambda function: Spec(epochs=1, batch_size=1, augment=function),
    ):
        with pytest.raises(DtypeError, match=rf"of two arguments.*Fix: {fix}$"):
            door(function)


def test_functions_of_key_and_batch_pass():
    for function in (augment.random_crop(), lambda key, x, scale=2: x, lambda *both: both[1]):
        assert Spec(epochs=1, batch_size=1, augment=augment.compose(function)).augment is not None


@pytest.mark.parametrize(
    "function",
    [augment.affine(), augment.elastic(), augment.shear(mode="edge"), augment.subpixel_shift(mode="reflect")],
)
def test_no_images_are_given_back(function):
    for shape in ((0, 6, 8, 3), (0, 6, 8)):
        assert function(KEY, jnp.ones(shape)).shape == shape


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: augment.shear(degrees=(-90, 0)), ValueError, r"within \(-90, 90\)\. Fix"),
        (lambda: augment.affine(shear=(0, 90)), ValueError, r"within \(-90, 90\)\. Fix"),
        (lambda: augment.scale(factor=(0, 1)), ValueError, r"within \(0, inf\)\. Fix"),
        (lambda: augment.rotation(degrees=15), DtypeError, r"Fix: degrees=\(-15, 15\)$"),
        (lambda: augment.scale(factor=2), DtypeError, r"Fix: factor=\(2, 2\)$"),
        (lambda: augment.cutout(size=2, fill=float("nan")), ValueError, "Fix: pass fill as a finite number$"),
        (lambda: augment.maybe(augment.rotation(), probability=None), DtypeError, "'probability' is None;"),
        (
            lambda: augment.on_backgrounds(KEY, jnp.ones((2, 5, 5, 3)), jnp.ones((1, 9, 9, 3))),
            ShapeError,
            "'digits' is images of 3 channels",
        ),
    ],
)
def test_the_words_of_a_refusal(make, error, words):
    with pytest.raises(error, match=words):
        make()
