"""Networks made of two bare functions."""

from collections.abc import Callable, Mapping
from typing import Any

import jax

from jaxdl import _checks
from jaxdl.errors import explain
from jaxdl.net.contract import Net, Tree, flag


def from_pair(init: Callable[[jax.Array], Tree], apply: Callable[[Tree, Any], Any]) -> Net:
    """Make a `Net` of two bare functions, for networks without randomness or running statistics.

    For more, build ``Net(init, apply)`` with the full signatures.

    Args:
        init: ``init(key) -> params``.
        apply: ``apply(params, x) -> y``.

    Returns:
        The `Net`, with an empty `state`.

    Raises:
        TypeError: an argument is not callable.
        DtypeError: a key that is no typed key.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> net = from_pair(lambda key: {"w": jnp.ones((3, 2))}, lambda params, x: x @ params["w"])
        >>> params, state = net.init(jax.random.key(0))
        >>> net.apply(params, state, jnp.ones((4, 3)), train=True)[0].shape
        (4, 2)
    """
    for name, function in (("init", init), ("apply", apply)):
        if not callable(function):
            raise TypeError(
                explain("from_pair", name, got=f"a {type(function).__name__}",
                        expected="a function", fix="from_pair(lambda key: ..., lambda params, x: ...)")
            )  # fmt: skip

    def start(key: jax.Array) -> tuple[Tree, Tree]:
        return init(_checks.key("Net.init", key)), {}

    def run(
        params: Tree,
        state: Tree,
        x: Any,
        *,
        train: bool,
        key: jax.Array | None = None,
        hyper: Mapping[str, Any] | None = None,
    ) -> tuple[Any, Tree]:
        flag(train)
        return apply(params, x), state

    return Net(start, run)
