"""The workloads of images: every peer follows the same losses from the same kernels."""

import dataclasses
import importlib.util
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax

from bench import images, lenet, lenet_sweep, peers, resnet20, timing, vgg16
from bench.case import Machine, Outcome
from bench.harness import measure

LIBRARIES = {"linen": "flax", "linen_scan": "flax", "keras": "keras", "numpy": "numpy"}
MACHINE = Machine(device="a test", versions={}, copy_bytes_per_s=1e9)
STEPS = 4
SLOW = ("linen", "linen_scan", "keras", "torch_compile")  # compiling takes seconds, or a minute


@pytest.fixture(autouse=True)
def _users_configuration(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(timing, "SETTLE_S", 0.0)
    monkeypatch.setattr(timing, "gemm_ceiling", lambda **_: 1e9)
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)  # no time is measured here
    with jax.numpy_rank_promotion("allow"):
        yield
    jax.config.update("jax_disable_most_optimizations", before)


def _installed(name: str) -> None:
    library = LIBRARIES.get(name, "torch")
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed, so its peer cannot be compared")


def _cost(kernels: list[jax.Array], biases: list[jax.Array], x: jax.Array, labels: jax.Array) -> jax.Array:
    for layer, padding in enumerate(("SAME", "VALID")):
        numbers = ("NHWC", "HWIO", "NHWC")
        x = lax.conv_general_dilated(x, kernels[layer], (1, 1), padding, dimension_numbers=numbers)
        x = jax.nn.relu(x + biases[layer])
        batch, height, width, channels = x.shape
        x = lax.reduce_window(x, -np.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    x = x.reshape(batch, height * width * channels // 4)
    for layer in (2, 3, 4):
        x = x @ kernels[layer] + biases[layer]
        x = jax.nn.relu(x) if layer < 4 else x
    return optax.softmax_cross_entropy_with_integer_labels(x, labels).mean()


@pytest.fixture(scope="module")
def problem() -> images.Problem:
    """Two epochs of this would be 8 steps; labels that no kernel knows keep all units alive."""
    return lenet.make_problem(batch=8, n=8 * STEPS)


@pytest.fixture(scope="module")
def expected(problem: images.Problem) -> tuple[list[float], list[np.ndarray]]:
    """Losses of the steps, by a plain function and optax; and the parameters after them."""
    optimizer = optax.adam(problem.learning_rate)

    @jax.jit
    def step(params: tuple, state: tuple, x: jax.Array, y: jax.Array) -> tuple:
        loss, slopes = jax.value_and_grad(lambda params: _cost(*params, x, y))(params)
        change, state = optimizer.update(slopes, state)
        return optax.apply_updates(params, change), state, loss, slopes

    with jax.numpy_rank_promotion("allow"):
        kernels = [jnp.asarray(kernel) for kernel in problem.kernels]
        params = (kernels, [jnp.zeros(kernel.shape[-1]) for kernel in kernels])
        state, losses, first = optimizer.init(params), [], None
        for index in images.order_of(problem):
            x = jnp.asarray(problem.inputs[index], jnp.float32) / 255
            params, state, loss, slopes = step(params, state, x, jnp.asarray(problem.labels[index]))
            first = first or slopes
            losses.append(float(loss))
    return losses, first


@pytest.mark.parametrize(
    "name",
    ["ours", "numpy", "torch", "torch_channels_last"]
    + [pytest.param(name, marks=pytest.mark.slow) for name in SLOW],
)
def test_every_lenet_follows_the_same_losses(
    name: str, problem: images.Problem, expected: tuple[list[float], list[np.ndarray]]
) -> None:
    _installed("numpy" if name == "ours" else name)
    peer = lenet.ours(problem) if name == "ours" else peers.load(name, "lenet")(problem)
    peer.epoch()
    order = images.order_of(problem)
    assert len(set(expected[0])) == STEPS
    np.testing.assert_allclose(peer.losses(order), expected[0], rtol=1e-4)
    if name == "numpy":
        np.testing.assert_allclose(peer.losses(order), expected[0], rtol=1e-4)


def test_patches_in_numpy_have_the_gradients_of_jax(
    problem: images.Problem, expected: tuple[list[float], list[np.ndarray]]
) -> None:
    peer = peers.load("numpy", "lenet")(problem)
    peer.gradients(images.order_of(problem)[0])
    kernels, biases = expected[1]
    for place, (weight, bias) in enumerate(peer._gradients):
        kernel = np.asarray(kernels[place])
        if kernel.ndim == 4:
            kernel = kernel.transpose(3, 2, 0, 1).reshape(weight.shape)
        elif place == 2:
            kernel = kernel.reshape(5, 5, 16, 120).transpose(3, 2, 0, 1).reshape(weight.shape)
        else:
            kernel = kernel.T
        np.testing.assert_allclose(weight, kernel, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(bias, biases[place], rtol=1e-4, atol=1e-6)


@pytest.fixture(scope="module")
def small() -> images.Problem:
    """ResNet-20 on images of 8 x 8: the network averages over whatever is left."""
    whole = resnet20.make_problem(batch=4, n=12)
    return dataclasses.replace(whole, inputs=whole.inputs[:, ::4, ::4])


def test_the_residual_networks_of_torch_agree_and_start_anew(small: images.Problem) -> None:
    _installed("torch")
    order = images.order_of(small)
    first, last = (peers.load(name, "resnet20")(small) for name in ("torch", "torch_channels_last"))
    losses = first.losses(order)
    np.testing.assert_allclose(last.losses(order), losses, rtol=1e-3)
    np.testing.assert_allclose(first.losses(order), losses, rtol=1e-5)  # batch norms start anew
    assert len(set(losses.tolist())) == len(order)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["torch", "torch_compile", "linen", "linen_scan"])
def test_every_residual_network_follows_our_losses(name: str, small: images.Problem) -> None:
    _installed(name)
    order = images.order_of(small)
    peer = peers.load(name, "resnet20")(small)
    np.testing.assert_allclose(peer.losses(order), resnet20.ours(small).losses(order), rtol=1e-3)


def test_the_forward_pass_is_that_of_torch_and_flax() -> None:
    _installed("torch")
    (case,) = vgg16.cases(quick=True)
    out = Outcome()
    measure(vgg16.NAME, case, MACHINE, repeats=1, out=out)
    assert not out.errors
    assert [row.peer for row in out.rows] == list(vgg16.PEERS)
    assert out.rows[0].unit == "batch"


@pytest.mark.slow
def test_members_of_the_sweep_agree_with_torch_one_after_another() -> None:
    _installed("torch")
    case = lenet_sweep.make_case(lenet_sweep.make_problem(members=2, n=64), ("torch", "alone"))
    out = Outcome()
    measure("lenet_sweep", case, MACHINE, repeats=1, out=out)
    assert not out.errors
    assert [row.unit for row in out.rows] == ["member-step"] * 2


def test_members_of_the_sweep_differ_in_kernels_and_rate() -> None:
    problem = lenet_sweep.make_problem(members=4, n=64)
    first, last = problem.member(0), problem.member(3)
    assert (first.learning_rate, last.learning_rate) == pytest.approx((3e-4, 3e-3))
    assert not np.array_equal(first.kernels[0], last.kernels[0])
    np.testing.assert_array_equal(first.inputs, last.inputs)


def test_arithmetic_is_that_of_the_published_networks() -> None:
    macs = 117_600 + 240_000 + 48_000 + 10_080 + 840
    assert lenet.flop(1) == 2 * (3 * macs - 117_600)
    assert resnet20.flop(1) == pytest.approx(6 * 40.55e6, rel=5e-3)
    assert vgg16.Problem(batch=1).flop == pytest.approx(2 * 15.47e9, rel=1e-3)


def test_kernels_go_where_their_number_says() -> None:
    tree = {
        "Conv_10": {"kernel": jnp.zeros((1, 1, 2, 2)), "bias": jnp.zeros(2)},
        "Conv_9": {"kernel": jnp.zeros((1, 1, 1, 2))},
        "A": {"kernel": jnp.zeros((2, 3))},
    }
    kernels = [
        np.full(shape, value, np.float32)
        for shape, value in (((1, 1, 1, 2), 1), ((1, 1, 2, 2), 2), ((2, 3), 3))
    ]
    filled = images.fill(tree, kernels)
    assert [float(filled[name]["kernel"].ravel()[0]) for name in ("Conv_9", "Conv_10", "A")] == [1, 2, 3]
    assert filled["Conv_10"]["bias"].tolist() == [0, 0]
    with pytest.raises(ValueError, match="Conv_9"):
        images.fill(tree, kernels[::-1])
    with pytest.raises(ValueError, match="shorter"):
        images.fill(tree, kernels[:2])
