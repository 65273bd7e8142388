"""Convolutions where lax's own is in trouble, or where products cannot go."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl.kernels import conv

IMAGES = ("NHWC", "HWIO", "NHWC")


def test_whole_numbers_are_convolved_transposed() -> None:
    x, w = jnp.arange(4).reshape(1, 4, 1), jnp.array([1, 2]).reshape(2, 1, 1)
    y = conv.conv_transpose(x, w, (2,), "VALID", dimension_numbers=("NWC", "WIO", "NWC"))
    assert y.ravel().tolist() == [0, 0, 2, 1, 4, 2, 6, 3]


@pytest.mark.parametrize("implementation", [None, "xla"])
def test_negative_padding_with_strides_is_a_cut(implementation: str | None) -> None:
    rng = np.random.default_rng(0)
    x, w = (jnp.asarray(rng.normal(size=size), jnp.float32) for size in ((3, 9, 2, 7), (3, 3, 3, 3)))
    numbers = ("CHNW", "WOHI", "CWNH")
    pads = [(-1, 1), (-2, 1)]  # of W and of H, the order of the kernel's axes
    y = conv.conv_general_dilated(
        x, w, (4, 4), pads, dimension_numbers=numbers, implementation=implementation
    )
    cut = jnp.pad(x[:, 2:, :, 1:], ((0, 0), (0, 1), (0, 0), (0, 1)))
    wanted = jax.lax.conv_general_dilated(cut, w, (4, 4), "VALID", dimension_numbers=numbers)
    np.testing.assert_allclose(y, wanted, atol=1e-5)


def test_explicit_sharding_goes_to_lax() -> None:
    mesh = jax.make_mesh((1,), ("batch",), axis_types=(jax.sharding.AxisType.Explicit,))
    with jax.set_mesh(mesh):
        x = jax.device_put(jnp.ones((2, 6, 6, 3)), jax.NamedSharding(mesh, jax.P("batch")))
        w = jax.device_put(jnp.ones((3, 3, 3, 4)), jax.NamedSharding(mesh, jax.P()))

        def total(x: jax.Array) -> jax.Array:
            return conv.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=IMAGES).sum()

        assert "conv_general_dilated" in str(jax.make_jaxpr(total)(x))
        assert jax.grad(total)(x).shape == x.shape


def test_a_formulation_is_part_of_the_key_of_jit() -> None:
    @jax.jit
    def filtered(x: jax.Array, w: jax.Array) -> jax.Array:
        return conv.conv_general_dilated(x, w, (1, 1), "SAME", dimension_numbers=IMAGES)

    operands = jnp.ones((1, 4, 4, 1)), jnp.ones((3, 3, 1, 1))
    with conv.using("xla"):
        assert "conv_general_dilated" in str(jax.make_jaxpr(filtered)(*operands))
    with conv.using("im2col"):
        assert "conv_general_dilated" not in str(jax.make_jaxpr(filtered)(*operands))
