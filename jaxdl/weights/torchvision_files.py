"""The weights that torchvision publishes: their files, and how their networks want pixels scaled."""

import os
from pathlib import Path
from typing import NamedTuple

from jaxdl import _checks
from jaxdl.data import fetch
from jaxdl.scaling import Scaling, imagenet
from jaxdl.weights.torchvision import NAMES

MIRRORS = ("https://download.pytorch.org/models/",)
V1, V2, FEATURES = "IMAGENET1K_V1", "IMAGENET1K_V2", "IMAGENET1K_FEATURES"
MEBIBYTE = 2**20


class File(NamedTuple):
    """A published file: its name ends in the first eight digits of its SHA-256; its size is in MiB."""

    name: str
    size: float

    @property
    def sha256(self) -> str:
        """The first digits of its SHA-256."""
        return self.name.removesuffix(".pth").rpartition("-")[2]


FILES: dict[tuple[str, str], File] = {
    ("alexnet", V1): File("alexnet-owt-7be5be79.pth", 233.087),
    ("vgg11", V1): File("vgg11-8a719046.pth", 506.840),
    ("vgg13", V1): File("vgg13-19584684.pth", 507.545),
    ("vgg16", V1): File("vgg16-397923af.pth", 527.796),
    ("vgg16", FEATURES): File("vgg16_features-amdegroot-88682ab5.pth", 527.802),
    ("vgg19", V1): File("vgg19-dcbb9e9d.pth", 548.051),
    ("vgg11_bn", V1): File("vgg11_bn-6002323d.pth", 506.881),
    ("vgg13_bn", V1): File("vgg13_bn-abd245e5.pth", 507.590),
    ("vgg16_bn", V1): File("vgg16_bn-6c64b313.pth", 527.866),
    ("vgg19_bn", V1): File("vgg19_bn-c79401a0.pth", 548.143),
    ("resnet18", V1): File("resnet18-f37072fd.pth", 44.661),
    ("resnet34", V1): File("resnet34-b627a593.pth", 83.275),
    ("resnet50", V1): File("resnet50-0676ba61.pth", 97.781),
    ("resnet50", V2): File("resnet50-11ad3fa6.pth", 97.790),
    ("resnet101", V1): File("resnet101-63fe2227.pth", 170.511),
    ("resnet101", V2): File("resnet101-cd907fc2.pth", 170.530),
    ("resnet152", V1): File("resnet152-394f9c45.pth", 230.434),
    ("resnet152", V2): File("resnet152-f82ba261.pth", 230.474),
    ("googlenet", V1): File("googlenet-1378be20.pth", 49.731),
}


def download_torchvision(
    name: str,
    weights: str = V1,
    *,
    folder: str | os.PathLike[str] | None = None,
    timeout: float = 30.0,
) -> Path:
    """Return the path of weights that torchvision publishes, downloaded only if the file is not there yet.

    What is known of these files is the first 32 bits of their SHA-256, in their names, and their size to a
    thousandth of a MiB; both are checked, as ``torch.hub`` checks the first, before the file has its name.
    That finds damage, but not a forgery made with effort; of a forged file nothing would be run (see
    `load_torch`), but its numbers would be wrong.

    Args:
        name: the network, as in `from_torchvision`.
        weights: ``"IMAGENET1K_V1"``; for ResNet 50, 101 and 152 also ``"IMAGENET1K_V2"``; for VGG-16 also
            ``"IMAGENET1K_FEATURES"``, whose classifier has no valid numbers.
        folder: where to look and store; None for ``torchvision`` in `jaxdl.data.cache_folder`.
        timeout: seconds without a byte after which the download is given up.

    Returns:
        The path; its file is for `from_torchvision`.

    Raises:
        ValueError: another name, or weights that are not published for it.
        FormatError: what came, or what lies in a read-only folder, is damaged.
        OSError: the file is not there and cannot be downloaded; the message says what to do.

    Example:
        >>> download_torchvision("resnet18", "IMAGENET1K_V2")
        Traceback (most recent call last):
        ValueError: download_torchvision: argument 'weights' is 'IMAGENET1K_V2'; expected one of ...
    """
    file = _file("download_torchvision", name, weights)
    place = file.name if folder is not None else f"torchvision/{file.name}"
    size, slack = round(file.size * MEBIBYTE), MEBIBYTE // 1000
    urls = [mirror + file.name for mirror in MIRRORS]
    return fetch(place, urls, file.sha256, size, slack=slack, folder=folder, timeout=timeout)


def torchvision_scaling(name: str, weights: str = V1) -> Scaling:
    """Return how weights that torchvision publishes want pixels of 0 to 255 scaled: `jaxdl.scaling.imagenet`.

    All take the mean and deviation of ImageNet but two. GoogLeNet takes ``x / 127.5 - 1``, here with
    ``transform_input=False``, the default. VGG-16 with ``"IMAGENET1K_FEATURES"`` takes the pixels less their
    mean, not divided.

    Args:
        name: the network, as in `from_torchvision`.
        weights: as in `download_torchvision`.

    Returns:
        The `Scaling` of images (..., height, width, 3) in red, green, blue.

    Raises:
        ValueError: another name, or weights that are not published for it.

    Example:
        >>> import numpy as np
        >>> torchvision_scaling("googlenet")(np.array([0.0, 127.5, 255.0])).tolist()
        [-1.0, 0.0, 1.0]
    """
    _file("torchvision_scaling", name, weights)
    if weights == FEATURES:
        return imagenet(mean=(0.48235, 0.45882, 0.40784), std=(1 / 255,) * 3)
    if name == "googlenet":
        return imagenet(mean=(0.5,) * 3, std=(0.5,) * 3)
    return imagenet()


def _file(op: str, name: str, weights: str) -> File:
    _checks.one_of(op, "name", name, NAMES)
    _checks.one_of(op, "weights", weights, [kind for owner, kind in FILES if owner == name])
    return FILES[name, weights]
