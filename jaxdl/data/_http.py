"""One download from one address: capped in size and time, hashed on the way, moved into place."""

import hashlib
import http.client
import os
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from jaxdl.errors import FormatError

_CHUNK = 1 << 16
_SLOWEST = 10_000  # bytes a second; a mirror that trickles more slowly is given up


def download(url: str, target: Path, sha256: str, size: int, timeout: float, slack: int = 0) -> None:
    """Download one address to a temporary file, check it, and move it to `target`; see `fetch`."""
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            digest = _stream(url, file, target.name, size, timeout, slack)
        if not digest.startswith(sha256):
            raise FormatError(f"sent SHA-256 {digest} where {sha256} was expected")
        os.chmod(temporary, 0o644)  # mkstemp's 0600 would lock others out of a shared cache
        os.replace(temporary, target)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _stream(url: str, file: BinaryIO, name: str, size: int, timeout: float, slack: int) -> str:
    """Copy the body to `file`, never more than `size + slack` bytes, and return its SHA-256."""
    deadline = time.monotonic() + timeout + size / _SLOWEST
    digest, received = hashlib.sha256(), 0
    with _open(url, timeout) as response, _progress(name, size) as advance:
        # read1 returns after each packet, so that a trickle meets the deadline.
        while chunk := response.read1(_CHUNK):
            received += len(chunk)
            if received > size + slack:
                raise FormatError(f"sends more than the {size + slack} bytes expected; cut off")
            if time.monotonic() > deadline:
                raise TimeoutError(f"too slow, {received} of {size} bytes came in time")
            file.write(chunk)
            digest.update(chunk)
            advance(len(chunk))
    if received < size - slack:
        raise ConnectionError(f"ended after {received} of {size} bytes")
    return digest.hexdigest()


@contextmanager
def _open(url: str, timeout: float) -> Iterator[http.client.HTTPResponse]:
    request = urllib.request.Request(url, headers={"User-Agent": "jaxdl"})
    try:
        response = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            raise ConnectionError(f"HTTP {error.code} {error.reason}") from None
    with response:
        yield response


@contextmanager
def _progress(name: str, size: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr, and give the function that moves it by a number of bytes."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(f"downloading {name}", total=size)
        yield lambda count: progress.advance(task, count)
