"""The picture of augmentations."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import plot
from jaxdl.errors import DtypeError, ShapeError

KEY = jax.random.key(0)
IMAGES = np.random.default_rng(0).random((2, 4, 5, 3), np.float32)


@pytest.mark.parametrize("images", [IMAGES, IMAGES[..., :1], IMAGES[..., 0]])
def test_rows_are_images_and_columns_augmentations(images: np.ndarray, tmp_path: Path) -> None:
    made = {"dark": lambda key, x: x - 2, "upside down": lambda key, x: x[:, ::-1]}
    drawn = plot.augmentations(KEY, images, made, path=tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000
    assert [axes.get_title() for axes in drawn.axes[:3]] == ["original", "dark", "upside down"]
    pixels = [np.asarray(axes.images[0].get_array()) for axes in drawn.axes]
    for row, image in enumerate(np.squeeze(images, -1) if images.shape[3:] == (1,) else images):
        np.testing.assert_array_equal(pixels[3 * row], image)
        assert (pixels[3 * row + 1] == 0).all()
        np.testing.assert_array_equal(pixels[3 * row + 2], image[::-1])


def test_each_draws_by_a_key_of_its_own() -> None:
    def noise(key: jax.Array, x: jax.Array) -> jax.Array:
        return jax.random.uniform(key, x.shape)

    drawn = plot.augmentations(KEY, IMAGES, {"a": noise, "b": noise})
    a, b = (np.asarray(drawn.axes[index].images[0].get_array()) for index in (1, 2))
    assert not np.array_equal(a, b)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((0, IMAGES, {"a": jnp.add}), DtypeError, "typed PRNG key"),
        ((KEY, IMAGES[0, 0], {"a": jnp.add}), ShapeError, r"of shape \(5, 3\)"),
        ((KEY, IMAGES[..., :2], {"a": jnp.add}), ShapeError, "1 or 3"),
        ((KEY, IMAGES.astype(np.uint8), {"a": jnp.add}), DtypeError, "uint8"),
        ((KEY, IMAGES, {}), ValueError, "empty"),
        ((KEY, IMAGES, {"a": "flip"}), DtypeError, r"functions\['a'\]' is a str"),
    ],
)
def test_bad_input_is_named(arguments: tuple, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=rf"plot\.augmentations: .*{words}.*Fix: "):
        plot.augmentations(*arguments)
