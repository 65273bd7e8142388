"""Every formulation of the convolution: value and both gradients by float64 loops and by torch; all modes."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from flax import linen, nnx
from jax import lax

from jaxdl.kernels.conv import IMPLEMENTATIONS, conv_general_dilated, conv_transpose, using

FORMULATIONS = (None, *IMPLEMENTATIONS)
SLOW = pytest.mark.slow
EACH = pytest.mark.parametrize("implementation", FORMULATIONS, ids=str)


@dataclasses.dataclass(frozen=True)
class Case:
    """One convolution, channels last."""

    x: tuple[int, ...]
    w: tuple[int, ...]
    strides: tuple[int, ...]
    padding: Any = "VALID"
    input_dilation: tuple[int, ...] | None = None
    kernel_dilation: tuple[int, ...] | None = None
    groups: int = 1

    @property
    def numbers(self) -> tuple[str, str, str]:
        space = {1: "W", 2: "HW", 3: "DHW"}[len(self.strides)]
        return f"N{space}C", f"{space}IO", f"N{space}C"

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(0)
        return rng.normal(size=self.x), rng.normal(size=self.w)

    def __call__(self, x: Any, w: Any, implementation: str | None, **options: Any) -> jax.Array:
        return conv_general_dilated(
            x, w, self.strides, self.padding, self.input_dilation, self.kernel_dilation, self.numbers,
            self.groups, implementation=implementation, **options,
        )  # fmt: skip


CASES = {
    "2d 5x5": Case((2, 8, 9, 2), (5, 5, 2, 3), (1, 1)),
    "2d 5x5 same": Case((2, 6, 7, 1), (5, 5, 1, 3), (1, 1), "SAME"),
    "2d 3x3 same": Case((2, 6, 5, 3), (3, 3, 3, 4), (1, 1), "SAME"),
    "2d 3x3 same, stride 2": Case((2, 7, 8, 3), (3, 3, 3, 2), (2, 2), "SAME"),
    "2d 3x2 same lower, strides 2 and 3": Case((1, 7, 8, 2), (3, 2, 2, 2), (2, 3), "SAME_LOWER"),
    "2d 7x7 explicit, stride 2": Case((1, 10, 9, 3), (7, 7, 3, 2), (2, 2), ((3, 3), (2, 3))),
    "2d 4x4, stride 4": Case((2, 8, 9, 2), (4, 4, 2, 3), (4, 4)),
    "2d 1x1": Case((2, 4, 5, 3), (1, 1, 3, 4), (1, 1), "SAME"),
    "2d 1x1, stride 2": Case((2, 5, 6, 3), (1, 1, 3, 2), (2, 2)),
    "2d 1x1 padded": Case((1, 3, 3, 2), (1, 1, 2, 2), (1, 1), ((1, 0), (2, 1))),
    "2d kernel as large as the image": Case((3, 5, 4, 2), (5, 4, 2, 3), (1, 1)),
    "2d kernel dilation": Case((1, 8, 9, 2), (3, 3, 2, 2), (1, 1), "SAME", None, (2, 3)),
    "2d kernel dilation, stride 2": Case((1, 9, 9, 2), (2, 3, 2, 2), (2, 2), "VALID", None, (3, 2)),
    "2d input dilation": Case((1, 4, 5, 2), (3, 3, 2, 2), (1, 1), ((2, 1), (1, 2)), (2, 3)),
    "2d both dilations, stride 2": Case((1, 5, 4, 1), (2, 2, 1, 2), (2, 2), ((1, 2), (0, 1)), (2, 2), (2, 1)),
    "2d negative padding": Case((1, 7, 8, 2), (3, 3, 2, 2), (1, 2), ((-1, 1), (1, -2))),
    "2d all padding negative": Case((1, 8, 8, 1), (3, 3, 1, 2), (1, 1), ((-1, -1), (-2, 0))),
    "2d groups": Case((2, 5, 6, 4), (3, 3, 2, 6), (1, 1), "SAME", groups=2),
    "2d groups, stride 2": Case((1, 7, 7, 6), (3, 3, 2, 3), (2, 2), "VALID", groups=3),
    "2d depthwise": Case((2, 5, 5, 3), (3, 3, 1, 3), (1, 1), "SAME", groups=3),
    "2d depthwise, multiplier 2, stride 2": Case((1, 6, 6, 2), (3, 3, 1, 4), (2, 2), "SAME", groups=2),
    "2d empty batch": Case((0, 5, 5, 2), (3, 3, 2, 3), (1, 1), "SAME"),
    "1d": Case((2, 9, 2), (3, 2, 3), (1,), "SAME"),
    "1d stride 3": Case((2, 11, 2), (4, 2, 2), (3,), ((2, 1),)),
    "1d dilation": Case((1, 10, 1), (3, 1, 2), (1,), "VALID", None, (4,)),
    "1d groups": Case((2, 7, 4), (3, 1, 8), (2,), "SAME", groups=4),
    "3d": Case((1, 4, 5, 4, 2), (3, 2, 3, 2, 2), (1, 1, 1), "SAME"),
    "3d strides": Case((1, 5, 4, 5, 1), (2, 3, 2, 1, 2), (2, 1, 2), ((0, 1), (1, 1), (0, 0))),
    "3d groups and dilation": Case((1, 5, 4, 4, 2), (2, 2, 2, 1, 2), (1, 1, 2), "VALID", None, (2, 1, 2), 2),
}  # fmt: skip
QUICK = ("2d 3x3 same", "2d groups, stride 2", "2d empty batch", "1d", "3d strides")


def chosen(names: Any, quick: Any = QUICK) -> pytest.MarkDecorator:
    """Compile a few of the cases in every run, and the others in the slow one."""
    params = [pytest.param(name, marks=() if name in quick else SLOW) for name in names]
    return pytest.mark.parametrize("name", params)


THREE = chosen(("1d", "2d 3x3 same", "2d groups, stride 2"), ("1d",))


@functools.cache
def truth(name: str) -> tuple[np.ndarray, ...]:
    """Return the value, a gradient of it, and the gradients of input and kernel, by float64 loops."""
    case = CASES[name]
    y, pull = oracles.convolution(
        *case.arrays(), case.strides, case.padding, input_dilation=case.input_dilation,
        kernel_dilation=case.kernel_dilation, groups=case.groups,
    )  # fmt: skip
    g = np.random.default_rng(1).normal(size=y.shape)
    return y, g, *pull(g)


@functools.cache
def computed(name: str, dtype: str = "float32") -> dict[str | None, tuple[jax.Array, ...]]:
    """Return value and gradients by each formulation: one program, since compiling is the cost."""
    case, g = CASES[name], truth(name)[1]

    def both(x: jax.Array, w: jax.Array, g: jax.Array, how: str | None) -> tuple[jax.Array, ...]:
        y, pull = jax.vjp(lambda x, w: case(x, w, how), x, w)
        return y, *pull(g.astype(y.dtype))

    with jax.enable_x64(dtype == "float64"):
        arrays = [jnp.asarray(a, dtype) for a in (*case.arrays(), g)]
        results = jax.jit(lambda *arrays: [both(*arrays, how) for how in FORMULATIONS])(*arrays)
    return dict(zip(FORMULATIONS, results, strict=True))


def agree(got: Any, wanted: Any, tolerance: float) -> None:
    """Hold an array to the scale of the one that is wanted."""
    wanted = np.asarray(wanted, np.float64)
    scale = max(1.0, np.abs(wanted).max(initial=0))
    np.testing.assert_allclose(np.asarray(got, np.float64), wanted, rtol=0, atol=tolerance * scale)


@EACH
@chosen(CASES)
def test_value_and_gradients_equal_loops(name: str, implementation: str | None) -> None:
    y, _, dx, dw = truth(name)
    for got, wanted in zip(computed(name)[implementation], (y, dx, dw), strict=True):
        agree(got, wanted, 3e-6)


@pytest.mark.parametrize("name", CASES)
def test_loops_equal_torch(name: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed, so the loops stand alone")
    case = CASES[name]
    x, w = (torch.tensor(a, requires_grad=True) for a in case.arrays())
    axes, spread = len(case.strides), case.input_dilation or (1,) * len(case.strides)
    reach = case.kernel_dilation or (1,) * axes
    grid = [(n - 1) * d + 1 for n, d in zip(case.x[1:-1], spread)]
    window = [(k - 1) * d + 1 for k, d in zip(case.w, reach)]
    pairs = oracles.padding_pairs(grid, window, case.strides, case.padding)
    wide = torch.zeros((case.x[0], case.x[-1], *grid), dtype=x.dtype)
    wide[(..., *(slice(None, None, d) for d in spread))] = x.moveaxis(-1, 1)
    wide = torch.nn.functional.pad(wide, [p for pair in reversed(pairs) for p in pair])
    kernel = w.moveaxis((-1, -2), (0, 1))
    convolve = getattr(torch.nn.functional, f"conv{axes}d")
    theirs = convolve(wide, kernel, None, case.strides, 0, reach, case.groups).moveaxis(1, -1)
    y, g, dx, dw = truth(name)
    theirs.backward(torch.tensor(g))
    for got, wanted in ((y, theirs.detach()), (dx, x.grad), (dw, w.grad)):
        agree(got, wanted, 1e-12)


@EACH
@THREE
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [pytest.param("bfloat16", 2e-2, marks=SLOW), ("float64", 1e-13)]
)
def test_other_precisions(name: str, dtype: str, tolerance: float, implementation: str | None) -> None:
    y, _, dx, dw = truth(name)
    for got, wanted in zip(computed(name, dtype)[implementation], (y, dx, dw), strict=True):
        assert got.dtype == dtype
        agree(got, wanted, tolerance)


@functools.cache
def measured(name: str, formulations: tuple[str | None, ...]) -> dict[str | None, dict[str, Any]]:
    """Return derivatives of every kind by some formulations, and lax's own under "lax"."""
    case = CASES[name]
    x, w = (jnp.asarray(a, jnp.float32) for a in case.arrays())
    xs, ws = jnp.stack([x, -2 * x]), jnp.stack([w, w * w])

    def measures(x: jax.Array, w: jax.Array, xs: jax.Array, ws: jax.Array, run: Any) -> dict[str, Any]:
        def slopes(x: jax.Array, w: jax.Array) -> tuple[jax.Array, jax.Array]:
            return jax.grad(lambda x, w: jnp.sum(jnp.sin(run(x, w))), (0, 1))(x, w)

        def along(x: jax.Array, w: jax.Array) -> jax.Array:
            dx, dw = slopes(x, w)
            return jnp.vdot(dx, x) + jnp.vdot(dw, w)

        return {
            "jvp": jax.jvp(run, (x, w), (x * x, w * w)),
            "forward over reverse": jax.jvp(slopes, (x, w), (x, w)),
            "reverse over reverse": jax.grad(along, (0, 1))(x, w),
            "vmap of kernels": jax.vmap(slopes, (None, 0))(x, ws),
            "vmap of inputs": jax.vmap(slopes, (0, None))(xs, w),
            "vmap of both": jax.vmap(slopes)(xs, ws),
            "loop": jax.tree.map(lambda *rows: jnp.stack(rows), *[slopes(*row) for row in zip(xs, ws)]),
        }

    def of_lax(x: jax.Array, w: jax.Array) -> jax.Array:
        return lax.conv_general_dilated(
            x, w, case.strides, case.padding, case.input_dilation, case.kernel_dilation, case.numbers,
            case.groups,
        )  # fmt: skip

    runs = {how: functools.partial(case, implementation=how) for how in formulations} | {"lax": of_lax}
    program = jax.jit(lambda *arrays: [measures(*arrays, run) for run in runs.values()])
    return dict(zip(runs, program(x, w, xs, ws), strict=True))


@pytest.mark.parametrize("implementation", [None, *[pytest.param(i, marks=SLOW) for i in IMPLEMENTATIONS]])
@THREE
def test_every_mode_of_differentiation_and_vmap(name: str, implementation: str | None) -> None:
    results = measured(name, (None,) if implementation is None else IMPLEMENTATIONS)
    ours, theirs = results[implementation], results["lax"]
    for kind, wanted in theirs.items():
        for a, b in zip(jax.tree.leaves(ours[kind]), jax.tree.leaves(wanted), strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4 * float(jnp.abs(b).max()), err_msg=kind)
    for a, b in zip(ours["vmap of both"], ours["loop"], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


NUMBERS = (
    None,
    ("NCHW", "OIHW", "NCHW"),
    ("NHWC", "OIHW", "NCHW"),
    ("HWNC", "IHWO", "CNHW"),
    lax.conv_dimension_numbers((2, 3, 6, 5), (4, 3, 3, 3), ("NCHW", "OIHW", "NHWC")),
)


@pytest.mark.parametrize(
    "numbers", [pytest.param(n, marks=[SLOW] * (i % 3), id=str(n)) for i, n in enumerate(NUMBERS)]
)
def test_odd_dimension_numbers(numbers: Any) -> None:
    shapes = (2, 3, 6, 5), (4, 3, 3, 3)
    layout = lax.conv_dimension_numbers(*shapes, ("NCHW", "OIHW", "NCHW"))
    if isinstance(numbers, tuple) and isinstance(numbers[0], str):
        layout = lax.conv_dimension_numbers(*shapes, numbers)
    elif numbers is not None:
        layout = numbers
    x, w = (np.random.default_rng(0).normal(size=s).astype(np.float32) for s in shapes)
    # A spec says where batch or out, features or in, and each spatial axis are.
    x, w = (np.transpose(a, np.argsort(spec)) for a, spec in zip((x, w), layout[:2]))

    @jax.jit
    def both(x: jax.Array, w: jax.Array) -> Any:
        # The formulations see one layout: what moves the axes is the same for all.
        ours = functools.partial(conv_general_dilated, implementation=IMPLEMENTATIONS[-1])
        results = []
        for run in (lax.conv_general_dilated, conv_general_dilated, ours):
            y, pull = jax.vjp(lambda x, w, run=run: run(x, w, (2, 1), "SAME", None, None, numbers), x, w)
            results.append((y, *pull(y)))
        return results

    theirs, *results = both(x, w)
    for ours in results:
        for got, wanted in zip(ours, theirs, strict=True):
            agree(got, wanted, 3e-6)


def test_element_type_precision_and_batch_groups() -> None:
    case = CASES["2d 3x3 same"]
    x, w = (jnp.asarray(a, jnp.bfloat16) for a in case.arrays())
    options: dict[str, Any] = {"dimension_numbers": case.numbers, "batch_group_count": 2}

    @jax.jit
    def both(x: jax.Array, w: jax.Array, several: jax.Array, kernels: jax.Array) -> Any:
        theirs = lax.conv_general_dilated(several, kernels, (1, 1), "VALID", **options)
        return theirs, [
            (
                case(x, w, how, preferred_element_type=jnp.float32, precision="highest"),
                conv_general_dilated(several, kernels, (1, 1), "VALID", implementation=how, **options),
            )
            for how in FORMULATIONS
        ]

    theirs, results = both(x, w, jnp.arange(64.0).reshape(4, 4, 4, 1), jnp.arange(16.0).reshape(2, 2, 1, 4))
    exact = (np.asarray(a, np.float64) for a in (x, w))
    wanted = oracles.convolution(*exact, case.strides, case.padding)[0]
    for y, grouped in results:
        assert y.dtype == jnp.float32
        agree(y, wanted, 1e-5)
        np.testing.assert_allclose(grouped, theirs, rtol=1e-6)


def test_takes_the_place_of_lax_in_flax_and_linen() -> None:
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 6, 6, 2)), jnp.float32)

    def of_nnx(x: jax.Array, **inject: Any) -> jax.Array:
        return nnx.Conv(2, 4, (3, 3), 2, padding="SAME", rngs=nnx.Rngs(0), **inject)(x)

    def of_linen(x: jax.Array, **inject: Any) -> jax.Array:
        layer = linen.Conv(4, (3, 3), kernel_dilation=2, feature_group_count=2, **inject)
        return layer.apply({"params": {"kernel": jnp.ones((3, 3, 1, 4)), "bias": jnp.arange(4.0)}}, x)

    ours = functools.partial(conv_general_dilated, implementation=IMPLEMENTATIONS[-1])
    for layer in (of_nnx, of_linen):
        theirs = layer(x)
        for run in (conv_general_dilated, ours):
            got = jax.jit(functools.partial(layer, conv_general_dilated=run))(x)
            np.testing.assert_allclose(got, theirs, atol=1e-5)


def test_using_fixes_what_is_traced_inside() -> None:
    case = CASES["1d"]
    x, w = (jnp.asarray(a, jnp.float32) for a in case.arrays())

    def text(how: str | None) -> str:
        return str(jax.make_jaxpr(lambda x, w: case(x, w, how))(x, w))

    for how in IMPLEMENTATIONS:
        with using(how):
            assert text(None) == text(how)
            assert text("xla") == str(jax.make_jaxpr(lambda x, w: case(x, w, "xla"))(x, w))
    assert "conv_general_dilated" in text("xla")


# (space, window, stride, torch's padding, output padding, dilation)
TRANSPOSED = (
    ((5,), (3,), 1, 0, 0, 1),
    ((5,), (4,), 2, 1, 0, 1),
    ((4,), (3,), 3, 0, 1, 2),
    ((4, 5), (3, 3), 1, 1, 0, 1),
    ((4, 3), (2, 2), 2, 0, 0, 1),
    ((3, 4), (3, 3), 2, 1, 1, 1),
    ((3, 3), (3, 2), 3, 1, 2, 1),
    ((3, 3), (3, 3), 2, 2, 1, 2),
    ((2, 3, 2), (3, 2, 3), 2, 1, 1, 1),
)


@pytest.mark.parametrize(
    "case",
    [pytest.param(c, id=str(c), marks=[SLOW] * (i != 5)) for i, c in enumerate(TRANSPOSED)],
)
def test_transposed_convolution_equals_lax_and_torch(case: Any) -> None:
    space, window, stride, padding, extra, dilation = case
    axes, rng = len(space), np.random.default_rng(0)
    x, w = rng.normal(size=(2, *space, 3)), rng.normal(size=(*window, 3, 2))
    reach = [(k - 1) * dilation for k in window]
    pads = tuple((k - padding, k - padding + extra) for k in reach)
    names = CASES[f"{axes}d"].numbers if axes != 2 else CASES["2d 1x1"].numbers

    @jax.jit
    def both(x: jax.Array, w: jax.Array, g: jax.Array) -> Any:
        results = []
        ours = [functools.partial(conv_transpose, implementation=how) for how in FORMULATIONS]
        for run in (lax.conv_transpose, *ours):
            y, pull = jax.vjp(
                lambda x, w, run=run: run(x, w, (stride,) * axes, pads, (dilation,) * axes, names), x, w
            )
            results.append((y, *pull(g)))
        return results

    out = [(n - 1) * stride - 2 * padding + k + extra + 1 for n, k in zip(space, reach)]
    g = rng.normal(size=(2, *out, 2))
    theirs, *results = both(*(jnp.asarray(a, jnp.float32) for a in (x, w, g)))
    for ours in results:
        for got, wanted in zip(ours, theirs, strict=True):
            agree(got, wanted, 3e-6)
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; lax says the same")
    tensor = torch.tensor(np.moveaxis(x, -1, 1).copy(), requires_grad=True)
    # torch's is the gradient of a convolution: its window is the other way round.
    flipped = np.flip(w, range(axes)) if axes else w
    kernel = torch.tensor(np.moveaxis(flipped, (-2, -1), (0, 1)).copy(), requires_grad=True)
    y = getattr(torch.nn.functional, f"conv_transpose{axes}d")(
        tensor, kernel, None, stride, padding, extra, 1, dilation
    )
    y.backward(torch.tensor(np.moveaxis(g, -1, 1).copy()))
    dw = np.flip(np.moveaxis(kernel.grad.numpy(), (0, 1), (-2, -1)), range(axes))
    for got, wanted in zip(theirs, (y.detach().moveaxis(1, -1), tensor.grad.moveaxis(1, -1), dw)):
        agree(got, wanted, 1e-5)


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_transposed_convolution_with_named_padding(padding: str) -> None:
    rng = np.random.default_rng(0)
    x, w = (jnp.asarray(rng.normal(size=s), jnp.float32) for s in ((2, 4, 5, 3), (3, 2, 3, 3)))
    numbers = ("NHWC", "HWIO", "NHWC")

    @jax.jit
    def both(x: jax.Array, w: jax.Array) -> Any:
        ours = functools.partial(conv_transpose, implementation=IMPLEMENTATIONS[-1])
        return [
            [
                run(x, w, (2, 3), padding, dimension_numbers=numbers, transpose_kernel=flip)
                for flip in (True, False)
            ]
            for run in (lax.conv_transpose, conv_transpose, ours)
        ]

    theirs, *results = both(x, w)
    for ours in results:
        for got, wanted in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(got, wanted, atol=1e-5)
