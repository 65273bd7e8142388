"""Which input positions each entry of an array depends on, followed through a traced function.

Nothing is computed with the values: every array is replaced by the least and the largest input index that
reaches each of its entries, along every spatial axis. They are kept as one NumPy array (2 k, *shape), k the
number of axes: rows 2 a and 2 a + 1 hold the least index along axis a and minus the largest. The union of two
dependences is then the entrywise minimum, and `NONE` stands for no dependence at all.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from jaxdl.errors import explain

NONE = np.iinfo(np.int32).max
Rule = Callable[[dict[str, Any], list[Any], Any], list[np.ndarray]]
CALLS = ("jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "remat2",
         "checkpoint", "custom_vjp_call_jaxpr")  # fmt: skip
_NAMES = (
    "abs acos acosh add add_any and asin asinh atan atan2 atanh cbrt ceil clamp convert_element_type copy "
    "copy_p cos cosh device_put digamma div eq erf erf_inv erfc exp exp2 expm1 floor ge gt integer_pow "
    "is_finite le lgamma log log1p logistic lt max min mul ne neg nextafter not optimization_barrier or pow "
    "reduce_precision rem round rsqrt select_n sharding_constraint sign sin sinh sqrt square stop_gradient "
    "sub tan tanh xor"
)
ELEMENTWISE = frozenset(_NAMES.split())
INDEXED = ("gather", "dynamic_slice", "dynamic_update_slice")


class Constant:
    """An array that does not depend on the input; its value is computed when a rule asks for it."""

    def __init__(self, compute: Callable[[], Any]) -> None:
        self.compute = compute

    @classmethod
    def of(cls, values: Iterable[Any]) -> "list[Constant]":
        """Return known values as constants."""
        return [cls(partial(_itself, value)) for value in values]

    def value(self) -> Any:
        """Return the array, computed once."""
        found = self.compute()
        self.compute = lambda: found
        return found


def _itself(value: Any) -> Any:
    return value


def follow(function: Callable[..., Any], shape: Sequence[int], *given: Any) -> np.ndarray:
    """Return what entries of ``function(x, *given)`` depend on in x (1, space..., channels) of this shape.

    `given` are trees of arrays, or of their shapes.
    """
    closed = jax.make_jaxpr(function)(jax.ShapeDtypeStruct((1, *shape), np.float32), *given)
    axes = len(shape) - 1
    grid = np.indices((1, *shape), np.int32, sparse=False)[1 : axes + 1]
    start = np.stack([side for index in grid for side in (index, -index)])
    consts = Constant.of(closed.consts)
    (found,) = _walk(closed.jaxpr, [start, *Constant.of(jax.tree.leaves(given))], consts)
    return _reach(found, 2 * axes, closed.jaxpr.outvars[0])


def _walk(jaxpr: Any, inputs: list[Any], constants: list[Any]) -> list[Any]:
    """Apply the rules of the equations that the outputs need, in order."""
    known = dict(zip((*jaxpr.invars, *jaxpr.constvars), (*inputs, *constants)))

    def read(atom: Any) -> Any:
        return Constant(lambda: atom.val) if hasattr(atom, "val") else known[atom]

    for equation in _needed(jaxpr):
        found = [read(atom) for atom in equation.invars]
        if not any(isinstance(value, np.ndarray) for value in found):
            results: list[Any] = _constants(jaxpr, equation, found)
        else:
            results = _apply(jaxpr, equation, found)
        known.update(zip(equation.outvars, results))
    return [read(atom) for atom in jaxpr.outvars]


def _needed(jaxpr: Any) -> list[Any]:
    wanted = {atom for atom in jaxpr.outvars if not hasattr(atom, "val")}
    kept = []
    for equation in reversed(jaxpr.eqns):
        if wanted & set(equation.outvars):
            kept.append(equation)
            wanted |= {atom for atom in equation.invars if not hasattr(atom, "val")}
    return kept[::-1]


def _constants(jaxpr: Any, equation: Any, found: list[Any]) -> list[Any]:
    whole = Constant(lambda: _evaluate(jaxpr, equation, [value.value() for value in found]))
    return [Constant(partial(_output, whole, index)) for index in range(len(equation.outvars))]


def _output(whole: Constant, index: int) -> Any:
    return whole.value()[index]


def _evaluate(jaxpr: Any, equation: Any, values: Sequence[Any]) -> list[Any]:
    variables = [(a, v) for a, v in zip(equation.invars, values) if not hasattr(a, "val")]
    held = dict(variables)  # a variable may stand at two places
    alone = jaxpr.replace(eqns=[equation], constvars=[], invars=list(held), outvars=list(equation.outvars))
    return jax.core.eval_jaxpr(alone, [], *held.values())


def _apply(jaxpr: Any, equation: Any, found: list[Any]) -> list[Any]:
    name, params = equation.primitive.name, equation.params
    rows = next(len(value) for value in found if isinstance(value, np.ndarray))
    if name in CALLS:
        inner = next(v for v in params.values() if hasattr(getattr(v, "jaxpr", v), "eqns"))
        consts = Constant.of(getattr(inner, "consts", ()))
        return _walk(getattr(inner, "jaxpr", inner), found, consts)
    if name in ("scan", "cond"):
        return (_scan if name == "scan" else _cond)(params, found, rows, equation)
    if name in INDEXED:
        return [_indexed(jaxpr, equation, found, rows)]
    reaches = [_reach(v, rows, a) for v, a in zip(found, equation.invars)]
    if name in ELEMENTWISE:
        return _elementwise(reaches, equation.outvars)
    if name.startswith("reduce_window"):
        return [_reduce_window(params, reaches[0])] * len(equation.outvars)
    if name.startswith(("reduce_", "arg")) and "axes" in params:
        whole = reaches[0].min(tuple(axis + 1 for axis in params["axes"]), initial=NONE)
        return [whole] * len(equation.outvars)
    if name not in RULES or (name == "conv_general_dilated" and isinstance(found[1], np.ndarray)):
        raise ValueError(
            explain("receptive_field", "net", got=f"a network whose layer is computed by '{name}'",
                    expected="convolutions, pooling, products, elementwise functions and moves of entries",
                    fix="choose a layer before that operation")
        )  # fmt: skip
    return RULES[name](params, reaches, equation)


def _reach(value: Any, rows: int, atom: Any) -> np.ndarray:
    if isinstance(value, np.ndarray):
        return value
    return np.broadcast_to(np.int32(NONE), (rows, *atom.aval.shape))


def _elementwise(reaches: list[np.ndarray], outputs: Any) -> list[np.ndarray]:
    if len(outputs) > 1:  # a barrier lets each of its arrays pass
        return reaches
    rank = max(reach.ndim for reach in reaches)
    padded = [
        reach.reshape(reach.shape[0], *(1,) * (rank - reach.ndim), *reach.shape[1:]) for reach in reaches
    ]
    union = padded[0]
    for reach in padded[1:]:
        union = np.minimum(union, reach)
    return [np.broadcast_to(union, (len(union), *outputs[0].aval.shape))]


def _indexed(jaxpr: Any, equation: Any, found: list[Any], rows: int) -> np.ndarray:
    """Move entries by indices that do not depend on the input."""
    moved = 2 if equation.primitive.name == "dynamic_update_slice" else 1
    if any(isinstance(value, np.ndarray) for value in found[moved:]):
        raise ValueError(
            explain("receptive_field", "net", got="a network that computes indices from its input",
                    expected="indices known beforehand", fix="choose a layer before that operation")
        )  # fmt: skip
    reaches = [_reach(v, rows, a) for v, a in zip(found[:moved], equation.invars)]
    indices = [value.value() for value in found[moved:]]
    parts = []
    for row in range(rows):
        (part,) = _evaluate(jaxpr, equation, [*(reach[row] for reach in reaches), *indices])
        parts.append(np.asarray(part))
    union = np.stack(parts)
    # What a gather reads outside of its array is filled with the least integer.
    return np.where(union == np.iinfo(union.dtype).min, NONE, union)


def _scan(params: dict[str, Any], found: list[Any], rows: int, equation: Any) -> list[np.ndarray]:
    body, fixed, carried = params["jaxpr"], params["num_consts"], params["num_carry"]
    consts = Constant.of(body.consts)
    carry = found[fixed : fixed + carried]
    atoms = body.jaxpr.outvars
    columns: list[list[np.ndarray]] = []
    for step in range(params["length"]):
        index = params["length"] - 1 - step if params["reverse"] else step
        slices = [_slice(value, index) for value in found[fixed + carried :]]
        results = _walk(body.jaxpr, [*found[:fixed], *carry, *slices], consts)
        carry = results[:carried]
        columns.append([_reach(v, rows, a) for v, a in zip(results[carried:], atoms[carried:])])
    order = columns[::-1] if params["reverse"] else columns
    stacked = [np.stack(column, axis=1) for column in zip(*order)]
    ends = [_reach(v, rows, a) for v, a in zip(carry, equation.outvars)]
    return [*ends, *stacked]


def _slice(value: Any, index: int) -> Any:
    return value[:, index] if isinstance(value, np.ndarray) else Constant(partial(_output, value, index))


def _cond(params: dict[str, Any], found: list[Any], rows: int, equation: Any) -> list[np.ndarray]:
    chooses = _reach(found[0], rows, equation.invars[0])
    unions = [np.broadcast_to(np.int32(NONE), (rows, *atom.aval.shape)) for atom in equation.outvars]
    for branch in params["branches"]:
        results = _walk(branch.jaxpr, found[1:], Constant.of(branch.consts))
        for i, (value, atom) in enumerate(zip(results, equation.outvars)):
            reach = np.minimum(_reach(value, rows, atom), chooses.reshape(rows, *(1,) * len(atom.aval.shape)))
            unions[i] = np.minimum(unions[i], reach)
    return unions


def _window(reach: np.ndarray, axis: int, size: int, stride: int, padding: Any, spread: Any) -> np.ndarray:
    """Return the union over windows along one axis; `spread` is the dilation of array and window."""
    reach = np.moveaxis(reach, axis, -1)
    (before, after), (base, dilation) = padding, spread
    length = (reach.shape[-1] - 1) * base + 1 if reach.shape[-1] else 0
    wide = np.full((*reach.shape[:-1], length + max(before, 0) + max(after, 0)), NONE, np.int32)
    wide[..., max(before, 0) : max(before, 0) + length : base] = reach
    wide = wide[..., max(-before, 0) : wide.shape[-1] - max(-after, 0)]
    count = (wide.shape[-1] - (size - 1) * dilation - 1) // stride + 1
    union = np.full((*reach.shape[:-1], max(count, 0)), NONE, np.int32)
    for offset in range(0, size * dilation, dilation):
        np.minimum(union, wide[..., offset : offset + stride * (count - 1) + 1 : stride], out=union)
    return np.moveaxis(union, -1, axis)


def _reduce_window(params: dict[str, Any], reach: np.ndarray) -> np.ndarray:
    rank = len(params["window_dimensions"])
    base, dilation = (params.get(name) or (1,) * rank for name in ("base_dilation", "window_dilation"))
    for axis, size in enumerate(params["window_dimensions"]):
        stride, padding = params["window_strides"][axis], params["padding"][axis]
        if (size, stride, tuple(padding), base[axis]) != (1, 1, (0, 0), 1):
            reach = _window(reach, axis + 1, size, stride, padding, (base[axis], dilation[axis]))
    return reach


def _convolution(params: dict[str, Any], reaches: list[np.ndarray], equation: Any) -> list[np.ndarray]:
    numbers, kernel = params["dimension_numbers"], reaches[1].shape[1:]
    groups, batch_groups = params["feature_group_count"], params["batch_group_count"]
    images = reaches[0].transpose(0, *(axis + 1 for axis in numbers.lhs_spec))  # (rows, batch, in, space...)
    rows, batch, channels, *space = images.shape
    union = images.reshape(rows, batch, groups, channels // groups, *space).min(3)
    for axis, place in enumerate(numbers.rhs_spec[2:]):
        spread = (params["lhs_dilation"][axis], params["rhs_dilation"][axis])
        stride, padding = params["window_strides"][axis], params["padding"][axis]
        union = _window(union, axis + 3, kernel[place], stride, padding, spread)
    if batch_groups > 1:
        union = union.reshape(rows, batch_groups, batch // batch_groups, *union.shape[2:])
        union = np.moveaxis(union, 1, 2).reshape(rows, batch // batch_groups, -1, *union.shape[4:])
    union = np.repeat(union, kernel[numbers.rhs_spec[0]] // union.shape[2], axis=2)
    return [union.transpose(0, *(int(axis) + 1 for axis in np.argsort(numbers.out_spec)))]


def _product(params: dict[str, Any], reaches: list[np.ndarray], equation: Any) -> list[np.ndarray]:
    contracted, batched = params["dimension_numbers"]
    sides = []
    for reach, sums, shared in zip(reaches, contracted, batched):
        free = [axis for axis in range(reach.ndim - 1) if axis not in (*sums, *shared)]
        order = [0, *(axis + 1 for axis in (*shared, *free, *sums))]
        kept = 1 + len(shared) + len(free)
        sides.append(reach.transpose(order).min(tuple(range(kept, reach.ndim)), initial=NONE))
    left, right = sides
    shared = len(batched[0])
    left = left.reshape(*left.shape, *(1,) * (right.ndim - 1 - shared))
    right = right.reshape(
        *right.shape[: 1 + shared], *(1,) * (left.ndim - right.ndim), *right.shape[1 + shared :]
    )
    return [np.minimum(left, right)]


def _pad(params: dict[str, Any], reaches: list[np.ndarray], equation: Any) -> list[np.ndarray]:
    reach = reaches[0]
    for axis, (before, after, interior) in enumerate(params["padding_config"]):
        reach = _window(reach, axis + 1, 1, 1, (before, after), (interior + 1, 1))
    return [reach]


def _broadcast(params: dict[str, Any], reaches: list[np.ndarray], equation: Any) -> list[np.ndarray]:
    shape = [1] * len(params["shape"])
    for axis, place in enumerate(params["broadcast_dimensions"]):
        shape[place] = reaches[0].shape[axis + 1]
    rows = len(reaches[0])
    return [np.broadcast_to(reaches[0].reshape(rows, *shape), (rows, *params["shape"]))]


def _slices(params: dict[str, Any], reaches: list[np.ndarray], equation: Any) -> list[np.ndarray]:
    steps = params["strides"] or (1,) * len(params["start_indices"])
    cut = zip(params["start_indices"], params["limit_indices"], steps)
    return [reaches[0][(slice(None), *(slice(*entry) for entry in cut))]]


def _cumulative(params: dict[str, Any], reaches: list[np.ndarray], equation: Any) -> list[np.ndarray]:
    axis, turn = params["axis"] + 1, params["reverse"]
    reach = np.flip(reaches[0], axis) if turn else reaches[0]
    found = np.minimum.accumulate(reach, axis=axis)
    return [np.flip(found, axis) if turn else found]


def _split(params: dict[str, Any], reaches: list[np.ndarray], equation: Any) -> list[np.ndarray]:
    return np.split(reaches[0], np.cumsum(params["sizes"])[:-1], axis=params["axis"] + 1)


def _moved(params: dict[str, Any], reaches: list[np.ndarray], equation: Any) -> list[np.ndarray]:
    return [reaches[0].reshape(len(reaches[0]), *equation.outvars[0].aval.shape)]


RULES: dict[str, Rule] = {
    "broadcast_in_dim": _broadcast,
    "concatenate": lambda params, reaches, _: [np.concatenate(reaches, params["dimension"] + 1)],
    "conv_general_dilated": _convolution,
    "dot_general": _product,
    "expand_dims": _moved,
    "pad": _pad,
    "reshape": _moved,
    "rev": lambda params, reaches, _: [np.flip(reaches[0], tuple(axis + 1 for axis in params["dimensions"]))],
    "slice": _slices,
    "split": _split,
    "squeeze": _moved,
    "transpose": lambda params, reaches, _: [
        reaches[0].transpose(0, *(axis + 1 for axis in params["permutation"]))
    ],
    **dict.fromkeys(("cumsum", "cummax", "cummin", "cumprod", "cumlogsumexp"), _cumulative),
}
