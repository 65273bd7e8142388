"""Nested dicts of arrays: naming their leaves and comparing their structure."""

from typing import Any

import jax

from jaxdl.errors import ShapeError, explain


def named_leaves(tree: Any) -> dict[str, Any]:
    """Return the leaves of a tree by path, such as ``{"layers/0/kernel": array}``."""
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {"/".join(_name(entry) for entry in path): leaf for path, leaf in leaves}


def check_like(op: str, argument: str, tree: Any, like: Any) -> None:
    """Raise `ShapeError` that names the first leaf in which `tree` differs from `like`."""
    got, expected = named_leaves(tree), named_leaves(like)
    for name in [*expected, *got]:
        if name not in got or name not in expected:
            known = "missing" if name not in got else "not of this network"
            raise ShapeError(
                explain(op, argument, got=f"a tree with '{name}' {known}",
                        expected=f"the leaves {_short(expected)}", fix="use what Net.init returns")
            )  # fmt: skip
        if got[name].shape != expected[name].shape:
            raise ShapeError(
                explain(op, f"{argument}['{name}']", got=f"of shape {got[name].shape}",
                        expected=f"{expected[name].shape}", fix="use what Net.init returns")
            )  # fmt: skip


def _name(entry: Any) -> str:
    for attribute in ("key", "idx", "name"):
        if hasattr(entry, attribute):
            # Escaped as in a JSON pointer, so that {"a/b": x} and {"a": {"b": x}} differ.
            return str(getattr(entry, attribute)).replace("~", "~0").replace("/", "~1")
    return str(entry)


def _short(leaves: dict[str, Any]) -> str:
    names = sorted(leaves)
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
