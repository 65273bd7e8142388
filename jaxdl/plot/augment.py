"""What augmentations make of images."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import _checks
from jaxdl.errors import DtypeError, ShapeError, explain
from jaxdl.plot import _figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def augmentations(
    key: jax.Array,
    images: Any,
    functions: Mapping[str, Callable[[jax.Array, Any], Any]],
    *,
    panel_size: float = 1.3,
    path: str | Path | None = None,
) -> "Figure":
    """Draw images in rows: each as it is, and what each augmentation makes of it.

    Args:
        key: typed key; each augmentation gets one of its own.
        images: (count, height, width) or (count, height, width, channels), one channel or three, floating,
            shown from 0 (black) to 1; what is beyond is shown as 0 or 1.
        functions: augmentations ``(key, images) -> images`` by name, such as those of `jaxdl.data.augment`.
        panel_size: side of a picture, in inches.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ShapeError: no images, or one or three channels are not what they have.
        DtypeError: images that are not floating, no typed key, an augmentation that is no function.
        ValueError: no augmentation.

    Example:
        >>> from jaxdl.data import augment
        >>> digits = np.random.default_rng(0).random((2, 8, 8), np.float32)
        >>> drawn = augmentations(jax.random.key(0), digits, {"flip": augment.vertical_flip()})
        >>> [axes.get_title() for axes in drawn.axes]
        ['original', 'flip', '', '']
    """
    op = "plot.augmentations"
    key, shown = _checks.key(op, key), _checks.floating(op, "images", images)
    if shown.ndim not in (3, 4) or shown.shape[3:] not in ((), (1,), (3,)) or 0 in shown.shape:
        raise ShapeError(
            explain(op, "images", got=f"of shape {shown.shape}",
                    expected="(count, height, width) or (count, height, width, 1 or 3)", fix="images[None]")
        )  # fmt: skip
    if not functions:
        raise ValueError(
            explain(op, "functions", got="empty", expected="augmentations by name",
                    fix="{'flip': augment.horizontal_flip()}")
        )  # fmt: skip
    columns = {"original": shown}
    for index, (name, function) in enumerate(functions.items()):
        if not callable(function):
            raise DtypeError(
                explain(op, f"functions['{name}']", got=f"a {type(function).__name__}",
                        expected="a function (key, images) -> images", fix="augment.horizontal_flip()")
            )  # fmt: skip
        columns[name] = function(jax.random.fold_in(key, index), shown)
    drawn = _figure.figure(len(columns), rows=len(shown), panel_size=(panel_size, panel_size))
    for index, (name, column) in enumerate(columns.items()):
        for row, image in enumerate(np.asarray(jnp.clip(column, 0, 1), np.float32)):
            axes = drawn.axes[row * len(columns) + index]
            flat = image[..., 0] if image.shape[2:] == (1,) else image
            axes.imshow(flat, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            axes.set_axis_off()
            if row == 0:
                axes.set_title(name, fontsize="small")
    _figure.save(drawn, path)
    return drawn
