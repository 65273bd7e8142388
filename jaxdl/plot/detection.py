"""Pictures of detection: boxes over images, what was found beside what is there."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxdl.boxes import Detections
from jaxdl.plot import _boxes, _figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def boxes(
    image: Any,
    boxes: Any,
    labels: Any = None,
    scores: Any = None,
    mask: Any = None,
    *,
    truth: Any = None,
    names: Sequence[str] | None = None,
    title: str = "",
    size: float = 4.0,
    path: str | Path | None = None,
) -> "Figure":
    """Draw boxes over one image: detections, objects, anchors or proposals.

    Args:
        image: (height, width), (height, width, 1) or (height, width, 3), uint8 or floats in [0, 1].
        boxes: (places, 4) xyxy in pixels.
        labels: (places,) class numbers, which give a colour and a name; None: one colour.
        scores: (places,) numbers beside the names, or None.
        mask: (places,) which boxes to draw; None: all.
        truth: (objects, 4) boxes that are drawn dashed in white, or None; those without area are not drawn.
        names: the name of each class; None numbers them.
        title: words above.
        size: width of the image in inches.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: an image or an array of another shape.
        FormatError: a box that is drawn is not finite, or its class has no name.

    Example:
        >>> import numpy as np
        >>> figure = boxes(np.zeros((8, 8)), np.array([[1, 1, 5, 6]]), np.array([2]), np.array([0.9]))
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['2 0.90']
    """
    op, picture = "plot.boxes", _boxes.picture("plot.boxes", image)
    figure = _figure.figure(
        1, panel_size=(size, size * picture.shape[0] / picture.shape[1] + 0.3 * bool(title))
    )
    axes = figure.axes[0]
    _boxes.show(axes, picture)
    if truth is not None:
        _boxes.draw_truth(axes, _boxes.rows(op, "truth", truth))
    _boxes.draw(op, axes, picture, boxes, labels, scores, mask, names)
    axes.set_title(title, fontsize=9)
    _figure.save(figure, path)
    return figure


def objects(
    images: Any,
    targets: Mapping[str, Any],
    *,
    names: Sequence[str] | None = None,
    columns: int = 4,
    size: float = 2.4,
    path: str | Path | None = None,
) -> "Figure":
    """Draw a sheet of images with the boxes of their objects.

    Args:
        images: (count, height, width) or (count, height, width, channels), uint8 or floats in [0, 1].
        targets: ``"boxes"`` (count, places, 4) xyxy, ``"labels"`` and ``"mask"`` (count, places).
        names: the name of each class; None numbers them.
        columns: images in a row.
        size: width of an image in inches.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: arrays that do not fit each other, or no image.
        FormatError: a box that is drawn is not finite, or its class has no name.

    Example:
        >>> import numpy as np
        >>> targets = {"boxes": np.ones((2, 3, 4)), "labels": np.zeros((2, 3)), "mask": np.zeros((2, 3))}
        >>> len(objects(np.zeros((2, 8, 8, 1)), targets).axes)
        2
    """
    figure, pictures = _boxes.sheet("plot.objects", images, columns, size, 0.0)
    parts = [
        _boxes.part("plot.objects", "targets", targets, name, len(pictures))
        for name in ("boxes", "labels", "mask")
    ]
    for axes, picture, box, labels, mask in zip(figure.axes, pictures, *parts):
        _boxes.draw("plot.objects", axes, picture, box, labels, None, mask, names)
    _figure.save(figure, path)
    return figure


def detections(
    images: Any,
    found: Detections,
    targets: Mapping[str, Any] | None = None,
    *,
    names: Sequence[str] | None = None,
    score_threshold: float = 0.3,
    columns: int = 4,
    size: float = 2.4,
    path: str | Path | None = None,
) -> "Figure":
    """Draw a sheet of images with what was found, by class, and dashed what is there.

    Args:
        images: (count, height, width) or (count, height, width, channels), uint8 or floats in [0, 1].
        found: what a detector gives for them: boxes (count, places, 4) xyxy, scores, labels and mask
            (count, places).
        targets: ``"boxes"`` (count, objects, 4) and ``"mask"`` (count, objects), or None.
        names: the name of each class; None numbers them.
        score_threshold: detections of a lower score are not drawn.
        columns: images in a row.
        size: width of an image in inches.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure; above each image how many objects there are and how many detections are drawn.

    Raises:
        MissingExtraError: matplotlib is not installed.
        DtypeError: `found` is no `Detections`.
        ShapeError: arrays that do not fit each other, or no image.
        FormatError: a box that is drawn is not finite, or its class has no name.

    Example:
        >>> import numpy as np
        >>> from jaxdl.boxes import Detections
        >>> one = np.array([[[1.0, 1.0, 5.0, 6.0]]])
        >>> found = Detections(one, np.array([[0.8]]), np.array([[3]]), np.array([[True]]))
        >>> truth = {"boxes": one, "mask": np.array([[True]])}
        >>> detections(np.zeros((1, 8, 8, 1)), found, truth).axes[0].get_title()
        '1 object, 1 detection'
    """
    op = "plot.detections"
    _figure.require(op, "found", found, Detections, "boxes.Detections(**found)")
    figure, pictures = _boxes.sheet(op, images, columns, size, 0.22)
    parts = [_boxes.part(op, "found", found._asdict(), name, len(pictures)) for name in found._fields]
    truth = None if targets is None else [
        _boxes.part(op, "targets", targets, name, len(pictures)) for name in ("boxes", "mask")
    ]  # fmt: skip
    for i, (axes, picture) in enumerate(zip(figure.axes, pictures)):
        box, scores, labels, mask = (part[i] for part in parts)
        shown, words = (mask != 0) & (scores >= score_threshold), []
        if truth is not None:
            there = truth[0][i][truth[1][i] != 0]
            _boxes.draw_truth(axes, there)
            words.append(_counted(len(there), "object"))
        _boxes.draw(op, axes, picture, box, labels, scores, shown, names)
        axes.set_title(", ".join([*words, _counted(int(shown.sum()), "detection")]), fontsize=8)
    _figure.save(figure, path)
    return figure


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
