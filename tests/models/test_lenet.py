"""LeNet-5 in both forms: its counts, torch's values and gradients, its table and codes, what it refuses."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from golden import lenet as twin

from jaxdl import _trees, losses, net, optim, train
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.layers import ConnectedConv, RadialBasis, Subsample
from jaxdl.models import LeNet5, LeNet5Config
from jaxdl.models._digit_codes import DIGITS, digit_codes
from jaxdl.models.lenet import TABLE

GOLDEN = Path(__file__).parents[1] / "golden" / "lenet.npz"
NETS = {
    "modern": net.functional(lambda rngs: LeNet5.modern(rngs=rngs)),
    "original": net.functional(lambda rngs: LeNet5.original(rngs=rngs)),
}
LOSSES = {"modern": losses.softmax_cross_entropy, "original": losses.maximum_a_posteriori}
IMAGE = jax.ShapeDtypeStruct((1, 28, 28, 1), jnp.float32)


@pytest.mark.parametrize(("case", "count"), [("modern", 61_706), ("original", 60_000)])
def test_counts_of_the_published_table(case: str, count: int) -> None:
    params, state = jax.eval_shape(NETS[case].init, jax.random.key(0))
    sizes = {name: leaf.size for name, leaf in _trees.named_leaves(params).items()}
    assert sum(sizes.values()) == count
    layers: dict[str, int] = {}
    for name, size in sizes.items():
        layers[name.rpartition("/")[0]] = layers.get(name.rpartition("/")[0], 0) + size
    published = [156, 12, 1_516, 32, 48_120, 10_164]
    modern = [156, 2_416, 48_120, 10_164, 850]
    assert sorted(layers.values()) == sorted(modern if case == "modern" else published)
    assert [leaf.shape for leaf in jax.tree.leaves(state)] == ([(10, 84)] if case == "original" else [])


def test_multiply_adds_are_those_worked_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jaxdl.net._summary.PROBED_PARAMETERS", 0)  # compiles nothing
    c1, dense = 28 * 28 * 25 * 6, 400 * 120 + 120 * 84
    found = {case: net.summary(network, IMAGE).macs for case, network in NETS.items()}
    # The zeros of the table are multiplied too; the 840 squared differences are no product.
    c3 = 10 * 10 * 25 * 6 * 16
    assert found == {"modern": c1 + c3 + dense + 84 * 10, "original": c1 + c3 + dense}
    assert c1 + c3 + dense + 840 == 416_520


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    tree: dict[int, dict[str, Any]] = {}
    for name, leaf in flat.items():
        layer, part = name.split("/")
        tree.setdefault(int(layer), {})[part] = jnp.asarray(leaf)
    return {"layers": tree}


@pytest.mark.parametrize("case", twin.CASES)
def test_equals_torch_in_value_and_gradient(case: str) -> None:
    with np.load(GOLDEN) as golden:
        stored = {name: golden[name] for name in golden.files if name.startswith(case)}
    network, (images, labels) = NETS[case], twin.examples()
    _, state = jax.jit(network.init)(jax.random.key(0))

    def cost(params: Any) -> Any:
        scores, _ = network.apply(params, state, jnp.asarray(images), train=True)
        costs = LOSSES[case](scores, jnp.asarray(labels))
        return costs.mean(), (scores, costs)

    gradients, (scores, costs) = jax.jit(jax.grad(cost, has_aux=True))(nested(twin.weights(case)))
    np.testing.assert_allclose(scores, stored[f"{case}/scores"], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(costs, stored[f"{case}/costs"], rtol=1e-5, atol=1e-5)
    for name, slope in _trees.named_leaves(gradients["layers"]).items():
        *along, norm = stored[f"{case}/slopes/{name}"]
        value = np.asarray(slope, np.float64)
        np.testing.assert_allclose(np.linalg.norm(value), norm, rtol=1e-5)
        found = np.tensordot(twin.directions(value.shape), value, value.ndim)
        np.testing.assert_allclose(found, along, atol=1e-5 * norm)


def test_the_golden_file_is_what_torch_gives() -> None:
    torch = pytest.importorskip("torch")
    with np.load(GOLDEN) as golden:
        for name, value in twin.torch_lenet(torch).items():
            np.testing.assert_allclose(golden[name], value, rtol=1e-5, atol=1e-5 * np.abs(value).max())


def test_the_table_is_the_published_one() -> None:
    seen_by = tuple(tuple(o for o, inputs in enumerate(TABLE) if i in inputs) for i in range(6))
    assert seen_by == twin.SEEN_BY
    assert sum(map(len, TABLE)) == 60


def test_each_output_sees_the_inputs_of_its_row_and_no_other(key: jax.Array) -> None:
    rows = ((0, 2), (1,), (2, 1, 0))
    layer = ConnectedConv(3, rows, (2, 3), rngs=nnx.Rngs(0))
    assert layer.kernel.shape == (2, 3, 6)
    x = jax.random.normal(key, (1, 3, 4, 3))
    jacobian = jax.jit(jax.jacobian(lambda x: layer(x).sum((0, 1, 2))))(x)
    reach = np.abs(jacobian).max((1, 2, 3)) > 0
    assert [tuple(np.flatnonzero(row)) for row in reach] == [tuple(sorted(inputs)) for inputs in rows]
    kernel, first, answers = np.asarray(layer.kernel[...]), 0, np.asarray(jax.jit(layer)(x))
    for output, inputs in enumerate(rows):
        window = kernel[:, :, first : first + len(inputs)]
        first += len(inputs)
        wanted = (np.asarray(x)[0, :2, :3, list(inputs)] * window.transpose(2, 0, 1)).sum()
        assert float(answers[0, 0, 0, output]) == pytest.approx(float(wanted), abs=1e-6)


def test_subsampling_and_distances_by_their_formulas(key: jax.Array) -> None:
    pool = Subsample(2, rngs=nnx.Rngs(0))
    pool.bias[...] = jnp.array([1.0, -1.0])
    x = jax.random.normal(key, (1, 2, 2, 2))
    wanted = np.asarray(pool.scale[...]) * np.asarray(x).sum((1, 2))[0] + [1, -1]
    np.testing.assert_allclose(pool(x)[0, 0, 0], wanted, rtol=1e-5)
    assert float(jnp.abs(pool.scale[...]).max()) <= 0.6
    near = np.array([[1.0, 1 + 1e-4]], np.float32)
    found = RadialBasis([[1.0, 1.0], [-1.0, 1.0]])(jnp.asarray(near))
    np.testing.assert_allclose(found[0], [(near[0, 1] - 1.0) ** 2, 4], rtol=1e-6)


def test_codes_are_bitmaps_that_differ_and_are_never_trained() -> None:
    codes = digit_codes()
    assert codes.shape == (10, 84)
    assert set(np.unique(codes)) == {-1.0, 1.0}
    assert all(len(rows) == 12 and {*map(len, rows)} == {7} for rows in (d.split("\n") for d in DIGITS))
    apart = (codes[:, None] != codes[None]).sum(-1) + 84 * np.eye(10, dtype=int)
    assert apart.min() >= 10
    # A picture of each class as the code says it: F6 at the code is at distance 0 of its class alone.
    scores = -np.asarray(RadialBasis(codes)(jnp.asarray(codes)))
    np.testing.assert_array_equal(scores.argmax(1), np.arange(10))
    np.testing.assert_array_equal(np.diag(scores), 0)


def toy() -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(20) % 10
    images = -0.1 * np.ones((20, 28, 28, 1), np.float32)
    for image, label in zip(images, labels):
        image[2 * label : 2 * label + 5, 4:24] = 1.175
    return images, labels


def test_the_published_form_trains_by_its_loss_and_keeps_its_codes(tmp_path: Path) -> None:
    images, labels = toy()
    fitted = train.fit(NETS["original"], (images, labels), loss=losses.maximum_a_posteriori,
                       optimizer=optim.adam(0.005), epochs=12, batch_size=20, progress="off")  # fmt: skip
    history = fitted.history["loss"]
    assert history[-1] < 0.7 * history[0]
    np.testing.assert_array_equal(fitted.state["layers"][13]["codes"], digit_codes())
    loaded = train.load(train.save(tmp_path / "m.safetensors", fitted))
    assert loaded.config == fitted.net.config
    for name, leaf in _trees.named_leaves(fitted.params).items():
        np.testing.assert_array_equal(_trees.named_leaves(loaded.params)[name], leaf)


def test_minus_the_distances_are_logits_of_a_softmax() -> None:
    scores = jnp.array([[-90.0, -60.0, -75.0], [-1.0, -200.0, -150.0]])
    labels = jnp.array([0, 0])
    found = losses.softmax_cross_entropy(scores, labels)
    np.testing.assert_allclose(found, [30, 0], atol=1e-5)
    # A class of rubbish at an endless distance competes with none; a near one stands in for them.
    far, near = (losses.maximum_a_posteriori(scores, labels, rubbish=j) for j in (1e3, 1.0))
    np.testing.assert_allclose(far, found, atol=1e-5)
    np.testing.assert_allclose(near, [90 - 1, np.log(2)], rtol=1e-5)


def test_small_images_are_padded_with_the_background(key: jax.Array) -> None:
    small = jax.random.normal(key, (2, 28, 28, 1))
    for case, value in twin.BACKGROUND.items():
        params, state = NETS[case].init(key)
        run = jax.jit(lambda x, p=params, s=state, n=NETS[case]: n.apply(p, s, x, train=False)[0])
        large = jnp.pad(small, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=value)
        np.testing.assert_allclose(run(small), run(large), rtol=1e-5, atol=1e-5)


def test_initial_weights_of_the_modern_form_are_hes(key: jax.Array) -> None:
    assert LeNet5Config().kernel_init == "he"
    kernels = [
        layer["kernel"] for layer in NETS["modern"].init(key)[0]["layers"].values() if "kernel" in layer
    ]
    for kernel in kernels[1:]:
        n = kernel.size // kernel.shape[-1]
        assert float(kernel.var()) * n == pytest.approx(2, rel=0.15)


def test_published_initial_weights_stay_within_their_fans(key: jax.Array) -> None:
    params, _ = NETS["original"].init(key)
    layers = params["layers"]
    for layer, fan in ((0, 25), (9, 400), (11, 120)):
        peak = float(jnp.abs(layers[layer]["kernel"]).max()) * fan / 2.4
        assert 0.9 < peak <= 1
    peaks = np.abs(layers[4]["kernel"]).max((0, 1))
    fans = np.array([25 * len(inputs) for inputs in TABLE for _ in inputs])
    assert 0.9 < (peaks * fans / 2.4).max() <= 1


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"activation": "rleu"}, ValueError, "'rleu'; expected one of"),
        ({"connections": "some"}, ValueError, "'all', 'table'"),
        ({"pool": "mean"}, ValueError, "'max', 'average', 'subsample'"),
        ({"output": "rbf"}, ValueError, "'linear', 'codes'"),
        ({"output": "codes", "num_classes": 5}, ValueError, "codes for the ten digits"),
        ({"num_classes": 0}, ValueError, "at least 1"),
        ({"in_channels": 1.5}, DtypeError, "a whole number"),
        ({"kernel_init": "glorot"}, ValueError, "'he', 'published'"),
        ({"background": float("nan")}, ValueError, "background"),
    ],
)
def test_config_refuses(change: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        LeNet5Config(**change)


@pytest.mark.parametrize(
    ("shape", "dtype", "error", "words"),
    [
        ((2, 28, 28), "float32", ShapeError, r"Fix: x\[..., None\] for one channel$"),
        ((2, 784), "float32", ShapeError, r"Fix: x.reshape\(-1, 28, 28, 1\)"),
        ((2, 1, 28, 28), "float32", ShapeError, r"Fix: jnp.moveaxis\(x, 1, -1\)"),
        ((2, 28, 28, 3), "float32", ShapeError, "in_channels=3"),
        ((2, 8, 8, 1), "float32", ShapeError, r"Fix: jax.image.resize\(x, \(2, 32, 32, 1\), 'linear'\)"),
        ((2, 28, 32, 1), "float32", ShapeError, "or 28 by 28"),
        ((2, 28, 28, 1), "uint8", DtypeError, "floating"),
    ],
)
def test_input_is_checked(shape: Any, dtype: str, error: type[Exception], words: str) -> None:
    model = nnx.eval_shape(lambda: LeNet5.modern(rngs=nnx.Rngs(0)))
    with pytest.raises(error, match=words):
        model(jnp.ones(shape, dtype))


def test_its_layers_refuse_what_does_not_fit() -> None:
    for rows in ((), ((),), ((0, 3),), ((0, 0),), ((0.5,),)):
        with pytest.raises(ValueError, match="'connections'"):
            ConnectedConv(3, rows, (5, 5), rngs=nnx.Rngs(0))
    layer = ConnectedConv(3, ((0, 1),), (5, 5), rngs=nnx.Rngs(0))
    for shape in ((1, 14, 14, 2), (1, 4, 14, 3), (14, 14, 3)):
        with pytest.raises(ShapeError, match="no smaller than the window"):
            layer(jnp.ones(shape))
    for shape in ((1, 5, 4, 6), (1, 4, 4, 5), (4, 4, 6)):
        with pytest.raises(ShapeError, match="even height and width"):
            Subsample(6, rngs=nnx.Rngs(0))(jnp.ones(shape))
    for codes in ([1.0, 2.0], np.ones((0, 3))):
        with pytest.raises(ShapeError, match=r"\(classes, features\)"):
            RadialBasis(codes)
    with pytest.raises(ShapeError, match=r"\(batch, 2\)"):
        RadialBasis([[1.0, -1.0]])(jnp.ones((2, 3)))
