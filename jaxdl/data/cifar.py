"""CIFAR-10 and CIFAR-100: 32x32 colour photographs, from the binary files; nothing is unpickled."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from jaxdl._checks import one_of, positive_integer
from jaxdl.data._tar import read_members
from jaxdl.data.dataset import Dataset
from jaxdl.data.download import fetch
from jaxdl.data.mnist import File
from jaxdl.errors import FormatError

_SIDE = 32
_PIXELS = 3 * _SIDE * _SIDE


@dataclass(frozen=True)
class Archive:
    """A published archive and what is in it; `names` are the classes of each label byte of an image."""

    file: File
    inside: str
    parts: tuple[tuple[str, ...], tuple[str, ...]]
    names: tuple[tuple[str, ...], ...]


_TEN = "airplane automobile bird cat deer dog frog horse ship truck"
_COARSE = (
    "aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices "
    "household_furniture insects large_carnivores large_man-made_outdoor_things "
    "large_natural_outdoor_scenes large_omnivores_and_herbivores medium_mammals "
    "non-insect_invertebrates people reptiles small_mammals trees vehicles_1 vehicles_2"
)
_FINE = (
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly "
    "camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup "
    "dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower "
    "leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid "
    "otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray "
    "road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar "
    "sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle "
    "wardrobe whale willow_tree wolf woman worm"
)

MIRRORS = ("https://www.cs.toronto.edu/~kriz/",)
CIFAR_10 = Archive(
    # The authors publish MD5 c32a1d4ab5d03f1284b67883e8d87530; the SHA-256 is the one that others pin.
    file=File(
        "cifar-10-binary.tar.gz",
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        170_052_171,
    ),
    inside="cifar-10-batches-bin",
    parts=(tuple(f"data_batch_{number}.bin" for number in range(1, 6)), ("test_batch.bin",)),
    names=(tuple(_TEN.split()),),
)
CIFAR_100 = Archive(
    # The authors publish MD5 03b5dce01913d631647c71ecec9e9cb8.
    file=File(
        "cifar-100-binary.tar.gz",
        "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        168_513_733,
    ),
    inside="cifar-100-binary",
    parts=(("train.bin",), ("test.bin",)),
    names=(tuple(_COARSE.split()), tuple(_FINE.split())),
)


def load_cifar(
    folder: str | os.PathLike[str] | None = None,
    *,
    classes: Literal[10, 20, 100] = 10,
    max_bytes: int = 2**29,
) -> tuple[Dataset, Dataset]:
    """Return the training and the test photographs of CIFAR-10 or CIFAR-100.

    Without a folder the published archive is used, from `cache_folder` where it is there (under
    ``cifar/``) and else downloaded, in both cases checked by SHA-256 before it is read; its files are read
    in memory. With one, the files there are used, in any number of images: the ``.bin`` files in it, or in
    the folder that the archive unpacks to, or the archive itself.

    Args:
        folder: where the files are, or None.
        classes: 10 for CIFAR-10; 100, or its 20 superclasses, for CIFAR-100.
        max_bytes: refuse files, or an archive, that take more memory.

    Returns:
        Two data sets: inputs (batch, 32, 32, 3) uint8, red, green and blue from 0 to 255, not scaled;
        targets (batch,), classes by name. As published there are 50,000 and 10,000 images.

    Raises:
        FormatError: a file has the wrong digest, ends inside an image, or holds a label out of range (with
            the byte where it is); an archive is broken, holds links, or unpacks to too much.
        OSError: the files are not there, and no mirror could be reached; the message says what to do.
        ValueError: `classes` is none of the three.

    Reference: Krizhevsky, Learning multiple layers of features from tiny images, 2009.

    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> for name in (name for part in CIFAR_10.parts for name in part):
    ...     _ = (root / name).write_bytes(bytes([3]) + bytes(3072))
    >>> train, test = load_cifar(root)
    >>> train
    Dataset(5 examples, inputs uint8 (32, 32, 3), 10 classes)
    >>> test.classes[int(test.targets[0])]
    'cat'
    """
    one_of("load_cifar", "classes", classes, (10, 20, 100))
    limit = positive_integer("load_cifar", "max_bytes", max_bytes)
    source = CIFAR_10 if classes == 10 else CIFAR_100
    home, files = _published(source, limit) if folder is None else _own(source, Path(folder), limit)
    which = [len(names) for names in source.names].index(classes)
    train, test = (
        _dataset(source, [(str(home / name), files[name]) for name in part], which) for part in source.parts
    )
    return train, test


def _wanted(source: Archive) -> list[str]:
    return [name for part in source.parts for name in part]


def _published(source: Archive, limit: int) -> tuple[Path, Mapping[str, bytes]]:
    file = source.file
    try:
        path = fetch(f"cifar/{file.name}", [url + file.name for url in MIRRORS], file.sha256, file.size)
    except OSError as error:
        raise type(error)(f"load_cifar: {error}") from error
    return path, read_members(path, _wanted(source), max_bytes=limit)


def _own(source: Archive, folder: Path, limit: int) -> tuple[Path, Mapping[str, bytes]]:
    """Read the files of a folder; several places are looked at, and the first that has one must have all."""
    wanted = _wanted(source)
    for place in (folder, folder / source.inside):
        if any((place / name).exists() for name in wanted):
            return place, _read(place, wanted, limit)
    if (archive := folder / source.file.name).exists():
        return archive, read_members(archive, wanted, max_bytes=limit)
    raise FileNotFoundError(
        f"load_cifar: {folder} holds neither {wanted[0]} nor {source.file.name}. "
        "Fix: pass the folder of the binary version, or leave it out for a download"
    )


def _read(place: Path, wanted: Iterable[str], limit: int) -> Mapping[str, bytes]:
    files, left = {}, limit
    for name in wanted:
        path = place / name
        if not path.is_file():
            raise FileNotFoundError(
                f"load_cifar: {path} is not there, though others are. "
                "Fix: put every file of the binary version there"
            )
        with path.open("rb") as file:
            files[name] = file.read(left + 1)
        left -= len(files[name])
        if left < 0:
            raise _bad(str(path), f"brings the files to more than the {limit} bytes allowed (max_bytes)")
    return files


def _dataset(source: Archive, files: list[tuple[str, bytes]], which: int) -> Dataset:
    head = len(source.names)
    row = head + _PIXELS
    for name, data in files:
        if not data or len(data) % row:
            count = len(data) // row
            inside = f"{len(data) - count * row} bytes into image {count}"
            raise _bad(name, f"ends at byte {len(data)}, {inside}; expected {row} bytes an image")
    images = np.empty((sum(len(data) // row for _, data in files), _SIDE, _SIDE, 3), np.uint8)
    labels, start = [], 0
    for name, data in files:
        rows = np.frombuffer(data, np.uint8).reshape(-1, row)
        labels.append(_labels(name, rows[:, :head], source.names, row)[:, which])
        # The file has the channels first, each a plane.
        planes = rows[:, head:].reshape(-1, 3, _SIDE, _SIDE)
        images[start : start + len(rows)] = planes.transpose(0, 2, 3, 1)
        start += len(rows)
    images.flags.writeable = False
    return Dataset(images, np.concatenate(labels), source.names[which])


def _labels(name: str, labels: np.ndarray, names: tuple[tuple[str, ...], ...], row: int) -> np.ndarray:
    bad = np.argwhere(labels >= np.array([len(classes) for classes in names]))
    if bad.size:
        image, column = (int(index) for index in bad[0])
        place = f"at byte {image * row + column}, of image {image}"
        raise _bad(
            name, f"has label {labels[image, column]} {place}; expected one below {len(names[column])}"
        )
    return labels


def _bad(name: str, what: str) -> FormatError:
    return FormatError(f"load_cifar: {name} {what}. Fix: download the binary version again, or pass another")
