"""What is needed next is made in a background thread: a bounded queue, and errors handed on."""

import queue
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

from jaxdl import _checks

T = TypeVar("T")
POLL_SECONDS = 0.05
LEAVE_SECONDS = 5.0


def prefetch(batches: Iterable[T], *, size: int = 2) -> Iterator[T]:
    """Make the next batches, and put their arrays on the device, while the current one is worked on.

    A thread runs through `batches` and waits while `size` of them are ready. Closing the iterator, leaving a
    loop over it, or an error ends the thread.

    Args:
        batches: any iterable of arrays or trees of them; what is no array is handed on as it is.
        size: batches that may be ready, each on the device.

    Returns:
        An iterator over the same batches.

    Raises:
        Exception: what `batches` raises is raised here, with its own traceback.
        ValueError: a size below 1.

    Example:
        >>> import numpy as np
        >>> [float(batch.sum()) for batch in prefetch(np.ones((2, 3, 4)))]
        [12.0, 12.0]
    """
    _checks.positive_integer("prefetch", "size", size)
    return _arrays_on(here(), batches, size)


def _arrays_on(device: Any, batches: Iterable[T], size: int) -> Iterator[T]:
    def put(batch: T) -> T:
        return jax.tree.map(lambda a: jax.device_put(a, device) if hasattr(a, "dtype") else a, batch)

    with Ahead(lambda: map(put, batches), size=size) as ahead:
        yield from ahead


def here() -> Any:
    """Return where new arrays are put in this thread: `jax.default_device` does not reach into others."""
    return jnp.zeros(()).sharding


class Ahead(Iterator[T]):
    """An iterator whose items a thread makes ahead of time; a context manager that ends the thread.

    Attributes:
        thread: the background thread.
    """

    def __init__(self, items: Callable[[], Iterator[T]], *, size: int) -> None:
        self._items, self._ended = items, False
        self._queue: queue.Queue[tuple[str, Any]] = queue.Queue(maxsize=size)
        self._stop = threading.Event()
        self.thread = threading.Thread(target=self._run, name="jaxdl-prefetch", daemon=True)

    def __enter__(self) -> "Ahead[T]":
        self.thread.start()
        return self

    def stop(self) -> None:
        """Ask the thread to end, without waiting for it."""
        self._stop.set()

    def __exit__(self, *error: object) -> None:
        self.stop()
        self.thread.join(LEAVE_SECONDS)
        if self.thread.is_alive():
            warnings.warn("prefetch: the source of batches has not returned; its thread is left behind",
                          RuntimeWarning, stacklevel=2)  # fmt: skip

    def __next__(self) -> T:
        if self._ended:
            raise StopIteration
        kind, value = self._queue.get()
        if kind == "item":
            return value
        self._ended = True
        if kind == "error":
            raise value
        raise StopIteration

    def _run(self) -> None:
        items: Any = None
        try:
            items = self._items()
            for item in items:
                if not self._put("item", item):
                    return
            self._put("end", None)
        # Whatever happens in the thread is raised where the items are used.
        except BaseException as error:
            self._put("error", error)
        finally:
            # Here, since a generator may be closed only by the thread that runs it.
            if hasattr(items, "close"):
                items.close()

    def _put(self, kind: str, value: Any) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put((kind, value), timeout=POLL_SECONDS)
            except queue.Full:
                continue
            return True
        return False
