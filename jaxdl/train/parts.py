"""The parts that a run is made of, checked and brought to one form."""

import inspect
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxdl import net as net_module
from jaxdl.errors import ShapeError, explain
from jaxdl.train.spec import Arrays, Hyper, Loss, Optimizer


def with_hyper(loss: Loss) -> Loss:
    """Return ``loss(outputs, targets, hyper)`` for a loss with or without a parameter `hyper`."""
    try:
        takes = "hyper" in inspect.signature(loss).parameters
    except ValueError:
        takes = False
    return loss if takes else lambda outputs, targets, hyper: loss(outputs, targets)


class _Named(dict[str, Any]):
    """Hyperparameters that say which of them there are when another one is read."""

    def __missing__(self, name: str) -> Any:
        raise ValueError(
            explain("train", "hyper", got=f"without '{name}' (it has {sorted(self)})",
                    expected=f"a value for '{name}', which is read in training",
                    fix=f"hyper={{..., '{name}': 0.1}}")
        )  # fmt: skip


def rule(optimizer: Optimizer | optax.GradientTransformation, hyper: Hyper) -> optax.GradientTransformation:
    """Return the transformation of `optimizer` at these hyperparameters, or raise when it is none."""
    if _uncalled(optimizer):
        raise TypeError(
            explain("train", "optimizer", got=f"{getattr(optimizer, '__name__', 'a function')} itself",
                    expected="what it returns, or a function of hyper",
                    fix="such as lambda hyper: optim.sgd(hyper['learning_rate'])")
        )  # fmt: skip
    found = optimizer if isinstance(optimizer, optax.GradientTransformation) else optimizer(_Named(hyper))
    if not isinstance(found, optax.GradientTransformation):
        raise TypeError(
            explain("train", "optimizer", got=f"a function that returns a {type(found).__name__}",
                    expected="a function of hyper that returns an optax transformation",
                    fix="lambda hyper: jaxdl.optim.sgd(hyper['learning_rate'])")
        )  # fmt: skip
    return found


def _uncalled(optimizer: Any) -> bool:
    """Tell whether this is a function of a library, such as `optim.sgd`, and none of hyperparameters."""
    where = getattr(optimizer, "__module__", None) or ""
    return inspect.isroutine(optimizer) and where.startswith(("jaxdl.optim.", "optax."))


def check_parts(net: Any, loss: Any, optimizer: Any, penalty: Any) -> None:
    """Raise `TypeError` when a part of a run is no `Net` or no function."""
    net_module.require("train", net)
    parts = {"loss": loss, "optimizer": optimizer, "penalty": penalty}
    for name, part in parts.items():
        whole = name == "optimizer" and isinstance(part, optax.GradientTransformation)
        if not (callable(part) or whole or (name == "penalty" and part is None)):
            raise TypeError(
                explain("train", name, got=f"a {type(part).__name__}", expected="a function",
                        fix="see jaxdl.train.make_train for what it is called with")
            )  # fmt: skip
        try:
            hash(part)
        except TypeError:
            raise TypeError(
                explain("train", name, got=f"a {type(part).__name__} that cannot be hashed",
                        expected="what can be a key, since programs are kept for the parts they are made of",
                        fix="a plain function, or @dataclass(frozen=True)")
            ) from None  # fmt: skip


def strong(hyper: Hyper) -> Hyper:
    """Make hyperparameters arrays of a strong dtype: a Python float would compile once more."""
    strong = {
        name: lax.convert_element_type(v, jnp.result_type(jnp.asarray(v)))
        for name, v in (hyper or {}).items()
    }
    return _Named(strong)


def examples_of(data: Arrays) -> int:
    """Return the number of training examples."""
    return int(jax.tree.leaves(data.inputs)[0].shape[0])


def example_of(data: Arrays) -> Any:
    """Return shape and dtype of one example of the inputs, by name where they have names."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), data.inputs)


def check_lengths(data: Arrays) -> None:
    """Raise `ShapeError` unless there is one target an example, and an example."""
    for kind in ("", "valid_"):
        inputs, targets = (getattr(data, f"{kind}{part}") for part in ("inputs", "targets"))
        lengths = {leaf.shape[0] if leaf.ndim else None for leaf in jax.tree.leaves((inputs, targets))}
        if len(lengths) > 1 or None in lengths or lengths == {0} or (inputs is None) != (targets is None):
            raise ShapeError(
                explain("train", f"{kind}targets", got=f"unlike {kind}inputs: lengths {lengths}",
                        expected="equal lengths, not 0", fix="give one target an example")
            )  # fmt: skip
