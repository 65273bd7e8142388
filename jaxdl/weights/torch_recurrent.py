"""Weights of torch's ``nn.RNN``, ``nn.GRU`` and ``nn.LSTM`` as ours, and back."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import FormatError, ShapeError, explain
from jaxdl.weights import _sources
from jaxdl.weights._torchvision_checks import differences
from jaxdl.weights.tree_file import named_arrays

Tree = dict[str, Any]
GATES = {"rnn": 1, "gru": 3, "lstm": 4}
UPDATES = ("state", "candidate")
DIRECTIONS = {"": "forward", "_reverse": "backward"}


class _Run(NamedTuple):
    """One layer in one direction: its place in our tree, the ending of torch's names, and its sizes."""

    layer: int
    direction: str
    ending: str
    inputs: int
    features: int


def from_torch_recurrent(
    kind: str,
    source: Mapping[str, Any] | str | Path,
    *,
    update: str = "state",
    finite: bool = True,
    dtype: Any = jnp.float32,
) -> Tree:
    """Return the parameters of a recurrent layer from the weights of torch's.

    ``W = weight_ih^T``, ``U = weight_hh^T``, ``b = bias_ih + bias_hh``. The b_hn of a GRU, which stands in
    the product with the reset gate, is kept apart as its recurrent bias. Layers and directions are read off
    the names; without biases ours are 0.

    The layers are ``jaxdl.layers.RNN``, ``GRU`` and ``LSTM`` with their defaults, as many layers and
    directions, and torch's activation. Inside a model, put the tree at the place of the layer.

    Args:
        kind: ``"rnn"``, ``"gru"`` or ``"lstm"``.
        source: the state dict of the torch module, or any mapping of its names to arrays; or the path of a
            file of safetensors or of ``torch.save``.
        update: ``"candidate"`` turns the update gate of a GRU around, for ``GRU(update="candidate")``.
        finite: False takes NaN and infinity as well.
        dtype: floating dtype of the results.

    Returns:
        params as `Net.init` returns them: ``{"layers": {0: {"forward": {"input": ...}}}}``.

    Raises:
        FormatError: names that are missing or unknown and shapes that differ, all at once; a value that is
            not finite; the projections of an LSTM with ``proj_size``, which no layer here has.
        DtypeError: a source that is no mapping and no path, or values that are no arrays of floats.
        ValueError: another kind, or ``update="candidate"`` of another kind than a GRU.
        OSError: the file cannot be read.

    Example:
        >>> source = {"weight_ih_l0": np.ones((12, 2)), "weight_hh_l0": np.ones((12, 4)),
        ...           "bias_ih_l0": np.ones(12), "bias_hh_l0": np.ones(12)}
        >>> found = from_torch_recurrent("gru", source)["layers"][0]["forward"]
        >>> found["input"].shape, found["bias"].tolist()[::4], found["recurrent_bias"].tolist()
        ((2, 12), [2.0, 2.0, 1.0], [1.0, 1.0, 1.0, 1.0])
    """
    op = "from_torch_recurrent"
    _check(op, kind, update)
    dtype = _sources.floating(op, dtype)
    arrays = _sources.read(op, source)
    runs, biased = _runs_of(kind, arrays), any(name.startswith("bias_") for name in arrays)
    _check_source(kind, source, arrays, _theirs(kind, runs, biased))
    layers: dict[int, Tree] = {}
    for run in runs:
        theirs = {
            part: np.asarray(_sources.converted(op, name, arrays[name], dtype, finite), np.float64)
            for part, name in _names(run, biased).items()
        }
        ours = {leaf: jnp.asarray(value, dtype) for leaf, value in _ours(kind, theirs, update).items()}
        layers.setdefault(run.layer, {})[run.direction] = ours
    return {"layers": layers}


def to_torch_recurrent(kind: str, params: Tree, *, update: str = "state") -> dict[str, np.ndarray]:
    """Return the parameters of a recurrent layer as those of torch's; `from_torch_recurrent` undoes it.

    ``bias_ih = b`` and ``bias_hh = 0``, but for the b_hn of a GRU, its recurrent bias. The torch module is
    ``nn.RNN``, ``nn.GRU`` or ``nn.LSTM`` with ``batch_first=True`` and as many layers and directions. What an
    LSTM with ``output_tanh=False`` computes, torch does not: no parameter tells.

    Args:
        kind: ``"rnn"``, ``"gru"`` or ``"lstm"``.
        params: the parameters of a layer, as `Net.init` or `from_torch_recurrent` returns them.
        update: of the GRU that the parameters are of.

    Returns:
        Arrays by torch's names, in torch's order and layout, each a copy that may be written to.

    Raises:
        ShapeError: leaves that are missing or unknown and shapes that differ, all at once: layer norm,
            peepholes, and a GRU without reset or that resets before the product, which torch does not have.
        ValueError: another kind, or ``update="candidate"`` of another kind than a GRU.
        DtypeError: a leaf that is no array.

    Example:
        >>> cell = {"input": np.ones((2, 4)), "recurrent": np.eye(4), "bias": np.ones(4)}
        >>> found = to_torch_recurrent("rnn", {"layers": {0: {"forward": cell}}})
        >>> {name: array.shape for name, array in found.items()}
        {'weight_ih_l0': (4, 2), 'weight_hh_l0': (4, 4), 'bias_ih_l0': (4,), 'bias_hh_l0': (4,)}
    """
    op = "to_torch_recurrent"
    _check(op, kind, update)
    leaves = named_arrays(op, params)
    runs = _runs_of_leaves(kind, leaves)
    _check_leaves(kind, leaves, runs)
    found: dict[str, np.ndarray] = {}
    for run in runs:
        ours = {leaf: leaves[f"{_place(run)}/{leaf}"] for leaf in _leaves(kind, run)}
        theirs = _back(kind, ours, update)
        found |= {name: np.array(theirs[part], order="C") for part, name in _names(run, True).items()}
    return found


def _check(op: str, kind: Any, update: Any) -> None:
    _checks.one_of(op, "kind", kind, tuple(GATES))
    _checks.one_of(op, "update", update, UPDATES)
    if update == "candidate" and kind != "gru":
        raise ValueError(explain(op, "update", got=f"'candidate' for '{kind}'", expected="'state', or a GRU",
                                 fix="leave update out"))  # fmt: skip


def _names(run: _Run, biased: bool) -> dict[str, str]:
    """Return torch's names of the arrays of a run, by what they are, in torch's order."""
    parts = ("weight_ih", "weight_hh", *(("bias_ih", "bias_hh") if biased else ()))
    return {part: f"{part}_l{run.layer}{run.ending}" for part in parts}


def _theirs(kind: str, runs: list[_Run], biased: bool) -> dict[str, tuple[int, ...]]:
    """Return torch's names and shapes."""
    found: dict[str, tuple[int, ...]] = {}
    for run in runs:
        rows = GATES[kind] * run.features
        shapes = {"weight_ih": (rows, run.inputs), "weight_hh": (rows, run.features)}
        found |= {name: shapes.get(part, (rows,)) for part, name in _names(run, biased).items()}
    return found


def _leaves(kind: str, run: _Run) -> dict[str, tuple[int, ...]]:
    """Return our leaves and shapes of a run."""
    columns = GATES[kind] * run.features
    found: dict[str, tuple[int, ...]] = {
        "input": (run.inputs, columns), "recurrent": (run.features, columns), "bias": (columns,)
    }  # fmt: skip
    return found | ({"recurrent_bias": (run.features,)} if kind == "gru" else {})


def _place(run: _Run) -> str:
    return f"layers/{run.layer}/{run.direction}"


def _runs(inputs: int, features: int, layers: int, both: bool) -> Iterator[_Run]:
    endings = DIRECTIONS if both else {"": "forward"}
    for layer in range(max(layers, 1)):
        width = features * len(endings) if layer else inputs
        for ending, direction in endings.items():
            yield _Run(layer, direction, ending, width, features)


def _runs_of(kind: str, arrays: Mapping[str, np.ndarray]) -> list[_Run]:
    """Return the runs that a state dict seems to hold."""
    numbers = [int(found[1]) for name in arrays if (found := re.fullmatch(r"weight_ih_l(\d+)", name))]
    first = np.shape(arrays.get("weight_ih_l0", np.zeros((0, 1))))
    rows, inputs = first if len(first) == 2 else (0, 1)
    held = arrays.get("weight_hh_l0")
    features = held.shape[1] if held is not None and held.ndim == 2 else max(rows // GATES[kind], 1)
    both = any(name.endswith("_reverse") for name in arrays)
    return list(_runs(inputs, features, min(max(numbers, default=0), len(arrays)) + 1, both))


def _runs_of_leaves(kind: str, leaves: Mapping[str, np.ndarray]) -> list[_Run]:
    """Return the runs that a tree of ours seems to hold."""
    numbers = [int(found[1]) for name in leaves if (found := re.match(r"layers/(\d+)/", name))]
    first = np.shape(leaves.get("layers/0/forward/input", np.zeros((1, 0))))
    inputs, columns = first if len(first) == 2 else (1, 0)
    held = leaves.get("layers/0/forward/recurrent")
    features = held.shape[0] if held is not None and held.ndim == 2 else max(columns // GATES[kind], 1)
    both = any("/backward/" in name for name in leaves)
    return list(_runs(inputs, features, min(max(numbers, default=0), len(leaves)) + 1, both))


def _check_source(
    kind: str, source: Any, arrays: Mapping[str, np.ndarray], expected: Mapping[str, tuple[int, ...]]
) -> None:
    op, told, module = "from_torch_recurrent", _sources.told(source), f"torch.nn.{kind.upper()}"
    if projections := [name for name in arrays if name.startswith("weight_hr_l")]:
        raise FormatError(
            explain(op, "source", got=f"{told}with '{projections[0]}', of an LSTM with proj_size",
                    expected="an LSTM without projections, as no layer here has them",
                    fix="train torch.nn.LSTM without proj_size")
        )  # fmt: skip
    shapes = {name: array.shape for name, array in arrays.items()}
    if found := differences(shapes, expected):
        raise FormatError(
            explain(op, "source", got=told + "; ".join(found),
                    expected=f"the {len(expected)} arrays of {module}", fix=_remedy(kind, shapes))
        )  # fmt: skip


def _remedy(kind: str, shapes: Mapping[str, tuple[int, ...]]) -> str:
    if prefixes := {name[: found.start()] for name in shapes if (found := re.search(r"weight_ih_l\d", name))}:
        if (prefix := min(prefixes)) and all(name.startswith(prefix) for name in shapes):
            cut = f"name.removeprefix('{prefix}')"
            return f"the names begin with '{prefix}': pass {{{cut}: array for name, array in source.items()}}"
        rows, *columns = shapes.get("weight_hh_l0", (0, 1))
        for other, gates in GATES.items():
            if other != kind and columns and rows == gates * columns[0]:
                return f"it looks like '{other}': from_torch_recurrent('{other}', ...)"
    return f"pass the state dict of the torch.nn.{kind.upper()} itself"


def _check_leaves(kind: str, leaves: Mapping[str, np.ndarray], runs: list[_Run]) -> None:
    expected = {f"{_place(run)}/{leaf}": size for run in runs for leaf, size in _leaves(kind, run).items()}
    shapes = {name: leaf.shape for name, leaf in leaves.items()}
    if found := differences(shapes, expected):
        raise ShapeError(
            explain("to_torch_recurrent", "params", got="; ".join(found),
                    expected=f"the {len(expected)} leaves of a layer that torch.nn.{kind.upper()} equals",
                    fix="pass the parameters of the layer itself, made in torch's convention")
        )  # fmt: skip


def _ours(kind: str, theirs: Mapping[str, np.ndarray], update: str) -> dict[str, np.ndarray]:
    """Return our leaves of one run, of torch's."""
    kernel, held = theirs["weight_ih"].T, theirs["weight_hh"].T
    none = np.zeros(kernel.shape[1])
    bias, second = theirs.get("bias_ih", none), theirs.get("bias_hh", none)
    found = {"input": kernel, "recurrent": held}
    if kind != "gru":
        return found | {"bias": bias + second}
    features = len(held)
    gates = np.arange(3 * features) < 2 * features
    found |= {"bias": bias + np.where(gates, second, 0.0), "recurrent_bias": second[2 * features :]}
    return _turned(found, features) if update == "candidate" else found


def _back(kind: str, ours: Mapping[str, np.ndarray], update: str) -> dict[str, np.ndarray]:
    """Return torch's arrays of one run, of our leaves."""
    features = len(ours["recurrent"])
    if update == "candidate":
        ours = _turned(ours, features)
    second = np.zeros_like(ours["bias"])
    if kind == "gru":
        second[2 * features :] = ours["recurrent_bias"]
    return {
        "weight_ih": ours["input"].T, "weight_hh": ours["recurrent"].T,
        "bias_ih": ours["bias"], "bias_hh": second,
    }  # fmt: skip


def _turned(ours: Mapping[str, np.ndarray], features: int) -> dict[str, np.ndarray]:
    """Return the leaves with the other update gate: ``1 - sigmoid(a) = sigmoid(-a)``."""
    columns = np.arange(3 * features) // features
    sign = np.where(columns == 1, -1, 1)
    turned = {leaf: (ours[leaf] * sign).astype(ours[leaf].dtype) for leaf in ("input", "recurrent", "bias")}
    return dict(ours) | turned
