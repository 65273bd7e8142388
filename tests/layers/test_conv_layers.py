"""Convolutional layers: what they compute beside flax and torch, and what they refuse."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxdl.errors import DtypeError, ShapeError
from jaxdl.layers import Conv, ConvTranspose

RNGS = nnx.Rngs(0)
IMAGES = jnp.ones((2, 8, 8, 4))


@pytest.mark.parametrize(
    ("shape", "size", "options"),
    [
        ((2, 9, 4), (3,), {"strides": 2, "padding": ((2, 1),)}),
        ((2, 6, 7, 4), (3, 3), {"padding": "VALID", "kernel_dilation": 2, "use_bias": False}),
        ((2, 6, 7, 4), (3, 2), {"strides": (2, 1), "feature_group_count": 2}),
        ((1, 5, 5, 4), (3, 3), {"padding": "CIRCULAR"}),
        ((1, 4, 5, 3, 4), (2, 3, 2), {"padding": "VALID"}),
    ],
)
def test_equals_flax_by_the_same_kernel(shape: Any, size: Any, options: dict[str, Any]) -> None:
    ours, theirs = Conv(4, 6, size, rngs=RNGS, **options), nnx.Conv(4, 6, size, rngs=RNGS, **options)
    theirs.kernel[...] = ours.kernel[...]
    x = jnp.asarray(np.random.default_rng(0).normal(size=shape), jnp.float32)
    assert ours.kernel.shape == (*size, 4 // options.get("feature_group_count", 1), 6)
    assert (ours.bias is None) == (options.get("use_bias") is False)
    np.testing.assert_allclose(ours(x), theirs(x), atol=1e-5)


def test_half_precision_and_the_start() -> None:
    layer = Conv(64, 32, (3, 3), rngs=nnx.Rngs(1))
    assert float(layer.kernel[...].var() * 64 * 9 / 2) == pytest.approx(1, rel=0.05)  # He
    assert not layer.bias[...].any()
    half = Conv(4, 6, (3, 3), dtype=jnp.bfloat16, rngs=RNGS)
    assert half.kernel.dtype == jnp.float32
    assert half(IMAGES).dtype == jnp.bfloat16


@pytest.mark.parametrize(("strides", "padding", "extra"), [(1, 0, 0), (2, 1, 1), (3, 0, 2)])
def test_transposed_equals_torch(strides: int, padding: int, extra: int) -> None:
    torch = pytest.importorskip(
        "torch", reason="PyTorch is not installed; the kernel's tests hold without it"
    )
    x = np.random.default_rng(0).normal(size=(2, 4, 3, 3)).astype(np.float32)
    edges = (2 - padding, 2 - padding + extra)
    ours = ConvTranspose(3, 2, (3, 3), strides=strides, padding=(edges, edges), rngs=RNGS)
    theirs = torch.nn.ConvTranspose2d(3, 2, 3, strides, padding, extra)
    with torch.no_grad():
        theirs.weight[:] = torch.tensor(np.transpose(np.flip(ours.kernel[...], (0, 1)), (2, 3, 0, 1)).copy())
        theirs.bias[:] = 0.5
        wanted = theirs(torch.tensor(np.moveaxis(x, -1, 1).copy())).moveaxis(1, -1).numpy()
    ours.bias[...] = jnp.full(2, 0.5)
    np.testing.assert_allclose(ours(jnp.asarray(x)), wanted, atol=1e-5)


REFUSED: tuple[tuple[dict[str, Any], Any, type[Exception], str], ...] = (
    ({}, IMAGES[0], ShapeError, r"\(8, 8, 4\); expected \(batch, height, width, channels\). Fix: x\[None\]"),
    ({}, IMAGES[None], ShapeError, r"expected \(batch, height, width, channels\)"),
    ({"kernel_size": (3,)}, IMAGES, ShapeError, r"expected \(batch, length, channels\)"),
    ({}, IMAGES[..., :3], ShapeError, r"expected 4 channels, last. Fix: Conv\(3, ...\)"),
    ({}, jnp.ones((2, 4, 8, 8)), ShapeError, "expected 4 channels, last. Fix: move the channels to the end"),
    ({}, IMAGES.astype(jnp.uint8), DtypeError, "of dtype uint8; expected a floating dtype"),
    ({}, [[1.0]], DtypeError, "is a list; expected an array"),
    ({"kernel_size": (9, 3), "padding": "VALID"}, IMAGES, ShapeError, r"\(8, 8\) with padding"),
    ({"padding": "VALID", "kernel_dilation": 4}, IMAGES, ShapeError, r"at least the window, \(9, 9\)"),
    ({"padding": ((-3, -3), (0, 0))}, IMAGES, ShapeError, r"\(2, 8\) with padding; expected at least"),
    ({"feature_group_count": 3}, None, ValueError, "'in_features' is 4; expected a multiple of the 3 groups"),
    ({"feature_group_count": 4}, None, ValueError, "'out_features' is 6; expected a multiple of the 4"),
    ({"feature_group_count": 0}, None, ValueError, "'feature_group_count' is 0; expected at least 1"),
    ({"strides": 0}, None, ValueError, "'strides' is 0; expected at least 1"),
    ({"strides": (1, 1, 1)}, None, ShapeError, "expected 2 whole numbers, as many as the window"),
    ({"strides": 1.5}, None, DtypeError, "expected a whole number"),
    ({"kernel_dilation": 0}, None, ValueError, "'kernel_dilation' is 0"),
    ({"kernel_size": 3}, None, ShapeError, "'kernel_size' is 3; expected 1, 2 or 3 whole numbers"),
    ({"kernel_size": (3, 0)}, None, ValueError, "'kernel_size' is 0"),
    ({"kernel_size": (1, 1, 1, 1)}, None, ShapeError, "expected 1, 2 or 3 whole numbers"),
    ({"padding": "same"}, None, ValueError, "'padding' is 'same'; expected one of 'SAME'"),
    ({"padding": 1}, None, ShapeError, r"2 pairs \(before, after\) of whole numbers"),
    ({"padding": ((1, 1),)}, None, ShapeError, "2 pairs"),
    ({"in_features": 0}, None, ValueError, "'in_features' is 0; expected at least 1"),
)  # fmt: skip


@pytest.mark.parametrize(("options", "x", "error", "words"), REFUSED, ids=[row[3] for row in REFUSED])
def test_bad_input_is_named(options: dict[str, Any], x: Any, error: type[Exception], words: str) -> None:
    def run() -> None:
        layer = Conv(**({"in_features": 4, "out_features": 6, "kernel_size": (3, 3), "rngs": RNGS} | options))
        assert x is not None, "what is wrong with the layer is said when it is made"
        jax.eval_shape(layer, x) if hasattr(x, "dtype") else layer(x)

    with pytest.raises(error, match=words) as caught:
        run()
    assert str(caught.value).startswith("Conv: argument '")
    assert "Fix: " in str(caught.value)


def test_the_transposed_one_refuses() -> None:
    layer = ConvTranspose(4, 2, (3, 3), rngs=RNGS)
    for x, words in ((IMAGES[0], "batch, height, width"), (IMAGES[..., :2], "4 channels, last")):
        with pytest.raises(ShapeError, match=words):
            layer(x)
    for options, error in (({"strides": 0}, ValueError), ({"padding": "SAME_LOWER"}, ValueError)):
        with pytest.raises(error, match="ConvTranspose: argument"):
            ConvTranspose(4, 2, (3, 3), rngs=RNGS, **options)
