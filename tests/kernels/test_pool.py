"""Every formulation of pooling: value and gradient by loops and by torch, ties, NaN, all modes."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from jaxdl.kernels import adaptive_pool, pool, response_norm

EACH = pytest.mark.parametrize("implementation", pool.IMPLEMENTATIONS)
# (shape, window, strides, padding, ceil_mode)
CASES: tuple[tuple[Any, ...], ...] = (
    ((2, 9, 3), (2,), None, "VALID", False),
    ((2, 9, 2), (3,), (2,), ((1, 0),), True),
    ((2, 6, 8, 3), (2, 2), None, "VALID", False),
    ((2, 7, 9, 2), (3, 3), (2, 2), "VALID", False),
    ((2, 7, 8, 2), (3, 2), (1, 3), "SAME", False),
    ((1, 8, 8, 2), (3, 3), (2, 2), ((1, 1), (1, 1)), True),
    ((1, 7, 7, 2), (2, 2), (2, 2), "SAME_LOWER", False),
    ((1, 6, 6, 1), (5, 5), (5, 5), ((2, 2), (2, 2)), False),
    ((1, 7, 7, 1), (1, 2), (3, 3), "VALID", True),
    ((1, 2, 6, 1), (3, 3), (2, 2), "VALID", True),
    ((1, 4, 5, 6, 2), (2, 3, 2), (2, 2, 1), "VALID", False),
    ((1, 4, 4, 4, 1), (2, 2, 2), None, "VALID", False),
)


def chosen(cases: Any, *quick: int) -> list[Any]:
    """Compile a few of the cases in every run, and the others in the slow one."""
    marks = {True: (), False: (pytest.mark.slow,)}
    return [pytest.param(case, id=str(case), marks=marks[i in quick]) for i, case in enumerate(cases)]


def arrays(shape: tuple[int, ...], levels: int = 3) -> np.ndarray:
    """Return whole numbers, so that windows have ties, in float64."""
    return np.random.default_rng(0).integers(0, levels, shape).astype(np.float64)


@pytest.mark.parametrize("case", chosen(CASES, 2, 5))
def test_maximum_and_its_gradient_equal_loops(case: Any) -> None:
    shape, window, strides, padding, ceil_mode = case
    x = arrays(shape)
    wanted, of = oracles.max_pool(x, window, strides, padding, ceil_mode=ceil_mode)
    g = np.random.default_rng(1).normal(size=wanted.shape)

    @jax.jit
    def measured(x: jax.Array, g: jax.Array) -> Any:
        def both(how: str) -> Any:
            def of_x(x: jax.Array) -> jax.Array:
                return pool.max_pool(x, window, strides, padding, ceil_mode=ceil_mode, implementation=how)

            y, pull = jax.vjp(of_x, x)
            return y, pull(g)[0], jax.jvp(of_x, (x,), (x * x,))[1]

        return [both(how) for how in pool.IMPLEMENTATIONS]

    single = jnp.asarray(x, jnp.float32), jnp.asarray(g, jnp.float32)
    for how, (y, dx, dy) in zip(pool.IMPLEMENTATIONS, measured(*single), strict=True):
        np.testing.assert_array_equal(y, wanted, err_msg=how)
        np.testing.assert_allclose(dx, of(g), atol=1e-5, err_msg=how)
        np.testing.assert_allclose((dy * g).sum(), (of(g) * x * x).sum(), rtol=1e-4, atol=1e-4, err_msg=how)


@pytest.mark.parametrize("case", chosen(CASES, 2, 5))
def test_mean_and_its_gradient_equal_loops(case: Any) -> None:
    shape, window, strides, padding, ceil_mode = case
    x = np.random.default_rng(0).normal(size=shape)
    truths = [
        oracles.avg_pool(x, window, strides, padding, ceil_mode=ceil_mode, counted=counted)
        for counted in (True, False)
    ]
    g = np.random.default_rng(1).normal(size=truths[0][0].shape)

    @jax.jit
    def measured(x: jax.Array, g: jax.Array) -> Any:
        def both(counted: bool, how: str) -> Any:
            y, pull = jax.vjp(
                lambda x: pool.avg_pool(
                    x, window, strides, padding, ceil_mode=ceil_mode, count_include_pad=counted,
                    implementation=how,
                ),
                x,
            )  # fmt: skip
            return y, pull(g)[0]

        return [[both(counted, how) for counted in (True, False)] for how in pool.IMPLEMENTATIONS]

    single = jnp.asarray(x, jnp.float32), jnp.asarray(g, jnp.float32)
    for how, counts in zip(pool.IMPLEMENTATIONS, measured(*single), strict=True):
        for (y, dx), (wanted, of) in zip(counts, truths, strict=True):
            np.testing.assert_allclose(y, wanted, atol=1e-6, err_msg=how)
            np.testing.assert_allclose(dx, of(g), atol=1e-5, err_msg=how)


UNPADDED = [case for case in CASES if case[3] == "VALID" or case[3] == ((1, 1), (1, 1))]


@pytest.mark.parametrize("case", chosen(UNPADDED, 3))
def test_equals_torch(case: Any) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; the loops say the same")
    shape, window, strides, padding, ceil_mode = case
    axes, x, kinds = len(window), arrays(shape).astype(np.float32), (pool.max_pool, pool.avg_pool)

    @jax.jit
    def measured(x: jax.Array) -> Any:
        pulls = [
            jax.vjp(lambda x, k=k: k(x, window, strides, padding, ceil_mode=ceil_mode), x) for k in kinds
        ]
        return [(y, pull(2 * y)[0]) for y, pull in pulls]

    for name, (y, dx) in zip(("max_pool", "avg_pool"), measured(x), strict=True):
        tensor = torch.tensor(np.moveaxis(x, -1, 1).copy(), requires_grad=True)
        pad = 0 if padding == "VALID" else 1  # torch pads both ends alike
        theirs = getattr(torch.nn.functional, f"{name}{axes}d")(
            tensor, window, strides, pad, ceil_mode=ceil_mode
        )
        theirs.square().sum().backward()
        np.testing.assert_allclose(np.moveaxis(y, -1, 1), theirs.detach().numpy(), atol=1e-6)
        np.testing.assert_allclose(np.moveaxis(dx, -1, 1), tensor.grad.numpy(), atol=1e-5)


@EACH
@pytest.mark.parametrize(("window", "strides"), [((2, 2), (2, 2)), ((3, 3), (2, 2)), ((5, 5), (5, 5))])
def test_nan_and_infinity_propagate(window: Any, strides: Any, implementation: str) -> None:
    x = np.zeros((1, 11, 11, 1), np.float32)
    run = jax.jit(lambda x: pool.max_pool(x, window, strides, "SAME", implementation=implementation))
    for bad in (np.nan, np.inf):
        for place in ((0, 0), (3, 4), (10, 10)):
            poisoned = x.copy()
            poisoned[0, place[0], place[1], 0] = bad
            touched = np.asarray(run((poisoned != 0).astype(np.float32))) > 0
            got = np.asarray(run(poisoned))
            np.testing.assert_array_equal(got[touched], bad)
            assert np.isfinite(got[~touched]).all()


@pytest.mark.parametrize(
    ("window", "strides"), [pytest.param((2, 2), (2, 2), marks=pytest.mark.slow), ((3, 2), (2, 1))]
)
def test_all_modes_of_differentiation_and_vmap(window: Any, strides: Any) -> None:
    x = jnp.asarray(np.random.default_rng(2).normal(size=(2, 1, 5, 4, 1)), jnp.float32)

    def slope(x: jax.Array, how: str) -> jax.Array:
        def cost(x: jax.Array) -> jax.Array:
            return jnp.sum(jnp.sin(pool.max_pool(x, window, strides, "SAME", implementation=how)))

        return jax.grad(cost)(x)

    @jax.jit
    def measured(x: jax.Array) -> Any:
        return [
            (
                jax.jvp(lambda x, how=how: slope(x, how), (x[0],), (x[0],)),
                jax.grad(lambda x, how=how: jnp.vdot(slope(x, how), x[0]))(x[0]),
                jax.vmap(lambda x, how=how: slope(x, how))(x),
                jnp.stack([slope(row, how) for row in x]),
            )
            for how in pool.IMPLEMENTATIONS
        ]

    results = dict(zip(pool.IMPLEMENTATIONS, measured(x), strict=True))
    for ours in results.values():
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), ours, results["xla"])
        np.testing.assert_allclose(ours[2], ours[3], atol=1e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [("bfloat16", 1e-2), ("float64", 1e-14)])
def test_dtypes_are_kept(dtype: str, tolerance: float) -> None:
    x = np.random.default_rng(3).normal(size=(1, 6, 6, 2))
    kinds = {pool.max_pool: oracles.max_pool, pool.avg_pool: oracles.avg_pool}

    @jax.jit
    def measured(x: jax.Array) -> Any:
        return [
            [kind(x, (3, 3), (1, 1), implementation=how) for kind in kinds] for how in pool.IMPLEMENTATIONS
        ]

    with jax.enable_x64(True):
        array = jnp.asarray(x, dtype)
        for both in measured(array):
            for y, truth in zip(both, kinds.values(), strict=True):
                assert y.dtype == array.dtype
                wanted, _ = truth(np.asarray(array, np.float64), (3, 3), (1, 1))
                np.testing.assert_allclose(np.asarray(y, np.float64), wanted, atol=tolerance)


@EACH
def test_any_leading_axes(implementation: str) -> None:
    x = jnp.asarray(arrays((2, 3, 6, 6, 2)), jnp.float32)
    run = jax.jit(lambda x: pool.max_pool(x, (2, 2), implementation=implementation))
    np.testing.assert_array_equal(run(x)[1, 2], run(x[1, 2]))
    for kind in (pool.max_pool, pool.avg_pool):
        overlapping = functools.partial(
            kind, window_shape=(3, 3), strides=(1, 1), implementation=implementation
        )
        assert jax.eval_shape(overlapping, x).shape == (2, 3, 4, 4, 2)
    assert jax.eval_shape(run, x[:0]).shape == (0, 3, 3, 3, 2)


@pytest.mark.parametrize(("shape", "window", "strides"), [
    ((1, 4, 4, 2), (2, 2), (2, 2)), ((1, 7, 7, 2), (3, 3), (2, 2)), ((1, 14, 14, 2), (7, 7), (7, 7)),
])  # fmt: skip
def test_what_the_rule_chooses_on_cpu_has_no_scatter(shape: Any, window: Any, strides: Any) -> None:
    if jax.default_backend() != "cpu":
        pytest.skip("the rule without reduce_window is about the CPU; this machine computes elsewhere")

    def text(kind: Any, how: str | None) -> str:
        def loss(x: jax.Array) -> jax.Array:
            return jnp.sum(kind(x, window, strides, implementation=how) ** 2)

        return str(jax.jit(jax.grad(loss)).lower(jnp.ones(shape)).compile().as_text())

    words = ("select_and_scatter", "select-and-scatter", " reduce-window(", " scatter(", " gather(")
    theirs = text(pool.max_pool, "xla")
    assert any(word in theirs for word in words)  # so that the words are the compiler's
    for kind in (pool.max_pool, pool.avg_pool):
        ours = text(kind, None)
        assert [word for word in words if word in ours] == []


ADAPTIVE = (
    ((2, 8, 6, 2), (4, 3)), ((2, 7, 3), (3,)), ((1, 7, 10, 2), (3, 7)), ((1, 3, 2, 1), (5, 2)),
    ((1, 4, 5, 3, 1), (2, 2, 3)), ((1, 6, 9, 2), (1, 1)),
)  # fmt: skip


@pytest.mark.parametrize("case", chosen(ADAPTIVE, 0, 1))
def test_adaptive_pools_equal_loops_and_torch(case: Any) -> None:
    shape, sizes = case
    x, axes = arrays(shape), len(sizes)
    kinds = (adaptive_pool.adaptive_avg_pool, adaptive_pool.adaptive_max_pool)
    g = np.random.default_rng(1).normal(size=(shape[0], *sizes, shape[-1]))

    @jax.jit
    def measured(x: jax.Array, g: jax.Array) -> Any:
        pulls = [jax.vjp(lambda x, kind=kind: kind(x, sizes), x) for kind in kinds]
        return [(y, pull(g)[0]) for y, pull in pulls]

    both = measured(jnp.asarray(x, jnp.float32), jnp.asarray(g, jnp.float32))
    for maximum, (y, dx) in zip((False, True), both, strict=True):
        wanted, of = oracles.adaptive_pool(x, sizes, maximum=maximum)
        np.testing.assert_allclose(y, wanted, atol=1e-6)
        np.testing.assert_allclose(dx, of(g), atol=1e-6)
        torch = pytest.importorskip("torch", reason="PyTorch is not installed; the loops say the same")
        tensor = torch.tensor(np.moveaxis(x, -1, 1).copy(), requires_grad=True)
        name = f"adaptive_{'max' if maximum else 'avg'}_pool{axes}d"
        theirs = getattr(torch.nn.functional, name)(tensor, sizes)
        theirs.backward(torch.tensor(np.moveaxis(g, -1, 1).copy()))
        np.testing.assert_allclose(np.moveaxis(y, -1, 1), theirs.detach().numpy(), atol=1e-6)
        np.testing.assert_allclose(np.moveaxis(dx, -1, 1), tensor.grad.numpy(), atol=1e-6)


def test_adaptive_pools_keep_an_axis_and_propagate_nan() -> None:
    x = jnp.asarray(arrays((2, 5, 6, 3)), jnp.float32).at[0, 4, 1, 0].set(jnp.nan)
    y = adaptive_pool.adaptive_max_pool(x, (2, None))
    assert y.shape == (2, 2, 6, 3)
    assert np.argwhere(np.isnan(y)).tolist() == [[0, 1, 1, 0]]
    assert adaptive_pool.adaptive_avg_pool(x.astype(jnp.bfloat16), 3).dtype == jnp.bfloat16


@pytest.mark.parametrize(
    "case",
    chosen([((2, 3, 4, 6), 5), ((2, 3, 4, 6), 2), ((2, 4, 7), 1), ((2, 4, 7), 20), ((1, 2, 2, 3, 5), 3)], 0),
)
def test_response_norm_equals_loops_and_torch(case: Any) -> None:
    shape, size = case
    x = np.random.default_rng(0).normal(size=shape) * 3
    options: dict[str, Any] = {"alpha": 0.3, "beta": 0.75, "k": 2.0}

    @jax.jit
    def measured(x: jax.Array) -> Any:
        def both(divided: bool) -> Any:
            y, pull = jax.vjp(
                lambda x: response_norm.local_response_norm(x, size, alpha_divided=divided, **options), x
            )
            return y, pull(2 * y)[0]

        return both(True), both(False)

    results = measured(jnp.asarray(x, jnp.float32))
    for divided, (y, _) in zip((True, False), results, strict=True):
        wanted = oracles.local_response_norm(x, size, alpha_divided=divided, **options)
        np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-6)
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; the loops say the same")
    tensor = torch.tensor(np.moveaxis(x, -1, 1).astype(np.float32), requires_grad=True)
    theirs = torch.nn.LocalResponseNorm(size, **options)(tensor)
    theirs.square().sum().backward()
    y, dx = results[0]
    np.testing.assert_allclose(np.moveaxis(y, -1, 1), theirs.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.moveaxis(dx, -1, 1), tensor.grad.numpy(), rtol=1e-4, atol=1e-5)


def test_response_norm_of_the_paper_in_torchs_words() -> None:
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3, 8)), jnp.float32)
    paper = response_norm.local_response_norm(x, 5, alpha=5e-4)
    divided = response_norm.local_response_norm(x, 5, alpha=25e-4, alpha_divided=True)
    np.testing.assert_allclose(paper, divided, rtol=1e-6)


def test_response_norm_takes_traced_numbers_and_has_no_convolution() -> None:
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3, 8)), jnp.float32)

    def cost(alpha: jax.Array, x: jax.Array) -> jax.Array:
        return jnp.sum(response_norm.local_response_norm(x, alpha=alpha) ** 2)

    program = jax.jit(jax.grad(cost, (0, 1))).lower(jnp.float32(0.1), x).compile()
    assert " convolution(" not in program.as_text()
    slope, _ = program(jnp.float32(0.1), x)
    difference = (cost(jnp.float32(0.11), x) - cost(jnp.float32(0.09), x)) / 0.02
    np.testing.assert_allclose(slope, difference, rtol=1e-3)
