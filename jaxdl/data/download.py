"""Files from the internet: looked for at home first, and checked by SHA-256."""

import hashlib
import http.client
import os
import warnings
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from jaxdl.data._http import download
from jaxdl.errors import FormatError, explain


def cache_folder() -> Path:
    """Return the folder for data files: environment variable `JAXDL_DATA`, or the user's cache.

    Returns:
        The path; it need not exist yet.
    """
    if folder := os.environ.get("JAXDL_DATA"):
        return Path(folder).expanduser()
    import pooch

    return Path(pooch.os_cache("jaxdl"))


def fetch(
    name: str,
    urls: Sequence[str],
    sha256: str,
    size: int,
    *,
    slack: int = 0,
    folder: str | os.PathLike[str] | None = None,
    timeout: float = 30.0,
) -> Path:
    """Return the path of a data file, downloaded only if it is not there yet.

    A file that is there is checked by SHA-256 and used as it is, from a read-only folder too. A
    download goes to a temporary file beside its place and is moved there once size and SHA-256 are
    right; nothing is left over when it fails. Several processes may fetch the same file at once.

    Args:
        name: where the file belongs inside the folder, with forward slashes: ``"mnist/x.gz"``.
        urls: the mirrors, http or https, tried in turn.
        sha256: the expected digest, 64 hexadecimal digits, or its first 8 or more where only those are
            published: few digits find damage, but another file that has them can be made with effort.
        size: the expected size in bytes; a body that is longer is cut off.
        slack: by how many bytes the size may differ, where it is published rounded.
        folder: where to look and store; None for `cache_folder()`.
        timeout: seconds without a byte after which a mirror is given up.

    Returns:
        The path of a file with this SHA-256.

    Raises:
        FormatError: a file in a read-only folder, or what a mirror sent, has the wrong digest.
        ValueError: a name outside of the folder, another kind of address, or fewer than 8 digits.
        OSError: no mirror could be reached (ConnectionError), or the folder cannot be written to.

    Warns:
        UserWarning: a file in a writable folder has the wrong digest and is downloaded again.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> _ = Path(folder, "a.txt").write_bytes(b"abc")
    >>> fetch("a.txt", (), hashlib.sha256(b"abc").hexdigest(), 3, folder=folder).name
    'a.txt'
    """
    if len(sha256) < 8:
        raise ValueError(
            explain("fetch", "sha256", got=repr(sha256), expected="64 digits, or the first 8 or more",
                    fix="pass the SHA-256 of the file")
        )  # fmt: skip
    target = _target(name, urls, cache_folder() if folder is None else Path(folder))
    home = f"put the file {target.name} into {target.parent} yourself, or set JAXDL_DATA"
    fault = _fault(target, sha256, size, slack)
    if fault is None:
        return target
    if not _writable(target.parent):
        raise _unusable(target, fault, home)
    if target.exists():
        warnings.warn(f"fetch: {target} {fault}; downloading it again", UserWarning, stacklevel=2)
    target.parent.mkdir(parents=True, exist_ok=True)
    reasons, malformed = [], False
    for url in urls:
        try:
            download(url, target, sha256, size, timeout, slack)
            return target
        except (OSError, http.client.HTTPException, FormatError) as error:
            malformed |= isinstance(error, FormatError)
            reasons.append(f"\n  {url}: {str(error) or type(error).__name__}")
    raise (FormatError if malformed else ConnectionError)(
        f"fetch: {name} could not be downloaded, {len(urls)} mirrors failed:{''.join(reasons)}\n"
        f"What came was deleted. Fix: {home}"
    )


def _target(name: str, urls: Sequence[str], folder: Path) -> Path:
    path = PurePosixPath(name)
    if not path.name or path.is_absolute() or ".." in path.parts or "\\" in name:
        raise ValueError(
            explain("fetch", "name", got=repr(name), expected="a path inside the cache folder",
                    fix="pass 'subfolder/file', without '..'")
        )  # fmt: skip
    for url in urls:
        if not url.startswith(("http://", "https://")):
            raise ValueError(
                explain("fetch", "urls", got=repr(url), expected="http or https addresses",
                        fix="put a file of your own into the cache folder instead")
            )  # fmt: skip
    return folder.joinpath(*path.parts)


def _fault(path: Path, sha256: str, size: int, slack: int) -> str | None:
    """Return what is wrong with a stored file, or None. The size first: it costs nothing."""
    if not path.is_file():
        return "is no regular file" if path.exists() else "is not there"
    if abs((got := path.stat().st_size) - size) > slack:
        return f"has {got} bytes where {size} were expected"
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return None if digest.startswith(sha256) else f"has SHA-256 {digest} where {sha256} was expected"


def _writable(folder: Path) -> bool:
    """Whether files can be made here. No write bit at all means no, to the superuser as well."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return bool(folder.stat().st_mode & 0o222) and os.access(folder, os.W_OK)


def _unusable(target: Path, fault: str, home: str) -> FormatError | OSError:
    if target.exists():
        return FormatError(
            f"fetch: {target} {fault}, and the folder is read-only: nothing was changed. "
            f"Fix: replace the file, or set JAXDL_DATA to another folder"
        )
    return PermissionError(
        f"fetch: {target} is not there, and nothing can be downloaded into a read-only folder. "
        f"Fix: {home} to a folder that can be written to"
    )
