"""`Drawings`: characters of several alphabets, so that whole alphabets can be held out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jaxdl.data.dataset import Dataset
from jaxdl.errors import DtypeError, FormatError, ShapeError, explain


@dataclass(frozen=True, eq=False, repr=False)
class Drawings:
    """Drawings of characters, each of one alphabet and by one drawer; `load_omniglot` makes them.

    All arrays are copied and read-only.

    Attributes:
        images: (n, height, width, 1) uint8, ink bright on dark.
        characters: (n,) int32, the character of each, its place in `character_names`.
        alphabets: (n,) int32, the alphabet of each, its place in `alphabet_names`.
        drawers: (n,) int32, who drew it, from 0 on. Numbers count within an alphabet: the same number in
            another may be somebody else.
        character_names: the name of each character, ``"Greek/01"``.
        alphabet_names: the name of each alphabet.

    Raises:
        ShapeError: arrays of other shapes, or none.
        DtypeError: arrays of other dtypes.
        FormatError: a number without a name, a name twice, a drawer below 0, or a character of two alphabets.

    >>> drawings = Drawings(np.zeros((3, 4, 4, 1), np.uint8), np.array([0, 1, 2], np.int32),
    ...                     np.array([0, 0, 1], np.int32), np.zeros(3, np.int32),
    ...                     ("a/1", "a/2", "b/1"), ("a", "b"))
    >>> drawings
    Drawings(3 drawings uint8 (4, 4, 1), 3 characters of 2 alphabets)
    >>> drawings.select("b")
    Dataset(1 examples, inputs uint8 (4, 4, 1), 1 class)
    """

    images: np.ndarray
    characters: np.ndarray
    alphabets: np.ndarray
    drawers: np.ndarray
    character_names: tuple[str, ...]
    alphabet_names: tuple[str, ...]

    def __post_init__(self) -> None:
        if np.ndim(self.images) != 4 or not np.size(self.images) or np.shape(self.images)[3] != 1:
            raise ShapeError(
                explain("Drawings", "images", got=f"of shape {np.shape(self.images)}",
                        expected="(n, height, width, 1), not empty", fix="images[..., None]")
            )  # fmt: skip
        count = len(self.images)
        for field, names in (
            ("images", None), ("characters", self.character_names),
            ("alphabets", self.alphabet_names), ("drawers", None),
        ):  # fmt: skip
            object.__setattr__(self, field, _checked(field, getattr(self, field), count, names))
        if self.drawers.min() < 0:
            raise FormatError(
                explain("Drawings", "drawers", got=f"from {self.drawers.min()} on", expected="0 or more",
                        fix="count the drawers from 0")
            )  # fmt: skip
        pairs = np.unique(np.stack([self.characters, self.alphabets], 1), axis=0)
        if (twice := np.flatnonzero(np.diff(pairs[:, 0]) == 0)).size:
            name = self.character_names[pairs[twice[0], 0]]
            raise FormatError(f"Drawings: the character {name!r} is of two alphabets")

    def __len__(self) -> int:
        return len(self.images)

    def select(self, alphabets: str | Sequence[str]) -> Dataset:
        """Return the drawings of some alphabets, for training or for what was never seen in training.

        Args:
            alphabets: one name, or several, each one of `alphabet_names`.

        Returns:
            A `Dataset`, inputs (batch, height, width, 1) uint8, targets the characters, numbered anew from 0
            on in the order of their names.

        Raises:
            ValueError: no alphabet, one that is not here, or one given twice.
        """
        wanted = (alphabets,) if isinstance(alphabets, str) else tuple(alphabets)
        bad = [name for i, name in enumerate(wanted) if name not in self.alphabet_names or name in wanted[:i]]
        if bad or not wanted:
            raise ValueError(
                explain("Drawings.select", "alphabets", got=f"{bad[0]!r}" if bad else "empty",
                        expected=f"different ones of {', '.join(self.alphabet_names)}",
                        fix="look at .alphabet_names")
            )  # fmt: skip
        chosen = np.isin(self.alphabets, [self.alphabet_names.index(name) for name in wanted])
        present, labels = np.unique(self.characters[chosen], return_inverse=True)
        names = tuple(self.character_names[number] for number in present)
        return Dataset(self.images[chosen], labels.astype(np.int32), names)

    def __repr__(self) -> str:
        counts = f"{len(self.character_names)} characters of {len(self.alphabet_names)} alphabets"
        return f"Drawings({len(self)} drawings {self.images.dtype} {self.images.shape[1:]}, {counts})"


def _checked(field: str, value: np.ndarray, count: int, names: tuple[str, ...] | None) -> np.ndarray:
    """Return a read-only copy of one array; the images are judged by their shape already."""
    array, due = np.array(value), np.dtype(np.uint8 if field == "images" else np.int32)
    if array.dtype != due:
        raise DtypeError(
            explain("Drawings", field, got=f"of dtype {array.dtype}", expected=str(due),
                    fix=f"{field}.astype(np.{due})")
        )  # fmt: skip
    if field != "images" and array.shape != (count,):
        raise ShapeError(
            explain("Drawings", field, got=f"of shape {array.shape}",
                    expected=f"one for each of {count} images", fix="make the lengths equal")
        )  # fmt: skip
    if names is not None and (len(set(names)) < len(names) or array.min() < 0 or array.max() >= len(names)):
        raise FormatError(
            explain("Drawings", field, got=f"from {array.min()} to {array.max()}, for {len(names)} names",
                    expected="places in names that differ", fix="name each once, and count from 0")
        )  # fmt: skip
    array.flags.writeable = False
    return array
