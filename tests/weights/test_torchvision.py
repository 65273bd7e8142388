"""torchvision's weights: its logits, a way back bit for bit, and every wrong file told what is wrong."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
import torch_bytes
from flax import nnx
from golden.make_torchvision import CLASSES, NAMES, SIZES, digest, images, random_state_dict

from jaxdl import models, weights
from jaxdl._trees import named_leaves
from jaxdl.errors import DtypeError, FormatError, ShapeError
from jaxdl.net import Net, functional
from jaxdl.weights import _torchvision_checks, _torchvision_layers
from jaxdl.weights._torchvision_layers import Sizes, state_dict

GOLDEN = Path(__file__).parents[1] / "golden" / "torchvision.npz"
MAKE: dict[str, Callable[..., nnx.Module]] = {
    "alexnet": models.AlexNet.torchvision,
    **{f"vgg{depth}": getattr(models.VGG, f"vgg{depth}") for depth in (11, 13, 16, 19)},
    **{f"resnet{depth}": getattr(models.ResNet, f"resnet{depth}") for depth in (18, 34, 50, 101, 152)},
    "googlenet": models.GoogLeNet.torchvision,
}
SMALL, PUBLISHED = Sizes(CLASSES), Sizes()
QUICK = ("resnet50", "googlenet")


def network(name: str, **options: Any) -> Net:
    kind, _, norm = name.partition("_")
    if norm:
        options["batch_norm"] = True
    return functional(lambda rngs: MAKE[kind](rngs=rngs, **options))


def source(name: str, sizes: Sizes = SMALL) -> dict[str, np.ndarray]:
    return random_state_dict({key: entry.shape for key, entry in state_dict(name, sizes).items()})


def zeros(name: str, sizes: Sizes = PUBLISHED) -> dict[str, np.ndarray]:
    """A state dict that takes no memory."""
    entries = state_dict(name, sizes).items()
    return {key: np.broadcast_to(np.float32(0), entry.shape) for key, entry in entries}


def same(got: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert list(got) == list(expected)
    for key, array in expected.items():
        assert (got[key].dtype, got[key].shape) == (array.dtype, array.shape), key
        assert got[key].tobytes() == array.tobytes(), key


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in SIZES],
)
def test_logits_are_those_of_torchvision_and_the_way_back_is_exact(name: str) -> None:
    theirs = source(name)
    params, state = weights.from_torchvision(name, theirs)
    net = network(name, num_classes=CLASSES)
    found, _ = jax.jit(functools.partial(net.apply, train=False))(params, state, images(SIZES[name]))
    with np.load(GOLDEN) as golden:
        np.testing.assert_allclose(found, golden[f"logits/{name}"], atol=1e-4, rtol=0)
    same(weights.to_torchvision(name, params, state, num_batches_tracked=3), theirs)


@pytest.mark.slow
def test_auxiliary_heads_and_running_statistics_in_training() -> None:
    theirs = source("googlenet", Sizes(CLASSES, auxiliary=True))
    params, state = weights.from_torchvision("googlenet", theirs, auxiliary=True)
    options = {"auxiliary": True, "num_classes": CLASSES, "dropout": 0.0, "auxiliary_dropout": 0.0}
    net = network("googlenet", **options)
    step = jax.jit(functools.partial(net.apply, train=True, key=jax.random.key(0)))
    found, after = step(params, state, images(SIZES["googlenet"]))
    first, second = found.auxiliary
    got = {"main": found.main, "first": first, "second": second,
           "mean": after["conv1"]["bn"]["mean"], "var": after["aux"][0]["conv"]["bn"]["var"]}  # fmt: skip
    with np.load(GOLDEN) as golden:
        for name, value in got.items():
            np.testing.assert_allclose(value, golden[f"googlenet_training/{name}"], atol=2e-4, rtol=0)
    same(weights.to_torchvision("googlenet", params, state, num_batches_tracked=3), theirs)


@pytest.mark.parametrize("name", [*NAMES, "googlenet_auxiliary"])
def test_names_shapes_and_order_are_those_of_torchvision(name: str) -> None:
    kind = name.removesuffix("_auxiliary")
    entries = state_dict(kind, Sizes(auxiliary=kind != name)).items()
    listed = ((key, entry.shape, "float32" if entry.tree else "int64") for key, entry in entries)
    with np.load(GOLDEN) as golden:
        assert digest(listed) == str(golden[f"layout/{name}"])


HERE = ("vgg11", "vgg11_bn")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in HERE else [pytest.mark.slow]) for name in NAMES]
)
def test_every_leaf_of_the_network_has_its_array(name: str) -> None:
    options = {"auxiliary": True} if name == "googlenet" else {}
    net = network(name, num_classes=7, in_channels=2, **options)
    expected = jax.eval_shape(net.init, jax.random.key(0))
    entries = state_dict(name, Sizes(7, 2, name == "googlenet")).values()
    listed = {entry.name: entry.ours for entry in entries if entry.tree}
    got = dict(zip(("params", "state"), expected))
    assert listed == {key: leaf.shape for key, leaf in named_leaves(got).items()}


def test_the_first_dense_layer_after_a_map_takes_channels_last() -> None:
    theirs = zeros("googlenet", Sizes(auxiliary=True))
    rng = np.random.default_rng(0)
    kernel, x = rng.normal(size=(1024, 2048)).astype(np.float32), rng.normal(size=(128, 4, 4))
    theirs["aux2.fc1.weight"] = kernel
    params, state = weights.from_torchvision("googlenet", theirs, auxiliary=True)
    ours = np.moveaxis(x, 0, -1).ravel() @ np.asarray(params["aux"][1]["fc1"]["kernel"], np.float64)
    np.testing.assert_allclose(ours, kernel.astype(np.float64) @ x.ravel(), rtol=1e-10)
    back = weights.to_torchvision("googlenet", params, state)
    assert back["aux2.fc1.weight"].tobytes() == kernel.tobytes()
    assert back["aux2.conv.bn.num_batches_tracked"].item() == 0


def test_a_scanned_residual_network() -> None:
    params, state = weights.from_torchvision("resnet34", zeros("resnet34"))
    stacked = [models.stack_blocks(tree) for tree in (params, state)]
    assert stacked[0]["layers"][3][1]["stacked"]["conv1"]["kernel"].shape == (2, 3, 3, 512, 512)
    with pytest.raises(ShapeError, match=r"Fix: pass both through jaxdl\.models\.unstack_blocks"):
        weights.to_torchvision("resnet34", *stacked)
    unstacked = [models.unstack_blocks(tree) for tree in stacked]
    assert list(weights.to_torchvision("resnet34", *unstacked)) == list(zeros("resnet34"))


@pytest.mark.parametrize("form", ["pth", "legacy.pth", "safetensors"])
def test_files(tmp_path: Path, form: str) -> None:
    theirs = source("googlenet")
    path = tmp_path / f"w.{form}"
    write = {"pth": torch_bytes.new, "legacy.pth": torch_bytes.legacy, "safetensors": safetensors.numpy.save}
    path.write_bytes(write[form](theirs))
    params, state = weights.from_torchvision("googlenet", path if form == "pth" else str(path))
    same(weights.to_torchvision("googlenet", params, state, num_batches_tracked=3), theirs)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FormatError, match="damaged"):
        weights.from_torchvision("googlenet", path)


@pytest.mark.parametrize("name", ["w.bin", "w.SAFETENSORS", "w.pth"])
def test_safetensors_are_known_by_their_content(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(safetensors.numpy.save({"conv1.weight": np.zeros((2, 2), np.float32)}))
    with pytest.raises(FormatError, match=r"without 'bn1\.weight'"):
        weights.from_torchvision("resnet18", path)
    with pytest.raises(FormatError, match=r"is a safetensors file.*Fix: jaxdl\.weights\.load\("):
        weights.load_torch(path)
    assert weights.load(path, verify=False)["conv1.weight"].shape == (2, 2)


def test_a_wrong_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(torch_bytes.new({"conv1.weight": np.zeros((2, 2), np.float32)}))
    with pytest.raises(FormatError, match=r"'source' is .*w\.pth: without 'bn1\.weight'"):
        weights.from_torchvision("resnet18", path)


def test_tensors_of_torch_and_dtypes() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; NumPy arrays stand in for it")
    theirs = source("googlenet")
    tensors = {key: torch.from_numpy(value) for key, value in theirs.items()}
    tensors["fc.weight"] = torch.nn.Parameter(tensors["fc.weight"])
    params, state = weights.from_torchvision("googlenet", tensors, dtype=jnp.bfloat16)
    assert {leaf.dtype for leaf in jax.tree.leaves((params, state))} == {jnp.dtype(jnp.bfloat16)}
    np.testing.assert_array_equal(params["fc"]["kernel"], theirs["fc.weight"].T.astype(jnp.bfloat16))
    with pytest.raises(DtypeError, match=r"source\['fc\.bias'\]' is no array .*float\(\)"):
        weights.from_torchvision("googlenet", {**tensors, "fc.bias": torch.ones(CLASSES).bfloat16()})


def test_torchvision_takes_them_back() -> None:
    tv = pytest.importorskip(
        "torchvision", reason="torchvision is not installed; golden files stand in for it"
    )
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; golden files stand in for it")
    params, state = weights.from_torchvision("googlenet", source("googlenet"))
    back = weights.to_torchvision("googlenet", params, state)
    model = tv.models.googlenet(num_classes=CLASSES, init_weights=False, aux_logits=False)
    model.load_state_dict({key: torch.from_numpy(value) for key, value in back.items()}, strict=True)


def test_older_files_without_counters_and_heads_that_are_left_out() -> None:
    theirs = zeros("googlenet", Sizes(auxiliary=True))
    older = {key: value for key, value in theirs.items() if not key.endswith("num_batches_tracked")}
    params, state = weights.from_torchvision("googlenet", older)
    assert "aux" not in params
    assert list(weights.to_torchvision("googlenet", params, state)) == list(zeros("googlenet"))


def test_all_differences_are_told_at_once() -> None:
    theirs = zeros("resnet18")
    for key in ("bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var", "layer1.0.conv1.weight"):
        del theirs[key]
    theirs |= {"layer1.0.convl.weight": np.zeros(3), "fc.weight": np.zeros((7, 5)), "xyz": np.zeros(1)}
    with pytest.raises(FormatError) as caught:
        weights.from_torchvision("resnet18", theirs, num_classes=7)
    for words in (
        "'source' is without 'bn1.weight', 'bn1.bias', 'bn1.running_mean', 'bn1.running_var' and 1 more; ",
        "with unknown 'layer1.0.convl.weight' (nearest: 'layer1.0.conv1.weight'), 'xyz'; ",
        "with 'fc.weight' (7, 5) where (7, 512) is expected, 'fc.bias' (1000,) where (7,) is expected; ",
        "expected the 122 arrays of torchvision's resnet18. ",
        "Fix: pass the state dict of torchvision.models.resnet18",
    ):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("resnet18", "resnet34"), ("resnet34", "resnet18"), ("resnet50", "resnet101"), ("vgg16", "vgg16_bn"),
        ("vgg11", "vgg13"), ("alexnet", "googlenet"), ("vgg19_bn", "vgg19"), ("googlenet", "resnet152"),
    ],
)  # fmt: skip
def test_another_network_is_recognised(name: str, other: str) -> None:
    theirs = zeros(other, Sizes(5))
    with pytest.raises(FormatError, match=rf"looks like '{other}': from_torchvision\('{other}'"):
        weights.from_torchvision(name, theirs)


def test_a_prefix_is_recognised() -> None:
    theirs = {f"module.{key}": value for key, value in zeros("resnet18").items()}
    with pytest.raises(FormatError, match=r"begin with 'module\.': pass \{name\.removeprefix\('module\.'\)"):
        weights.from_torchvision("resnet18", theirs)


@pytest.mark.parametrize(
    ("change", "options", "error", "words"),
    [
        ({"fc.bias": np.full(1000, np.nan, np.float32)}, {}, FormatError, r"'fc\.bias'\]' is not finite"),
        ({"fc.bias": np.full(1000, 1e9)}, {"dtype": jnp.float16}, FormatError, "as float16"),
        ({"fc.bias": np.zeros(1000, int)}, {}, DtypeError, r"'fc\.bias'\]' is of dtype int64"),
        ({"fc.bias": np.array(["a"])}, {}, DtypeError, "array of numbers"),
        ({"fc.bias": object()}, {}, DtypeError, "array of numbers"),
        ({"fc.bias": [[1.0], [2.0, 3.0]]}, {}, DtypeError, "is no array"),
        ({}, {"num_classes": 10}, FormatError, r"'fc\.weight' \(1000, 1024\) where \(10, 1024\)"),
        ({}, {"num_classes": 0}, ValueError, "num_classes"),
        ({}, {"auxiliary": True}, FormatError, r"without 'aux1\.conv\.conv\.weight'.*and 14 more"),
        ({}, {"auxiliary": 2}, ValueError, "auxiliary"),
        ({}, {"dtype": jnp.int32}, DtypeError, "'dtype' is int32"),
        ({}, {"dtype": "foo"}, DtypeError, "'dtype' is 'foo'; expected a floating dtype"),
        ({}, {"dtype": None}, DtypeError, "'dtype' is None; expected a floating dtype"),
        ({}, {"dtype": jnp.float64}, DtypeError, "'dtype' is float64; expected at most float32.*enable_x64"),
        ({"conv1.bn.running_var": np.full(64, -1.0)}, {}, FormatError, r"running_var'\]' is as low as -1;"),
    ],
)  # fmt: skip
def test_refused(change: Any, options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        weights.from_torchvision("googlenet", {**zeros("googlenet"), **change}, **options)


@pytest.mark.parametrize(
    ("name", "auxiliary", "head"),
    [
        ("resnet18", False, "'fc'"),
        ("vgg16", False, "'classifier/6'"),
        ("alexnet", False, "'classifier/6'"),
        ("googlenet", True, r"\['aux/0/fc2', 'aux/1/fc2', 'fc'\]"),
    ],
)
def test_a_head_of_another_size_is_met_with_transfer(name: str, auxiliary: bool, head: str) -> None:
    theirs = zeros(name, Sizes(auxiliary=auxiliary))
    with pytest.raises(FormatError, match=rf"Fix: leave num_classes out.*start_from\(.*new={head}\)"):
        weights.from_torchvision(name, theirs, num_classes=10, auxiliary=auxiliary)


def test_refused_names_and_sources() -> None:
    for name in ("resnet20", 18, None):
        with pytest.raises(ValueError, match="'name' is"):
            weights.from_torchvision(name, {})
        with pytest.raises(ValueError, match="'name' is"):
            weights.to_torchvision(name, {}, {})
    with pytest.raises(ValueError, match="'auxiliary' is True for 'resnet18'"):
        weights.from_torchvision("resnet18", {}, auxiliary=True)
    with pytest.raises(DtypeError, match="'source' is a list"):
        weights.from_torchvision("resnet18", [])
    with pytest.raises(FileNotFoundError):
        weights.from_torchvision("resnet18", "nowhere.pth")


def test_float64_is_kept_where_jax_holds_it() -> None:
    with jax.enable_x64(True):
        params, _ = weights.from_torchvision("resnet18", zeros("resnet18"), dtype="float64")
    assert params["fc"]["bias"].dtype == np.float64


def test_what_is_not_finite_is_taken_on_request() -> None:
    theirs = {**zeros("googlenet"), "fc.bias": np.full(1000, np.nan, np.float32)}
    params, _ = weights.from_torchvision("googlenet", theirs, finite=False)
    assert np.isnan(params["fc"]["bias"]).all()


def test_refused_trees() -> None:
    params, state = weights.from_torchvision("googlenet", zeros("googlenet"))
    with pytest.raises(
        ShapeError, match=r"without 'state/conv1/bn/mean', .* and 110 more; expected the leaves"
    ):
        weights.to_torchvision("googlenet", params, {})
    wrong = {**params, "fc": {"kernel": np.zeros((5, 4)), "bias": np.zeros(3)}, "head": np.zeros(1)}
    with pytest.raises(
        ShapeError, match=r"unknown 'params/head'.*'params/fc/kernel' \(5, 4\) where \(1024, 4\)"
    ):
        weights.to_torchvision("googlenet", wrong, state)
    with pytest.raises(ValueError, match="num_batches_tracked"):
        weights.to_torchvision("googlenet", params, state, num_batches_tracked=-1)
    with pytest.raises(DtypeError, match="'params/fc'"):
        weights.to_torchvision("googlenet", {**params, "fc": "text"}, state)


def test_the_lists_are_short_however_much_differs() -> None:
    many = {str(index): np.zeros(1) for index in range(1000)}
    with pytest.raises(FormatError) as caught:
        weights.from_torchvision("vgg16", many)
    assert "and 996 more" in str(caught.value)
    assert len(str(caught.value)) < 800
    assert _torchvision_checks._lookalike({}) is None
    assert set(_torchvision_layers.NETWORKS) == set(NAMES)
