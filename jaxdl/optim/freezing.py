"""Frozen parts of a network: parameters that no rule changes, and running statistics that stay."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import optax

from jaxdl import _checks, _trees
from jaxdl.errors import DtypeError, ShapeError, explain

STATISTICS = ("running", "batch")
Labels = str | Sequence[str] | Mapping[Any, Any] | Callable[[str], bool]


@dataclasses.dataclass(frozen=True)
class Frozen:
    """Which parts of a network are frozen; made by `frozen`, hashable, with no arrays in it.

    Attributes:
        paths: paths of what is frozen, each with all that lies below it.
        named: further paths that must be there, though they are not frozen.
        chosen: ``chosen(path) -> bool`` instead of paths, or None.
        statistics: ``"running"`` or ``"batch"``: what a frozen batch norm normalises by in training.
    """

    paths: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    chosen: Callable[[str], bool] | None = None
    statistics: str = "running"

    def mask(self, params: Any) -> Any:
        """Return a tree of bools like `params`: True where frozen.

        Raises:
            ValueError: a label matches nothing.
        """
        return self.masks(params, {})[0]

    def masks(self, params: Any, state: Any, *, collections: bool = False) -> tuple[Any, Any]:
        """Return the trees of bools of `params` and of `state`: True where frozen.

        A leaf of `state` is frozen when a label matches it, or when all parameters of its module are frozen;
        of a module without parameters, those of the next module around it.

        Args:
            params: parameters, or their shapes.
            state: running statistics, or their shapes.
            collections: whether the first level of `state` names collections, as Linen's does; labels leave
                it out.

        Raises:
            ValueError: a label matches nothing.
        """
        own = {name: self._holds(name) for name in _trees.named_leaves(params)}
        names = [name.partition("/")[2] if collections else name for name in _trees.named_leaves(state)]
        self._check([*own, *names])
        kept = [self._holds(name) or _surrounded(name, own) for name in names]
        if not any(own.values()) and not any(kept):
            raise _unmatched("a function that chooses nothing", [*own, *names])
        return tuple(
            jax.tree.unflatten(jax.tree.structure(tree), flags)
            for tree, flags in ((params, list(own.values())), (state, kept))
        )

    def wrap(self, rule: optax.GradientTransformation, mask: Any = None) -> optax.GradientTransformation:
        """Return `rule` for the rest: frozen parameters get updates of 0 and no place in its state.

        Args:
            rule: an optax transformation.
            mask: that of the parameters, where `masks` gave it already.
        """
        parts = {True: optax.set_to_zero(), False: rule}
        return optax.partition(parts, self.mask if mask is None else mask)

    def _holds(self, name: str) -> bool:
        if self.chosen is not None:
            return bool(self.chosen(name))
        return any(_below(name, path) for path in self.paths)

    def _check(self, names: list[str]) -> None:
        for path in (*self.paths, *self.named):
            if not any(_below(name, path) for name in names):
                raise _unmatched(f"'{path}', which matches nothing", names)


def frozen(labels: Labels, *, statistics: str = "running") -> Frozen:
    """Freeze parts of a network, for ``train.Spec(frozen=...)``, `train.fit` or a loop of one's own.

    In a compiled run, frozen parameters and the running statistics of frozen batch norms keep every bit,
    whatever momentum or weight decay the rule has; their gradients are 0, and are not computed.

    Args:
        labels: what is frozen: a path such as ``"layers/0"``, with all that lies below it, or several; a tree
            of bools like the parameters, or like their upper levels; or a function ``path -> bool``, asked
            for the path of every leaf.
        statistics: what a frozen batch norm normalises by in training: ``"running"``, its running statistics,
            as in evaluation and as Keras does; or ``"batch"``, the batch, as torch does for a norm in
            training mode. Either way the statistics stay.

    Returns:
        `Frozen`: ``wrap(rule)`` freezes parameters in a loop of one's own, ``masks(params, state)`` says what
        is frozen.

    Raises:
        ValueError: no label, or unknown `statistics`. A label that matches nothing is an error where the
            network is known: in `make_train`, `fit`, `wrap(rule).init` and `masks`.
        DtypeError: `labels` of another kind.

    Example:
        >>> import jax.numpy as jnp
        >>> params = {"layers": {0: {"kernel": jnp.ones((2, 2))}, 1: {"kernel": jnp.ones((2, 2))}}}
        >>> frozen("layers/0").mask(params)
        {'layers': {0: {'kernel': True}, 1: {'kernel': False}}}
        >>> rule = frozen("layers/0").wrap(optax.adam(0.1))
        >>> updates, _ = rule.update(params, rule.init(params), params)
        >>> [round(float(updates["layers"][i]["kernel"][0, 0]), 3) for i in (0, 1)]
        [0.0, -0.1]

    Reference:
        ``layer.trainable = False`` of Keras; ``optax.partition`` with ``optax.set_to_zero``.
    """
    _checks.one_of("frozen", "statistics", statistics, STATISTICS)
    if isinstance(labels, Mapping):
        flags = _trees.named_leaves(labels)
        if not all(isinstance(flag, bool) for flag in flags.values()):
            raise _wrong_kind(labels, "a tree with leaves that are no bools")
        paths = tuple(name for name, flag in flags.items() if flag)
        found = Frozen(paths, tuple(name for name, flag in flags.items() if not flag), None, statistics)
    elif callable(labels):
        return Frozen((), (), labels, statistics)
    else:
        listed = [labels] if isinstance(labels, str) else labels
        if not isinstance(listed, Sequence) or not all(isinstance(label, str) for label in listed):
            raise _wrong_kind(labels, f"a {type(labels).__name__}")
        found = Frozen(tuple(label.strip("/") for label in listed), (), None, statistics)
    if not all(found.paths) or not found.paths:
        raise ValueError(
            explain("frozen", "labels", got=f"{labels!r}, which freezes nothing",
                    expected="at least one path", fix="frozen('layers/0'), or leave it out")
        )  # fmt: skip
    return found


def keep(mask: Any, before: Any, after: Any) -> Any:
    """Return `before` where the mask is True, else `after`: no bit of what is frozen changes.

    Args:
        mask: a tree of bools, of `Frozen.masks`.
        before: a tree like it.
        after: another.

    Returns:
        A tree like both.

    Raises:
        DtypeError: `mask` has a leaf that is no bool.
        ShapeError: the trees are unlike each other.

    Example:
        >>> keep({"a": True, "b": False}, {"a": 1, "b": 2}, {"a": 3, "b": 4})
        {'a': 1, 'b': 4}
    """
    if not all(isinstance(hold, bool) for hold in jax.tree.leaves(mask)):
        raise DtypeError(
            explain("keep", "mask", got="with leaves that are no bools", expected="a tree of bools",
                    fix="frozen(...).masks(params, state)")
        )  # fmt: skip
    for name, tree in (("before", before), ("after", after)):
        if [*_trees.named_leaves(tree)] != [*_trees.named_leaves(mask)]:
            raise ShapeError(
                explain("keep", name, got=f"a tree of {[*_trees.named_leaves(tree)][:6]}",
                        expected=f"a tree like the mask, {[*_trees.named_leaves(mask)][:6]}",
                        fix="mask the same tree")
            )  # fmt: skip
    return jax.tree.map(lambda hold, old, new: old if hold else new, mask, before, after)


def _below(name: str, path: str) -> bool:
    return name == path or name.startswith(f"{path}/")


def _surrounded(name: str, own: dict[str, bool]) -> bool:
    """Tell whether all parameters of the module that holds a leaf, or of the next around it, are frozen."""
    module = name
    while module:
        module = module.rpartition("/")[0]
        flags = [flag for other, flag in own.items() if not module or _below(other, module)]
        if flags:
            return all(flags)
    return False


def _unmatched(got: str, names: list[str]) -> ValueError:
    modules = list(dict.fromkeys(name.rpartition("/")[0] or name for name in names))
    listed = ", ".join(modules[:8]) + (f" and {len(modules) - 8} more" if len(modules) > 8 else "")
    return ValueError(explain("frozen", "labels", got=got, expected="paths of this network",
                              fix=f"choose from {listed}"))  # fmt: skip


def _wrong_kind(labels: Any, got: str) -> DtypeError:
    return DtypeError(
        explain("frozen", "labels", got=got,
                expected="a path, paths, a tree of bools or a function of a path", fix="frozen('layers/0')")
    )  # fmt: skip
