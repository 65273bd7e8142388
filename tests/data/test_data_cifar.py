"""CIFAR from its binary files, on small files of our own: folders, archives, hostile archives, a server."""

import dataclasses
import gzip
import hashlib
import io
import os
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from jaxdl.data import _tar, cifar, load_cifar
from jaxdl.errors import FormatError

SOURCES = {10: cifar.CIFAR_10, 20: cifar.CIFAR_100, 100: cifar.CIFAR_100}


def contents(source, count=2, seed=0):
    """Bytes of every file of a source, `count` images each, beside the images and labels in them."""
    rng, files, images, labels = np.random.default_rng(seed), {}, [], []
    for name in (name for part in source.parts for name in part):
        label = np.stack([rng.integers(0, len(names), count) for names in source.names], 1)
        image = rng.integers(0, 256, (count, 32, 32, 3))
        rows = np.concatenate([label, image.transpose(0, 3, 1, 2).reshape(count, -1)], 1)
        files[name] = rows.astype(np.uint8).tobytes()
        images.append(image)
        labels.append(label)
    return files, np.concatenate(images), np.concatenate(labels)


def packed(files, *, folder="cifar-10-batches-bin/", extra=()):
    """A .tar.gz of files, with further members as pairs (TarInfo, bytes) in front."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for member, data in extra:
            archive.addfile(member, io.BytesIO(data))
        for name, data in files.items():
            member = tarfile.TarInfo(folder + name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def written(folder, files):
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def member(name, *, size=0, **fields):
    made = tarfile.TarInfo(name)
    made.size = size
    for field, value in fields.items():
        setattr(made, field, value)
    return made


@pytest.mark.parametrize("classes", [10, 20, 100])
@pytest.mark.parametrize("form", ["folder", "unpacked", "archive"])
def test_what_comes_out(tmp_path, classes, form):
    source = SOURCES[classes]
    files, images, labels = contents(source)
    if form == "archive":
        (tmp_path / source.file.name).write_bytes(packed(files, folder=f"{source.inside}/"))
    else:
        written(tmp_path / source.inside if form == "unpacked" else tmp_path, files)
    train, test = load_cifar(tmp_path, classes=classes)
    learnt = 2 * len(source.parts[0])
    assert (len(train), len(test)) == (learnt, 2)
    assert train.inputs.dtype == np.uint8
    assert train.inputs.shape[1:] == (32, 32, 3)
    np.testing.assert_array_equal(np.concatenate([train.inputs, test.inputs]), images)
    wanted = labels[:, 1 if classes == 100 else 0]
    np.testing.assert_array_equal(np.concatenate([train.targets, test.targets]), wanted)
    assert len(train.classes) == len(test.classes) == classes


def test_names_of_the_classes():
    (ten,), (coarse, fine) = cifar.CIFAR_10.names, cifar.CIFAR_100.names
    assert (ten[3], coarse[19], fine[99]) == ("cat", "vehicles_2", "worm")
    assert (len(set(coarse)), len(set(fine))) == (20, 100)
    # Published in the order of the alphabet.
    assert list(ten[2:]) == sorted(ten[2:])
    assert list(fine) == sorted(fine)


def test_a_file_that_ends_inside_an_image(tmp_path):
    files, *_ = contents(cifar.CIFAR_10)
    for cut, words in (
        (4000, "ends at byte 4000, 927 bytes into image 1; expected 3073 bytes"),
        (0, "byte 0"),
    ):
        written(tmp_path, files | {"data_batch_4.bin": files["data_batch_4.bin"][:cut]})
        with pytest.raises(FormatError, match=rf"data_batch_4\.bin .*{words}.*Fix: "):
            load_cifar(tmp_path)


@pytest.mark.parametrize(("classes", "byte", "label"), [(10, 3073, 10), (100, 3074, 20), (20, 3075, 100)])
def test_a_label_out_of_range(tmp_path, classes, byte, label):
    source = SOURCES[classes]
    files, *_ = contents(source)
    name = source.parts[1][0]
    data = bytearray(files[name])
    data[byte] = label
    written(tmp_path, files | {name: bytes(data)})
    words = rf"{name} has label {label} at byte {byte}, of image 1; expected one below {label}\. Fix: "
    with pytest.raises(FormatError, match=words):
        load_cifar(tmp_path, classes=classes)


def test_files_of_the_other_set_are_refused(tmp_path):
    files, *_ = contents(cifar.CIFAR_10)
    written(tmp_path, {"train.bin": files["data_batch_1.bin"], "test.bin": files["test_batch.bin"]})
    with pytest.raises(FormatError, match="expected 3074 bytes an image"):
        load_cifar(tmp_path, classes=100)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"neither data_batch_1\.bin nor cifar-10-binary.*Fix: "):
        load_cifar(tmp_path)
    files, *_ = contents(cifar.CIFAR_10)
    del files["data_batch_5.bin"]
    with pytest.raises(FileNotFoundError, match=r"data_batch_5\.bin is not there.*Fix: "):
        load_cifar(written(tmp_path, files))
    (tmp_path / "data_batch_1.bin").unlink()
    folder = tmp_path / "packed"
    folder.mkdir()
    (folder / cifar.CIFAR_10.file.name).write_bytes(packed(files))
    with pytest.raises(FormatError, match=r"lacks data_batch_5\.bin"):
        load_cifar(folder)


def test_sizes_are_capped(tmp_path):
    files, *_ = contents(cifar.CIFAR_10)
    with pytest.raises(FormatError, match=r"data_batch_2\.bin brings the files to more than the 10000 bytes"):
        load_cifar(written(tmp_path, files), max_bytes=10_000)


def test_arguments_are_checked(tmp_path):
    with pytest.raises(ValueError, match="'classes' is 11; expected one of 10, 20, 100"):
        load_cifar(tmp_path, classes=11)
    with pytest.raises(ValueError, match="'max_bytes' is 0"):
        load_cifar(tmp_path, max_bytes=0)


LINK = {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}
HOSTILE = {
    "above": ([(member("../evil.bin"), b"")], "'../evil.bin', a name that leaves the archive"),
    "absolute": ([(member("/etc/evil.bin"), b"")], "'/etc/evil.bin', a name that leaves"),
    "backslash": ([(member("a\\..\\evil"), b"")], "a name that leaves"),
    "symbolic": ([(member("cifar-10-batches-bin/x.bin", **LINK), b"")], "a link or a device, no file"),
    "hard": (
        [(member("data_batch_1.bin", type=tarfile.LNKTYPE, linkname="x"), b"")],
        "'data_batch_1.bin', which is a link or a device",
    ),
    "device": ([(member("zero", type=tarfile.CHRTYPE), b"")], "a link or a device"),
    "twice": ([(member("x/data_batch_1.bin", size=4), b"abcd")], r"holds data_batch_1\.bin twice"),
    "bomb": ([(member("zeros", size=2**21), bytes(2**21))], "unpacks to more than the 1048576 bytes"),
    # A header that announces a name of two megabytes: it would be read whole.
    "long name": ([(member("n" * 2**21, size=0), b"")], "unpacks to more than the 1048576 bytes"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_archives(tmp_path, kind):
    extra, words = HOSTILE[kind]
    files, *_ = contents(cifar.CIFAR_10)
    (tmp_path / cifar.CIFAR_10.file.name).write_bytes(packed(files, extra=extra))
    with pytest.raises(FormatError, match=rf"{words}.*Fix: "):
        load_cifar(tmp_path, max_bytes=2**20)
    assert [path.name for path in tmp_path.iterdir()] == [cifar.CIFAR_10.file.name]


def test_broken_archives(tmp_path):
    files, *_ = contents(cifar.CIFAR_10)
    whole = packed(files)
    path = tmp_path / "x.tar.gz"
    flipped = bytearray(whole)
    flipped[len(flipped) // 2] ^= 255
    short = gzip.compress(gzip.decompress(whole)[: 512 + 3000])
    for data in (b"", b"no archive", whole[:2000], bytes(flipped), gzip.compress(b"no tar" * 200), short):
        path.write_bytes(data)
        with pytest.raises(FormatError, match=r"x\.tar\.gz (is|lacks) .*Fix: "):
            _tar.read_members(path, tuple(files), max_bytes=2**20)


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A server on the loopback with a small archive, which the registry takes for the published one."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    files, images, _ = contents(cifar.CIFAR_10)
    data, folder = packed(files), tmp_path / "served"
    file = cifar.CIFAR_10.file
    written(folder, {file.name: data})
    small = dataclasses.replace(file, sha256=hashlib.sha256(data).hexdigest(), size=len(data))
    monkeypatch.setattr(cifar, "CIFAR_10", dataclasses.replace(cifar.CIFAR_10, file=small))
    monkeypatch.setenv("JAXDL_DATA", str(tmp_path / "cache"))

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    monkeypatch.setattr(cifar, "MIRRORS", (f"http://127.0.0.1:{server.server_port}/",))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield folder / file.name, images
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_published_archive_is_downloaded_once(mirror, tmp_path):
    served, images = mirror
    train, _ = load_cifar()
    np.testing.assert_array_equal(train.inputs, images[: len(train)])
    served.unlink()
    again, _ = load_cifar()
    np.testing.assert_array_equal(again.inputs, train.inputs)
    assert [path.name for path in (tmp_path / "cache" / "cifar").iterdir()] == [cifar.CIFAR_10.file.name]


def test_a_wrong_digest_never_reaches_the_reader(mirror, tmp_path):
    served, _ = mirror
    data = bytearray(served.read_bytes())
    data[-1] ^= 1
    served.write_bytes(data)
    with pytest.raises(FormatError, match="SHA-256"):
        load_cifar()
    served.unlink()
    with pytest.raises(ConnectionError, match=r"load_cifar: fetch: cifar/cifar-10-binary\.tar\.gz could not"):
        load_cifar()


def test_the_registry_is_complete():
    files = [cifar.CIFAR_10.file, cifar.CIFAR_100.file]
    assert all(len(file.sha256) == 64 and int(file.sha256, 16) for file in files)
    assert len({file.sha256 for file in files}) == 2


def _check_the_real_images():
    for classes in (10, 100):
        train, test = load_cifar(classes=classes)
        assert (len(train), len(test)) == (50_000, 10_000)
        assert np.bincount(test.targets).tolist() == [10_000 // classes] * classes


# Collected only where the archives are: the suite needs none of them.
if os.path.isfile(os.path.join(os.environ.get("JAXDL_DATA", ""), "cifar", cifar.CIFAR_10.file.name)):
    test_the_real_images = pytest.mark.slow(_check_the_real_images)
