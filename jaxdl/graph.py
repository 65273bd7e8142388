"""The computation graph of a small function: every node with its value and its derivative."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks, _functions, _trees
from jaxdl._tape import Tape, record
from jaxdl.errors import explain

EXPAND = ("calls", "all", "none")
SHOWN = 6  # entries of an array that are written out


@dataclasses.dataclass(frozen=True)
class Node:
    """One node of a computation graph.

    Attributes:
        name: of an argument its own, with the path of a leaf; of an operation v1, v2, ...
        operation: ``"input"``, ``"constant"``, or what is computed, such as ``"mul"``.
        inputs: names of the nodes it is computed from, and literal numbers.
        value: the forward value; a tuple for an operation of several outputs, such as a scan.
        derivative: d(output)/d(node), of the shape of the value; None where the value is not floating.
    """

    name: str
    operation: str
    inputs: tuple[str, ...]
    value: Any
    derivative: Any

    @property
    def formula(self) -> str:
        """How it is computed: ``mul(x, y)``."""
        return f"{self.operation}({', '.join(self.inputs)})" if self.inputs else self.operation

    @property
    def value_text(self) -> str:
        """The value: up to 6 entries in full, more by shape and norm."""
        return _text(self.value)

    @property
    def derivative_text(self) -> str:
        """The derivative: up to 6 entries in full, more by shape and norm."""
        return _text(self.derivative)


@dataclasses.dataclass(frozen=True)
class Graph:
    """A computation graph; its text is a table with one line a node, in the order of computation.

    Attributes:
        nodes: arguments first, then operations.
        output: name of the node that is the output.
    """

    nodes: tuple[Node, ...]
    output: str

    def __getitem__(self, name: str) -> Node:
        """Return the node of that name."""
        found = {node.name: node for node in self.nodes}
        if name not in found:
            raise KeyError(f"Graph: no node '{name}'; there are {', '.join(found)}")
        return found[name]

    def __str__(self) -> str:
        head = ("node", "operation", "value", f"d{self.output}/dnode")
        rows = [head, *((n.name, n.formula, n.value_text, n.derivative_text) for n in self.nodes)]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]
        return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])

    __repr__ = __str__


def show(f: Callable[..., jax.Array], *args: Any, expand: str = "calls", limit: int = 64) -> Graph:
    """Show the computation graph of ``f(*args)``: by node its value and ``d f / d node``.

    The function is traced once. Each node gets a zero added to it, and the derivative by that zero is the
    derivative by the node: the adjoint that backpropagation carries. At the arguments it is what
    `jax.grad` gives. Control flow (`scan`, `while_loop`, `cond`) is one node.

    Args:
        f: function of arrays or trees of arrays that returns a scalar.
        args: its arguments, with known values.
        expand: ``"calls"`` opens functions under `jax.jit` and keeps those with a derivative rule of their
            own, such as relu, as one node; ``"all"`` opens both, and refuses where the rule differs from the
            derivative of what it stands for; ``"none"`` opens none.
        limit: the largest number of nodes, constants included.

    Returns:
        The `Graph`; ``print`` it, or draw it by `jaxdl.plot.graph`.

    Raises:
        DtypeError: an argument is traced, or the output is not floating.
        ShapeError: the output is no scalar.
        ValueError: unknown `expand`, more nodes than `limit`, arguments without floating entries, or a
            derivative rule that ``expand="all"`` would lose.

    Example:
        >>> print(show(lambda x, y: x * y + jax.numpy.sin(x), 2.0, 3.0))
        node  operation    value     dv3/dnode
        --------------------------------------
        x     input        2         2.58385
        y     input        3         2
        v1    mul(x, y)    6         1
        v2    sin(x)       0.909297  1
        v3    add(v1, v2)  6.9093    1

    Reference:
        Griewank and Walther, Evaluating Derivatives (2008), whose evaluation trace this is.
    """
    _checks.one_of("show", "expand", expand, EXPAND)
    limit = _checks.positive_integer("show", "limit", limit)
    named = _functions.named_arguments("show", f, args)
    _functions.concrete("show", named)
    _functions.numbers("show", named)
    args = tuple(jax.tree.map(jnp.asarray, argument) for argument in args)
    _check_floating(args)
    _functions.scalar_output("show", f, *args)
    tape = record(f, args, expand)
    # One argument at a time: a dict of all would be sorted by name.
    names = [leaf for name, value in named.items() for leaf in _trees.named_leaves({name: value})]
    names += [f"c{i + 1}" for i in range(tape.constants)] + [f"v{i + 1}" for i in range(len(tape.steps))]
    _check_size(len(names), limit, expand)
    values, derivatives = tape.differentiate()
    if expand == "all":
        _check_rules(f, args, derivatives, tape.derive)
    operations = ["input"] * len(jax.tree.leaves(args)) + ["constant"] * tape.constants
    operations += [step.operation for step in tape.steps]
    inputs = [()] * tape.given + [tuple(_reference(r, tape, names) for r in s.inputs) for s in tape.steps]
    rows = zip(names, operations, inputs, map(_single, values), map(_single, derivatives), strict=True)
    return Graph(tuple(Node(*row) for row in rows), _reference(tape.output, tape, names))


def _text(value: Any) -> str:
    """Return small arrays in full, larger ones by shape and norm, keys of random numbers as such."""
    if value is None:
        return "-"
    if isinstance(value, tuple):
        return "; ".join(map(_text, value))
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        return "key"
    array = np.asarray(value)
    if array.size > SHOWN:
        return f"{array.shape}, norm {np.linalg.norm(array.ravel().astype(np.float64)):.6g}"
    return _written(array)


def _written(array: np.ndarray) -> str:
    if array.ndim:
        return f"[{', '.join(map(_written, array))}]"
    return f"{float(array):.6g}" if array.dtype.kind not in "biu" else str(array)


def _single(values: tuple[Any, ...]) -> Any:
    return values[0] if len(values) == 1 else values


def _reference(reference: Any, tape: Tape, names: list[str]) -> str:
    if not isinstance(reference, tuple):
        return _text(reference)
    node, output = reference
    several = node >= tape.given and tape.steps[node - tape.given].outputs > 1
    return f"{names[node]}.{output}" if several else names[node]


def _check_size(nodes: int, limit: int, expand: str) -> None:
    if nodes > limit:
        fewer = "" if expand == "none" else ", or expand='none' for fewer"
        raise ValueError(
            explain("show", "f", got=f"a function of {nodes} nodes", expected=f"at most limit={limit}",
                    fix=f"show a smaller part of it, or limit={nodes}{fewer}")
        )  # fmt: skip


def _check_floating(args: tuple[Any, ...]) -> None:
    if not any(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in jax.tree.leaves(args)):
        raise ValueError(
            explain("show", "args", got="without a floating entry", expected="at least one",
                    fix="write 3.0 instead of 3")
        )  # fmt: skip


def _check_rules(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    derivatives: list[tuple[Any, ...]],
    derive: Callable[..., Any],
) -> None:
    """Raise unless the primitive operations have the derivative that the function declares."""
    leaves, structure = jax.tree.flatten(args)
    floating = [i for i, leaf in enumerate(leaves) if jnp.issubdtype(leaf.dtype, jnp.floating)]

    def of_floating(chosen: list[jax.Array]) -> jax.Array:
        moved = list(leaves)
        for index, leaf in zip(floating, chosen):
            moved[index] = leaf
        return f(*jax.tree.unflatten(structure, moved))

    declared = derive(of_floating)([leaves[i] for i in floating])
    for index, wanted in zip(floating, declared):
        (found,) = derivatives[index]
        if not np.allclose(found, wanted, rtol=1e-4, atol=1e-6, equal_nan=True):
            raise ValueError(
                explain("show", "expand", got="'all'", expected="'calls' for this function, whose derivative "
                        "rule is not the derivative of its operations here", fix="expand='calls'")
            )  # fmt: skip
