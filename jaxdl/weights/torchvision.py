"""Weights of torchvision's networks as ours, and back."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import FormatError, ShapeError, explain
from jaxdl.weights import _sources
from jaxdl.weights._torchvision_checks import COUNTER, differences, remedy, sizes_of
from jaxdl.weights._torchvision_layers import NETWORKS, Entry, Sizes, state_dict
from jaxdl.weights.tree_file import named_arrays

Tree = dict[str, Any]
NAMES = tuple(NETWORKS)
OP = "from_torchvision"


def from_torchvision(
    name: str,
    source: Mapping[str, Any] | str | Path,
    *,
    num_classes: int | None = None,
    auxiliary: bool = False,
    finite: bool = True,
    dtype: Any = jnp.float32,
) -> tuple[Tree, Tree]:
    """Return the parameters and the state of a network from the weights of torchvision's.

    Kernels of convolutions go from (out, in, height, width) to (height, width, in, out), those of dense
    layers from (out, in) to (in, out), those of the first dense layer after a map also from the order
    (channel, height, width) to (height, width, channel). Running means and variances go to the state.
    Counters of batches, which older files lack, are left out: no network here reads them. The logits then
    equal torchvision's, given images scaled as `torchvision_scaling` says.

    The networks are ``jaxdl.models.AlexNet.torchvision``, ``VGG.vgg16`` (``batch_norm=True`` for
    ``vgg16_bn``), ``ResNet.resnet50``, ``GoogLeNet.torchvision`` and their kin. For a ResNet with
    ``scan_blocks=True`` pass params and state through `jaxdl.models.stack_blocks`. The published weights of
    GoogLeNet were trained on pixels scaled otherwise; `torchvision_scaling` knows how.

    Args:
        name: ``"alexnet"``; ``"vgg11"``, 13, 16, 19, each also as ``"vgg11_bn"``; ``"resnet18"``, 34, 50,
            101, 152; ``"googlenet"``.
        source: torch's state dict, or any mapping of its names to arrays; or the path of a file, as
            `download_torchvision` gives: safetensors, or of ``torch.save`` (see `load_torch`).
        num_classes: outputs that the last layer must have; None takes what is there.
        auxiliary: whether GoogLeNet has its auxiliary heads; False leaves out those of the source.
        finite: False takes NaN and infinity as well, for a file of which only a part is good: the published
            ``"IMAGENET1K_FEATURES"`` of VGG-16 has no valid numbers in its classifier.
        dtype: floating dtype of the results.

    Returns:
        params and state as `Net.init` returns them.

    Raises:
        FormatError: names that are missing or unknown and shapes that differ, all at once, or a value that is
            not finite, a variance below 0, or a file that is damaged.
        DtypeError: a source that is no mapping and no path, values that are no arrays of floats, or a dtype
            that is not floating, or float64 where jax holds no 64 bits.
        ValueError: another name, or auxiliary heads for another network.
        OSError: the file cannot be read.

    Example:
        >>> import jax
        >>> from jaxdl import models, net
        >>> network = net.functional(lambda rngs: models.ResNet.resnet18(rngs=rngs))
        >>> params, state = (
        ...     jax.tree.map(lambda leaf: np.zeros(leaf.shape, np.float32), tree)
        ...     for tree in jax.eval_shape(network.init, jax.random.key(0))
        ... )
        >>> source = to_torchvision("resnet18", params, state)
        >>> params, state = from_torchvision("resnet18", source)
        >>> source["conv1.weight"].shape, params["conv1"]["kernel"].shape
        ((64, 3, 7, 7), (7, 7, 3, 64))
    """
    _check_name("from_torchvision", name, auxiliary)
    dtype = _sources.floating(OP, dtype)
    arrays = _sources.read(OP, source)
    if not auxiliary and name == "googlenet":
        arrays = {key: array for key, array in arrays.items() if not key.startswith(("aux1.", "aux2."))}
    trees: dict[str, Tree] = {"params": {}, "state": {}}
    for key, entry in _entries(name, source, arrays, num_classes, auxiliary).items():
        if entry.tree:
            array = _ours(entry, _sources.converted(OP, key, arrays[key], dtype, finite))
            if entry.leaf == "var":
                _check_variance(key, array)
            _put(trees[entry.tree], (*entry.layer.place, entry.leaf), jnp.asarray(array, dtype))
    return trees["params"], trees["state"]


def to_torchvision(
    name: str, params: Tree, state: Tree, *, num_batches_tracked: int = 0
) -> dict[str, np.ndarray]:
    """Return the weights of a network as those of torchvision's; `from_torchvision` undoes it bit for bit.

    ``{name: torch.from_numpy(array) for name, array in to_torchvision(...).items()}`` is what
    ``load_state_dict(..., strict=True)`` takes.

    Args:
        name: the network, as in `from_torchvision`.
        params: its parameters. Those of a ResNet with ``scan_blocks=True`` go through
            `jaxdl.models.unstack_blocks` first, and the state too.
        state: its state.
        num_batches_tracked: what torch's batch norms are to take as the number of batches they have seen; it
            counts only where they were made with ``momentum=None``.

    Returns:
        Arrays by torch's names, in torch's order and layout, each a copy that may be written to; dtypes as in
        the trees, and int64 for the counters.

    Raises:
        ShapeError: leaves that are missing or unknown and shapes that differ, all at once.
        ValueError: another name, or a negative counter.
        DtypeError: a leaf that is no array.

    Example:
        >>> try:
        ...     to_torchvision("alexnet", {"features": {0: {"bias": np.zeros(64)}}}, {})
        ... except ShapeError as error:
        ...     print(str(error).split(", ")[0])
        to_torchvision: argument 'params' is without 'params/features/0/kernel'
    """
    _check_name("to_torchvision", name, False)
    _checks.positive_integer("to_torchvision", "num_batches_tracked", num_batches_tracked, least=0)
    leaves = named_arrays("to_torchvision", {"params": params, "state": state})
    shapes = {key: leaf.shape for key, leaf in leaves.items()}
    entries = state_dict(name, _sizes_of_leaves(name, shapes))
    _check_leaves(name, shapes, entries)
    counter = np.int64(num_batches_tracked)
    return {
        key: _theirs(entry, leaves[entry.name]) if entry.tree else np.array(counter)
        for key, entry in entries.items()
    }


def _check_name(op: str, name: Any, auxiliary: Any) -> None:
    _checks.one_of(op, "name", name, NAMES)
    _checks.one_of(op, "auxiliary", auxiliary, (True, False))
    if auxiliary and name != "googlenet":
        raise ValueError(explain(op, "auxiliary", got=f"True for '{name}'", expected="False, or 'googlenet'",
                                 fix="leave auxiliary out"))  # fmt: skip


def _entries(
    name: str, source: Any, arrays: Mapping[str, np.ndarray], num_classes: int | None, auxiliary: bool
) -> dict[str, Entry]:
    """Return what the arrays are, or raise when they are not those of the network."""
    if num_classes is not None:
        num_classes = _checks.positive_integer("from_torchvision", "num_classes", num_classes)
    shapes = {key: array.shape for key, array in arrays.items()}
    entries = state_dict(name, sizes_of(name, shapes, num_classes=num_classes, auxiliary=auxiliary))
    expected = {key: entry.shape for key, entry in entries.items()}
    if found := differences(shapes, expected, optional=COUNTER):
        raise FormatError(
            explain("from_torchvision", "source", got=_sources.told(source) + "; ".join(found),
                    expected=f"the {len(expected)} arrays of torchvision's {name}",
                    fix=remedy(name, shapes, expected))
        )  # fmt: skip
    return entries


def _check_variance(key: str, array: np.ndarray) -> None:
    lowest = float(array.astype(np.float64).min(where=array < 0, initial=0.0))  # passes by NaN, if taken
    if lowest < 0:
        raise FormatError(explain("from_torchvision", f"source['{key}']", got=f"as low as {lowest:g}",
                                  expected="variances of at least 0",
                                  fix="take a fresh copy of the weights"))  # fmt: skip


def _put(tree: Tree, place: tuple[str | int, ...], leaf: Any) -> None:
    node: Any = tree
    for part in place[:-1]:
        node = node.setdefault(part, {})
    node[place[-1]] = leaf


def _ours(entry: Entry, array: np.ndarray) -> np.ndarray:
    if entry.leaf != "kernel":
        return array
    if entry.layer.map:
        channels = array.reshape(len(array), *entry.layer.map)
        return channels.transpose(2, 3, 1, 0).reshape(-1, len(array))
    return array.transpose(2, 3, 1, 0) if entry.layer.kind == "conv" else array.T


def _theirs(entry: Entry, array: np.ndarray) -> np.ndarray:
    if entry.leaf == "kernel" and entry.layer.map:
        channels, height, width = entry.layer.map
        positions = array.reshape(height, width, channels, -1)
        array = positions.transpose(3, 2, 0, 1).reshape(array.shape[1], -1)
    elif entry.leaf == "kernel":
        array = array.transpose(3, 2, 0, 1) if entry.layer.kind == "conv" else array.T
    return np.array(array, order="C")


def _sizes_of_leaves(name: str, shapes: Mapping[str, tuple[int, ...]]) -> Sizes:
    """Return the sizes that our trees seem to be of: their kernels have the axes of torch's from the end."""
    auxiliary = name == "googlenet" and any(key.startswith("params/aux/") for key in shapes)
    entries = state_dict(name, Sizes(auxiliary=auxiliary))
    theirs = {key: shapes.get(entry.name, ())[::-1] for key, entry in entries.items()}
    return sizes_of(name, theirs, num_classes=None, auxiliary=auxiliary)


def _check_leaves(name: str, got: Mapping[str, tuple[int, ...]], entries: Mapping[str, Entry]) -> None:
    expected = {entry.name: entry.ours for entry in entries.values() if entry.tree}
    if found := differences(got, expected):
        stacked = any("/stacked/" in key for key in got)
        fix = "pass both through jaxdl.models.unstack_blocks" if stacked else f"is it of another than {name}?"
        raise ShapeError(explain("to_torchvision", "params", got="; ".join(found),
                                 expected=f"the leaves of our {name}, {len(expected)} in params and state",
                                 fix=fix))  # fmt: skip
