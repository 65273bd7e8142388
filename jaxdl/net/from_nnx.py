"""Networks made of flax NNX modules: split and merged at trace time only."""

import contextlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from jaxdl import _checks, _trees
from jaxdl.errors import DtypeError, explain
from jaxdl.net import _capture
from jaxdl.net._capture import LayerOutput
from jaxdl.net.contract import NO_KEY, Net, Tree, flag

MODES = ("train", "evaluate", "measure")


def functional(make: Callable[[nnx.Rngs], nnx.Module]) -> Net:
    """Make a `Net` of a flax NNX module.

    Args:
        make: ``make(rngs) -> module``, such as ``lambda rngs: MLP.classic(rngs=rngs)``. The module maps
            (batch, ...) to (batch, ...) in its ``__call__(x)``.

    Returns:
        The `Net`; same seed, same parameters, and no state hidden anywhere.

    Raises:
        TypeError: `make` does not return an `nnx.Module`.
        DtypeError: a key that is no typed key, or a missing key where the module draws numbers.
        ShapeError: `params` or `state` that are not of this network, named by their first difference.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jaxdl.layers import Linear
        >>> net = functional(lambda rngs: Linear(3, 2, rngs=rngs))
        >>> params, state = net.init(jax.random.key(0))
        >>> {name: value.shape for name, value in params.items()}
        {'bias': (2,), 'kernel': (3, 2)}
        >>> net.apply(params, state, jnp.ones((4, 3)), train=False)[0].shape
        (4, 2)
    """
    return _functional(make, frozenset())


def _functional(make: Callable[[nnx.Rngs], nnx.Module], held: frozenset[str]) -> Net:
    module = _abstract(make)
    takes_rngs = "rngs" in inspect.signature(type(module).__call__).parameters
    # flax's view draws from any nnx.Rngs that a module keeps, hence within the abstract trace.
    parts = nnx.eval_shape(lambda: _parts(make, held))
    graphs = {mode: graph for mode, (graph, *_) in parts.items()}
    _, params_like, random_like, state_like = parts["train"]

    def init(key: jax.Array) -> tuple[Tree, Tree]:
        _, params, _, state = _split(make(nnx.Rngs(_checks.key("Net.init", key))))
        return params, state

    def run(mode: str, params: Tree, state: Tree, x: Any, key: Any, hyper: Any, hook: Any) -> Any:
        _trees.check_like("Net.apply", "params", params, params_like)
        _trees.check_like("Net.apply", "state", state, state_like)
        randomness = _seed_streams(random_like, key)
        merged = nnx.merge(graphs[mode], params, randomness, state)
        _bind_hyper(merged, hyper or {})
        rngs = {"rngs": None if key is None else nnx.Rngs(key)} if takes_rngs else {}
        with hook(merged) as found:
            y = merged(x, **rngs)
        _, _, after, state = _split(merged)
        if key is None and _drawn(randomness, after):
            raise DtypeError(NO_KEY)
        return y, state, found

    def apply(
        params: Tree,
        state: Tree,
        x: Any,
        *,
        train: bool,
        key: jax.Array | None = None,
        hyper: Mapping[str, Any] | None = None,
    ) -> tuple[Any, Tree]:
        mode = "train" if flag(train) else "evaluate"
        return run(mode, params, state, x, key, hyper, contextlib.nullcontext)[:2]

    def trace(
        params: Tree, state: Tree, x: Any, *, train: bool, key: Any = None, hyper: Any = None
    ) -> dict[str, LayerOutput]:
        mode = "train" if flag(train) else "evaluate"
        y, _, found = run(mode, params, state, x, key, hyper, _capture.outputs)
        return _capture.named(found or _capture.arrays("output", type(module).__name__, y))

    def measure(params: Tree, state: Tree, x: Any, hyper: Any = None) -> Tree:
        return run("measure", params, state, x, None, hyper, contextlib.nullcontext)[1]

    def bind(params: Tree, state: Tree) -> nnx.Module:
        _trees.check_like("Net.bind", "params", params, params_like)
        _trees.check_like("Net.bind", "state", state, state_like)
        return nnx.merge(graphs["evaluate"], params, _seed_streams(random_like, None), state)

    norms = [part for _, part in nnx.iter_modules(module) if isinstance(part, nnx.BatchNorm)]
    measurable = bool(norms) and all(hasattr(part, "measuring") for part in norms)
    return Net(init, apply, getattr(module, "config", None), trace, measure if measurable else None,
               hold=lambda paths: _functional(make, paths), bind=bind)  # fmt: skip


def _abstract(make: Callable[[nnx.Rngs], nnx.Module]) -> nnx.Module:
    module = nnx.eval_shape(lambda: make(nnx.Rngs(0)))
    if not isinstance(module, nnx.Module):
        raise TypeError(
            explain("functional", "make", got=f"a function that returns {type(module).__name__}",
                    expected="one that returns an nnx.Module", fix="return the module itself")
        )  # fmt: skip
    return module


def _parts(make: Callable[[nnx.Rngs], nnx.Module], held: frozenset[str]) -> dict[str, Any]:
    """Make the module once, and split it in each mode."""
    module = make(nnx.Rngs(0))
    return {mode: _split(_view(module, mode, held)) for mode in MODES}


def _view(module: nnx.Module, mode: str, held: frozenset[str]) -> nnx.Module:
    still = mode != "train"
    modes = {"deterministic": still, "use_running_average": still, "measuring": mode == "measure"}
    viewed = nnx.view(module, raise_if_not_found=False, **modes)

    def holds(path: Any, node: Any) -> bool:
        return "/".join(map(str, path)) in held

    return nnx.view(viewed, only=holds, raise_if_not_found=False, use_running_average=True)


def _split(module: nnx.Module) -> tuple[Any, Tree, Tree, Tree]:
    graph, *parts = nnx.split(module, nnx.Param, nnx.RngState, ..., graph=True)
    params, random, state = (nnx.to_pure_dict(part) for part in parts)
    return graph, params, random, state


def _seed_streams(like: Tree, key: jax.Array | None) -> Tree:
    """Derive every random stream of a module from `key`, each by a number of its own."""
    base = jax.random.key(0) if key is None else _checks.key("Net.apply", key)
    leaves, structure = jax.tree.flatten(like)
    return jax.tree.unflatten(structure, [_stream(base, i, leaf) for i, leaf in enumerate(leaves)])


def _stream(base: jax.Array, index: int, like: Any) -> jax.Array:
    if not jnp.issubdtype(like.dtype, jax.dtypes.prng_key):
        return jnp.zeros(like.shape, like.dtype)
    key = jax.random.fold_in(base, index)
    return jax.random.split(key, like.shape) if like.shape else key


def _drawn(before: Tree, after: Tree) -> bool:
    """Tell at trace time whether a stream was used: its counter is then another array."""
    pairs = zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True)
    return any(a is not b for a, b in pairs)


def _bind_hyper(module: nnx.Module, hyper: Mapping[str, Any]) -> None:
    for _, part in nnx.iter_modules(module):
        # Asked of the class: an nnx.Rngs answers every attribute with a stream of that name.
        if hasattr(type(part), "bind_hyper"):
            part.bind_hyper(hyper)
