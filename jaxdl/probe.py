"""What happens inside a network while it learns, measured inside the compiled run.

The makers here return a function for ``train.Spec(record=...)`` or ``train.fit(..., record=...)``, which is
called with a `jaxdl.train.Step` in every step; the means over an epoch land in the history under names such
as ``"gradient_norm/layers/0/kernel"`` and ``"dead/activations/0"``.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks, _trees
from jaxdl.errors import ShapeError, explain

Record = Callable[[Any], dict[str, jax.Array]]
NORMS = ("gradient_norm", "update_norm", "weight_norm", "update_ratio")
MEASURES = ("mean", "std", "dead", "saturated", "histogram")
RANGES = {"sigmoid": (0.0, 1.0), "tanh": (-1.0, 1.0), "softsign": (-1.0, 1.0)}
RECTIFIERS = ("relu",)


def dead(outputs: jax.Array) -> jax.Array:
    """Share of units that are never positive on the batch: ``mean_j [max_i a_ij <= 0]``.

    A ReLU unit that is never active gets no gradient from the batch. The outputs may be taken before the
    ReLU or after it. The share is NaN when an output is.

    Args:
        outputs: (batch, ..., units), floating; all axes but the last are examples and positions.

    Returns:
        Scalar in [0, 1].

    Raises:
        DtypeError: `outputs` is not floating.
        ShapeError: rank below 2, or no entry.

    Example:
        >>> float(dead(jnp.array([[0.0, 2.0], [0.0, 0.0]])))
        0.5
    """
    outputs = _outputs("dead", outputs)
    idle = jnp.all(outputs <= 0, axis=tuple(range(outputs.ndim - 1)))
    return jnp.where(jnp.any(jnp.isnan(outputs)), jnp.nan, jnp.mean(idle, dtype=outputs.dtype))


def saturated(outputs: jax.Array, *, low: float = 0.0, high: float = 1.0, margin: float = 0.05) -> jax.Array:
    """Share of outputs near an end of their range, where the slope is small: within ``margin (high - low)``.

    Args:
        outputs: of an activation with two ends, (batch, ..., units), floating.
        low: lower end: 0 for the sigmoid, -1 for tanh and softsign.
        high: upper end.
        margin: share of the range that counts as its end, in [0, 0.5).

    Returns:
        Scalar in [0, 1]; NaN when an output is NaN.

    Raises:
        DtypeError: `outputs` is not floating.
        ShapeError: rank below 2, or no entry.
        ValueError: `high` is not above `low`, or a margin out of range.

    Example:
        >>> float(saturated(jnp.array([[0.01, 0.5, 0.99, 0.6]])))
        0.5
    """
    outputs = _outputs("saturated", outputs)
    _interval("saturated", low, high)
    _checks.in_range("saturated", "margin", margin, 0, 0.5, "[0, 0.5)")
    edge = margin * (high - low)
    near = (outputs <= low + edge) | (outputs >= high - edge)
    return jnp.where(jnp.any(jnp.isnan(outputs)), jnp.nan, jnp.mean(near, dtype=outputs.dtype))


def histogram(outputs: jax.Array, *, low: float = -3.0, high: float = 3.0, bins: int = 40) -> jax.Array:
    """Share of outputs in each of `bins` equal parts of [low, high]; what lies outside is in the end parts.

    Args:
        outputs: (batch, ..., units), floating.
        low: lower end, finite.
        high: upper end, finite.
        bins: number of parts, at least 1.

    Returns:
        Shares (bins,) of sum 1; NaN throughout when an output is NaN.

    Raises:
        DtypeError: `outputs` is not floating, or `bins` no whole number.
        ShapeError: rank below 2, or no entry.
        ValueError: `high` is not above `low`, or `bins` is below 1.

    Example:
        >>> histogram(jnp.array([[0.0, 1.0, 1.0, 9.0]]), low=0, high=2, bins=2).tolist()
        [0.25, 0.75]
    """
    outputs = _outputs("histogram", outputs)
    _interval("histogram", low, high)
    bins = _checks.positive_integer("histogram", "bins", bins)
    inner = jnp.asarray(np.linspace(low, high, bins + 1)[1:-1], outputs.dtype)
    flat = outputs.ravel()
    # Counted by comparison: fused into one pass, where a scatter of counts would go entry by entry.
    above = jnp.sum(flat[:, None] >= inner[None], axis=0, dtype=jnp.int32)
    counts = -jnp.diff(above, prepend=flat.size, append=0).astype(outputs.dtype)
    return jnp.where(jnp.any(jnp.isnan(flat)), jnp.nan, counts / flat.size)


def norms(tree: Any) -> dict[str, jax.Array]:
    """Return the Euclidean norm of every array of a tree, by path: ``{"layers/0/kernel": norm}``.

    Args:
        tree: gradients, updates or parameters: nested dicts of floating arrays.

    Returns:
        Scalars by path, in the order of the tree.

    Raises:
        DtypeError: a leaf that is no floating array.
        ValueError: a tree without leaves.

    Example:
        >>> {name: float(norm) for name, norm in norms({"w": jnp.array([3.0, 4.0])}).items()}
        {'w': 5.0}
    """
    leaves = _trees.named_leaves(tree)
    if not leaves:
        raise ValueError(
            explain("norms", "tree", got="without leaves", expected="a tree of arrays",
                    fix="pass gradients, updates or parameters")
        )  # fmt: skip
    return {path: _norm(_checks.floating("norms", path, leaf)) for path, leaf in leaves.items()}


def parameters(*measures: str) -> Record:
    """Make a record of norms by parameter: gradient, update, weight, and update over weight.

    It costs a pass over the arrays that it measures: little beside a step, unless batches are tiny.

    Args:
        measures: which of ``"gradient_norm"``, ``"update_norm"``, ``"weight_norm"`` and ``"update_ratio"``;
            none means all. The ratio is given for parameters of rank 2 or more, and is inf where all weights
            are 0; about 1e-3 is healthy by a rule of thumb.

    Returns:
        ``record(step) -> {"<measure>/<path>": scalar}``, for networks of any make.

    Raises:
        ValueError: an unknown measure.

    Example:
        >>> from jaxdl import losses, optim, train
        >>> from jaxdl.net import from_pair
        >>> net = from_pair(lambda key: {"w": jnp.ones((1, 1))}, lambda params, x: x @ params["w"])
        >>> fitted = train.fit(net, (np.ones((4, 1)), np.zeros((4, 1))), loss=losses.squared_error,
        ...                    optimizer=optim.sgd(0.1), epochs=2, batch_size=4, progress="off",
        ...                    record=parameters("gradient_norm", "update_ratio"))
        >>> [round(float(norm), 2) for norm in fitted.history["gradient_norm/w"]]
        [2.0, 1.6]
    """
    for measure in measures:
        _checks.one_of("parameters", "measures", measure, NORMS)

    def record(step: Any) -> dict[str, jax.Array]:
        found: dict[str, jax.Array] = {}
        for measure in measures or NORMS:
            found |= {f"{measure}/{path}": norm for path, norm in _measured(measure, step).items()}
        return found

    return record


def activations(
    net: Any,
    *measures: str,
    train: bool = True,
    paths: tuple[str, ...] | None = None,
    kinds: Mapping[str, str] | None = None,
    low: float = -3.0,
    high: float = 3.0,
    bins: int = 40,
    margin: float = 0.05,
) -> Record:
    """Make a record of what the modules of a network return, by path, at the parameters before the step.

    It costs another forward pass of the batch (a third of a step or so), and one pass over each output.

    Args:
        net: a network of `jaxdl.net.functional` or `from_linen`; see `Net.trace`.
        measures: which of ``"mean"``, ``"std"``, ``"dead"`` (of ReLU outputs), ``"saturated"`` (of sigmoid,
            tanh and softsign outputs) and ``"histogram"``; none means all.
        train: measure as in training, with the very dropout masks of the step, or as in evaluation.
        paths: the modules to measure; None means all.
        kinds: activation by path, where a module's own kind does not say it: ``{"Dense_0": "relu"}``.
        low: lower end of histograms.
        high: upper end of histograms.
        bins: parts of histograms.
        margin: see `saturated`.

    Returns:
        ``record(step) -> {"<measure>/<path>": scalar, "histogram/<path>": (bins,)}``.

    Raises:
        TypeError: a network without a trace, such as one made of a pair of functions.
        ValueError: an unknown measure, path or kind, or ends and margins out of range.

    Example:
        >>> import jax
        >>> from jaxdl import losses, optim, train
        >>> from jaxdl.models import MLP, MLPConfig
        >>> from jaxdl.net import functional
        >>> net = functional(lambda rngs: MLP(MLPConfig(sizes=(2, 8, 2)), rngs=rngs))
        >>> fitted = train.fit(net, (np.eye(2), np.array([0, 1])), loss=losses.softmax_cross_entropy,
        ...                    optimizer=optim.sgd(0.1), epochs=3, batch_size=2, progress="off",
        ...                    record=activations(net, "dead", "histogram"))
        >>> fitted.history["dead/activations/0"].shape, fitted.history["histogram/layers/1"].shape
        ((3,), (3, 40))
    """
    if getattr(net, "trace", None) is None:
        raise TypeError(
            explain("activations", "net", got=f"a {type(net).__name__} whose outputs inside cannot be seen",
                    expected="a Net of net.functional or net.from_linen",
                    fix="use probe.parameters, which needs no modules")
        )  # fmt: skip
    for measure in measures:
        _checks.one_of("activations", "measures", measure, MEASURES)
    for kind in (kinds or {}).values():
        _checks.one_of("activations", "kinds", kind, (*RECTIFIERS, *RANGES))
    _checks.one_of("activations", "train", train, (True, False))
    _interval("activations", low, high)
    _checks.in_range("activations", "margin", margin, 0, 0.5, "[0, 0.5)")
    bins = _checks.positive_integer("activations", "bins", bins)

    def record(step: Any) -> dict[str, jax.Array]:
        key = step.key if train else None
        outputs = net.trace(step.params, step.state, step.inputs, train=train, key=key, hyper=step.hyper)
        for path in (*(paths or ()), *(kinds or ())):
            _checks.one_of("activations", "paths", path, tuple(outputs))
        found: dict[str, jax.Array] = {}
        for path in paths or outputs:
            kind, value = (kinds or {}).get(path, outputs[path].kind), outputs[path].value
            for measure in measures or MEASURES:
                result = _of_outputs(measure, kind, value, (low, high, bins, margin))
                found |= {} if result is None else {f"{measure}/{path}": result}
        return found

    return record


def layers(net: Any, **options: Any) -> Record:
    """Make a record of everything by layer: that of `parameters` and that of `activations` together.

    Args:
        net: a network of `jaxdl.net.functional` or `from_linen`.
        options: those of `activations`.

    Returns:
        ``record(step) -> {name: array}``.

    Raises:
        TypeError: a network whose outputs inside cannot be seen, or an unknown option.
        ValueError: an option out of range.

    Example:
        >>> from jaxdl.models import MLP, MLPConfig
        >>> from jaxdl.net import functional
        >>> from jaxdl.train import Spec
        >>> net = functional(lambda rngs: MLP(MLPConfig(sizes=(2, 8, 2)), rngs=rngs))
        >>> spec = Spec(epochs=3, batch_size=2, record=layers(net, bins=20))
    """
    return join(parameters(), activations(net, **options))


def join(*records: Record) -> Record:
    """Make one record of several.

    Args:
        records: functions of a step that return arrays by name, no name twice.

    Returns:
        ``record(step) -> {name: array}``, the names of all.

    Raises:
        ValueError: no record; when called, a name that two records return.
        TypeError: a record that is no function.

    Example:
        >>> both = join(lambda step: {"a": step}, lambda step: {"b": 2 * step})
        >>> both(1)
        {'a': 1, 'b': 2}
    """
    if not records:
        raise ValueError(
            explain("join", "records", got="empty", expected="at least one record", fix="pass functions")
        )
    for record in records:
        if not callable(record):
            raise TypeError(
                explain("join", "records", got=f"a {type(record).__name__}", expected="functions of a step",
                        fix="pass probe.parameters(), with its brackets")
            )  # fmt: skip

    def joined(step: Any) -> dict[str, jax.Array]:
        found: dict[str, jax.Array] = {}
        for record in records:
            new = dict(record(step))
            for name in found.keys() & new.keys():
                raise ValueError(
                    explain("join", "records", got=f"two that return '{name}'", expected="names of their own",
                            fix="rename one of them")
                )  # fmt: skip
            found |= new
        return found

    return joined


def _measured(measure: str, step: Any) -> dict[str, jax.Array]:
    if measure == "gradient_norm":
        return norms(step.gradients)
    if measure == "weight_norm":
        return norms(step.params)
    updates = norms(step.updates)
    if measure == "update_norm":
        return updates
    weights, leaves = norms(step.params), _trees.named_leaves(step.params)
    return {path: updates[path] / weights[path] for path in weights if jnp.ndim(leaves[path]) >= 2}


def _of_outputs(
    measure: str, kind: str, value: jax.Array, options: tuple[float, float, int, float]
) -> jax.Array | None:
    """Measure the outputs of one module; None where the measure does not apply to its kind."""
    low, high, bins, margin = options
    if measure == "dead":
        return dead(value) if kind in RECTIFIERS else None
    if measure == "saturated":
        ends = RANGES.get(kind)
        return None if ends is None else saturated(value, low=ends[0], high=ends[1], margin=margin)
    if measure == "histogram":
        return histogram(value, low=low, high=high, bins=bins)
    return jnp.mean(value) if measure == "mean" else jnp.std(value)


def _norm(leaf: jax.Array) -> jax.Array:
    # Scaled by the largest entry, so that tiny gradients do not vanish when squared.
    largest = jnp.max(jnp.abs(leaf), initial=0)
    safe = jnp.where((largest > 0) & jnp.isfinite(largest), largest, 1)
    return safe * jnp.sqrt(jnp.sum(jnp.square(leaf / safe)))


def _outputs(op: str, value: Any) -> jax.Array:
    value = _checks.floating(op, "outputs", value)
    _checks.rank_at_least(op, "outputs", value, 2, "(batch, ..., units)")
    if value.size == 0:
        raise ShapeError(
            explain(op, "outputs", got=f"of shape {value.shape}", expected="at least one entry",
                    fix="pass the outputs of a whole batch")
        )  # fmt: skip
    return value if value.dtype == jnp.float64 else value.astype(jnp.float32)


def _interval(op: str, low: float, high: float) -> None:
    for name, end in (("low", low), ("high", high)):
        _checks.in_range(op, name, end, -float("inf"), float("inf"), "(-inf, inf)")
    if not float("-inf") < low < high:
        raise ValueError(
            explain(op, "high", got=f"{high} with low={low}", expected="low < high, both finite",
                    fix="low=-3.0, high=3.0")
        )  # fmt: skip
