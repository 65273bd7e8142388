"""ResNets: counts and multiply-adds, torch's blocks, the identity, the scan, and what is refused."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
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
from jaxdl.layers import BatchNorm
from jaxdl.models import BasicBlock, Bottleneck, ResNet, ResNetConfig, stack_blocks, unstack_blocks

# Parameters, and the multiply-adds that torchvision documents, in units of 1e9.
PUBLISHED = {
    "resnet18": (11_689_512, 1.814),
    "resnet34": (21_797_672, 3.664),
    "resnet50": (25_557_032, 4.089),
    "resnet101": (44_549_160, 7.801),
    "resnet152": (60_192_808, 11.514),
}
PHOTOGRAPH = jax.ShapeDtypeStruct((1, 224, 224, 3), "float32")
TINY: dict[str, Any] = {
    "depths": (1, 3),
    "widths": (3, 4),
    "num_classes": 3,
    "in_channels": 2,
    "stem": "small",
}
RNG = np.random.default_rng(0)
BLOCKS = {"basic": BasicBlock, "bottleneck": Bottleneck}


@pytest.fixture(autouse=True)
def plain_convolutions() -> Iterator[None]:
    """The formulations have tests of their own; XLA compiles its own in a fraction of the time."""
    with conv.using("xla"):
        yield


def network(**options: Any) -> net.Net:
    config = ResNetConfig(**{**TINY, **options})
    return net.functional(lambda rngs: ResNet(config, rngs=rngs))


def published(name: str, **options: Any) -> net.Net:
    return net.functional(lambda rngs: getattr(ResNet, name)(rngs=rngs, **options))


def count(module: Any) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(module, nnx.Param)))


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_those_published(name: str) -> None:
    """Nothing is allocated; the scanned layout holds the same arrays, and is traced in less time."""
    module = nnx.eval_shape(lambda: getattr(ResNet, name)(rngs=nnx.Rngs(0), scan_blocks=True))
    assert count(module) == PUBLISHED[name][0]


def test_another_head_and_plain_blocks() -> None:
    module = nnx.eval_shape(lambda: ResNet.resnet18(rngs=nnx.Rngs(0), num_classes=10, in_channels=1))
    assert count(module) == PUBLISHED["resnet18"][0] - 990 * 513 - 2 * 49 * 64


def test_multiply_adds_are_those_published() -> None:
    table = net.summary(published("resnet50", scan_blocks=True), PHOTOGRAPH)
    assert (table.count, round(table.macs / 1e9, 3)) == PUBLISHED["resnet50"]


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_summary_of_plain_networks(name: str) -> None:
    table = net.summary(published(name), PHOTOGRAPH)
    assert (table.count, round(table.macs / 1e9, 3)) == PUBLISHED[name]


@pytest.mark.parametrize(
    ("kind", "inputs", "width", "stride", "stride_on"),
    [
        ("basic", 3, 4, 2, "3x3"),
        ("bottleneck", 8, 2, 1, "3x3"),
        ("bottleneck", 6, 2, 2, "3x3"),
        ("bottleneck", 6, 2, 2, "1x1"),
    ],
)
def test_blocks_equal_torch(kind: str, inputs: int, width: int, stride: int, stride_on: str) -> None:
    pytest.importorskip("torch")
    outputs = BLOCKS[kind].expansion * width
    first = stride if kind == "basic" or stride_on == "1x1" else 1
    changes = stride > 1 or inputs != outputs
    twin = torch_residual.block(kind, inputs, width, stride=stride, first=first, projection=changes)
    made = net.functional(
        lambda rngs: BLOCKS[kind](inputs, width, stride=stride, stride_on=stride_on, rngs=rngs,
                                  norm=partial(BatchNorm, running_variance="unbiased"))
    )  # fmt: skip
    torch_residual.check(made, twin, RNG.normal(size=(3, 7, 7, inputs)).astype(np.float32))


def test_a_whole_network_equals_torch() -> None:
    """The stem of 7x7 and its maximum, padded as torch pads, on images of an odd size that are not square."""
    torch = pytest.importorskip("torch")
    stem = (torch.nn.Conv2d(2, 3, 7, 2, 3, bias=False), torch.nn.BatchNorm2d(3),
            torch.nn.MaxPool2d(3, 2, 1))  # fmt: skip
    plain = partial(torch_residual.block, "basic", stride=1, first=1, projection=False)
    wider = torch_residual.block("basic", 3, 4, stride=2, first=2, projection=True)
    twin = torch_residual.network(stem, [[plain(3, 3)], [wider, plain(4, 4)]], 4, 3)
    made = network(depths=(1, 2), stem="imagenet")
    torch_residual.check(made, twin, RNG.normal(size=(4, 15, 18, 2)).astype(np.float32))


@pytest.mark.parametrize("block", [BasicBlock(4, 4, zero_init_residual=True, rngs=nnx.Rngs(0)),
                                   Bottleneck(4, 1, zero_init_residual=True, rngs=nnx.Rngs(1))])  # fmt: skip
def test_a_block_that_starts_at_zero_is_the_identity(block: Any) -> None:
    x = jnp.asarray(np.abs(RNG.normal(size=(2, 5, 5, 4))), jnp.float32)
    for still in (True, False):
        block.set_attributes(use_running_average=still)
        np.testing.assert_array_equal(block(x), x)
    np.testing.assert_array_equal(block(-x), jnp.zeros_like(x))
    # Zero kernels do the same without a zero gamma.
    made = net.functional(lambda rngs: BasicBlock(4, 4, rngs=rngs))
    params, state = made.init(jax.random.key(0))
    zeros = {name: jax.tree.map(jnp.zeros_like, part) if "conv" in name else part
             for name, part in params.items()}  # fmt: skip
    np.testing.assert_array_equal(made.apply(zeros, state, x, train=False)[0], x)


def test_scanned_blocks_are_the_plain_ones(key: jax.Array) -> None:
    plain, scanned = (
        network(block="bottleneck", depths=(3,), widths=(3,), scan_blocks=scan) for scan in (False, True)
    )
    params, state = jax.jit(plain.init)(key)
    stacked = stack_blocks(params), stack_blocks(state)
    assert stacked[0]["layers"][0][1]["stacked"]["conv1"]["kernel"].shape[0] == 2
    jax.tree.map(np.testing.assert_array_equal, (params, state), tuple(map(unstack_blocks, stacked)))
    close = partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
    jax.tree.map(close, stacked, jax.jit(scanned.init)(key))

    x = RNG.normal(size=(4, 6, 6, 2)).astype(np.float32)

    def step(made: net.Net, params: Any, state: Any) -> Any:
        def cost(params: Any) -> Any:
            y, after = made.apply(params, state, x, train=True)
            return jnp.sum(jnp.sin(y)), (y, after)

        gradients, (y, after) = jax.grad(cost, has_aux=True)(params)
        return y, after, gradients, made.apply(params, after, x, train=False)[0]

    first, second = (jax.jit(partial(step, made)) for made in (plain, scanned))
    y, after, gradients, still = first(params, state)
    wanted = (y, stack_blocks(after), stack_blocks(gradients), still)
    jax.tree.map(close, second(*stacked), wanted)


def test_a_stage_of_two_blocks_is_not_scanned(key: jax.Array) -> None:
    params, _ = jax.jit(network(depths=(2, 3), scan_blocks=True).init)(key)
    assert sorted(params["layers"][0]) == [0, 1]
    assert "conv1" in params["layers"][0][1]
    assert "stacked" in params["layers"][1][1]
    assert len(unstack_blocks(params)["layers"][1]) == 3
    short = {"layers": {0: params["layers"][0]}}
    assert stack_blocks(short) == unstack_blocks(short) == short


def test_it_learns_and_survives_its_file(tmp_path: Path) -> None:
    """Two classes: bright above or bright below; trained, saved, loaded, and told apart again."""
    labels = np.arange(32) % 2
    images = np.random.default_rng(0).normal(size=(32, 6, 6, 2)).astype(np.float32)
    images[labels == 0, :3] += 2
    images[labels == 1, 3:] += 2
    made = network(num_classes=2, depths=(1, 1))
    fitted = train.fit(made, (images, labels), loss=losses.softmax_cross_entropy, optimizer=optim.adam(0.01),
                       epochs=12, batch_size=16, progress="off")  # fmt: skip
    assert fitted.history["loss"][-1] < 0.2 * fitted.history["loss"][0]
    loaded = train.load(train.save(tmp_path / "model.safetensors", fitted))
    assert loaded.config == made.config
    np.testing.assert_array_equal(loaded.predict(images), fitted.predict(images))
    assert (loaded.predict(images).argmax(1) == labels).mean() > 0.9


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"depths": 18}, DtypeError, r"Fix: depths=\(2, 2, 2, 2\)"),
        ({"depths": (2, 0)}, ValueError, "'depths' is 0; expected at least 1"),
        ({"depths": (2, 2, 2)}, ValueError, "one a width, of which there are 2"),
        ({"depths": (), "widths": ()}, ValueError, "one a width"),
        ({"widths": (4, 2.5)}, DtypeError, "a whole number"),
        ({"num_classes": 0}, ValueError, "'num_classes' is 0; expected at least 1"),
        ({"in_channels": 0}, ValueError, "'in_channels' is 0"),
        ({"block": "dense"}, ValueError, "'basic', 'bottleneck'"),
        ({"stem": "large"}, ValueError, "'imagenet', 'small'"),
        ({"stride_on": "5x5"}, ValueError, "'3x3', '1x1'"),
        ({"shortcut": "identity"}, ValueError, "'projection', 'pad'"),
        ({"zero_init_residual": 2}, ValueError, "True, False"),
        ({"scan_blocks": "yes"}, ValueError, "True, False"),
        ({"norm_variance": "sample"}, ValueError, "'biased', 'unbiased'"),
        ({"norm_momentum": 1.0}, ValueError, r"\[0, 1\)"),
        ({"norm_epsilon": -1.0}, ValueError, r"\[0, inf\)"),
    ],
)
def test_config_refuses(change: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        ResNetConfig(**{**TINY, **change})


def test_images_are_checked() -> None:
    def run(*shape: int, dtype: Any = jnp.float32) -> Any:
        config = ResNetConfig(**{**TINY, "stem": "imagenet"})
        return nnx.eval_shape(lambda: ResNet(config, rngs=nnx.Rngs(0))(jnp.ones(shape, dtype)))

    with pytest.raises(ShapeError, match=r"expected \(batch, height, width, 2\).*single image"):
        run(32, 32, 2)
    with pytest.raises(ShapeError, match="in_channels=3"):
        run(2, 32, 32, 3)
    with pytest.raises(
        ShapeError, match=r"of shape \(2, 4, 32, 2\).*at least 5 x 5: .*a single position.*small"
    ):
        run(2, 4, 32, 2)
    with pytest.raises(DtypeError, match="floating"):
        run(2, 32, 32, 2, dtype=jnp.uint8)
    assert run(2, 5, 5, 2).shape == (2, 3)
    assert ResNetConfig().smallest == 17


def test_modules_are_seen_by_name(key: jax.Array) -> None:
    made = network(depths=(1, 1))
    params, state = jax.jit(made.init)(key)
    seen = made.trace(params, state, jnp.ones((2, 6, 6, 2)), train=False)
    assert list(seen)[:4] == ["conv1", "bn1", "relu", "layers/0/0/conv1"]
    assert {"layers/1/0/downsample/0", "layers/1/0/downsample/1", "avgpool", "fc"} < set(seen)
    assert seen["layers/1/0/relu2"].kind == "relu"
