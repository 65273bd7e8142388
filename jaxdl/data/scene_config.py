"""What scenes are like: sizes, numbers and overlap of their objects, clutter and noise."""

import dataclasses
from typing import Any

from jaxdl import _checks
from jaxdl.errors import DtypeError, explain


@dataclasses.dataclass(frozen=True)
class SceneConfig:
    """What makes a scene; `scenes` takes the same by keyword.

    Attributes:
        size: side of the square image in pixels, or (height, width).
        objects: fewest and most objects of a scene; their number is uniform.
        places: places for objects in the targets; None: as many as there can be objects.
        scales: least and greatest longer side of an object in pixels, drawn uniformly in the logarithm.
        max_overlap: share of the box of an object that the boxes of all others cover together, at most, in
            [0, 1]; an object that would break it is drawn elsewhere. Boxes are rounded to whole pixels later.
        contrast: least and greatest brightness of an object, from 0, the mean of the background, to 1.
        noise: standard deviation of the noise at most, images being [0, 1]; each scene draws its own.
        clutter: strokes and pieces of digits behind the objects, at most; their number is uniform.

    Raises:
        DtypeError: no whole number where one is due, or no pair.
        ShapeError: a size of more than two sides.
        ValueError: a number out of range, more objects than places, objects greater than the image.
    """

    size: int | tuple[int, int] = 96
    objects: tuple[int, int] = (3, 8)
    places: int | None = None
    scales: tuple[float, float] = (16.0, 40.0)
    max_overlap: float = 0.35
    contrast: tuple[float, float] = (0.5, 1.0)
    noise: float = 0.05
    clutter: int = 6

    def __post_init__(self) -> None:
        self._set("size", _checks.height_width("scenes", "size", self.size, least=8))
        low, high = _pair("objects", self.objects)
        low = _checks.positive_integer("scenes", "objects", low, least=0)
        high = _checks.positive_integer("scenes", "objects", high)
        self._set("objects", _rising("objects", low, high))
        self._set("places", _places(self.places, high))
        self._set("clutter", _checks.positive_integer("scenes", "clutter", self.clutter, least=0))
        side = min(self.shape)
        for name, least, text in (
            ("scales", 4.0, f"[4, {side}], pixels"), ("contrast", 0.0, "[0, 1]")
        ):  # fmt: skip
            most = side if name == "scales" else 1.0
            pair = _pair(name, getattr(self, name))
            for number in pair:
                _checks.in_range("scenes", name, number, least, most + 1e-9, text)
            self._set(name, _rising(name, *map(float, pair)))
        for name in ("max_overlap", "noise"):
            _checks.in_range("scenes", name, getattr(self, name), 0, 1 + 1e-9, "[0, 1]")
            self._set(name, float(getattr(self, name)))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        assert isinstance(self.size, tuple)
        return self.size

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)


def as_config(op: str, value: Any) -> SceneConfig:
    """Return a config, that of the defaults for None, or raise."""
    if value is not None and not isinstance(value, SceneConfig):
        raise DtypeError(
            explain(op, "config", got=f"a {type(value).__name__}", expected="a SceneConfig",
                    fix="SceneConfig(size=96, objects=(3, 8))")
        )  # fmt: skip
    return value or SceneConfig()


def _pair(argument: str, value: Any) -> tuple[Any, Any]:
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise DtypeError(
            explain("scenes", argument, got=repr(value), expected="a pair, (least, greatest)",
                    fix=f"{argument}=(least, greatest)")
        )  # fmt: skip
    return value[0], value[1]


def _rising(argument: str, low: Any, high: Any) -> tuple[Any, Any]:
    if low > high:
        raise ValueError(
            explain("scenes", argument, got=f"({low:g}, {high:g})", expected="the least first",
                    fix=f"{argument}=({high:g}, {low:g})")
        )  # fmt: skip
    return low, high


def _places(places: int | None, most: int) -> int:
    if places is None:
        return most
    places = _checks.positive_integer("scenes", "places", places)
    if places < most:
        raise ValueError(
            explain("scenes", "places", got=places, expected=f"at least the {most} objects of a scene",
                    fix=f"places={most}, or fewer objects")
        )  # fmt: skip
    return places
