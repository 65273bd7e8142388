"""MNIST through the whole path, fetch, digest, IDX, `Dataset`, on small files of our own."""

import dataclasses
import gzip
import hashlib
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from jaxdl.data import load_fashion_mnist, load_mnist, mnist, split
from jaxdl.errors import FormatError

NOBODY = ("http://127.0.0.1:9/",)


def pack(array):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes())


def source_of(source, folder, contents, monkeypatch):
    """Put files into `folder`, and make the registry expect just these, for both parts."""
    (folder / source.folder).mkdir(exist_ok=True)
    files = {}
    for part, pair in source.files.items():
        files[part] = tuple(
            mnist.File(file.name, hashlib.sha256(data).hexdigest(), len(data))
            for file, data in zip(pair, contents, strict=True)
        )
        for file, data in zip(pair, contents, strict=True):
            (folder / source.folder / file.name).write_bytes(data)
    return dataclasses.replace(source, files=files, mirrors=NOBODY)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Twenty images in each part of both data sets."""
    images = np.arange(20 * 28 * 28).reshape(20, 28, 28) % 256
    contents = (pack(images), pack(np.arange(20) % 10))
    monkeypatch.setenv("JAXDL_DATA", str(tmp_path))
    for name in ("MNIST", "FASHION_MNIST"):
        small = source_of(getattr(mnist, name), tmp_path, contents, monkeypatch)
        monkeypatch.setattr(mnist, name, small)
    return tmp_path


@pytest.mark.parametrize("load", [load_mnist, load_fashion_mnist])
@pytest.mark.parametrize("part", ["train", "test"])
def test_what_comes_out(folder, load, part):
    dataset = load(part)
    assert dataset.inputs.shape == (20, 28, 28, 1)
    assert dataset.inputs.dtype == np.uint8
    assert dataset.inputs[0, 0, :5, 0].tolist() == [0, 1, 2, 3, 4]
    assert dataset.targets.tolist() == list(range(10)) * 2
    assert dataset.targets.dtype == np.int32
    assert len(dataset.classes) == 10


def test_the_training_images_are_missing(folder):
    (folder / "mnist" / "train-images-idx3-ubyte.gz").unlink()
    with pytest.raises(ConnectionError) as caught:
        load_mnist()
    text = str(caught.value)
    assert "put the file train-images-idx3-ubyte.gz into" in text
    assert "train, test = split(load_mnist('test'), (0.8, 0.2))" in text
    train, test = split(load_mnist("test"), (0.5, 0.5))
    assert (len(train), len(test)) == (10, 10)
    (folder / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(ConnectionError) as caught:
        load_mnist()
    assert "split" not in str(caught.value)


def test_the_test_images_are_missing(folder):
    (folder / "fashion_mnist" / "t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(ConnectionError, match="load_fashion_mnist: fetch: ") as caught:
        load_fashion_mnist("test")
    assert "split" not in str(caught.value)


def test_a_wrong_digest_never_reaches_the_parser(folder):
    path = folder / "mnist" / "t10k-images-idx3-ubyte.gz"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.chmod(path.parent, 0o555)
    try:
        with pytest.raises(FormatError, match="SHA-256"):
            load_mnist("test")
    finally:
        os.chmod(path.parent, 0o755)


def test_files_that_are_no_images(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXDL_DATA", str(tmp_path))
    flat = (pack(np.zeros((20, 784))), pack(np.arange(20) % 10))
    monkeypatch.setattr(mnist, "MNIST", source_of(mnist.MNIST, tmp_path, flat, monkeypatch))
    with pytest.raises(FormatError, match=r"uint8 of shape \(20, 784\)"):
        load_mnist("test")


def test_part_is_checked():
    with pytest.raises(ValueError, match="'train', 'test'"):
        load_mnist("valid")


def test_the_registry_is_complete():
    digests = set()
    for source in (mnist.MNIST, mnist.FASHION_MNIST):
        assert len(source.classes) == 10
        for images, labels in source.files.values():
            assert "images-idx3" in images.name
            assert "labels-idx1" in labels.name
            digests |= {images.sha256, labels.sha256}
    assert len(digests) == 8
    assert all(len(digest) == 64 and int(digest, 16) for digest in digests)


def _check_the_real_test_images():
    dataset = load_mnist("test")
    assert dataset.inputs.shape == (10_000, 28, 28, 1)
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(dataset.targets).tolist() == counts
    assert dataset.targets[:5].tolist() == [7, 2, 1, 0, 4]


# Collected only where the files are: the suite needs none of them.
if Path(os.environ.get("JAXDL_DATA", ""), "mnist", "t10k-images-idx3-ubyte.gz").is_file():
    test_the_real_test_images = _check_the_real_test_images
