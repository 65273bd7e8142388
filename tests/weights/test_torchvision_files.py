"""torchvision's published files, from a server on the loopback: nothing wrong is stored or left over."""

import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch_bytes

from jaxdl import weights
from jaxdl.data import fetch
from jaxdl.errors import FormatError
from jaxdl.weights import torchvision_files
from jaxdl.weights._torchvision_layers import Sizes, state_dict
from jaxdl.weights.torchvision_files import FEATURES, FILES, V1, V2, File

BODY = torch_bytes.new({"w": np.arange(6, dtype=np.float32)})
DIGITS = hashlib.sha256(BODY).hexdigest()[:8]
FILE = File(f"resnet18-{DIGITS}.pth", round(len(BODY) / 2**20, 3))


class Handler(BaseHTTPRequestHandler):
    """Sends what the server holds."""

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.requests, server.body = [], BODY
    monkeypatch.setattr(torchvision_files, "MIRRORS", (f"http://127.0.0.1:{server.server_port}/models/",))
    monkeypatch.setitem(FILES, ("resnet18", V1), FILE)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_is_downloaded_once(
    server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAXDL_DATA", str(tmp_path))
    path = weights.download_torchvision("resnet18")
    assert path == tmp_path / "torchvision" / FILE.name
    assert weights.load_torch(path)["w"].tolist() == [0, 1, 2, 3, 4, 5]
    assert weights.download_torchvision("resnet18") == path
    assert server.requests == [f"/models/{FILE.name}"]
    assert weights.download_torchvision("resnet18", folder=tmp_path) == tmp_path / FILE.name


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (BODY[::-1], FormatError, f"where {DIGITS} was expected"),
        (BODY[:-1], FormatError, f"where {DIGITS} was expected"),
        (BODY + bytes(3000), FormatError, "bytes expected; cut off"),
        (b"", ConnectionError, "ended after 0 of"),
    ],
    ids=("other", "short", "long", "empty"),
)
def test_a_wrong_body_leaves_nothing(
    server: ThreadingHTTPServer, tmp_path: Path, body: bytes, error: type[Exception], words: str
) -> None:
    server.body = body
    FILES["resnet18", V1] = FILE if body else File(FILE.name, 1.0)
    with pytest.raises(error, match=words):
        weights.download_torchvision("resnet18", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_stored_file_that_is_damaged_is_replaced(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    (tmp_path / FILE.name).write_bytes(BODY[::-1])
    with pytest.warns(UserWarning, match="downloading it again"):
        path = weights.download_torchvision("resnet18", folder=tmp_path)
    assert path.read_bytes() == BODY


def test_the_table() -> None:
    assert torchvision_files.MIRRORS == ("https://download.pytorch.org/models/",)
    assert {name for name, kind in FILES if kind == V1} == set(torchvision_files.NAMES)
    assert len({file.name for file in FILES.values()}) == len(FILES) == 19
    for (name, kind), file in FILES.items():
        assert re.fullmatch(rf"{name}(-owt|_features-amdegroot)?-[0-9a-f]{{8}}\.pth", file.name)
        assert re.fullmatch("[0-9a-f]{8}", file.sha256)
        assert kind in (V1, V2, FEATURES)


def test_the_sizes_are_those_of_the_parameters() -> None:
    for (name, kind), file in FILES.items():
        entries = state_dict(name, Sizes(auxiliary=name == "googlenet")).values()
        numbers = sum(int(np.prod(entry.shape)) for entry in entries) * 4 / 2**20
        assert 0 <= file.size - numbers < 0.3, (name, kind)


@pytest.mark.parametrize("name", ["resnet", "resnet18-f37072fd.pth", None])
def test_unknown_names(name: str) -> None:
    for function in (weights.download_torchvision, weights.torchvision_scaling):
        with pytest.raises(ValueError, match="'name' is"):
            function(name)


def test_weights_that_are_not_published() -> None:
    for function in (weights.download_torchvision, weights.torchvision_scaling):
        with pytest.raises(ValueError, match=f"'weights' is '{V2}'; expected one of '{V1}'"):
            function("vgg16_bn", V2)


def test_too_few_digits(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'sha256' is ''; expected 64 digits"):
        fetch("x", (), "", 3, folder=tmp_path)


def test_scalings_are_those_that_the_weights_were_trained_with() -> None:
    pixels = np.array([[[0, 128, 255]]], np.uint8)
    part = pixels[0, 0] / 255
    normalised = (part - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(
        weights.torchvision_scaling("resnet50", V2)(pixels)[0, 0], normalised, rtol=1e-5
    )
    # What torchvision's GoogLeNet does to images that were normalised as for the others.
    moved = normalised * np.array([0.229, 0.224, 0.225]) / 0.5 + (np.array([0.485, 0.456, 0.406]) - 0.5) / 0.5
    np.testing.assert_allclose(weights.torchvision_scaling("googlenet")(pixels)[0, 0], moved, atol=1e-6)
    plain = pixels[0, 0] - 255 * np.array([0.48235, 0.45882, 0.40784])
    np.testing.assert_allclose(weights.torchvision_scaling("vgg16", FEATURES)(pixels)[0, 0], plain, atol=1e-4)
