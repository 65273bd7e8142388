"""The loss of classifiers of cropped regions, each region an example of its own."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxdl import _checks
from jaxdl.errors import DtypeError, ShapeError, explain
from jaxdl.losses.classification import softmax_cross_entropy
from jaxdl.losses.regression import smooth_l1


class CropOutputs(NamedTuple):
    """What a network says of crops of images; the first class of the logits is the background.

    Attributes:
        logits: (batch, 1 + classes), of the background and of each class.
        offsets: (batch, 4 classes), four numbers a class: offsets of `boxes.encode` from the region of the
            crop, in units of `losses.OFFSET_SCALES`.

    Example:
        >>> CropOutputs(jnp.zeros((2, 3)), jnp.zeros((2, 8))).logits.shape
        (2, 3)
    """

    logits: jax.Array
    offsets: jax.Array


def crop_heads(outputs: CropOutputs, targets: Mapping[str, Any], *, beta: float = 1 / 9) -> jax.Array:
    """Two-term loss of cropped regions: ``cross_entropy(z, c) + [c > 0] smooth_l1(t_c, t)``.

    Args:
        outputs: a `CropOutputs`.
        targets: ``{"labels": (batch,), "offsets": (batch, 4)}``, as `proposals.crops` makes them: c, which is
            0 for the background and 1 for the first class, and t, which has no say for the background.
        beta: where the smooth L1 goes over from a square into a line.

    Returns:
        Array (batch,). A label outside [0, classes] makes the loss of its own crop NaN.

    Raises:
        DtypeError: `outputs` is no `CropOutputs` of floating arrays, targets lack a name, or labels
            are not integers.
        ShapeError: arrays that do not fit each other.

    Example:
        >>> outputs = CropOutputs(jnp.zeros((2, 3)), jnp.ones((2, 8)))
        >>> targets = {"labels": jnp.array([0, 2]), "offsets": jnp.zeros((2, 4))}
        >>> [round(float(value), 2) for value in crop_heads(outputs, targets)]
        [1.1, 4.88]

    Reference:
        Girshick et al. (2014), with the softmax and the joint training of Girshick (2015).
    """
    op = "crop_heads"
    if not isinstance(outputs, CropOutputs):
        raise DtypeError(
            explain(op, "outputs", got=f"a {type(outputs).__name__}", expected="a CropOutputs",
                    fix="pass what an RCNN returns for crops")
        )  # fmt: skip
    missing = [
        name for name in ("labels", "offsets") if not isinstance(targets, Mapping) or name not in targets
    ]
    if missing:
        raise DtypeError(
            explain(op, "targets", got=f"without {missing[0]!r}", expected="a dict of labels and offsets",
                    fix="pass what proposals.crops returns")
        )  # fmt: skip
    outputs = CropOutputs(*(_checks.floating(op, f"outputs.{k}", v) for k, v in outputs._asdict().items()))
    if outputs.logits.ndim != 2 or outputs.logits.shape[1] < 2:
        raise ShapeError(
            explain(op, "outputs.logits", got=f"of shape {outputs.logits.shape}",
                    expected="(batch, 1 + classes), the background first", fix="pass what an RCNN returns")
        )  # fmt: skip
    labels = _checks.widened(_checks.integer(op, "targets['labels']", targets["labels"]))
    wanted = _checks.floating(op, "targets['offsets']", targets["offsets"])
    batch, classes = len(outputs.logits), outputs.logits.shape[-1] - 1
    for name, array, shape in (("outputs.offsets", outputs.offsets, (batch, 4 * classes)),
                               ("targets['labels']", labels, (batch,)),
                               ("targets['offsets']", wanted, (batch, 4))):  # fmt: skip
        if array.shape != shape:
            raise ShapeError(
                explain(op, name, got=f"of shape {array.shape}", expected=f"{shape}",
                        fix="pass what proposals.crops and an RCNN return")
            )  # fmt: skip
    shows = labels > 0
    at = jnp.clip(labels - 1, 0, classes - 1)[:, None, None]
    chosen = jnp.take_along_axis(outputs.offsets.reshape(batch, classes, 4), at, axis=1)[:, 0]
    distance = smooth_l1(chosen, jnp.where(shows[:, None], wanted, 0), beta=beta, outputs="sum")
    return softmax_cross_entropy(outputs.logits, labels) + jnp.where(shows, distance, 0)
