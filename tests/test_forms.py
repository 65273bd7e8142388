"""Forms of the table of conventions that no other test tells apart, each by its formula or its layers."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from flax import nnx

from jaxdl import layers, losses, similarity
from jaxdl.kernels import conv, roi
from jaxdl.models import (
    MLP,
    VGG,
    FastRCNN,
    FastRCNNConfig,
    GoogLeNet,
    LeNet5,
    LeNet5Config,
    MLPConfig,
    ResNet,
    ResNetConfig,
    VGGConfig,
)

RNG = np.random.default_rng(0)
SMALL: dict[str, Any] = {"depths": (1, 1), "widths": (2, 4), "num_classes": 3, "block": "bottleneck"}


def made(model: Any, config: Any) -> Any:
    return nnx.eval_shape(lambda: model(config, rngs=nnx.Rngs(0)))


def size(module: Any) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(module, nnx.Param)))


def inside(module: Any, kind: Any) -> list[Any]:
    return [one for _, one in nnx.iter_graph(module) if isinstance(one, kind)]


def test_non_negative_squared_error_of_several_outputs() -> None:
    z, y = jnp.asarray([[-1.0, 2.0, 0.5]]), jnp.asarray([[1.0, 1.0, 1.0]])
    wanted = oracles.squared_error(np.maximum(z, 0), np.asarray(y), outputs="sum")
    np.testing.assert_allclose(losses.non_negative_squared_error(z, y, outputs="sum"), wanted)


@pytest.mark.parametrize("scaled", [True, False])
def test_dot_attention_is_a_softmax_of_products(scaled: bool) -> None:
    query, keys = (jnp.asarray(RNG.normal(size=shape), jnp.float32) for shape in ((2, 1, 4), (2, 3, 4)))
    scores = query @ keys.swapaxes(1, 2) / (2.0 if scaled else 1.0)
    found = layers.DotAttention(scaled=scaled)(query, keys).context
    np.testing.assert_allclose(found, jax.nn.softmax(scores) @ keys, rtol=1e-5)


def test_consistent_padding_is_that_of_the_convolution_whose_gradient_it_is() -> None:
    x, y = (jnp.asarray(RNG.normal(size=shape), jnp.float32) for shape in ((1, 6, 2), (1, 3, 3)))
    w = jnp.asarray(RNG.normal(size=(4, 2, 3)), jnp.float32)
    options: Any = {"strides": (2,), "padding": ((1, 1),), "dimension_numbers": ("NWC", "WIO", "NWC")}

    def forward(x: jax.Array) -> jax.Array:
        return jax.lax.conv_general_dilated(x, w, (2,), ((1, 1),), dimension_numbers=("NWC", "WIO", "NWC"))

    found = conv.conv_transpose(y, w, **options, transpose_kernel=True, use_consistent_padding=True)
    np.testing.assert_allclose(found, jax.vjp(forward, x)[1](y)[0], rtol=1e-5, atol=1e-5)


def test_means_may_stand_for_the_maxima_of_lenet() -> None:
    average = made(LeNet5, LeNet5Config(pool="average"))
    assert [len(inside(average, kind)) for kind in (layers.AvgPool, layers.MaxPool)] == [2, 0]


def test_convolutions_of_vgg_before_batch_norm_with_and_without_a_bias() -> None:
    few: dict[str, Any] = {"stages": ((2,), (3,)), "hidden": (4,), "num_classes": 2, "batch_norm": True}
    with_, without = (size(made(VGG, VGGConfig(**few, conv_bias=bias))) for bias in (True, False))
    assert with_ - without == 2 + 3


@pytest.mark.parametrize(("form", "batch_norm"), [(GoogLeNet.torchvision, True), (GoogLeNet.paper, False)])
def test_what_is_normalised_in_googlenet(form: Any, batch_norm: bool) -> None:
    model = nnx.eval_shape(lambda: form(rngs=nnx.Rngs(0)))
    assert model.config.batch_norm is batch_norm
    assert bool(inside(model, layers.BatchNorm)) is batch_norm
    assert len(inside(model, layers.LocalResponseNorm)) == (0 if batch_norm else 2)


@pytest.mark.parametrize("options", [{}, {"norm_variance": "biased"}, {"norm_variance": "unbiased"}], ids=str)
def test_running_variances_of_an_mlp(options: dict[str, Any]) -> None:
    norms = inside(made(MLP, MLPConfig(sizes=(2, 3, 2), batch_norm=True, **options)), layers.BatchNorm)
    assert [norm.running_variance for norm in norms] == [options.get("norm_variance", "biased")]


@pytest.mark.parametrize("variance", ["unbiased", "biased"])
def test_running_variances_of_a_residual_network(variance: str) -> None:
    norms = inside(made(ResNet, ResNetConfig(**SMALL, norm_variance=variance)), layers.BatchNorm)
    assert {norm.running_variance for norm in norms} == {variance}


@pytest.mark.parametrize(("stride_on", "window"), [("3x3", (3, 3)), ("1x1", (1, 1))])
def test_which_convolution_of_a_bottleneck_halves_the_image(stride_on: str, window: tuple[int, int]) -> None:
    model = made(ResNet, ResNetConfig(**SMALL, stem="small", shortcut="pad", stride_on=stride_on))
    halving = [one.kernel_size for one in inside(model, layers.Conv) if one.strides == (2, 2)]
    assert halving == [window]


def test_a_residual_network_may_pad_its_shortcuts() -> None:
    projected, padded = (
        size(made(ResNet, ResNetConfig(**SMALL, shortcut=shortcut))) for shortcut in ("projection", "pad")
    )
    assert projected - padded == (2 * 8 + 2 * 8) + (8 * 16 + 2 * 16)


@pytest.mark.parametrize(("pooling", "kernel"), [("max", "roi_pool"), ("align", "roi_align")])
def test_how_regions_are_pooled(pooling: str, kernel: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Seen(Exception):
        pass

    def seen(*args: Any, **options: Any) -> Any:
        raise Seen

    monkeypatch.setattr(roi, kernel, seen)
    config = FastRCNNConfig(stages=((2,), (4,)), pooling=pooling)
    x = {"image": jnp.zeros((1, 16, 16, 1)), "proposals": jnp.ones((1, 2, 4)),
         "proposal_mask": jnp.ones((1, 2), bool)}  # fmt: skip
    with pytest.raises(Seen):
        nnx.eval_shape(lambda: FastRCNN(config, rngs=nnx.Rngs(0))(x))


def test_hardest_pairs_are_the_same_in_both_forms() -> None:
    x, labels = jnp.asarray(RNG.normal(size=(6, 3)), jnp.float32), np.array([0, 0, 1, 1, 2, 2])
    plain, squared = (
        similarity.hardest_pairs(x, labels, count=2, form=form) for form in ("euclidean", "squared_euclidean")
    )
    np.testing.assert_allclose(np.square(plain.other_distances), squared.other_distances, rtol=1e-5)
