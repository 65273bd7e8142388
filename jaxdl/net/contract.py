"""What a network is to jaxdl: two pure functions, and what else is known of it."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jax

from jaxdl.errors import DtypeError, explain
from jaxdl.net._capture import LayerOutput

Tree = dict[Any, Any]
NO_KEY = explain("Net.apply", "key", got="None", expected="a key, as the network draws numbers",
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
        bind: ``bind(params, state) -> nnx.Module``, the module itself in evaluation mode with these
            parameters, for its other methods, inside a compiled function as outside: see
            `jaxdl.models.LanguageModel`. None where there is no module of NNX.
    """

    init: Callable[[jax.Array], tuple[Tree, Tree]]
    apply: Apply
    config: Any = None
    trace: Callable[..., dict[str, LayerOutput]] | None = None
    measure: Callable[..., Tree] | None = None
    collections: bool = False
    hold: "Callable[[frozenset[str]], Net] | None" = None
    bind: Callable[[Tree, Tree], Any] | None = None


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
        >>> from jaxdl.net import from_pair
        >>> require("fit", from_pair(lambda key: {}, lambda params, x: x))
    """
    if not isinstance(value, Net):
        raise TypeError(
            explain(op, "net", got=f"a {type(value).__name__}", expected="a jaxdl.net.Net",
                    fix="jaxdl.net.functional(lambda rngs: ...), from_linen or from_pair")
        )  # fmt: skip


def flag(train: Any) -> bool:
    """Return `train`, or raise when it is not known at trace time."""
    if not isinstance(train, bool):
        raise DtypeError(
            explain("Net.apply", "train", got=f"{train!r} ({type(train).__name__})",
                    expected="True or False, known at trace time", fix="train=True or train=False")
        )  # fmt: skip
    return train
