"""Networks made of flax Linen modules."""

import functools
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen
from flax.errors import InvalidRngError

from jaxdl import _checks, _trees
from jaxdl.errors import DtypeError, explain
from jaxdl.net import _capture
from jaxdl.net._capture import LayerOutput
from jaxdl.net.contract import NO_KEY, Net, Tree, flag


def from_linen(module: linen.Module, example: Any, **options: Any) -> Net:
    """Make a `Net` of a flax Linen module.

    Args:
        module: the Linen module; its collection "params" becomes `params`, all others `state`.
        example: an input, or a `jax.ShapeDtypeStruct` of it, from which Linen infers its shapes.
        options: what `module.__call__` takes besides its input, fixed for ever. A parameter `train`,
            `training`, `deterministic` or `use_running_average` of it is set by `Net.apply`.

    Returns:
        The `Net`.

    Raises:
        TypeError: `module` is no Linen module.
        DtypeError: a key that is no typed key, or a missing key where the module draws numbers.
        ShapeError: `params` or `state` that are not of this network, named by their first difference.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from flax import linen
        >>> net = from_linen(linen.Dense(2), jnp.ones((1, 3)))
        >>> params, state = net.init(jax.random.key(0))
        >>> net.apply(params, state, jnp.ones((4, 3)), train=False)[0].shape
        (4, 2)
    """
    if not isinstance(module, linen.Module):
        raise TypeError(
            explain("from_linen", "module", got=f"a {type(module).__name__}",
                    expected="a flax.linen.Module instance", fix="pass linen.Dense(10), say")
        )  # fmt: skip
    return _from_linen(module, example, options, frozenset())


def _from_linen(module: linen.Module, example: Any, options: dict[str, Any], held: frozenset[str]) -> Net:
    modes = _mode_arguments(module)

    def init(key: jax.Array) -> tuple[Tree, Tree]:
        keys = jax.random.split(_checks.key("Net.init", key))
        x = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), example)
        streams = {"params": keys[0], "dropout": keys[1]}
        variables = dict(module.init(streams, x, **modes(train=False), **options))
        return dict(variables.pop("params", {})), variables

    def run(
        params: Tree, state: Tree, x: Any, train: bool, key: Any, **capture: Any
    ) -> tuple[Any, dict[str, Any]]:
        streams = None if key is None else {"dropout": _checks.key("Net.apply", key)}
        changes = [*(state if flag(train) else []), *(["intermediates"] if capture else [])]
        for name, tree, wanted in zip(("params", "state"), (params, state), shaped(), strict=True):
            _trees.check_like("Net.apply", name, tree, wanted)
        try:
            with linen.intercept_methods(partial(_hold_norm, held)):
                return module.apply({"params": params, **state}, x, rngs=streams, mutable=changes,
                                    **modes(train=train), **options, **capture)  # fmt: skip
        except InvalidRngError as error:
            if key is not None:
                raise
            raise DtypeError(f"{NO_KEY} (flax: {error})") from error

    def apply(
        params: Tree,
        state: Tree,
        x: Any,
        *,
        train: bool,
        key: jax.Array | None = None,
        hyper: Mapping[str, Any] | None = None,
    ) -> tuple[Any, Tree]:
        out, new = run(params, state, x, train, key)
        return out, {**state, **new}

    def trace(
        params: Tree, state: Tree, x: Any, *, train: bool, key: Any = None, hyper: Any = None
    ) -> dict[str, LayerOutput]:
        calls = _capture.LinenCalls()
        _, new = run(params, state, x, train, key, capture_intermediates=calls.keep)
        return _capture.named(calls.outputs(new["intermediates"]))

    @functools.cache
    def shaped() -> tuple[Tree, Tree]:
        return jax.eval_shape(init, jax.random.key(0))

    def hold(paths: frozenset[str]) -> Net:
        return _from_linen(module, example, options, paths)

    return Net(init, apply, trace=trace, collections=True, hold=hold)


def _hold_norm(held: frozenset[str], call: Any, args: Any, kwargs: Any, context: Any) -> Any:
    module = context.module
    if (
        isinstance(module, linen.BatchNorm)
        and context.method_name == "__call__"
        and "/".join(module.path) in held
    ):
        # The field and the argument exclude each other in Linen, and a bound module is of this call alone.
        object.__setattr__(module, "use_running_average", True)
        args, kwargs = args[:1], {name: v for name, v in kwargs.items() if name != "use_running_average"}
    return call(*args, **kwargs)


def _mode_arguments(module: linen.Module) -> Callable[..., dict[str, bool]]:
    names = inspect.signature(type(module).__call__).parameters
    signs = {"train": True, "training": True, "deterministic": False, "use_running_average": False}
    known = {name: sign for name, sign in signs.items() if name in names}
    return lambda train: {name: train is sign for name, sign in known.items()}
