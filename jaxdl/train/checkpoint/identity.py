"""What makes two runs the same run, and what makes their bits the same."""

import dataclasses
import hashlib
import importlib.metadata
import os
import platform
import warnings
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jaxdl.errors import CheckpointWarning, explain
from jaxdl.train.order import steps_per_epoch
from jaxdl.train.parts import examples_of
from jaxdl.train.spec import Arrays, Carry, Hyper, Spec

PACKAGES = ("jax", "jaxlib", "flax", "optax", "jaxdl-train")
FLAGS = ("jax_enable_x64", "jax_default_matmul_precision", "jax_threefry_partitionable")
# What may differ without being another run; functions are compared by the digest of the program.
FREE = ("epochs", "shard")
FIXES = {
    "seed": "pass the seed of the saved run",
    "hyper": "pass the hyperparameters of the saved run, or start a new run in a new folder",
    "spec": "pass the options of the saved run",
    "data": "pass the data of the saved run, in the same order",
}


def describe(
    carry: Carry,
    arrays: Arrays,
    hyper: Hyper,
    spec: Spec,
    *,
    seed: int,
    program: str,
    stream: str | None = None,
) -> dict[str, Any]:
    """Describe a run as JSON.

    Args:
        carry: its state at the start.
        arrays: its examples.
        hyper: its hyperparameters.
        spec: its static part.
        seed: its seed.
        program: digest of the program, before it is compiled; it must not depend on `epochs`.
        stream: what the batches of a stream are like, which holds its examples in the place of `arrays`.

    Returns:
        ``seed``, ``hyper``, ``spec`` and ``data`` (digests by name), which must not change between a run and
        its resumption; ``environment`` and ``program``, on which its bits depend; ``epochs``, ``steps``
        (in an epoch) and ``versions``.
    """
    fields = {field.name: getattr(spec, field.name) for field in dataclasses.fields(spec)}
    return {
        "seed": int(seed),
        "hyper": {name: _number(value) for name, value in hyper.items()},
        "spec": {name: _plain(value) for name, value in fields.items() if name not in FREE},
        "data": {name: digest(part) for name, part in arrays._asdict().items()} | {"stream": stream},
        "environment": environment(carry),
        "program": program,
        "epochs": spec.epochs,
        "steps": steps_per_epoch(examples_of(arrays), spec.batch_size) if stream is None else None,
        "streamed": stream is not None,
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
    }


def environment(carry: Carry) -> dict[str, Any]:
    """Return what the bits of a run depend on beside its program: versions, device, cores, flags."""
    leaves = [leaf for leaf in jax.tree.leaves(carry) if isinstance(leaf, jax.Array)]
    device: Any = next(iter(leaves[0].sharding.device_set))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        **{name: _version(name) for name in PACKAGES},
        "platform": device.platform,
        "device": device.device_kind,
        "devices": max(len(leaf.sharding.device_set) for leaf in leaves),
        "processes": jax.process_count(),
        "cores": cores,
        "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""),
        **{flag: _plain(getattr(jax.config, flag)) for flag in FLAGS},
    }


def compare(saved: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise where `now` is another run than `saved`; warn where its bits may be others.

    Args:
        saved: what `describe` returned when the run was saved.
        now: what it returns now.

    Raises:
        ValueError: seed, hyperparameters, options or data differ; it says in what.
    """
    for part, fix in FIXES.items():
        if difference := _difference(part, saved[part], now[part]):
            name, was, found = difference
            raise ValueError(
                explain("fit", name, got=found, expected=f"{was}, as in the run that is resumed", fix=fix)
            )
    reasons = [f"{name} was {was!r} and is {found!r}" for name, was, found in _changes(saved, now)]
    if not reasons and saved["program"] != now["program"]:
        reasons = [
            "the program is another one, as the network, the loss, the optimizer, its schedule or a metric "
            "was changed"
        ]
    if reasons:
        warnings.warn(f"resume: not bit-exact: {'; '.join(reasons)}", CheckpointWarning, stacklevel=2)


def _difference(name: str, saved: Any, now: Any) -> tuple[str, Any, Any] | None:
    """Return name and both values of the first entry in which two descriptions differ."""
    if isinstance(saved, dict) and isinstance(now, dict):
        pairs = ((key, saved.get(key, "missing"), now.get(key, "missing")) for key in [*saved, *now])
        found = (_difference(f"{name}['{key}']", was, found) for key, was, found in pairs)
        return next((entry for entry in found if entry is not None), None)
    return None if saved == now else (name, saved, now)


def _changes(saved: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    before, after = saved["environment"], now["environment"]
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return [(name, before.get(name), after.get(name)) for name in names]


def _plain(value: Any) -> Any:
    """Return a static option as JSON holds it; of a function its presence: the program holds the rest."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, str | int | float | None):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = (field.name for field in dataclasses.fields(value) if field.compare)
        return {name: _plain(getattr(value, name)) for name in fields}
    if isinstance(value, tuple | list):
        return [_plain(entry) for entry in value]
    return "a function" if callable(value) else str(value)


def _number(value: Any) -> int | float:
    """Return a number by the fewest digits that name it in its dtype: 0.3 for the float32 nearest to it."""
    array = np.asarray(value)
    return float(str(array)) if array.dtype.kind == "f" else int(array)


def digest(part: Any) -> str | None:
    """Return the SHA-256 of the arrays of a part of the data, shapes and dtypes included."""
    leaves, structure = jax.tree.flatten(part)
    found = hashlib.sha256(str(structure).encode())
    for leaf in leaves:
        array = np.ascontiguousarray(leaf)
        found.update(f"{array.dtype.str} {array.shape} ".encode())
        found.update(array.reshape(-1).view(np.uint8).data)
    return found.hexdigest() if leaves else None


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
