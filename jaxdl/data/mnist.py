"""MNIST and Fashion-MNIST: 28x28 grey images in ten classes, from mirrors or `JAXDL_DATA`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from jaxdl._checks import one_of
from jaxdl.data.dataset import Dataset
from jaxdl.data.download import cache_folder, fetch
from jaxdl.data.idx import parse_idx
from jaxdl.errors import FormatError

Part = Literal["train", "test"]


@dataclass(frozen=True)
class File:
    """One file of a source: its name on every mirror, its digest and its size in bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Source:
    """Where a data set in IDX form comes from: for each part there are (images, labels)."""

    folder: str
    mirrors: tuple[str, ...]
    files: Mapping[str, tuple[File, File]]
    classes: tuple[str, ...]


_NAMES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}


def _pair(part: Part, images: tuple[str, int], labels: tuple[str, int]) -> tuple[File, File]:
    """Both data sets use the same four file names."""
    first, second = _NAMES[part]
    return File(first, *images), File(second, *labels)


MNIST = Source(
    folder="mnist",
    mirrors=(
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    ),
    files={
        "train": _pair(
            "train",
            ("440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", 9_912_422),
            ("3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28_881),
        ),
        "test": _pair(
            "test",
            ("8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 1_648_877),
            ("f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4_542),
        ),
    },
    classes=tuple("0123456789"),
)

FASHION_MNIST = Source(
    folder="fashion_mnist",
    mirrors=(
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
    files={
        "train": _pair(
            "train",
            ("3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", 26_421_880),
            ("a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29_515),
        ),
        "test": _pair(
            "test",
            ("346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", 4_422_102),
            ("67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5_148),
        ),
    },
    classes=(
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
        "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ),
)  # fmt: skip


def load_mnist(part: Part = "train") -> Dataset:
    """Return the handwritten digits of MNIST.

    Args:
        part: ``"train"`` for 60,000 images, ``"test"`` for 10,000.

    Returns:
        inputs (batch, 28, 28, 1) uint8, 0 to 255, not scaled; targets (batch,), classes '0' to '9'.

    Raises:
        FormatError: a file has the wrong digest.
        OSError: a file is not there and no mirror could be reached; the message says what to do.

    Reference: LeCun, Bottou, Bengio and Haffner, Gradient-based learning applied to document
    recognition, 1998.

    >>> [file.size for file in MNIST.files["test"]]
    [1648877, 4542]
    """
    return _load(MNIST, part, "load_mnist")


def load_fashion_mnist(part: Part = "train") -> Dataset:
    """Return the articles of clothing of Fashion-MNIST.

    Args:
        part: ``"train"`` for 60,000 images, ``"test"`` for 10,000.

    Returns:
        inputs (batch, 28, 28, 1) uint8, 0 to 255, not scaled; targets (batch,), ten classes.

    Raises:
        FormatError: a file has the wrong digest.
        OSError: a file is not there and no mirror could be reached; the message says what to do.

    Reference: Xiao, Rasul and Vollgraf, Fashion-MNIST, 2017, arXiv:1708.07747.

    >>> FASHION_MNIST.classes[9]
    'Ankle boot'
    """
    return _load(FASHION_MNIST, part, "load_fashion_mnist")


def _load(source: Source, part: str, op: str) -> Dataset:
    one_of(op, "part", part, tuple(source.files))
    images, labels = (_array(source, file, op) for file in source.files[part])
    if images.ndim != 3 or images.dtype != np.uint8:
        raise FormatError(
            f"{op}: the images are {images.dtype} of shape {images.shape}; expected uint8 "
            "(batch, height, width). Fix: delete the file, it will be downloaded again"
        )
    return Dataset(images[..., None], labels, source.classes)


def _array(source: Source, file: File, op: str) -> np.ndarray:
    urls = [mirror + file.name for mirror in source.mirrors]
    try:
        path = fetch(f"{source.folder}/{file.name}", urls, file.sha256, file.size)
    except OSError as error:
        raise type(error)(f"{op}: {error}{_hint(source, file, op)}") from error
    return parse_idx(path)


def _hint(source: Source, file: File, op: str) -> str:
    """Without the training images, the test images can stand in for them."""
    test = source.files["test"]
    folder = cache_folder() / source.folder
    if file in test or not all((folder / other.name).is_file() for other in test):
        return ""
    return (
        f". Or make do with the test images, which are in {folder}: "
        f"train, test = split({op}('test'), (0.8, 0.2))"
    )
