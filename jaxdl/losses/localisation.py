"""The loss of localisation: is there an object, where, and of which class."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxdl import _checks, _localisation, _targets
from jaxdl.losses.binary import binary_cross_entropy
from jaxdl.losses.classification import softmax_cross_entropy
from jaxdl.losses.regression import smooth_l1, squared_error

BOX_LOSSES = ("smooth_l1", "squared_error")


def localisation(
    outputs: jax.Array,
    targets: Any,
    *,
    size: int | tuple[int, int],
    form: str = "cross_entropy",
    box_loss: str = "smooth_l1",
    box_weight: float | jax.Array = 1.0,
    beta: float | jax.Array = 0.1,
) -> jax.Array:
    """Loss of ``[p, bx, by, bh, bw, c1, ...]`` for one object or none in an image.

    ``form="cross_entropy"``, as libraries build it, reads p and c as logits: ``BCE(p) + there *
    (box_weight * box_loss(b) + CE(c))``, the box summed over its four numbers. ``form="squared_error"``, as
    texts print it, takes the outputs as they are: ``sum_k (a_k - y_k)^2`` over all of them where there is an
    object, with c one-hot, and ``(a_p - 0)^2`` where there is none; box_loss, box_weight and beta then
    have no part.

    The box is the centre, height and width as shares of the image; note the height before the width. Where
    there is no object, nothing of box and class reaches the loss or its gradient. An object with a label
    outside the classes, a corner that is not finite, x2 <= x1 or y2 <= y1 makes loss and gradient of its
    own example NaN.

    Args:
        outputs: floating array (batch, 5 + classes), such as `jaxdl.models.Localiser` gives.
        targets: mapping of boxes (batch, 1, 4) xyxy in pixels, labels (batch, 1) and mask (batch, 1), whose
            zeros say that there is no object.
        size: side of the images in pixels, or (height, width).
        form: ``"cross_entropy"`` or ``"squared_error"``.
        box_loss: ``"smooth_l1"``, or ``"squared_error"``, of shares of the image.
        box_weight: factor before the loss of the box, a number of at least 0, or a traced scalar, which
            gives NaN below 0.
        beta: share of the image at which smooth L1 goes over into a line.

    Returns:
        Array (batch,).

    Raises:
        DtypeError: `outputs` is not floating.
        ShapeError: `outputs` are not (batch, 5 + classes), or `targets` hold more than one place an image.
        ValueError: an unknown `form` or `box_loss`, or a negative `box_weight` or `beta`.

    Example:
        >>> import jax.numpy as jnp
        >>> targets = {"boxes": jnp.array([[[2.0, 0, 6, 8]], [[0, 0, 0, 0]]]),
        ...            "labels": jnp.zeros((2, 1), jnp.int32), "mask": jnp.array([[1], [0]])}
        >>> outputs = jnp.array([[1, 0.5, 0.5, 1, 0.5, 0], [0.5, 9, 9, 9, 9, 9]])
        >>> localisation(outputs, targets, size=8, form="squared_error").tolist()
        [1.0, 0.25]
    """
    op = "localisation"
    _checks.one_of(op, "form", form, _localisation.FORMS)
    _checks.one_of(op, "box_loss", box_loss, BOX_LOSSES)
    _checks.in_range(op, "box_weight", box_weight, 0, float("inf"), "[0, inf)")
    parts = _localisation.parts(op, outputs)
    wanted = _localisation.target(op, targets, parts, _checks.height_width(op, "size", size))
    there = wanted.there.astype(parts.box.dtype)
    # What is absent is made equal to its target, so that no gradient flows however large it is.
    box, classes = (jnp.where(wanted.there[:, None], part, 0) for part in parts[1:])
    goal = wanted.box.astype(box.dtype)
    if form == "squared_error":
        one_hot = jax.nn.one_hot(wanted.label, classes.shape[1], dtype=box.dtype) * there[:, None]
        values = jnp.square(parts.presence - there)
        for ours, theirs in ((box, goal), (classes, one_hot)):
            values = values + squared_error(ours, theirs, outputs="sum")
    else:
        values = binary_cross_entropy(parts.presence, there)
        distance = (
            smooth_l1(box, goal, beta=beta, outputs="sum")
            if box_loss == "smooth_l1"
            else squared_error(box, goal, outputs="sum")
        )
        weight = jnp.asarray(box_weight, box.dtype)
        weight = weight * _targets.within(weight, 0, jnp.inf, box.dtype)
        values = values + there * (weight * distance + softmax_cross_entropy(classes, wanted.label))
    return values * wanted.poison.astype(values.dtype)
