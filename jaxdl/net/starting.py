"""Transfer learning: the same network, started from weights that were trained elsewhere."""

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxdl import _checks, _trees
from jaxdl.errors import DtypeError, ShapeError, explain
from jaxdl.net.contract import Net, Tree, require

_SHOWN = 12


def start_from(net: Net, params: Tree, state: Tree | None = None, *, new: str | Sequence[str] = ()) -> Net:
    """Return the same network, whose `init` gives these weights, except for parts that are drawn anew.

    It goes wherever a network goes: `train.fit`, `train.sweep` (each seed draws a new part of its own),
    `make_train`. With ``frozen=optim.frozen(lambda path: not path.startswith("layers/11"))`` only the part
    at layers/11 is trained; without, everything is. The weights are constants of the program that starts a
    run, not of the one that trains.

    Args:
        net: the network to train; a new head may have other shapes than that of `params`.
        params: trained parameters, such as ``train.load(path).params``.
        state: running statistics that belong to them; None where the network has none outside of `new`.
        new: paths of what is drawn by ``net.init`` as ever, each with all that lies below it, such as
            ``"layers/11"``; what `params` and `state` hold there is left out.

    Returns:
        A `Net`.

    Raises:
        TypeError: `net` is no `Net`.
        DtypeError: `params` or `state` is no dict, as a whole `Fitted` is none; `new` is no path.
        ValueError: a path of `new` that matches nothing in the network, or no `state` for a network that
            keeps running statistics.
        ShapeError: weights that are missing, too many or of another shape; it names the first.
        DtypeError: weights of another kind of dtype.

    Example:
        >>> from jaxdl.net import functional
        >>> from jaxdl.models import MLP, MLPConfig
        >>> three, two = (
        ...     functional(lambda rngs, n=n: MLP(MLPConfig(sizes=(4, 8, n)), rngs=rngs)) for n in (3, 2)
        ... )
        >>> params, state = three.init(jax.random.key(0))
        >>> again, _ = start_from(two, params, new="layers/1").init(jax.random.key(1))
        >>> bool((again["layers"][0]["kernel"] == params["layers"][0]["kernel"]).all())
        True
        >>> again["layers"][1]["kernel"].shape
        (8, 2)
    """
    require("start_from", net)
    paths = _paths(new)
    like = jax.eval_shape(net.init, jax.random.key(0))
    _check_paths(paths, [name for tree in like for name in _trees.named_leaves(tree)])
    _check_trees(params, state, like)
    weights = _kept("params", params, like[0], paths)
    if state is None:
        _check_stateless(like[1], paths)
    statistics = None if state is None else _kept("state", state, like[1], paths)

    def init(key: jax.Array) -> tuple[Tree, Tree]:
        drawn, initial = net.init(key)
        return _filled(drawn, weights), initial if statistics is None else _filled(initial, statistics)

    hold = net.hold

    def held(wanted: frozenset[str]) -> Net:
        return dataclasses.replace(hold(wanted), init=init)  # type: ignore[misc]

    return dataclasses.replace(net, init=init, hold=hold and held)


def _kept(which: str, tree: Any, like: Tree, paths: tuple[str, ...]) -> dict[str, Any]:
    """Return the given leaves by name, None for those that are drawn; raise where they do not fit."""
    found, wanted = _trees.named_leaves(tree), _trees.named_leaves(like)
    for name in [*wanted, *found]:
        if not _below(name, paths) and (name not in found or name not in wanted):
            known = "missing" if name not in found else "not of this network"
            raise _misfit(which, name, known, "the leaves of this network, by name")
    return {
        name: None if _below(name, paths) else _leaf(which, name, found[name], wanted[name])
        for name in wanted
    }


def _leaf(which: str, name: str, value: Any, like: Any) -> jax.Array:
    leaf = _checks.array("start_from", f"{which}['{name}']", value)
    if leaf.shape != like.shape:
        raise _misfit(which, name, f"of shape {leaf.shape}", like.shape)
    if jnp.issubdtype(leaf.dtype, jnp.floating) != jnp.issubdtype(like.dtype, jnp.floating):
        raise DtypeError(
            explain("start_from", f"{which}['{name}']", got=f"of dtype {leaf.dtype}",
                    expected=f"{like.dtype}", fix="use weights of the same network")
        )  # fmt: skip
    return leaf


def _filled(drawn: Tree, kept: dict[str, Any]) -> Tree:
    leaves, structure = jax.tree.flatten(drawn)
    taken = [old if new is None else new.astype(old.dtype) for old, new in zip(leaves, kept.values())]
    return jax.tree.unflatten(structure, taken)


def _below(name: str, paths: tuple[str, ...]) -> bool:
    return any(name == path or name.startswith(f"{path}/") for path in paths)


def _paths(new: Any) -> tuple[str, ...]:
    listed = [new] if isinstance(new, str) else new
    if not isinstance(listed, Sequence) or not all(isinstance(path, str) for path in listed):
        raise DtypeError(
            explain("start_from", "new", got=repr(new)[:80], expected="a path, or a list of paths",
                    fix="new='fc', or leave new out to keep every part")
        )  # fmt: skip
    return tuple(path.strip("/") for path in listed)


def _check_trees(params: Any, state: Any, like: tuple[Tree, Tree]) -> None:
    given = {"params": params} | ({} if state is None else {"state": state})
    for (which, tree), wanted in zip(given.items(), like):
        if isinstance(wanted, Mapping) and not isinstance(tree, Mapping):
            raise DtypeError(
                explain("start_from", which, got=f"a {type(tree).__name__}", expected="a dict of arrays",
                        fix="start_from(net, fitted.params, fitted.state)")
            )  # fmt: skip


def _check_stateless(like: Tree, paths: tuple[str, ...]) -> None:
    """Raise where trained weights would meet mean 0 and variance 1 in the place of their statistics."""
    if lacking := [name for name in _trees.named_leaves(like) if not _below(name, paths)]:
        raise ValueError(
            explain("start_from", "state", got=f"None, and this network keeps '{lacking[0]}'",
                    expected="the running statistics of params",
                    fix="start_from(net, fitted.params, fitted.state), or net.init(key)[1] to start anew")
        )  # fmt: skip


def _check_paths(paths: tuple[str, ...], names: list[str]) -> None:
    for path in paths:
        if not any(_below(name, (path,)) for name in names):
            raise ValueError(
                explain("start_from", "new", got=f"'{path}', which matches nothing",
                        expected="paths of this network", fix=_hint(path, names))
            )  # fmt: skip


def _hint(path: str, names: list[str]) -> str:
    """Return the modules most like a path, else the outermost: those with a name, then lists from the end."""
    parts = [name.split("/")[:-1] or [name] for name in names]
    known = dict.fromkeys("/".join(part[:depth]) for part in parts for depth in range(1, len(part) + 1))
    if near := difflib.get_close_matches(path, known, 3):
        return f"did you mean {' or '.join(map(repr, near))}?"
    outer = dict.fromkeys("/".join(part[: 1 + "".join(part[1:2]).isdigit()]) for part in parts)
    alone, listed = ([name for name in outer if ("/" in name) == inside] for inside in (False, True))
    found = [*alone, *reversed(listed)]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"choose from {', '.join(found[:_SHOWN])}{more}, or what lies below"


def _misfit(which: str, name: str, got: str, expected: Any) -> ShapeError:
    part = name.rpartition("/")[0] or name
    return ShapeError(
        explain("start_from", f"{which}['{name}']", got=got, expected=expected,
                fix=f"use weights of the same network, or new='{part}' to draw this part anew")
    )  # fmt: skip
