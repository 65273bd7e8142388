"""`fetch` against a hostile server on the loopback: nothing wrong is stored, nothing left over."""

import hashlib
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import jaxdl.data
from jaxdl.data import _http, cache_folder, fetch
from jaxdl.errors import FormatError

BODY = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(BODY).hexdigest()
SIZE = len(BODY)


class Server(ThreadingHTTPServer):
    """Counts the requests for each path; `release` ends what a handler waits for."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = []
        self.release = threading.Event()
        self.both = threading.Barrier(2)

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}/{path}"

    def handle_error(self, request, client_address):
        """The client hangs up on purpose."""


class Handler(BaseHTTPRequestHandler):
    """Each path is one way to fail."""

    def do_GET(self):
        self.server.requests.append(self.path)
        getattr(self, self.path.strip("/"))()

    def log_message(self, *args):
        pass

    def send(self, body, *, length=None, status=200):
        self.send_response(status)
        if length != 0:
            self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)

    def good(self):
        self.send(BODY)

    def together(self):
        self.server.both.wait(timeout=60)
        self.send(BODY)

    def truncated(self):
        self.send(BODY[:1000], length=SIZE)

    def stalled(self):
        self.send(BODY[:1000], length=SIZE)
        self.server.release.wait(timeout=30)

    def trickling(self):
        self.send_response(200)
        self.end_headers()
        while not self.server.release.wait(timeout=0.02):
            self.wfile.write(b"x")

    def error(self):
        self.send(b"broken", status=500)

    def wrong(self):
        self.send(BODY[::-1])

    def long(self):
        self.send(BODY + b"more")

    def endless(self):
        self.send(BODY, length=0)
        while not self.server.release.is_set():
            self.wfile.write(BODY)

    def chunks(self):
        self.protocol_version = "HTTP/1.1"
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"ff\r\nshort")
        self.close_connection = True

    def elsewhere(self):
        self.send_response(302)
        self.send_header("Location", "file:///etc/hostname")
        self.end_headers()


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.release.set()
    server.shutdown()
    thread.join()
    server.server_close()


def get(folder, *urls, timeout=5.0):
    return fetch("set/body.bin", urls, SHA256, SIZE, folder=folder, timeout=timeout)


def everything(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@contextmanager
def read_only(folder):
    os.chmod(folder, 0o555)
    try:
        yield
    finally:
        os.chmod(folder, 0o755)


def test_download_once(server, tmp_path, capsys):
    path = get(tmp_path, server.url("good"))
    assert path == tmp_path / "set" / "body.bin"
    assert path.read_bytes() == BODY
    assert path.stat().st_mode & 0o777 == 0o644
    assert "downloading body.bin" in capsys.readouterr().err
    assert get(tmp_path, server.url("good")) == path
    assert server.requests == ["/good"]
    assert everything(tmp_path) == ["set/body.bin"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("path", "error", "message"),
    [
        ("truncated", ConnectionError, "ended after 1000 of 256000 bytes"),
        ("stalled", ConnectionError, "timed out"),
        ("error", ConnectionError, "HTTP 500"),
        ("missing", ConnectionError, "closed connection|Remote end"),
        ("chunks", ConnectionError, "IncompleteRead"),
        ("elsewhere", ConnectionError, "HTTP 302"),
        ("wrong", FormatError, rf"sent SHA-256 [0-9a-f]{{64}} where {SHA256} was expected"),
        ("long", FormatError, "more than the 256000 bytes expected; cut off"),
        ("endless", FormatError, "more than the 256000 bytes"),
    ],
)
def test_a_bad_mirror_is_named_and_leaves_nothing(server, tmp_path, path, error, message):
    with pytest.raises(error, match=message) as caught:
        get(tmp_path, server.url(path), timeout=0.3)
    text = str(caught.value)
    assert server.url(path) in text
    assert f"put the file body.bin into {tmp_path / 'set'} yourself, or set JAXDL_DATA" in text
    assert everything(tmp_path) == []


def test_a_trickle_meets_the_deadline(server, tmp_path, monkeypatch):
    monkeypatch.setattr(_http, "_SLOWEST", 10 * SIZE)
    start = time.monotonic()
    with pytest.raises(ConnectionError, match="too slow"):
        get(tmp_path, server.url("trickling"), timeout=0.3)
    assert time.monotonic() - start < 5
    assert everything(tmp_path) == []


def test_nobody_listens(tmp_path):
    with pytest.raises(ConnectionError, match="refused"):
        get(tmp_path, "http://127.0.0.1:9/body.bin", timeout=1)


def test_mirrors_are_tried_in_turn(server, tmp_path):
    paths = ["error", "wrong", "truncated", "good"]
    assert get(tmp_path, *map(server.url, paths)).read_bytes() == BODY
    assert server.requests == [f"/{path}" for path in paths]
    assert everything(tmp_path) == ["set/body.bin"]


def test_all_mirrors_and_their_reasons_are_listed(server, tmp_path):
    with pytest.raises(FormatError) as caught:
        get(tmp_path, server.url("error"), server.url("wrong"))
    for word in ("2 mirrors", server.url("error"), "HTTP 500", server.url("wrong"), "SHA-256"):
        assert word in str(caught.value)


@pytest.mark.parametrize("stored", [b"short", BODY[::-1]])
def test_a_corrupted_file_in_a_writable_cache_is_downloaded_again(server, tmp_path, stored):
    path = tmp_path / "set" / "body.bin"
    path.parent.mkdir()
    path.write_bytes(stored)
    with pytest.warns(UserWarning, match=r"body\.bin has .* expected; downloading it again"):
        assert get(tmp_path, server.url("good")).read_bytes() == BODY
    assert everything(tmp_path) == ["set/body.bin"]


@pytest.mark.parametrize("stored", [b"short", BODY[::-1]])
def test_a_corrupted_file_in_a_read_only_folder_is_an_error(server, tmp_path, stored):
    path = tmp_path / "set" / "body.bin"
    path.parent.mkdir()
    path.write_bytes(stored)
    with read_only(path.parent), pytest.raises(FormatError, match=r"body\.bin has .*read-only"):
        get(tmp_path, server.url("good"))
    assert path.read_bytes() == stored
    assert server.requests == []


def test_a_good_file_in_a_read_only_folder_is_used(server, tmp_path):
    path = tmp_path / "set" / "body.bin"
    path.parent.mkdir()
    path.write_bytes(BODY)
    with read_only(path.parent), read_only(tmp_path):
        assert get(tmp_path, server.url("good")) == path
    assert server.requests == []


def test_nothing_is_downloaded_into_a_read_only_folder(server, tmp_path):
    with read_only(tmp_path), pytest.raises(PermissionError, match="set JAXDL_DATA to a folder"):
        get(tmp_path, server.url("good"))
    assert server.requests == []


def test_a_folder_in_the_place_of_the_file(server, tmp_path):
    (tmp_path / "set" / "body.bin").mkdir(parents=True)
    with (
        pytest.warns(UserWarning, match="no regular file"),
        pytest.raises(ConnectionError, match=r"body\.bin"),
    ):
        get(tmp_path, server.url("good"))
    assert everything(tmp_path) == []


@pytest.mark.parametrize("name", ["", "../x", "a/../../x", "/etc/x", "a\\..\\x"])
def test_names_stay_inside_the_folder(tmp_path, name):
    with pytest.raises(ValueError, match="inside the cache folder"):
        fetch(name, [], SHA256, SIZE, folder=tmp_path)


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://host/x", "x"])
def test_only_http_and_https(tmp_path, url):
    with pytest.raises(ValueError, match="http or https"):
        get(tmp_path, url)


def test_the_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("JAXDL_DATA", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.setenv("JAXDL_DATA", "~/data")
    assert cache_folder() == Path.home() / "data"
    monkeypatch.delenv("JAXDL_DATA")
    assert cache_folder().name == "jaxdl"


def test_two_processes_download_the_same_file_at_once(server, tmp_path):
    root = Path(jaxdl.data.__file__).parents[2]
    code = (
        "import sys; from jaxdl.data.download import fetch; "
        f"print(fetch('body.bin', [sys.argv[1]], '{SHA256}', {SIZE}, folder=sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, server.url("together"), str(tmp_path)]
    children = [
        subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for child in children:
        out, err = child.communicate(timeout=120)
        assert child.returncode == 0, err
        assert out.strip() == str(tmp_path / "body.bin")
    assert server.requests == ["/together"] * 2
    assert (tmp_path / "body.bin").read_bytes() == BODY
    assert everything(tmp_path) == ["body.bin"]
