"""The step at which a run diverged, once more: the line of the first bad number, and norms by leaf."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from jaxdl import _trees
from jaxdl.train.fetch import fetcher
from jaxdl.train.origin import Origin, examine
from jaxdl.train.parts import strong
from jaxdl.train.run import Run, learner_of
from jaxdl.train.spec import Arrays, Carry, Hyper
from jaxdl.train.step import make_gradient, make_rule, prepared

SHOWN = 3
Norms = dict[str, dict[str, float]]


class Report(NamedTuple):
    """What the replay of one step found.

    Attributes:
        origin: the operation that made the first number that is not finite, and its line; None where the
            replay of the step stayed finite.
        norms: Euclidean norms by leaf at this step, ``{"gradients": {"layers/0/kernel": 1.5, ...},
            "parameters": {...}}``; the parameters are those before the update.
    """

    origin: Origin | None
    norms: Norms

    @property
    def line(self) -> str | None:
        """The line of the origin, where it is known."""
        return (self.origin.line or None) if self.origin else None

    def sentences(self) -> str:
        """Word the report, for the end of an error."""
        gradients, parameters = self.norms["gradients"], self.norms["parameters"]
        bad = [name for name, norm in gradients.items() if not np.isfinite(norm)]
        words = "The replay of this step stayed finite. " if self.origin is None else _made(self.origin)
        if bad:
            named = ", ".join(bad[:SHOWN]) + (", ..." if len(bad) > SHOWN else "")
            words += f"{len(bad)} of {len(gradients)} gradients are not finite ({named}). "
        else:
            words += f"The longest gradient is {_longest(gradients)}. "
        return f"{words}The longest parameter is {_longest(parameters)}."


def replay(run: Run, carry: Carry, index: int, batch: Any, data: Arrays, hyper: Hyper) -> Report:
    """Run one step again, with a flag beside every operation.

    Args:
        run: the static parts of the run.
        carry: the state before the step; its epoch is that of the step.
        index: number of the step in its epoch.
        batch: (inputs, targets) of the step, not scaled.
        data: the scaling.
        hyper: hyperparameters.

    Returns:
        The `Report`. One compilation, and the memory of every intermediate result.
    """
    data = Arrays(None, None, scaling=data.scaling)

    def step(carry: Carry, index: jax.Array, batch: Any, scaling: Any, hyper: Hyper) -> Any:
        x = prepared(run.spec, data._replace(scaling=scaling), batch[0], carry.order, carry.epoch, index)
        key = jax.random.fold_in(jax.random.fold_in(carry.key, carry.epoch), index)
        rule = make_rule(run.held, run.optimizer, strong(hyper), run.spec)
        (cost, _), gradients = make_gradient(run.objective, run.spec)(
            carry.params, carry.state, x, batch[1], key, strong(hyper)
        )
        updates, _ = rule.update(gradients, carry.opt_state, carry.params)
        after = optax.apply_updates(carry.params, updates)
        return cost, gradients, after

    kept = carry._replace(history={}, stopping=None)
    (_, gradients, _), origin = examine(step, kept, jnp.int32(index), batch, data.scaling, dict(hyper))
    trees = {"gradients": gradients, "parameters": carry.params}
    norms = {kind: _norms(tree) for kind, tree in trees.items()}
    return Report(origin, norms)


def make_approach(run: Run) -> Callable[..., tuple[Carry, Any]]:
    """Return ``approach(carry, index, data, hyper) -> carry, batch``: an epoch up to a step, its batch."""

    def approach(carry: Carry, index: jax.Array, data: Arrays, hyper: Hyper) -> tuple[Carry, Any]:
        fetch, xs = fetcher(data, run.indices(carry, carry.epoch, data), run.spec.layout)
        body = run.body(carry, carry.epoch, data, strong(hyper), fetch)

        def step(number: jax.Array, learner: Any) -> Any:
            return body(learner, (number, jax.tree.map(lambda leaf: leaf[number], xs)))[0]

        params, state, opt_state = lax.fori_loop(0, index, step, learner_of(carry))
        batch = fetch(jax.tree.map(lambda leaf: leaf[index], xs))
        return carry._replace(params=params, state=state, opt_state=opt_state), batch

    return approach


def _norms(tree: Any) -> dict[str, float]:
    """Return the Euclidean norm of each leaf, in float64: squares of large numbers do not overflow."""
    leaves = _trees.named_leaves(jax.tree.map(np.asarray, tree))
    return {name: float(np.linalg.norm(leaf.astype(np.float64).ravel())) for name, leaf in leaves.items()}


def _made(origin: Origin) -> str:
    where = f" at {origin.line}" if origin.line else ""
    return f"The first number that is not finite came from '{origin.operation}'{where}. "


def _longest(norms: dict[str, float]) -> str:
    name = max(norms, key=lambda name: norms[name])
    return f"{name}, of norm {norms[name]:.3g}"
