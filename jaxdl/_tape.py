"""A traced function as a list of steps, evaluated with a zero added to each node."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

# The parameter of an equation that holds the function it calls, by what `expand` opens.
CALLS = {"jit": "jaxpr", "pjit": "jaxpr"}
RULES = {
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
}
OPENED = {"none": {}, "calls": CALLS, "all": CALLS | RULES}
DETAILS = ("y", "axes", "permutation", "dimension")


@dataclasses.dataclass(frozen=True)
class Step:
    """One operation: an equation of the traced function, cut out so that it can be evaluated alone."""

    operation: str
    inputs: tuple[Any, ...]  # (node, output) of earlier nodes; literal values otherwise
    evaluate: Callable[..., list[jax.Array]]
    outputs: int


@dataclasses.dataclass
class Tape:
    """The nodes of a function: given arrays (arguments, then constants), then steps.

    Attributes:
        arrays: the given arrays.
        constants: how many of them are constants.
        steps: in the order of computation.
        output: reference to the output: (node, output), or a literal number.
        derive: `jax.grad`, or `jax.jacfwd` where a while loop lets only forward mode pass.
    """

    arrays: list[jax.Array]
    constants: int
    derive: Callable[..., Any]
    steps: list[Step] = dataclasses.field(default_factory=list)
    output: Any = None

    @property
    def given(self) -> int:
        """How many nodes are given."""
        return len(self.arrays)

    def run(self, zeros: list[tuple[Any, ...]]) -> tuple[Any, list[tuple[Any, ...]]]:
        """Evaluate with `zeros` added to the nodes; return the output and every value."""
        values: list[tuple[Any, ...]] = [(_plus(a, z),) for a, (z,) in zip(self.arrays, zeros)]
        for step, added in zip(self.steps, zeros[self.given :], strict=True):
            read = [values[r[0]][r[1]] for r in step.inputs if isinstance(r, tuple)]
            values.append(tuple(map(_plus, step.evaluate(*read), added)))
        chosen = self.output
        return (values[chosen[0]][chosen[1]] if isinstance(chosen, tuple) else chosen), values

    def differentiate(self) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        """Return by node its values and the derivatives of the output; None where it is not floating."""
        nothing = [(None,)] * self.given + [(None,) * step.outputs for step in self.steps]
        values = self.run(nothing)[1]
        zeros = [tuple(_zero(value) for value in node) for node in values]
        return values, self.derive(lambda added: jnp.asarray(self.run(added)[0]))(zeros)


def record(f: Callable[..., Any], args: tuple[Any, ...], expand: str) -> Tape:
    """Trace `f` into a `Tape`; `expand` is "calls", "all" or "none"."""
    closed = jax.make_jaxpr(f)(*args)
    leaves = jax.tree.leaves(args)
    derive = jax.jacfwd if _loops(closed.jaxpr) else jax.grad
    tape = Tape([*leaves, *map(jnp.asarray, closed.consts)], len(closed.consts), derive)
    references = [(index, 0) for index in range(tape.given)]
    constants = references[len(leaves) :]
    (tape.output,) = _write(tape, closed.jaxpr, references[: len(leaves)], constants, OPENED[expand])
    return tape


def _loops(jaxpr: Any) -> bool:
    for equation in jaxpr.eqns:
        inner = [getattr(value, "jaxpr", value) for value in equation.params.values()]
        if equation.primitive.name == "while" or any(hasattr(i, "eqns") and _loops(i) for i in inner):
            return True
    return False


def _write(
    tape: Tape, jaxpr: Any, inputs: list[Any], constants: list[Any], opened: dict[str, str]
) -> list[Any]:
    """Append the equations of `jaxpr` to the tape; return the references to its outputs."""
    known = dict(zip(jaxpr.invars, inputs)) | dict(zip(jaxpr.constvars, constants))

    def read(atom: Any) -> Any:
        return atom.val if hasattr(atom, "val") else known[atom]

    for equation in jaxpr.eqns:
        references = [read(atom) for atom in equation.invars]
        inner = equation.params.get(opened.get(equation.primitive.name, ""))
        if inner is None:
            tape.steps.append(_step(jaxpr, equation, references))
            node = tape.given + len(tape.steps) - 1
            outputs = [(node, output) for output in range(len(equation.outvars))]
        else:
            consts = list(getattr(inner, "consts", ()))
            outputs = _write(tape, getattr(inner, "jaxpr", inner), references, consts, opened)
        known.update(zip(equation.outvars, outputs))
    return [read(atom) for atom in jaxpr.outvars]


def _step(jaxpr: Any, equation: Any, references: list[Any]) -> Step:
    variables = [(a, r) for a, r in zip(equation.invars, references) if isinstance(r, tuple)]
    held = [(a, r) for a, r in zip(equation.invars, references) if not isinstance(r, tuple)]
    # A literal that was handed to an opened function stands where the equation has a variable.
    held = [(atom, value) for atom, value in held if not hasattr(atom, "val")]
    invars = [atom for atom, _ in (*variables, *held)]
    alone = jaxpr.replace(eqns=[equation], constvars=[], invars=invars, outvars=list(equation.outvars))
    rest = [value for _, value in held]

    def evaluate(*values: jax.Array) -> list[jax.Array]:
        return jax.core.eval_jaxpr(alone, [], *values, *rest)

    return Step(_operation(equation), tuple(references), evaluate, len(equation.outvars))


def _operation(equation: Any) -> str:
    name, params = equation.primitive.name, equation.params
    if name in CALLS:
        return str(params.get("name", name))
    if "call_jaxpr" in params:
        inner = params["call_jaxpr"]
        about = getattr(getattr(inner, "jaxpr", inner), "debug_info", None)
        return str(getattr(about, "func_name", name))
    said = [f"{key}={params[key]}".replace(" ", "") for key in DETAILS if key in params]
    return name + (f"[{', '.join(said)}]" if said else "")


def _plus(value: Any, zero: Any) -> Any:
    return value if zero is None else value + zero


def _zero(value: Any) -> Any:
    return jnp.zeros_like(value) if jnp.issubdtype(jnp.result_type(value), jnp.floating) else None
