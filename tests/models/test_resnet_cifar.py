"""The residual networks of the CIFAR experiments: counts, torch's network, what they learn and refuse."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from models import torch_residual

from jaxdl import losses, net, optim, train
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.kernels import conv
from jaxdl.models import CifarResNet, CifarResNetConfig
from jaxdl.models._residual import PadShortcut

PUBLISHED = {20: 269_722, 32: 464_154, 44: 658_586, 56: 853_018, 110: 1_727_962}
TINY: dict[str, Any] = {"depth": 8, "widths": (2, 3, 6), "num_classes": 3, "in_channels": 1}
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def plain_convolutions() -> Iterator[None]:
    """The formulations have tests of their own; XLA compiles its own in a fraction of the time."""
    with conv.using("xla"):
        yield


def network(**options: Any) -> net.Net:
    config = CifarResNetConfig(**{**TINY, **options})
    return net.functional(lambda rngs: CifarResNet(config, rngs=rngs))


@pytest.mark.parametrize("depth", PUBLISHED)
def test_parameters_are_those_published(depth: int) -> None:
    make = getattr(CifarResNet, f"resnet{depth}")
    scan = depth > 20
    module = nnx.eval_shape(lambda: make(rngs=nnx.Rngs(0), scan_blocks=scan))
    assert sum(leaf.size for leaf in jax.tree.leaves(nnx.state(module, nnx.Param))) == PUBLISHED[depth]
    assert module.config.depth == depth


def test_weighted_layers_are_as_many_as_the_name_says() -> None:
    module = nnx.eval_shape(lambda: CifarResNet.resnet20(rngs=nnx.Rngs(0)))
    paths = [path for path, _ in nnx.to_flat_state(nnx.state(module, nnx.Param))]
    assert sum(path[-1] == "kernel" for path in paths) == 20


@pytest.mark.slow
def test_multiply_adds() -> None:
    """Those of 3x3 convolutions at 32, 16 and 8 pixels, and of the dense layer."""
    made = net.functional(lambda rngs: CifarResNet.resnet20(rngs=rngs))
    table = net.summary(made, jax.ShapeDtypeStruct((2, 32, 32, 3), "float32"))
    shapes = ((32, 16, 16), (16, 32, 16), (8, 64, 32))
    stages = sum(9 * side**2 * width * (inputs + 5 * width) for side, width, inputs in shapes)
    assert table.macs == 9 * 32**2 * 3 * 16 + stages + 640
    assert table.warnings == ()


def test_projections_add_their_parameters() -> None:
    module = nnx.eval_shape(lambda: CifarResNet.resnet20(rngs=nnx.Rngs(0), shortcut="projection"))
    extra = sum(a * b + 2 * b for a, b in ((16, 32), (32, 64)))
    assert sum(leaf.size for leaf in jax.tree.leaves(nnx.state(module, nnx.Param))) == PUBLISHED[20] + extra


def test_it_equals_torch() -> None:
    """Channels 2 to 3 to 6: an odd number of zeros is added, then an even one; sides of 7 and 6."""
    torch = pytest.importorskip("torch")
    stem = torch.nn.Conv2d(1, 2, 3, 1, 1, bias=False), torch.nn.BatchNorm2d(2), None
    blocks = [
        [torch_residual.block("basic", inputs, width, stride=stride, first=stride, projection=False)]
        for inputs, width, stride in ((2, 2, 1), (2, 3, 2), (3, 6, 2))
    ]  # fmt: skip
    twin = torch_residual.network(stem, blocks, 6, 3)
    images = RNG.normal(size=(4, 7, 6, 1)).astype(np.float32)
    torch_residual.check(network(), twin, images)


def test_the_shortcut_without_parameters() -> None:
    x = jnp.arange(2 * 5 * 4 * 2, dtype=jnp.float32).reshape(2, 5, 4, 2)
    y = PadShortcut(2, 5, stride=2)(x)
    assert y.shape == (2, 3, 2, 5)
    np.testing.assert_array_equal(y[..., 1:3], x[:, ::2, ::2])
    np.testing.assert_array_equal(y[..., [0, 3, 4]], jnp.zeros((2, 3, 2, 3)))
    with pytest.raises(ValueError, match="'outputs' is 1; expected at least 2"):
        PadShortcut(2, 1, stride=1)


@pytest.mark.slow
def test_a_scanned_network_learns() -> None:
    """Batch norm's running statistics go through the scan, a row a block."""
    labels = np.arange(32) % 3
    images = RNG.normal(size=(32, 6, 6, 1)).astype(np.float32)
    images[np.arange(32), 2 * labels] += 2
    fitted = train.fit(network(depth=20, scan_blocks=True), (images, labels), epochs=10, batch_size=16,
                       loss=losses.softmax_cross_entropy, optimizer=optim.adam(0.02),
                       progress="off")  # fmt: skip
    assert fitted.history["loss"][-1] < 0.6 * fitted.history["loss"][0]
    moved = np.asarray(fitted.state["layers"][0][1]["stacked"]["bn1"]["mean"])
    assert moved.shape == (2, 2)
    assert (np.abs(moved) > 0).all()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"widths": 16}, DtypeError, r"Fix: widths=\(16, 32, 64\)"),
        ({"depth": 18}, ValueError, r"'depth' is 18; expected 6n \+ 2.*Fix: depth=20, the nearest"),
        ({"depth": 112}, ValueError, "depth=110"),
        ({"depth": 2}, ValueError, "depth=8"),
        ({"depth": 20.0}, DtypeError, "a whole number"),
        ({"num_classes": 0}, ValueError, "'num_classes' is 0; expected at least 1"),
        ({"in_channels": -1}, ValueError, "'in_channels' is -1"),
        ({"widths": (16, 32)}, ValueError, "three widths"),
        ({"widths": (16, 8, 32)}, ValueError, "do not fall"),
        ({"widths": (0, 8, 32)}, ValueError, "'widths' is 0"),
        ({"shortcut": "A"}, ValueError, "'projection', 'pad'"),
        ({"norm_momentum": -0.1}, ValueError, r"\[0, 1\)"),
    ],
)
def test_config_refuses(change: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        CifarResNetConfig(**{**TINY, **change})


def test_images_are_checked() -> None:
    def run(*shape: int, dtype: Any = jnp.float32) -> Any:
        config = CifarResNetConfig(**TINY)
        return nnx.eval_shape(lambda: CifarResNet(config, rngs=nnx.Rngs(0))(jnp.ones(shape, dtype)))

    with pytest.raises(ShapeError, match=r"of shape \(32, 32, 1\); expected \(batch, height, width, 1\)"):
        run(32, 32, 1)
    with pytest.raises(ShapeError, match="in_channels=3"):
        run(2, 32, 32, 3)
    with pytest.raises(ShapeError, match="at least 3 x 3"):
        run(2, 8, 2, 1)
    with pytest.raises(DtypeError, match="floating"):
        run(2, 8, 8, 1, dtype=jnp.uint8)
    assert run(2, 3, 5, 1).shape == (2, 3)
