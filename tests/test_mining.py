"""Losses that find their pairs and triplets in the batch: against loops, and against another library."""

import itertools
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import make_mining
from rows import similarity_oracles as oracles

from jaxdl import losses

VARIANTS: list[dict[str, Any]] = [
    *({"mining": mining, "average": average} for mining, average in itertools.product(
        ("batch_all", "batch_hard"), losses.AVERAGES)),
    *({"negatives": negatives, "fallback": fallback, "average": "all"} for negatives, fallback in
      itertools.product(losses.NEGATIVES, losses.FALLBACKS)),
    {"negatives": "nearest", "fallback": "farthest", "form": "euclidean"},
]  # fmt: skip
LABELS = np.array([0, 0, 1, 1, 2])


def test_every_variant_equals_loops_over_all_triplets() -> None:
    x, labels = make_mining.batch()
    options = [{"margin": 0.9, **variant} for variant in VARIANTS]

    @jax.jit
    def every(x: jax.Array) -> list[jax.Array]:
        return [losses.mined_triplet(x, labels, **variant) for variant in options]

    sums = []
    # Classes that lie across each other, and classes of which most are apart already.
    for embeddings in (x, 0.5 * x + labels[:, None]):
        with jax.enable_x64(True):
            got = every(jnp.asarray(embeddings))
        wanted = [oracles.mined_triplet(embeddings, labels, **variant) for variant in options]
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-12)
        sums.append([round(float(values.sum()), 9) for values in wanted])
    assert len(set(zip(*sums, strict=True))) == len(options)


def test_mean_and_gradient_equal_those_of_pytorch_metric_learning() -> None:
    with np.load(Path(__file__).parent / "golden" / "mining.npz") as file:
        golden = dict(file)
    x, labels = make_mining.batch()

    @jax.jit
    def means(x: jax.Array) -> Any:
        def of(x: jax.Array) -> jax.Array:
            mined = partial(losses.mined_triplet, labels=labels, margin=make_mining.MARGIN)
            return jnp.stack([mined(x, **options).mean() for _, options in make_mining.CASES.values()])

        return of(x), jax.jacrev(of)(x)

    with jax.enable_x64(True):
        values, gradients = means(jnp.asarray(x))
    for case, value, gradient in zip(make_mining.CASES, values, gradients, strict=True):
        np.testing.assert_allclose(value, golden[f"{case}/value"], rtol=1e-12)
        np.testing.assert_allclose(gradient, golden[f"{case}/gradient"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("form", ["euclidean", "squared_euclidean"])
def test_the_semi_hard_loss_of_tensorflow_addons_by_its_formula(form: str) -> None:
    """Its tables: the least distance beyond that of each pair, or else the greatest of all to others."""
    x, labels = make_mining.batch()
    # Classes that lie apart, so that some pairs have no negative farther than their positive.
    x = 0.5 * x + np.where(labels == 0, 3.0, 0.0)[:, None]
    x[0] -= 9
    d = oracles.distances(x, x, form=form)
    others = labels[:, None] != labels[None]
    beyond = np.where(others[:, None] & (d[:, None] > d[:, :, None]), d[:, None], np.inf).min(-1)
    farthest = np.where(others, d, -np.inf).max(-1, keepdims=True)
    positives = ~others & ~np.eye(len(x), dtype=bool)
    assert 0 < np.isinf(beyond[positives]).sum() < positives.sum()
    table = np.maximum(d - np.where(np.isinf(beyond), farthest, beyond) + make_mining.MARGIN, 0)
    with jax.enable_x64(True):
        got = losses.mined_triplet(
            jnp.asarray(x), labels, margin=make_mining.MARGIN, form=form, average="all",
            negatives="nearest", fallback="farthest",
        ).mean()  # fmt: skip
    np.testing.assert_allclose(got, table[positives].mean(), rtol=1e-12)


@jax.jit
def compiled(x: jax.Array, labels: jax.Array, margin: Any) -> Any:
    losses_of = (
        partial(losses.mined_triplet, mining="batch_hard", margin=margin),
        partial(losses.mined_triplet, margin=margin, lacking="zero"),
        partial(losses.batch_contrastive, margin=margin),
    )
    return [jax.value_and_grad(lambda x, of=of: of(x, labels).sum())(x) for of in losses_of]


def test_what_is_no_number_and_what_lacks_a_triplet_does_not_pass_for_learnt() -> None:
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    good, one_class, alone = LABELS, np.zeros(5, int), np.arange(5)
    assert np.isfinite([value for value, _ in compiled(x, good, 0.5)]).all()
    for bad in (np.nan, np.inf):
        spoilt = x.copy()
        spoilt[1, 2] = bad
        assert np.isnan([value for value, _ in compiled(spoilt, good, 0.5)]).all()
    assert np.isnan([value for value, _ in compiled(x, good, -1.0)]).all()
    hard, semi_hard, contrastive = compiled(x, one_class, 0.5)
    assert np.isnan(hard[0])
    assert np.isnan(contrastive[0])
    assert semi_hard[0] == 0
    assert not np.any(semi_hard[1])
    hard, semi_hard, contrastive = compiled(x, alone, 0.5)
    assert np.isnan(hard[0])
    assert semi_hard[0] == 0
    assert np.isfinite(contrastive[0])


def test_an_anchor_without_a_triplet_has_neither_loss_nor_gradient() -> None:
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    last = jax.jit(jax.value_and_grad(lambda x: losses.mined_triplet(x, LABELS, mining="batch_hard")[4]))
    value, gradient = last(x)
    assert value == 0
    assert not np.any(gradient)


def test_half_floats_do_not_overflow_on_the_way() -> None:
    # Squares of 300 are beyond float16; what is left of them within the margin is not.
    x = jnp.array([[0.0], [300.0], [-301.0]], jnp.float16)
    values = losses.mined_triplet(x, jnp.array([0, 0, 1]), margin=700.0)
    assert values.dtype == jnp.float16
    np.testing.assert_array_equal(values, [3 * 99.0, 0, 0])


def test_memory_is_that_of_all_pairs_not_of_all_triplets() -> None:
    n, features = 96, 64
    labels = np.arange(n) // 4

    def cost(x: jax.Array) -> jax.Array:
        return losses.mined_triplet(x, labels).mean()

    program = jax.jit(jax.grad(cost)).lower(jax.ShapeDtypeStruct((n, features), jnp.float32)).compile()
    memory = program.memory_analysis()
    if memory is not None:
        assert memory.temp_size_in_bytes < 8 * 4 * n * n < n**3 < 4 * n * n * features


@pytest.mark.parametrize("average", losses.PAIR_AVERAGES)
def test_batch_contrastive_is_the_mean_of_given_pairs(average: str) -> None:
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    first, second = np.array(list(itertools.combinations(range(5), 2))).T
    same = (LABELS[first] == LABELS[second]).astype(np.int32)
    given = losses.contrastive(x[first], x[second], same, margin=2.0, factor=0.5)
    wanted = given.mean() if average == "pairs" else given[same == 1].mean() + given[same == 0].mean()
    got = losses.batch_contrastive(x, LABELS, margin=2.0, factor=0.5, average=average).mean()
    np.testing.assert_allclose(got, wanted, rtol=1e-6)
