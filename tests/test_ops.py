"""What every public array function must do, for each row of `opspec.OPS`."""

import collections
import functools
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import opspec
import pytest

import jaxdl
from jaxdl import data, kernels, losses, metrics
from jaxdl.kernels import dense

# Tested beside their modules: they take whole networks, data sets and files.
# Of `jaxdl.data` only `augment` has rows.
ELSEWHERE = ("jaxdl.net", "jaxdl.train", "jaxdl.data", "jaxdl.plot", "jaxdl.errors", "jaxdl.weights")
GOLDEN = Path(__file__).parent / "golden"
ROWS = pytest.mark.parametrize("op", opspec.OPS, ids=lambda op: op.name)
SMOOTH = pytest.mark.parametrize("op", [op for op in opspec.OPS if op.differentiable], ids=lambda op: op.name)
BOUND = [op.function for op in opspec.OPS if op.name.startswith("kernels.dense")]
TWINS = [op for op in opspec.OPS if op.torch is not None]


def cast(inputs: tuple[Any, ...], dtype: Any) -> tuple[jax.Array, ...]:
    floating = [np.asarray(x).dtype.kind == "f" for x in inputs]
    # NumPy converts: jax would compile a conversion for every shape.
    return tuple(jnp.asarray(np.asarray(x, jnp.dtype(dtype)) if f else x) for x, f in zip(inputs, floating))


def doubled(array: jax.Array) -> np.ndarray:
    return np.asarray(array).astype(np.float64)


@functools.cache
def golden_file(family: str) -> dict[str, np.ndarray]:
    with np.load(GOLDEN / f"ops_{family}.npz") as golden:
        return dict(golden)


def golden_of(op: opspec.Op) -> dict[str, np.ndarray]:
    return golden_file(op.name.partition(".")[0])


def sample(op: opspec.Op, seed: int = 0) -> tuple[Any, ...]:
    return op.inputs(np.random.default_rng(seed))


class Program:
    """An op's value and gradients as one compiled function, shared by its tests: compiling is the cost."""

    def __init__(self, op: opspec.Op) -> None:
        self.op = op
        self.traces: collections.Counter[Any] = collections.Counter()
        self.compiled = jax.jit(self.differentiated)

    def differentiated(self, weights: jax.Array, *arrays: jax.Array) -> tuple[jax.Array, Any]:
        self.traces[tuple((a.shape, a.dtype) for a in (weights, *arrays))] += 1
        if not self.op.differentiable:
            return self.op.function(*arrays), ()

        def of_chosen(*chosen: jax.Array) -> jax.Array:
            moved = dict(zip(self.op.differentiable, chosen))
            return self.op.function(*(moved.get(i, array) for i, array in enumerate(arrays)))

        value, pullback = jax.vjp(of_chosen, *(arrays[i] for i in self.op.differentiable))
        return value, pullback(weights)

    def __call__(self, inputs: tuple[jax.Array, ...], weights: np.ndarray) -> tuple[jax.Array, Any]:
        """Return the value and the gradients of its sum, weighted."""
        return self.compiled(jnp.asarray(weights), *inputs)


PROGRAMS = {op.name: Program(op) for op in opspec.OPS}


def weights_like(op: opspec.Op, inputs: tuple[Any, ...]) -> np.ndarray:
    return np.random.default_rng(1).normal(size=np.shape(op.reference(*inputs)))


def public() -> Iterator[str]:
    """Yield the public functions by the shortest path a user finds them at."""
    homes = ((jaxdl.__path__, "jaxdl."), (kernels.__path__, "jaxdl.kernels."), (data.__path__, "jaxdl.data."))
    for path, prefix in homes:
        for found in pkgutil.iter_modules(path, prefix):
            if found.name in ELSEWHERE or "._" in found.name:
                continue
            if prefix == "jaxdl.data." and found.name != "jaxdl.data.augment":
                continue
            module = importlib.import_module(found.name)
            for name, value in vars(module).items():
                home = getattr(value, "__module__", None) or ""
                own = home == found.name or home.startswith(f"{found.name}.")
                if own and inspect.isfunction(value) and name[0] != "_":
                    yield f"{found.name.removeprefix('jaxdl.')}.{name}"
                elif (
                    found.ispkg
                    and name[0] != "_"
                    and inspect.ismodule(value)
                    and value.__name__ == f"{found.name}.{name}"
                ):
                    yield from (
                        f"{found.name.removeprefix('jaxdl.')}.{name}.{inner}"
                        for inner, function in vars(value).items()
                        if inspect.isfunction(function)
                        and function.__module__ == value.__name__
                        and inner[0] != "_"
                        and getattr(module, inner, None) is not function
                    )


def test_every_public_function_has_a_row() -> None:
    rows = {op.name.partition(":")[0] for op in opspec.OPS} | {name for name, *_ in opspec.CALLS}
    assert set(public()) == rows


def test_every_row_has_three_bad_inputs() -> None:
    few = [op.name for op in opspec.OPS if len(op.bad) < 3]
    few += [name for name, make, bad in opspec.CALLS if len(bad) < 3 and inspect.signature(make).parameters]
    assert few == []


@ROWS
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-6), ("bfloat16", 2e-2)])
def test_value_equals_the_reference(op: opspec.Op, dtype: str, tolerance: float) -> None:
    inputs = sample(op)
    with jax.enable_x64(dtype == "float64"), jax.numpy_dtype_promotion("strict"):
        arrays = cast(inputs, dtype)
        if dtype == "float64":
            got = doubled(PROGRAMS[op.name](arrays, weights_like(op, inputs))[0])
        elif dtype == "bfloat16":
            # Rounded after every operation, as one call at a time does it.
            got = doubled(
                jax.jit(op.function, compiler_options={"xla_allow_excess_precision": False})(*arrays)
            )
        else:
            got = doubled(op.function(*arrays))
        exact = tuple(doubled(a) if jnp.issubdtype(a.dtype, jnp.floating) else np.asarray(a) for a in arrays)
    wanted = op.reference(*exact)
    scale = max(1.0, float(np.max(np.abs(wanted))))
    bound = tolerance * (op.length if dtype == "float32" else 1) * scale
    np.testing.assert_allclose(got, wanted, rtol=0, atol=bound)


@SMOOTH
def test_gradient_equals_central_differences(op: opspec.Op) -> None:
    inputs, program = sample(op), PROGRAMS[op.name]
    rng, weights = np.random.default_rng(2), weights_like(op, inputs)
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"):
        arrays = cast(inputs, "float64")
        for position, gradient in zip(op.differentiable, program(arrays, weights)[1], strict=True):
            direction = rng.normal(size=inputs[position].shape)

            def along(t: float, position: int = position, direction: Any = direction) -> float:
                moved = list(arrays)
                moved[position] = jnp.asarray(inputs[position] + t * direction)
                return float(np.sum(np.asarray(program(tuple(moved), weights)[0]) * weights))

            h = 1e-3
            # Richardson: the error of the plain central difference, O(h^2), is cancelled.
            coarse = (along(2 * h) - along(-2 * h)) / (4 * h)
            fine = (along(h) - along(-h)) / (2 * h)
            numerical = (4 * fine - coarse) / 3
            analytic = float(np.sum(np.asarray(gradient) * direction))
            assert abs(analytic - numerical) <= 1e-8 * max(1.0, abs(numerical))


@ROWS
def test_jit_equals_eager_and_compiles_once(op: opspec.Op) -> None:
    program = PROGRAMS[op.name]
    for seed in (0, 1):
        arrays = cast(sample(op, seed), "float32")
        eager = op.function(*arrays)
        np.testing.assert_allclose(program(arrays, np.ones(eager.shape))[0], eager, rtol=1e-5, atol=1e-6)
    assert max(program.traces.values()) == 1


@pytest.mark.parametrize("op", [op for op in opspec.OPS if op.batched], ids=lambda op: op.name)
def test_vmap_equals_a_loop(op: opspec.Op) -> None:
    arrays = cast(sample(op), "float32")
    row_of = jax.jit(op.function)
    looped = np.stack([row_of(*row) for row in zip(*(np.asarray(a) for a in arrays), strict=True)])
    np.testing.assert_allclose(jax.jit(jax.vmap(op.function))(*arrays), looped, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("op", [op for op in opspec.OPS if not op.batched], ids=lambda op: op.name)
def test_vmap_over_calls_equals_a_loop(op: opspec.Op) -> None:
    calls = [cast(sample(op, seed), "float32") for seed in range(3)]
    together = jax.jit(jax.vmap(op.function))(*(np.stack(arrays) for arrays in zip(*calls, strict=True)))
    looped = np.stack([PROGRAMS[op.name](arrays, np.ones(together.shape[1:]))[0] for arrays in calls])
    np.testing.assert_allclose(together, looped, rtol=1e-5, atol=1e-6)


@ROWS
def test_extreme_inputs_stay_finite(op: opspec.Op) -> None:
    assert op.extremes
    for extreme in op.extremes:
        arrays = cast(extreme, "float32")
        shape = jax.eval_shape(op.function, *arrays).shape
        value, gradients = PROGRAMS[op.name](arrays, np.ones(shape))
        assert np.isfinite(value).all()
        assert len(gradients) == len(op.differentiable)
        assert all(np.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize(
    ("function", "bad"),
    [
        pytest.param(function, bad, id=f"{name}-{i}")
        for name, function, rows in (
            *((op.name, op.function, op.bad) for op in opspec.OPS),
            *opspec.CALLS,
        )
        for i, bad in enumerate(rows)
    ],
)
def test_bad_input_is_named(function: Any, bad: opspec.Bad) -> None:
    args, kwargs, error, words = bad
    if function in BOUND:
        function = dense.dot_general
    of_lax = words.startswith("of lax: ") or "contracting" in words
    with pytest.raises(error, match=words.removeprefix("of lax: ")) as caught:
        function(*args, **kwargs)
    if words:
        assert "Fix: " in str(caught.value) or of_lax


@pytest.mark.parametrize("op", TWINS, ids=lambda op: op.name)
def test_golden_torch_twin(op: opspec.Op) -> None:
    stored = {
        name.removeprefix(f"{op.name}/"): value
        for name, value in golden_of(op).items()
        if name.startswith(f"{op.name}/")
    }
    inputs = cast(sample(op), "float32")
    value, gradients = PROGRAMS[op.name](inputs, weights_like(op, sample(op)))
    np.testing.assert_allclose(value, stored["value"], rtol=2e-6, atol=2e-6)
    for position, gradient in zip(op.differentiable, gradients, strict=True):
        np.testing.assert_allclose(gradient, stored[f"gradient{position}"], rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("op", TWINS, ids=lambda op: op.name)
def test_live_torch_twin(op: opspec.Op) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed; the golden file stands in for it")
    from golden import make

    for name, value in make.twin(torch, op).items():
        np.testing.assert_allclose(golden_of(op)[name], value, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint32"])
@pytest.mark.parametrize("classes", [100, 128, 256, 300])
def test_narrow_labels_do_not_wrap(dtype: str, classes: int) -> None:
    logits = np.random.default_rng(0).normal(size=(6, classes)).astype(np.float32)
    wide = np.array([0, 3, 44, 99, 7, 1], np.int32)
    shifted = logits.copy()
    shifted[0, classes - 1] = 50.0

    @jax.jit
    def measured(labels: jax.Array) -> tuple[jax.Array, jax.Array]:
        return losses.softmax_cross_entropy(logits, labels), metrics.accuracy(shifted, labels)

    for narrow, exact in zip(measured(wide.astype(dtype)), measured(wide), strict=True):
        np.testing.assert_array_equal(narrow, exact)
