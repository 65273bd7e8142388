"""The frozen parts of a run: constants to the gradient, without a rule, and put back after every step."""

import dataclasses
from typing import Any

import jax
import optax

from jaxdl import _trees, optim
from jaxdl.errors import explain
from jaxdl.net import Net, Tree
from jaxdl.optim import Frozen


@dataclasses.dataclass(frozen=True)
class Freeze:
    """A network with what is frozen in it; without masks nothing is, and every method is the identity.

    Attributes:
        net: the network, whose frozen norms may be held to their running statistics.
        params: tree of bools like the parameters, or None.
        state: tree of bools like the running statistics, or None.
        frozen: what the caller asked for, or None.
    """

    net: Net
    params: Any = None
    state: Any = None
    frozen: Frozen | None = None

    def constant(self, params: Tree) -> Tree:
        """Return the parameters with those that are frozen cut off from the gradient."""
        if self.frozen is None:
            return params
        return optim.keep(self.params, jax.lax.stop_gradient(params), params)

    def rule(self, rule: optax.GradientTransformation) -> optax.GradientTransformation:
        """Return the rule for what is not frozen."""
        return rule if self.frozen is None else self.frozen.wrap(rule, self.params)

    def keep(self, before: tuple[Tree, Tree], after: tuple[Tree, Tree]) -> tuple[Tree, Tree]:
        """Return parameters and state after a step, with what is frozen as it was before."""
        if self.frozen is None:
            return after
        params, state = (optim.keep(*trees) for trees in zip((self.params, self.state), before, after))
        return params, state


def freeze(net: Net, frozen: Frozen | None) -> Freeze:
    """Find what is frozen in a network, or raise when a label matches nothing."""
    if frozen is None:
        return Freeze(net)
    shapes = jax.eval_shape(net.init, jax.random.key(0))
    params, state = frozen.masks(*shapes, collections=net.collections)
    kept = [name for name, hold in _trees.named_leaves(state).items() if hold]
    if kept and frozen.statistics == "running":
        net = _held(net, kept)
    return Freeze(net, params, state, frozen)


def _held(net: Net, kept: list[str]) -> Net:
    if net.hold is None:
        raise ValueError(
            explain("train", "frozen", got=f"statistics='running' with {kept[0]} frozen",
                    expected="a network of net.functional or net.from_linen, whose norms can be held",
                    fix="optim.frozen(..., statistics='batch'), or give Net(..., hold=...)")
        )  # fmt: skip
    bare = [name.partition("/")[2] if net.collections else name for name in kept]
    return net.hold(frozenset(name.rpartition("/")[0] for name in bare))
