"""The parameter table of a network: what it holds and what one forward pass costs."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxdl import _trees
from jaxdl.errors import explain
from jaxdl.kernels import conv
from jaxdl.net.contract import Net

PROBED_PARAMETERS = 2_000_000
PROBED_EXAMPLES = 8


@dataclasses.dataclass(frozen=True)
class Row:
    """One array: its path, shape, dtype, number of entries and bytes, and whether it is trained."""

    path: str
    shape: tuple[int, ...]
    dtype: str
    count: int
    bytes: int
    trained: bool


@dataclasses.dataclass(frozen=True)
class Summary:
    """The table that `summary` returns; ``print`` shows it.

    Attributes:
        rows: one a parameter and one a state array.
        count: trained parameters.
        bytes: bytes of all arrays.
        macs: multiply-adds of the products and convolutions in one forward pass of one example.
        warnings: what is wrong with the network, in sentences.
    """

    rows: tuple[Row, ...]
    count: int
    bytes: int
    macs: int
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        cells = [("path", "shape", "dtype", "count", "bytes")]
        cells += [
            (row.path + ("" if row.trained else " (state)"), str(row.shape), row.dtype,
             f"{row.count:,}", f"{row.bytes:,}")
            for row in self.rows
        ]  # fmt: skip
        cells.append(("total trained", "", "", f"{self.count:,}", f"{self.bytes:,}"))
        widths = [max(len(line[i]) for line in cells) for i in range(5)]
        lines = [
            "  ".join(
                cell.ljust(width) if i < 3 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in cells
        ]
        lines.insert(-1, "-" * max(map(len, lines)))
        lines.append(f"multiply-adds of one forward pass of one example: {self.macs:,}")
        return "\n".join([*lines, *(f"warning: {warning}" for warning in self.warnings)])


def summary(net: Net, example: Any, *, hyper: Any = None) -> Summary:
    """Count what a network holds, without allocating it, and what one forward pass costs.

    A parameter of rank 1 that has no gradient in training, such as a bias before batch norm, gives a
    warning; this is probed with random inputs on networks of up to 2,000,000 parameters.

    Args:
        net: the network.
        example: a batch of inputs (batch, ...) or a `jax.ShapeDtypeStruct` of one; values are not used.
        hyper: hyperparameters by name, for networks that read any, such as a dropout rate.

    Returns:
        A `Summary`; multiply-adds count each product of a dot or a convolution once, those with the zeros of
        the padding among them, as is the custom; biases, pooling and elementwise work not at all. A
        transposed convolution has those of the convolution that it transposes.

    Raises:
        TypeError: `net` is no `Net`.
        ShapeError: the network does not take such an input.

    Example:
        >>> import jax
        >>> from jaxdl import net
        >>> from jaxdl.models import MLP
        >>> table = net.summary(
        ...     net.functional(lambda rngs: MLP.classic(rngs=rngs)),
        ...     jax.ShapeDtypeStruct((1, 784), "float32"),
        ... )
        >>> table.count, table.macs
        (13002, 12960)
    """
    if not (hasattr(net, "init") and hasattr(net, "apply")):
        raise TypeError(
            explain("summary", "net", got=f"a {type(net).__name__}", expected="a jaxdl.net.Net",
                    fix="jaxdl.net.functional(lambda rngs: ...)")
        )  # fmt: skip
    one = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((1, *leaf.shape[1:]), leaf.dtype), example)
    params, state = jax.eval_shape(net.init, jax.random.key(0))
    rows = [_row(path, leaf, True) for path, leaf in _trees.named_leaves(params).items()]
    rows += [_row(path, leaf, False) for path, leaf in _trees.named_leaves(state).items()]
    forward = jax.make_jaxpr(lambda p, s, x: net.apply(p, s, x, train=False, hyper=hyper)[0])
    count = sum(row.count for row in rows if row.trained)
    warnings = _idle_biases(net, example, hyper) if count <= PROBED_PARAMETERS else ()
    # Other formulations of a convolution may multiply more, or by zeros.
    with conv.using("xla"):
        macs = _macs(forward(params, state, one).jaxpr)
    return Summary(tuple(rows), count, sum(row.bytes for row in rows), macs, warnings)


def _row(path: str, leaf: Any, trained: bool) -> Row:
    count = math.prod(leaf.shape)
    return Row(path, leaf.shape, str(leaf.dtype), count, count * leaf.dtype.itemsize, trained)


def _macs(jaxpr: Any) -> int:
    total = 0
    for equation in jaxpr.eqns:
        shapes = [getattr(variable.aval, "shape", ()) for variable in equation.invars]
        if equation.primitive.name == "dot_general":
            (axes, _), _ = equation.params["dimension_numbers"]
            size = math.prod(equation.outvars[0].aval.shape)
            total += size * math.prod(shapes[0][axis] for axis in axes)
        elif equation.primitive.name == "conv_general_dilated":
            out = equation.outvars[0].aval.shape
            total += _convolution(shapes[0], shapes[1], out, equation.params)
        repeats = equation.params.get("length", 1) if equation.primitive.name == "scan" else 1
        total += repeats * sum(_macs(inner) for inner in _inner(equation.params))
    return total


def _convolution(lhs: Any, rhs: Any, out: Any, params: dict[str, Any]) -> int:
    """Return the multiply-adds of a convolution of arrays of these shapes."""
    numbers = params["dimension_numbers"]
    batch, features = (out[axis] for axis in numbers.out_spec[:2])
    # The kernel has the inputs of one group.
    total = batch * features * rhs[numbers.rhs_spec[1]]
    specs = (numbers.lhs_spec, numbers.rhs_spec, numbers.out_spec)
    axes = zip(*(spec[2:] for spec in specs), params["lhs_dilation"], strict=True)
    for left, kernel, right, dilation in axes:
        # Between the entries of a dilated input there is nothing to multiply.
        places = out[right] if dilation == 1 else min(lhs[left], out[right])
        total *= rhs[kernel] * places
    return total


def _inner(params: dict[str, Any]) -> list[Any]:
    """Return the jaxprs inside an equation; of a conditional's branches, the costliest."""
    if "branches" in params:
        return [max((branch.jaxpr for branch in params["branches"]), key=_macs)]
    found = [getattr(value, "jaxpr", value) for value in params.values()]
    return [value for value in found if hasattr(value, "eqns")]


def _idle_biases(net: Net, example: Any, hyper: Any) -> tuple[str, ...]:
    def outputs(params: Any, state: Any, x: Any, key: jax.Array) -> jax.Array:
        out = net.apply(params, state, x, train=True, key=key, hyper=hyper)[0]
        return sum((jnp.sum(jnp.sin(leaf)) for leaf in jax.tree.leaves(out)), jnp.zeros(()))

    keys = jax.random.split(jax.random.key(0), 3)
    x = jax.tree.map(lambda leaf: _noise(keys[0], leaf), example)
    try:
        params, state = net.init(keys[1])
        gradients = jax.jit(jax.grad(outputs))(params, state, x, keys[2])
    except (ValueError, TypeError) as error:
        return (f"gradients could not be probed: {error}",)
    sizes = {path: float(jnp.max(jnp.abs(leaf)))
             for path, leaf in _trees.named_leaves(gradients).items() if leaf.size}  # fmt: skip
    largest = max(sizes.values(), default=0.0)
    ranks = {path: leaf.ndim for path, leaf in _trees.named_leaves(gradients).items()}
    return tuple(
        f"'{path}' has no gradient in training; before batch norm use use_bias=False, or the "
        "optimizer walks it on rounding noise"
        for path, size in sizes.items()
        if ranks[path] == 1 and size < 1e-5 * largest
    )


def _noise(key: jax.Array, leaf: Any) -> jax.Array:
    shape = (PROBED_EXAMPLES, *leaf.shape[1:])
    if jnp.issubdtype(leaf.dtype, jnp.floating):
        return jax.random.normal(key, shape, leaf.dtype)
    # Ones: a length, or a token, of 0 would be padding throughout.
    return jnp.ones(shape, leaf.dtype)
