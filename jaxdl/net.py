"""The functional contract: any network as two pure functions over plain nested dicts of arrays.

    Net.init(key) -> params, state
    Net.apply(params, state, x, train=..., key=None, hyper=None) -> y, state

`params` is what an optimizer changes, `state` what a forward pass changes (running statistics of batch
norm). `functional` makes a `Net` of a flax NNX module, `from_linen` of a Linen module, `from_pair` of two
bare functions. Splitting and merging of modules happen at trace time only.
"""

import contextlib
import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from flax import linen, nnx
from flax.errors import InvalidRngError

from jaxdl import _capture, _checks, _trees
from jaxdl._capture import LayerOutput as LayerOutput
from jaxdl._summary import summary as summary
from jaxdl.errors import DtypeError, explain

Tree = dict[Any, Any]
MODES = ("train", "evaluate", "measure")
_NO_KEY = explain("Net.apply", "key", got="None", expected="a key, as the network draws numbers",
                  fix="apply(..., key=jax.random.key(seed))")  # fmt: skip


class Apply(Protocol):
    """The signature of `Net.apply`."""

    def __call__(
        self,
        params: Tree,
        state: Tree,
        x: Any,
        *,
        train: bool,
        key: jax.Array | None = None,
        hyper: Mapping[str, Any] | None = None,
    ) -> tuple[Any, Tree]:
        """Return the outputs and the new state."""


@dataclasses.dataclass(frozen=True)
class Net:
    """A network as two pure functions.

    Attributes:
        init: ``init(key) -> params, state``.
        apply: ``apply(params, state, x, *, train, key=None, hyper=None) -> y, state``. `x` is (batch, ...);
            `train` switches dropout and batch norm; `key` feeds what is random; `hyper` holds traced
            scalars such as dropout rates.
        config: the `config` of the module it was made of, where there is one; a model file keeps it.
        trace: called as `apply`; returns ``{path: LayerOutput}``, the outputs of the modules inside in the
            order of the calls, the whole one's as "output" where it holds none. What is called within a
            scan, remat or jit of the network's own is left out. None for a pair of functions.
        measure: ``measure(params, state, x, hyper=None) -> state``: evaluation mode, with mean and variance
            of the batch in the place of the running ones; see `jaxdl.train.exact_statistics`. None where
            there is no `jaxdl.layers.BatchNorm`, or a batch norm of another make.
        collections: whether the first level of `state` names collections, as Linen's does.
        hold: ``hold(paths) -> Net``, the same network in which the norms at these paths of modules normalise
            by their running statistics in training too; None where that is not known.
    """

    init: Callable[[jax.Array], tuple[Tree, Tree]]
    apply: Apply
    config: Any = None
    trace: Callable[..., dict[str, LayerOutput]] | None = None
    measure: Callable[..., Tree] | None = None
    collections: bool = False
    hold: "Callable[[frozenset[str]], Net] | None" = None


def require(op: str, value: Any) -> None:
    """Raise unless `value` is a `Net`.

    Args:
        op: the function to name in the message.
        value: what was given as the network.

    Returns:
        Nothing.

    Raises:
        TypeError: it is something else, such as the flax module itself.

    Example:
        >>> require("fit", from_pair(lambda key: {}, lambda params, x: x))
    """
    if not isinstance(value, Net):
        raise TypeError(
            explain(op, "net", got=f"a {type(value).__name__}", expected="a jaxdl.net.Net",
                    fix="jaxdl.net.functional(lambda rngs: ...), from_linen or from_pair")
        )  # fmt: skip


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
    graphs, like = {}, {}
    for mode in MODES:
        # flax's view draws from any nnx.Rngs that a module keeps, hence within the abstract trace.
        graphs[mode], *like[mode] = nnx.eval_shape(lambda mode=mode: _split(_view(make, mode, held)))
    params_like, random_like, state_like = like["train"]

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
            raise DtypeError(_NO_KEY)
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
        mode = "train" if _flag(train) else "evaluate"
        return run(mode, params, state, x, key, hyper, contextlib.nullcontext)[:2]

    def trace(
        params: Tree, state: Tree, x: Any, *, train: bool, key: Any = None, hyper: Any = None
    ) -> dict[str, LayerOutput]:
        mode = "train" if _flag(train) else "evaluate"
        y, _, found = run(mode, params, state, x, key, hyper, _capture.outputs)
        return _capture.named(found or _capture.arrays("output", type(module).__name__, y))

    def measure(params: Tree, state: Tree, x: Any, hyper: Any = None) -> Tree:
        return run("measure", params, state, x, None, hyper, contextlib.nullcontext)[1]

    norms = [part for _, part in nnx.iter_modules(module) if isinstance(part, nnx.BatchNorm)]
    measurable = bool(norms) and all(hasattr(part, "measuring") for part in norms)
    return Net(init, apply, getattr(module, "config", None), trace, measure if measurable else None,
               hold=lambda paths: _functional(make, paths))  # fmt: skip


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
        changes = [*(state if _flag(train) else []), *(["intermediates"] if capture else [])]
        for name, tree, wanted in zip(("params", "state"), (params, state), shaped(), strict=True):
            _trees.check_like("Net.apply", name, tree, wanted)
        try:
            with linen.intercept_methods(partial(_hold_norm, held)):
                return module.apply({"params": params, **state}, x, rngs=streams, mutable=changes,
                                    **modes(train=train), **options, **capture)  # fmt: skip
        except InvalidRngError as error:
            if key is not None:
                raise
            raise DtypeError(f"{_NO_KEY} (flax: {error})") from error

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
        _flag(train)
        return apply(params, x), state

    return Net(start, run)


def _abstract(make: Callable[[nnx.Rngs], nnx.Module]) -> nnx.Module:
    module = nnx.eval_shape(lambda: make(nnx.Rngs(0)))
    if not isinstance(module, nnx.Module):
        raise TypeError(
            explain("functional", "make", got=f"a function that returns {type(module).__name__}",
                    expected="one that returns an nnx.Module", fix="return the module itself")
        )  # fmt: skip
    return module


def _view(make: Callable[[nnx.Rngs], nnx.Module], mode: str, held: frozenset[str]) -> nnx.Module:
    still = mode != "train"
    modes = {"deterministic": still, "use_running_average": still, "measuring": mode == "measure"}
    viewed = nnx.view(make(nnx.Rngs(0)), raise_if_not_found=False, **modes)

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


def _flag(train: Any) -> bool:
    if not isinstance(train, bool):
        raise DtypeError(
            explain("Net.apply", "train", got=f"{train!r} ({type(train).__name__})",
                    expected="True or False, known at trace time", fix="train=True or train=False")
        )  # fmt: skip
    return train


def _mode_arguments(module: linen.Module) -> Callable[..., dict[str, bool]]:
    names = inspect.signature(type(module).__call__).parameters
    signs = {"train": True, "training": True, "deterministic": False, "use_running_average": False}
    known = {name: sign for name, sign in signs.items() if name in names}
    return lambda train: {name: train is sign for name, sign in known.items()}
