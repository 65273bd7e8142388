"""Stages of blocks, the identical ones as one scan; and parameters from the one layout to the other."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax

from jaxdl.errors import ShapeError, explain

Tree = dict[Any, Any]

STACKED = "stacked"
Make = Callable[..., nnx.Module]


class ScannedBlocks(nnx.Module):
    """Blocks of the same shape as one `lax.scan`: traced once, their arrays with a leading axis of blocks.

    Args:
        make: ``make(rngs=...) -> block``, a module from (batch, ...) to the same shape.
        keys: one a block (blocks,).

    Example:
        >>> from jaxdl.layers import Linear
        >>> keys = jax.random.split(jax.random.key(0), 3)
        >>> blocks = ScannedBlocks(lambda rngs: Linear(4, 4, rngs=rngs), keys)
        >>> blocks(jnp.ones((2, 4))).shape, blocks.stacked.kernel.shape
        ((2, 4), (3, 4, 4))
    """

    def __init__(self, make: Make, keys: jax.Array) -> None:
        graph, state = _parts(make)
        self.stacked = nnx.merge(graph, jax.vmap(state)(keys))

    def __call__(self, x: jax.Array) -> jax.Array:
        """Apply the blocks to `x` in turn."""
        graph, params, state = nnx.split(self.stacked, nnx.Param, ...)

        def block(x: jax.Array, arrays: Any) -> tuple[jax.Array, Any]:
            merged: Any = nnx.merge(graph, *arrays)
            return merged(x), nnx.state(merged, nnx.Not(nnx.Param))

        x, state = lax.scan(block, x, (params, state))
        nnx.update(self.stacked, state)
        return x


def stage(first: Make, other: Make, count: int, *, scan: bool, rngs: nnx.Rngs) -> nnx.List[nnx.Module]:
    """Return `count` blocks: the first, and the others, which keep the shape; scanned where two or more."""
    keys = [rngs.params() for _ in range(count)]
    blocks = [first(rngs=nnx.Rngs(keys[0]))]
    if count == 1:
        return nnx.List(blocks)
    if scan and count > 2:
        return nnx.List([*blocks, ScannedBlocks(other, jnp.stack(keys[1:]))])
    graph, state = _parts(other)
    return nnx.List([*blocks, *(nnx.merge(graph, state(key)) for key in keys[1:])])


def _parts(make: Make) -> tuple[Any, Callable[[jax.Array], Any]]:
    """Return the graph of a block, and its state as a function of a key, which is traced once for them all.

    flax draws from a traced `nnx.Rngs` in time that grows with what was traced before: for 152 layers, a
    module after the other, to half a minute.
    """
    graph, _ = nnx.split(nnx.eval_shape(lambda: make(rngs=nnx.Rngs(0))))
    return graph, jax.jit(lambda key: nnx.state(make(rngs=nnx.Rngs(key))))


def stack_blocks(tree: Tree) -> Tree:
    """Return parameters or state of a plain residual network as those of one with ``scan_blocks=True``.

    All blocks of a stage but the first become one, under ``"stacked"``, with a leading axis; a stage of one
    or two blocks stays. Trees that mirror the parameters (gradients, a velocity) are converted as well.

    Args:
        tree: what `Net.init` gave, or `Fitted.params`: nested dicts with the stages under ``"layers"``.

    Returns:
        The same arrays in the other layout.

    Raises:
        ShapeError: a tree without stages, one that is stacked already, or blocks that differ in shape.

    Example:
        >>> plain = {"layers": {0: {i: {"kernel": jnp.full((2,), 1.0 * i)} for i in range(3)}}}
        >>> stack_blocks(plain)["layers"][0][1]["stacked"]["kernel"].tolist()
        [[1.0, 1.0], [2.0, 2.0]]
    """
    return _each_stage("stack_blocks", tree, _stack)


def unstack_blocks(tree: Tree) -> Tree:
    """Return parameters or state of a network with ``scan_blocks=True`` as those of a plain one.

    Args:
        tree: nested dicts with the stages under ``"layers"``; see `stack_blocks`, which this undoes.

    Returns:
        The same arrays, one entry a block.

    Raises:
        ShapeError: a tree without stages, or one that is not stacked.

    Example:
        >>> plain = {"layers": {0: {i: {"kernel": jnp.full((2,), 1.0 * i)} for i in range(3)}}}
        >>> unstack_blocks(stack_blocks(plain))["layers"][0][2]["kernel"].tolist()
        [2.0, 2.0]
    """
    return _each_stage("unstack_blocks", tree, _unstack)


def _each_stage(op: str, tree: Tree, convert: Callable[[Tree], Tree]) -> Tree:
    stages = tree.get("layers", {}) if isinstance(tree, dict) else {}
    found = list(stages.values())
    if not found or not all(isinstance(blocks, dict) and 0 in blocks for blocks in found):
        got = sorted(map(str, tree)) if isinstance(tree, dict) else f"a {type(tree).__name__}"
        raise ShapeError(
            explain(op, "tree", got=got, expected="the params or the state of a residual network, "
                    "with stages of blocks under 'layers'", fix="pass what Net.init returns")
        )  # fmt: skip
    stacked = any(_is_stacked(blocks) for blocks in found)
    scannable = stacked or any(len(blocks) > 2 for blocks in found)
    if scannable and stacked is (convert is _stack):
        raise ShapeError(
            explain(op, "tree", got="stacked already" if stacked else "not stacked",
                    expected="the other layout", fix=f"leave {op} out")
        )  # fmt: skip
    return {**tree, "layers": {name: convert(blocks) for name, blocks in stages.items()}}


def _is_stacked(blocks: Tree) -> bool:
    return isinstance(blocks.get(1), dict) and STACKED in blocks[1]


def _stack(blocks: Tree) -> Tree:
    first, *rest = (blocks[index] for index in sorted(blocks))
    if len(rest) < 2:
        return blocks
    shapes = [jax.tree.map(jnp.shape, block) for block in rest]
    if any(shape != shapes[0] for shape in shapes):
        raise ShapeError(
            explain("stack_blocks", "tree", got="a stage whose blocks have other shapes",
                    expected="equal shapes from the second block on", fix="pass what Net.init returns")
        )  # fmt: skip
    return {0: first, 1: {STACKED: jax.tree.map(lambda *leaves: jnp.stack(leaves), *rest)}}


def _unstack(blocks: Tree) -> Tree:
    if not _is_stacked(blocks):
        return blocks
    return {0: blocks[0], **dict(enumerate(_rows(blocks[1][STACKED]), start=1))}


def _rows(tree: Tree) -> Iterator[Tree]:
    for index in range(len(jax.tree.leaves(tree)[0])):
        yield jax.tree.map(lambda leaf: leaf[index], tree)  # noqa: B023
