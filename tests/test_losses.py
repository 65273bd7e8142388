"""Losses: targets of every dtype, poison, weights, the scalings of the texts, low precision."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from jaxdl import losses

Z = jnp.array([[-2.0, 0.5], [3.0, -1.0], [0.0, 4.0]])
BITS = jnp.array([[1, 0], [0, 1], [1, 1]])


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint32", "bool", "float32", "float16"])
def test_binary_targets_of_every_dtype(dtype: str) -> None:
    wanted = oracles.binary_cross_entropy(np.asarray(Z, np.float64), np.asarray(BITS, np.float64))
    got = losses.binary_cross_entropy(Z, BITS.astype(dtype))
    np.testing.assert_allclose(got, wanted, rtol=1e-6)


@pytest.mark.parametrize("wrong", [-1, 2, 255, -0.01, 1.01, float("nan"), float("inf")])
def test_binary_targets_out_of_range_poison_their_own_example(wrong: float) -> None:
    targets = BITS.astype(jnp.float32).at[1, 0].set(wrong)
    clean = jax.grad(lambda z: losses.binary_cross_entropy(z, BITS).sum())(Z)
    value = losses.binary_cross_entropy(Z, targets)
    gradient = jax.grad(lambda z: losses.binary_cross_entropy(z, targets).sum())(Z)
    assert np.isnan(value).tolist() == [False, True, False]
    assert np.isnan(gradient[1, 0])
    np.testing.assert_array_equal(gradient[jnp.array([0, 2])], clean[jnp.array([0, 2])])


def test_a_small_binary_loss_keeps_its_digits() -> None:
    z = jnp.array([20.0, -20.0, 80.0])
    got = losses.binary_cross_entropy(z, jnp.array([1, 0, 1]))
    np.testing.assert_allclose(got, np.log1p(np.exp(-np.abs(np.asarray(z, np.float64)))), rtol=1e-6)


LABELS = jnp.array([0, 2, 1, 2])
LOGITS = jnp.array([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0], [2.0, 2.0, 2.0], [-1.0, 0.5, 4.0]])
WEIGHTS = jnp.array([0.5, 2.0, 1.5])
TORCH_MEANS = {0.0: 1.5641369819641113, 0.1: 1.5930047035217285}


def gradient(function: Any, *arrays: jax.Array) -> jax.Array:
    return jax.grad(lambda first: jnp.sum(function(first, *arrays[1:])))(arrays[0])


def test_the_mean_with_class_weights_is_that_of_torch() -> None:
    # torch.nn.CrossEntropyLoss(weight=[0.5, 2, 1.5], label_smoothing=e)(LOGITS, LABELS), from torch 2.
    for smoothing, wanted in TORCH_MEANS.items():
        values = losses.softmax_cross_entropy(
            LOGITS, LABELS, class_weights=WEIGHTS, label_smoothing=smoothing
        )
        got = losses.reduce(values, weights=WEIGHTS[LABELS], weighted=True)
        assert float(got) == pytest.approx(wanted, rel=1e-6)
    plain = losses.softmax_cross_entropy(LOGITS, LABELS)
    assert float(losses.reduce(plain, weights=WEIGHTS[LABELS])) == pytest.approx(TORCH_MEANS[0.0], rel=1e-6)


def test_those_means_are_of_torch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; the written figures stand in")
    for smoothing, wanted in TORCH_MEANS.items():
        loss = torch.nn.CrossEntropyLoss(weight=torch.tensor(WEIGHTS.tolist()), label_smoothing=smoothing)
        got = loss(torch.tensor(LOGITS.tolist()), torch.tensor(LABELS.tolist()))
        assert float(got) == pytest.approx(wanted, rel=1e-6)


def test_sample_weights_are_repetitions_and_0_is_absence() -> None:
    values = losses.softmax_cross_entropy(LOGITS, LABELS)
    counts = jnp.array([2, 0, 1, 3])
    repeated = jnp.repeat(values, counts)
    for reduction in losses.REDUCTIONS:
        got = losses.reduce(values.at[1].set(jnp.inf), reduction=reduction, weights=counts)
        assert float(got) == pytest.approx(float(losses.reduce(repeated, reduction=reduction)), rel=1e-6)


@pytest.mark.parametrize("weights", [[0.0, 0.0], [1.0, -1.0], [1.0, float("nan")]])
def test_weights_without_meaning_give_nan(weights: list[float]) -> None:
    assert np.isnan(losses.reduce(jnp.array([1.0, 2.0]), weights=jnp.array(weights)))


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_label_rows_out_of_range_poison_their_own_example(wrong: float) -> None:
    rows = jax.nn.one_hot(LABELS, 3)
    bad = rows.at[1, 0].set(wrong)
    assert np.isnan(losses.softmax_cross_entropy(LOGITS, bad)).tolist() == [False, True, False, False]
    ours = gradient(losses.softmax_cross_entropy, LOGITS, bad)
    clean = gradient(losses.softmax_cross_entropy, LOGITS, rows)
    assert np.isnan(ours[1]).all()
    np.testing.assert_array_equal(ours[jnp.array([0, 2, 3])], clean[jnp.array([0, 2, 3])])


def test_labels_out_of_range_poison_their_own_example_whatever_the_loss() -> None:
    smoothed = partial(losses.softmax_cross_entropy, label_smoothing=0.1, class_weights=WEIGHTS)
    groups = partial(losses.multi_label_cross_entropy, groups=(2, 1))
    kinds = jnp.array([1, 0, 7, 1])
    cases: list[tuple[Any, tuple[jax.Array, ...], int]] = [
        (smoothed, (LOGITS, LABELS.at[3].set(-1)), 3),
        (smoothed, (LOGITS, LABELS.at[0].set(3)), 0),
        (groups, (LOGITS, jnp.array([[0, 0], [2, 0], [1, 0], [1, 0]])), 1),
        (losses.multi_label_cross_entropy, (LOGITS, jnp.zeros((4, 3)).at[2, 1].set(-1)), 2),
        (losses.contrastive, (LOGITS, LOGITS[::-1], kinds), 2),
        (losses.non_negative_squared_error, (LOGITS, jnp.ones((4, 3)).at[1, 2].set(-0.5)), 1),
    ]
    found = slopes_of({str(number): case[:2] for number, case in enumerate(cases)})
    for number, (_, _, wrong) in enumerate(cases):
        bad, (values, slopes) = np.arange(4) == wrong, map(np.isnan, found[str(number)])
        np.testing.assert_array_equal(values, bad)
        assert slopes[wrong].any()
        assert not slopes[~bad].any()


@pytest.mark.parametrize(
    "function",
    [
        lambda v: losses.huber(Z, -Z, delta=v),
        lambda v: losses.smooth_l1(Z, -Z, beta=v),
        lambda v: losses.contrastive(Z, -Z, BITS[:, 0], margin=v),
        lambda v: losses.triplet(Z, -Z, Z[::-1], margin=v),
        lambda v: losses.softmax_cross_entropy(Z, BITS[:, 0], label_smoothing=v),
        lambda v: losses.binary_cross_entropy(Z, BITS, positive_weight=v),
    ],
)
def test_traced_hyperparameters_out_of_range_give_nan(function: Any) -> None:
    many = jax.vmap(function)(jnp.array([0.5, -1.0, float("nan")]))
    assert np.isfinite(many[0]).all()
    assert np.isnan(many[1:]).any()
    assert np.isnan(many[1:]).reshape(2, -1).any(1).all()


@pytest.mark.parametrize("beta", [0.1, 1.0, 3.0])
def test_smooth_l1_is_huber_over_beta(beta: float) -> None:
    np.testing.assert_allclose(
        losses.smooth_l1(LOGITS, LOGITS[::-1], beta=beta),
        losses.huber(LOGITS, LOGITS[::-1], delta=beta) / beta,
        rtol=1e-6,
    )


def test_three_scalings_of_the_squared_error() -> None:
    a, y = np.asarray(LOGITS, np.float64), np.asarray(LOGITS[::-1], np.float64)
    total = ((a - y) ** 2).sum()
    values = partial(losses.squared_error, LOGITS, LOGITS[::-1])
    scalings = {
        ("sum", "sum"): total,
        ("sum", "mean"): total / 4,
        ("sum", "half_mean"): total / 8,
        ("mean", "mean"): total / 12,
    }
    for (outputs, reduction), wanted in scalings.items():
        got = losses.reduce(values(outputs=outputs), reduction=reduction)
        assert float(got) == pytest.approx(wanted, rel=1e-6)
    assert float(losses.reduce(values(outputs="sum", factor=0.5))) == pytest.approx(total / 8, rel=1e-6)
    mean = jax.grad(lambda a: losses.reduce(losses.squared_error(a, LOGITS[::-1], outputs="sum")))(LOGITS)
    np.testing.assert_allclose(mean, 2 * (a - y) / 4, rtol=1e-6)


def test_a_factor_is_one_number() -> None:
    with pytest.raises(TypeError, match=r"contrastive: argument 'factor' is .*expected a number"):
        losses.contrastive(Z, -Z, BITS[:, 0], factor=jnp.ones((len(Z), 1)))


def test_contrastive_is_that_of_the_paper() -> None:
    first, second, other = LOGITS, LOGITS[::-1] / 2, jnp.array([1, 0, 0, 1])
    d = np.linalg.norm(np.asarray(first - second, np.float64), axis=1)
    paper = (1 - other) * d**2 / 2 + other * np.maximum(4 - d, 0) ** 2 / 2
    got = losses.contrastive(first, second, 1 - other, margin=4.0, factor=0.5)
    np.testing.assert_allclose(got, paper, rtol=1e-5)


def slopes_of(cases: dict[str, tuple[Any, tuple[Any, ...]]]) -> dict[str, tuple[jax.Array, jax.Array]]:
    """Return values and gradients of all cases, compiled at once."""

    def run(arrays: dict[str, Any]) -> dict[str, tuple[jax.Array, jax.Array]]:
        return {
            name: (function(*arrays[name]), gradient(function, *arrays[name]))
            for name, (function, _) in cases.items()
        }

    return jax.jit(run)({name: arrays for name, (_, arrays) in cases.items()})


def test_twins_have_finite_gradients() -> None:
    cases: dict[str, tuple[Any, tuple[Any, ...]]] = {
        f"{name} {dtype}": (function, (Z.astype(dtype), Z.astype(dtype)))
        for dtype in ("float32", "float16", "bfloat16")
        for name, function in (
            ("distance", losses.distance),
            ("same", lambda a, b: losses.contrastive(a, b, jnp.ones(3))),
            ("other", lambda a, b: losses.contrastive(a, b, jnp.zeros(3))),
            ("triplet", lambda a, b: losses.triplet(a, b, b)),
            ("squared", lambda a, b: losses.triplet(a, b, b, form="squared_euclidean")),
            ("absolute", lambda a, b: losses.smooth_l1(a, b, beta=0.0)),
            ("huber", losses.huber),
        )
    }
    for name, (_, slopes) in slopes_of(cases).items():
        np.testing.assert_array_equal(slopes.astype("float32"), 0, err_msg=name)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_low_precision_stays_finite_where_its_range_allows(dtype: str) -> None:
    big = jnp.array([[1e4, -2e4, 3e4], [-3e4, 2e4, 1e4]], dtype)
    small = jnp.zeros((2, 3), dtype)
    rows, bits = jnp.eye(3, dtype=dtype)[:2], jnp.array([[1, 0, 1], [0, 1, 0]])
    cases: dict[str, tuple[Any, tuple[Any, ...], Any]] = {
        "binary": (losses.binary_cross_entropy, (big, bits), [0, 1e4 / 3]),
        "multi": (losses.multi_label_cross_entropy, (big, bits), [0, 1e4]),
        "softmax": (losses.softmax_cross_entropy, (big, rows), [2e4, 0]),
        "smoothed": (partial(losses.softmax_cross_entropy, label_smoothing=0.3), (big, rows), [2.1e4, 6e3]),
        "huber": (losses.huber, (big, small), [2e4, 2e4]),
        "smooth_l1": (losses.smooth_l1, (big, small), [2e4, 2e4]),
        "distance": (losses.distance, (big, small), np.sqrt([14e8, 14e8])),
        "apart": (partial(losses.contrastive, margin=2.0), (big, small, jnp.zeros(2)), [0, 0]),
        "triplet": (losses.triplet, (small, big, small), np.sqrt([14e8, 14e8])),
    }
    found = slopes_of({name: (function, arrays) for name, (function, arrays, _) in cases.items()})
    for name, (value, slopes) in found.items():
        assert value.dtype == slopes.dtype == jnp.dtype(dtype), name
        np.testing.assert_allclose(value.astype("float32"), cases[name][2], rtol=1e-2, err_msg=name)
        assert np.isfinite(slopes.astype("float32")).all(), name


def test_positive_weights_by_output() -> None:
    by_output = losses.binary_cross_entropy(Z, BITS, positive_weight=jnp.array([3.0, 1.0]))
    for j, weight in enumerate((3.0, 1.0)):
        alone = losses.binary_cross_entropy(Z[:, j], BITS[:, j], positive_weight=weight)
        by_output = by_output - alone / 2
    np.testing.assert_allclose(by_output, 0, atol=1e-6)
