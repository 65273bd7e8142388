"""The metric of localisation, one value per image, which a training run records."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks, _localisation, boxes


def localisation_accuracy(
    outputs: jax.Array,
    targets: Any,
    *,
    size: int | tuple[int, int],
    form: str = "cross_entropy",
    iou_threshold: float = 0.5,
    classify: bool = False,
) -> jax.Array:
    """Tell which images are right: the object is found with ``IoU >= iou_threshold``, or none is there.

    An object is seen where p is at least 1/2. The mean over images is the share that is localised; with
    `classify` the class must be right too. An image whose target is unsound is NaN, as its loss is; a
    box or class that is NaN where there is an object, and a p that is NaN anywhere, are never right.

    Args:
        outputs: floating array (batch, 5 + classes), ``[p, bx, by, bh, bw, c1, ...]``.
        targets: mapping of boxes (batch, 1, 4) xyxy in pixels, labels (batch, 1) and mask (batch, 1).
        size: side of the images in pixels, or (height, width).
        form: that of the loss: ``"cross_entropy"``, p is a logit, or ``"squared_error"``.
        iou_threshold: in [0, 1].
        classify: whether the class counts too.

    Returns:
        float32 array (batch,) of zeros and ones.

    Raises:
        DtypeError: `outputs` is not floating.
        ShapeError: `outputs` are not (batch, 5 + classes), or `targets` hold more than one place an image.
        ValueError: an unknown `form`, `classify` that is no bool, or a threshold outside [0, 1].

    Example:
        >>> import jax.numpy as jnp
        >>> targets = {"boxes": jnp.array([[[2.0, 0, 6, 8]], [[0, 0, 0, 0]]]),
        ...            "labels": jnp.zeros((2, 1), jnp.int32), "mask": jnp.array([[1], [0]])}
        >>> outputs = jnp.array([[3, 0.5, 0.5, 0.9, 0.4, 0], [0.5, 9, 9, 9, 9, 9]])
        >>> localisation_accuracy(outputs, targets, size=8).tolist()
        [1.0, 0.0]
    """
    op = "localisation_accuracy"
    _checks.one_of(op, "form", form, _localisation.FORMS)
    _checks.one_of(op, "classify", classify, (True, False))
    _checks.in_range(op, "iou_threshold", iou_threshold, 0, np.nextafter(1, 2), "[0, 1]")
    parts = _localisation.parts(op, outputs)
    shape = _checks.height_width(op, "size", size)
    wanted = _localisation.target(op, targets, parts, shape)
    seen = _localisation.present(parts.presence, form) >= 0.5
    given, true = (_localisation.pixels(box.astype(jnp.float32), shape) for box in (parts.box, wanted.box))
    near = boxes.iou(given[:, None], true[:, None])[:, 0, 0] >= iou_threshold
    if classify:
        near = near & (jnp.argmax(parts.classes, -1) == wanted.label)
    known = ~jnp.isnan(parts.presence)
    right = jnp.where(wanted.there, seen & near, ~seen & known)
    return right.astype(jnp.float32) * wanted.poison.astype(jnp.float32)
