"""What the pickle of a state dict speaks of: storages, and tensors that are windows on them."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxdl.weights import _pickle

MAX_RANK = 32
STORAGES: dict[str, Any] = {
    "Double": np.float64, "Float": np.float32, "Half": np.float16, "BFloat16": jnp.bfloat16,
    "Long": np.int64, "Int": np.int32, "Short": np.int16, "Char": np.int8, "Byte": np.uint8, "Bool": np.bool_,
}  # fmt: skip


class Storage(NamedTuple):
    """A run of numbers that the file holds under `key`."""

    dtype: np.dtype[Any]
    key: str
    size: int

    @property
    def bytes(self) -> int:
        """Length in the file."""
        return self.size * self.dtype.itemsize


class Tensor(NamedTuple):
    """A window on a storage; offset and strides count numbers, not bytes."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def storage(identifier: Any) -> Storage:
    """Read a persistent identifier: ('storage', type, key, location, size), and in older files a view."""
    if type(identifier) is not tuple or len(identifier) not in (5, 6) or identifier[0] != "storage":
        raise ValueError("the pickle has a persistent identifier that is no storage")
    _, kind, key, _, size, *view = identifier
    if type(kind) is not _pickle.Name or type(key) is not str or not _counts((size,)):
        raise ValueError("the pickle has a storage without type, key or size")
    if view not in ([], [None]):
        raise ValueError("the pickle has a view of a storage, as torch before 0.4 wrote them")
    name = kind.removeprefix("torch.").removesuffix("Storage")
    if name not in STORAGES:
        raise ValueError(f"the pickle has a storage of type '{kind}'")
    return Storage(np.dtype(STORAGES[name]), key, size)


def tensor(store: Any, offset: Any, shape: Any, strides: Any, *unused: Any) -> Tensor:
    """Stand for `torch._utils._rebuild_tensor_v2`; unused are requires_grad and backward hooks."""
    if type(store) is not Storage or not _counts((offset,)) or len(unused) > 3:
        raise ValueError("the pickle has a tensor without a storage, or at no offset")
    if not (_counts(shape) and _counts(strides)) or len(shape) != len(strides) or len(shape) > MAX_RANK:
        raise ValueError("the pickle has a tensor with malformed shape or strides")
    last = sum((size - 1) * stride for size, stride in zip(shape, strides))
    if offset > store.size or (0 not in shape and offset + last >= store.size):
        raise ValueError(f"the pickle has a tensor of shape {_short(shape)} that reaches beyond its storage")
    if math.prod(shape) > store.size:
        raise ValueError(f"the pickle has a tensor of shape {_short(shape)} that repeats its storage of "
                         f"{store.size} numbers (save tensor.contiguous())")  # fmt: skip
    return Tensor(store, offset, shape, strides)


def parameter(data: Any, *unused: Any) -> Tensor:
    """Stand for `torch._utils._rebuild_parameter`; unused are requires_grad and backward hooks."""
    if type(data) is not Tensor or len(unused) > 2:
        raise ValueError("the pickle has a parameter that is no tensor")
    return data


def ordered(*arguments: Any) -> dict[Any, Any]:
    """Stand for `collections.OrderedDict`, empty or, as Python 2 wrote it, of a list of pairs."""
    found: dict[Any, Any] = {}
    pairs = arguments[0] if len(arguments) == 1 else []
    if len(arguments) > 1 or type(pairs) is not list:
        raise ValueError("the pickle makes a dict of what is no list of pairs")
    if any(type(pair) not in (list, tuple) or len(pair) != 2 for pair in pairs):
        raise ValueError("the pickle makes a dict of what are no pairs")
    _pickle.insert(found, pairs)
    pairs.clear()  # or one list could be made into a million dicts
    return found


CALLS: _pickle.Calls = {
    "collections.OrderedDict": ordered,
    "torch._utils._rebuild_tensor": tensor,
    "torch._utils._rebuild_tensor_v2": tensor,
    "torch._utils._rebuild_parameter": parameter,
    **{f"torch.{name}Storage": None for name in STORAGES},
}


def state_dict(value: Any) -> dict[str, Tensor]:
    """Return the tensors of a state dict by name."""
    if type(value) is not dict:
        raise ValueError(f"it holds a {type(value).__name__} and no state dict")
    for name, found in value.items():
        if type(found) is not Tensor:
            raise ValueError(f"its entry {name[:80]!r} is no tensor but a {type(found).__name__}, so it "
                             "is no state dict by itself")  # fmt: skip
    return value


def arrays(tensors: Mapping[str, Tensor], stored: Mapping[str, memoryview]) -> dict[str, np.ndarray]:
    """Return the windows of the tensors on the bytes of their storages, by key."""
    return {name: _window(name, each, stored) for name, each in tensors.items()}


def _window(name: str, found: Tensor, stored: Mapping[str, memoryview]) -> np.ndarray:
    dtype = found.storage.dtype
    content = stored[found.storage.key]
    if len(content) != found.storage.bytes:
        raise ValueError(f"the storage of '{name[:80]}' has {len(content)} bytes where {found.storage.bytes} "
                         "were announced")  # fmt: skip
    if dtype == np.bool_ and np.frombuffer(content, np.uint8).max(initial=0) > 1:
        raise ValueError(f"the storage of '{name[:80]}' has booleans that are neither 0 nor 1")
    strides = [stride * dtype.itemsize for stride in found.strides]
    if 0 in found.shape:
        return np.zeros(found.shape, dtype)
    # Checked against the length of the buffer by NumPy once more.
    return np.ndarray(found.shape, dtype, content, found.offset * dtype.itemsize, strides)


def _counts(values: Any) -> bool:
    return type(values) is tuple and all(type(value) is int and 0 <= value < 2**48 for value in values)


def _short(shape: tuple[int, ...]) -> str:
    return str(shape)[:80]
