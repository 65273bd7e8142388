"""Clocks: interleaved repeats, robust statistics, and the ceilings that results are held to."""

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp

# Before each of its times, a function runs untimed for this long. Two effects of what came before
# it were larger than most differences: OpenBLAS lets idle threads spin for some 0.1 s (torch right
# after numpy: 1019 us a step, not 350), and a pause instead leaves the cores cold (34 us became 48).
SETTLE_S = 0.2


@contextmanager
def _collector_off() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def seconds(function: Callable[[], object]) -> float:
    """Wall-clock seconds of one call; the function returns when its work is finished."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _settle(function: Callable[[], object]) -> None:
    deadline = time.perf_counter() + SETTLE_S
    while time.perf_counter() < deadline:
        function()


def interleave(
    functions: Mapping[str, Callable[[], object]],
    repeats: int,
    progress: Callable[[str], None] = lambda message: None,
) -> dict[str, list[float]]:
    """Times each function once a round, after one warm-up each, in an order that rotates.

    A machine that slows down in the middle slows all of them, and none always follows the warm-up.
    """
    names = list(functions)
    for name in names:
        progress(f"warming up {name}")
        functions[name]()
    times: dict[str, list[float]] = {name: [] for name in names}
    for repeat in range(repeats):
        progress(f"round {repeat + 1} of {repeats}")
        gc.collect()
        first = repeat % max(len(names), 1)
        with _collector_off():
            for name in names[first:] + names[:first]:
                _settle(functions[name])
                times[name].append(seconds(functions[name]))
    return times


def median(times: list[float]) -> float:
    """The middle time."""
    return statistics.median(times)


def spread(times: list[float]) -> float:
    """Interquartile range over the median: 0 for a quiet machine; 0 for a single time."""
    if len(times) < 2:
        return 0.0
    lower, _, upper = statistics.quantiles(times, n=4, method="inclusive")
    return (upper - lower) / median(times)


def compiled(function: Callable[..., Any], *arguments: Any) -> tuple[Callable[..., Any], float]:
    """A jitted function compiled ahead of time for the arguments, and the seconds that took."""
    start = time.perf_counter()
    program = function.lower(*arguments).compile()  # type: ignore[attr-defined]
    return program, time.perf_counter() - start


def first_call(function: Callable[[], object]) -> float:
    """Seconds that the first call takes beyond the second: what a hidden compilation costs."""
    first = seconds(function)
    return max(first - seconds(function), 0.0)


def gemm_ceiling(repeats: int = 10, side: int | None = None, dtype: Any = jnp.float32) -> float:
    """Best FLOP/s of a square matrix product through jax in this process, on its default device.

    float32 goes at the default precision of the device, which on an accelerator may be TF32.
    """
    if side is None:  # an accelerator would spend a small product waiting for its launch
        side = 1024 if jax.default_backend() == "cpu" else 8192
    left = jax.random.normal(jax.random.key(0), (side, side), dtype)
    product = jax.jit(jnp.matmul)
    jax.block_until_ready(product(left, left))
    best = min(seconds(lambda: jax.block_until_ready(product(left, left))) for _ in range(repeats))
    return 2 * side**3 / best


def copy_bandwidth(repeats: int = 5, megabytes: int = 256) -> float:
    """Best bytes/s, read plus written, of a pass over an array far larger than the caches."""
    array = jnp.ones(megabytes * 2**20 // 4, jnp.float32)
    # Donated, so that the pass runs in place: fresh pages would cost more than the copy itself.
    negate = jax.jit(jnp.negative, donate_argnums=0)
    array = jax.block_until_ready(negate(array))
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        array = jax.block_until_ready(negate(array))
        times.append(time.perf_counter() - start)
    return 2 * array.nbytes / min(times)
