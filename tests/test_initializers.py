"""Variance, shape and dtype of each initialiser, and the library whose draw it equals."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxdl import initializers
from jaxdl.errors import DtypeError, ShapeError

SHAPES = ((600, 200), (200, 600), (3, 3, 64, 128), (5, 160, 120), (1, 1, 256, 300))
CASES = (
    ("lecun", initializers.lecun, lambda n_in, n_out: 1 / n_in),
    ("he", initializers.he, lambda n_in, n_out: 2 / n_in),
    ("glorot", initializers.glorot, lambda n_in, n_out: 2 / (n_in + n_out)),
    ("xavier", initializers.xavier, lambda n_in, n_out: 2 / (n_in + n_out)),
    (
        "xavier in",
        lambda **options: initializers.xavier(fans="in", **options),
        lambda n_in, n_out: 1 / n_in,
    ),
)


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    field = int(np.prod(shape[:-2]))
    return shape[-2] * field, shape[-1] * field


def check_moments(draw: jax.Array, variance: float) -> None:
    values = np.asarray(draw, np.float64)
    assert abs(values.mean()) < 4 * np.sqrt(variance / values.size)
    assert values.var() == pytest.approx(variance, rel=0.02)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("distribution", initializers.DISTRIBUTIONS)
@pytest.mark.parametrize(("name", "make", "rule"), CASES, ids=[name for name, *_ in CASES])
def test_measured_variance(
    name: str,
    make: initializers.Initializer,
    rule: initializers.Initializer,
    distribution: str,
    shape: tuple[int, ...],
    key: jax.Array,
) -> None:
    draw, variance = make(distribution=distribution)(key, shape, jnp.float32), float(rule(*fans(shape)))
    assert draw.shape == shape
    check_moments(draw, variance)
    bound = {"normal": np.inf, "truncated_normal": 2 / 0.8796, "uniform": np.sqrt(3)}[distribution]
    assert float(jnp.abs(draw).max()) <= bound * np.sqrt(variance) * 1.001


def test_truncated_forms_equal_jax(key: jax.Array) -> None:
    for ours, theirs in (
        (initializers.he, jax.nn.initializers.he_normal),
        (initializers.lecun, jax.nn.initializers.lecun_normal),
        (initializers.glorot, jax.nn.initializers.glorot_normal),
    ):
        draw = ours(distribution="truncated_normal")(key, (8, 4), jnp.float32)
        np.testing.assert_array_equal(draw, theirs()(key, (8, 4), jnp.float32))


def test_fixed_widths(key: jax.Array) -> None:
    check_moments(initializers.normal()(key, SHAPES[0], jnp.float32), 1e-4)
    check_moments(initializers.normal(stddev=0.3)(key, SHAPES[0], jnp.float32), 0.09)
    draw = initializers.uniform(limit=0.3)(key, SHAPES[0], jnp.float32)
    check_moments(draw, 0.03)
    assert 0.299 < float(jnp.abs(draw).max()) <= 0.3
    assert not initializers.zeros()(key, SHAPES[0], jnp.float32).any()


@pytest.mark.parametrize("shape", [(40, 20), (20, 40), (3, 3, 8, 16)], ids=str)
def test_orthogonal_has_one_singular_value(shape: tuple[int, ...], key: jax.Array) -> None:
    draw = np.asarray(initializers.orthogonal(gain=1.5)(key, shape, jnp.float32), np.float64)
    singular = np.linalg.svd(draw.reshape(-1, shape[-1]), compute_uv=False)
    np.testing.assert_allclose(singular, 1.5, rtol=1e-5)


def test_library_defaults_have_the_variance_of_the_library(key: jax.Array) -> None:
    for library, variance in (("torch", 1 / 1800), ("keras", 2 / 800), ("flax", 1 / 600)):
        check_moments(initializers.library_default(library)(key, (600, 200), jnp.float32), variance)
    flax = nnx.Linear(600, 200, rngs=nnx.Rngs(0)).kernel[...]
    ours = initializers.library_default("flax")(nnx.Rngs(0).params(), (600, 200), jnp.float32)
    np.testing.assert_array_equal(ours, flax)
    bias = initializers.library_default("torch", inputs=16)(key, (5000,), jnp.float32)
    assert float(jnp.abs(bias).max()) <= 0.25
    assert float(bias.var() * 48) == pytest.approx(1, rel=0.05)


def test_library_default_equals_a_live_torch_layer(key: jax.Array) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; the variances above stand for it")
    torch.manual_seed(0)
    layer = torch.nn.Linear(600, 200)
    for ours, theirs in (
        (initializers.library_default("torch")(key, (600, 200)), layer.weight.detach()),
        (initializers.library_default("torch", inputs=600)(key, (200,)), layer.bias.detach()),
    ):
        assert float(ours.std()) == pytest.approx(float(theirs.std()), rel=0.1)
        assert float(jnp.abs(ours).max()) == pytest.approx(float(theirs.abs().max()), rel=0.02)


@pytest.mark.parametrize("make", [
    initializers.lecun, initializers.he, initializers.glorot, initializers.xavier,
    initializers.orthogonal, initializers.library_default,
])  # fmt: skip
def test_shapes_without_fans_are_named(make: initializers.Initializer, key: jax.Array) -> None:
    init = make()
    for shape in ((), (5,), 5, (5, 0)):
        with pytest.raises(ShapeError, match=r"\(..., in, out\)"):
            init(key, shape, jnp.float32)
    with pytest.raises(DtypeError, match="expected a floating dtype"):
        init(key, (3, 2), jnp.int32)
    with pytest.raises(DtypeError, match=r"jax.random.key\(seed\)"):
        init(0, (3, 2), jnp.float32)
    assert init(key, (3, 2), jnp.bfloat16).dtype == jnp.bfloat16


def factorisations(jaxpr: Any) -> list[tuple[int, ...]]:
    """Return the shapes of all matrices that are factorised in a program, however deep."""
    found = []
    for equation in jaxpr.eqns:
        if equation.primitive.name in ("geqrf", "qr", "householder_product"):
            found.append(equation.invars[0].aval.shape)
        for part in jax.tree.leaves(
            tuple(equation.params.values()), is_leaf=lambda leaf: hasattr(leaf, "eqns")
        ):
            inner = getattr(part, "jaxpr", part)
            found += factorisations(inner) if hasattr(inner, "eqns") else []
    return found


def test_batches_of_orthogonal_matrices_are_factorised_one_by_one(key: jax.Array) -> None:
    """As many batches at once as there are cores would wait for each other in jaxlib's pool of threads."""
    draw = jax.vmap(jax.vmap(lambda key: initializers.orthogonal()(key, (6, 4), jnp.float32)))
    keys = jax.random.split(key, (2, 3))
    shapes = factorisations(jax.make_jaxpr(draw)(keys).jaxpr)
    assert shapes
    assert set(shapes) <= {(6, 4), (6, 6)}
    alone = jax.nn.initializers.orthogonal()(keys[1, 2], (6, 4))
    np.testing.assert_array_equal(draw(keys)[1, 2], alone)
