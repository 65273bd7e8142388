"""Image files on the disk or in memory, decoded to bytes: what is no plain picture is refused."""

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from jaxdl.errors import FormatError

# Raster formats only: EPS and its like would start other programs.
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "WEBP")
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
_ORIENTATION = 0x0112  # of EXIF


def bad(op: str, file: os.PathLike[str] | str, what: str) -> FormatError:
    """Return the error that names a file and what is wrong with it."""
    return FormatError(f"{op}: {file} {what}")


def pixels(op: str, file: Path, size: tuple[int, int] | None, channels: int, max_pixels: int) -> np.ndarray:
    """Decode one image, upright by its EXIF tag, to (height, width, channels) uint8."""
    from PIL import ImageOps

    with _opened(op, file, max_pixels) as image:
        return decoded(op, file, ImageOps.exif_transpose(image), size, channels)


def grey(op: str, name: str, data: bytes, own: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """Decode a grey image in memory, which is to have height and width `own`, to (height, width) uint8.

    It is scaled by area: each pixel is the mean of what it covers, so that thin lines grow fainter, not thin.
    """
    from PIL import Image

    file = Path(name)
    with _decoding(op, file, io.BytesIO(data), own[0] * own[1]) as image:
        if (found := (image.height, image.width)) != own:
            raise bad(
                op, file, f"is {found[0]} pixels high and {found[1]} wide; expected {own[0]} and {own[1]}"
            )
        picture = _opaque(op, file, image).convert("L")
        if size != own:
            picture = picture.resize(size[::-1], Image.Resampling.BOX)
        return np.array(picture, np.uint8)


def fitted(
    op: str, file: Path, size: tuple[int, int], channels: int, max_pixels: int, due: tuple[int, int] | None
) -> tuple[np.ndarray, tuple[int, int]]:
    """Decode one image, scaled to fit (height, width) with its proportions kept, and its own size.

    Args:
        op: who asks.
        file: the image.
        size: (height, width) to fit.
        channels: 1 or 3.
        max_pixels: refuse larger images.
        due: height and width that it has to have, or None.
    """
    with _opened(op, file, max_pixels) as image:
        own = _upright(op, file, image, due)
        return decoded(op, file, image, inner(own, size), channels), own


def measured(op: str, file: Path, max_pixels: int, due: tuple[int, int] | None) -> tuple[int, int]:
    """Return height and width of an image, which is not decoded."""
    with _opened(op, file, max_pixels) as image:
        return _upright(op, file, image, due)


def inner(own: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """Return height and width of an image that is scaled to fit `size`, at least one pixel."""
    scale = min(size[0] / own[0], size[1] / own[1])
    height, width = (max(1, min(limit, round(side * scale))) for side, limit in zip(own, size))
    return height, width


def decoded(op: str, file: Path, image: Any, size: tuple[int, int] | None, channels: int) -> np.ndarray:
    """Return the pixels of an opened image."""
    from PIL import Image

    picture = _opaque(op, file, image).convert("L" if channels == 1 else "RGB")
    if size is not None:
        picture = picture.resize(size[::-1], Image.Resampling.BILINEAR)
    return np.array(picture, np.uint8).reshape(*picture.size[::-1], channels)


@contextmanager
def _opened(op: str, file: Path, max_pixels: int) -> Iterator[Any]:
    with file.open("rb") as stream, _decoding(op, file, stream, max_pixels) as image:
        yield image


@contextmanager
def _decoding(op: str, file: Path, stream: IO[bytes], max_pixels: int) -> Iterator[Any]:
    """Open an image; whatever its bytes lead the decoder to becomes an error that names it."""
    from PIL import Image, UnidentifiedImageError

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(stream, formats=_FORMATS) as image:
                _check_image(op, file, image, max_pixels)
                yield image
        except FormatError:
            raise
        except UnidentifiedImageError as error:
            raise bad(op, file, f"is no {', '.join(_FORMATS)} image") from error
        except Exception as error:  # Pillow's decoders raise whatever broken bytes lead them to
            raise bad(op, file, f"is a broken image ({error})") from error


def _check_image(op: str, file: Path, image: Any, max_pixels: int) -> None:
    if (count := image.width * image.height) > max_pixels:
        raise bad(op, file, f"has {count} pixels, more than the {max_pixels} allowed (max_pixels)")
    if image.mode not in _MODES:
        raise bad(op, file, f"has mode {image.mode}, more than 8 bits a channel. Fix: convert it")
    if getattr(image, "n_frames", 1) != 1:
        raise bad(op, file, f"is an animation of {image.n_frames} frames. Fix: save one of them")


def _opaque(op: str, file: Path, image: Any) -> Any:
    """Refuse transparent pixels: the background is anyone's guess."""
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        if image.getchannel("A").getextrema()[0] < 255:
            raise bad(op, file, "is transparent in places. Fix: lay it over a background first")
    return image


def _upright(op: str, file: Path, image: Any, due: tuple[int, int] | None) -> tuple[int, int]:
    """Return height and width; refuse a turned image, as nobody knows which way its boxes are meant."""
    if image.getexif().get(_ORIENTATION, 1) not in (0, 1):
        raise bad(op, file, "is turned by its EXIF tag. Fix: save it upright, as its boxes are meant")
    height, width = image.height, image.width
    if due is not None and (height, width) != due:
        raise bad(
            op, file, f"is {height} pixels high and {width} wide; its annotation says {due[0]} and {due[1]}"
        )
    return height, width
