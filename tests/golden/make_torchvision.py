"""Write the golden files from torchvision: ``PYTHONPATH=tests python tests/golden/make_torchvision.py``."""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
DTYPES = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")
CLASSES = 10
SIZES = {"alexnet": 64, "vgg16": 32, "vgg16_bn": 32, "resnet18": 64, "resnet50": 64, "googlenet": 64}
NAMES = (
    "alexnet", *(f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")),
    *(f"resnet{depth}" for depth in (18, 34, 50, 101, 152)), "googlenet",
)  # fmt: skip


def all_kinds(torch: Any) -> Any:
    """Return a state dict with every dtype, and tensors that are windows on one storage."""
    numbers = torch.tensor(np.arange(6).reshape(2, 3) % 2)
    found = OrderedDict((name, numbers.to(getattr(torch, name))) for name in DTYPES)
    window = torch.tensor(np.arange(24, dtype=np.float32).reshape(2, 3, 4))
    found["turned"] = window.permute(2, 1, 0)
    found["part"] = window[1, 1:, ::2]
    found["parameter"] = torch.nn.Parameter(window)
    found["scalar"] = torch.tensor(7)
    found._metadata = OrderedDict([("", {"version": 1})])
    return found


def random_state_dict(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Return weights and statistics of batch norms for which logits are of order one, from a fixed seed."""
    rng = np.random.default_rng(11)
    return {name: _random(rng, name, shape, shapes) for name, shape in shapes.items()}


def _random(rng: Any, name: str, shape: tuple[int, ...], shapes: Mapping[str, Any]) -> np.ndarray:
    if name.endswith("num_batches_tracked"):
        return np.array(3)
    if len(shape) > 1:
        noise = rng.standard_normal(shape, np.float32)
        noise *= np.float32(np.sqrt(2 / np.prod(shape[1:])))
        return noise
    norm = name.rpartition(".")[0] + ".running_var" in shapes
    if name.endswith("running_var"):
        return rng.uniform(0.75, 1.75, shape).astype(np.float32)
    if norm and name.endswith("weight"):
        # The last norm of a residual block scales what is added to the shortcut.
        return rng.uniform(0.5, 1.5, shape).astype(np.float32) * np.float32(0.3 if _adds(name) else 1)
    return (0.1 * rng.standard_normal(shape, np.float32)).astype(np.float32)


def _adds(name: str) -> bool:
    return re.fullmatch(r"layer\d\.\d+\.bn[23]\.weight", name) is not None


def images(size: int) -> np.ndarray:
    """Return two images (batch, height, width, channels)."""
    return np.random.default_rng(12).standard_normal((2, size, size, 3), np.float32)


def digest(entries: Iterable[tuple[str, Any, str]]) -> str:
    """Return the SHA-256 over names, shapes and dtypes of a state dict in its order."""
    lines = (f"{name} {tuple(shape)} {dtype}\n" for name, shape, dtype in entries)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def build(models: Any, name: str, *, auxiliary: bool = False, **options: Any) -> Any:
    """Return a network of torchvision."""
    given = {"aux_logits": auxiliary, "init_weights": False} if name == "googlenet" else {}
    return models.get_model(name, **given, **options)


def filled(torch: Any, model: Any) -> Any:
    """Give a network random weights, through a strict load."""
    random = random_state_dict({name: tuple(value.shape) for name, value in model.state_dict().items()})
    model.load_state_dict({name: torch.from_numpy(value) for name, value in random.items()}, strict=True)
    return model


def logits(torch: Any, models: Any, name: str) -> np.ndarray:
    """Return the logits (2, classes) of a network in evaluation."""
    model = filled(torch, build(models, name, num_classes=CLASSES)).eval()
    with torch.no_grad():
        return model(torch.from_numpy(np.moveaxis(images(SIZES[name]), -1, 1).copy())).numpy()


def trained_googlenet(torch: Any, models: Any) -> dict[str, np.ndarray]:
    """Return main and auxiliary logits in training, without dropout, and two statistics after the step."""
    options = {"num_classes": CLASSES, "dropout": 0.0, "dropout_aux": 0.0}
    model = filled(torch, build(models, "googlenet", auxiliary=True, **options)).train()
    with torch.no_grad():
        main, second, first = model(torch.from_numpy(np.moveaxis(images(SIZES["googlenet"]), -1, 1).copy()))
    found = {"main": main, "first": first, "second": second,
             "mean": model.conv1.bn.running_mean, "var": model.aux1.conv.bn.running_var}  # fmt: skip
    return {f"googlenet_training/{name}": value.numpy() for name, value in found.items()}


def layouts(torch: Any, models: Any) -> dict[str, np.ndarray]:
    """Return the digest of every state dict, with GoogLeNet's auxiliary heads as ``googlenet_auxiliary``."""
    found = {}
    with torch.device("meta"):
        for name, auxiliary in (*((name, False) for name in NAMES), ("googlenet", True)):
            entries = build(models, name, auxiliary=auxiliary).state_dict().items()
            shown = digest(
                (key, value.shape, str(value.dtype).removeprefix("torch.")) for key, value in entries
            )
            found[f"layout/{name}{'_auxiliary' if auxiliary else ''}"] = np.array(shown)
    return found


def main() -> None:
    import torch
    from torchvision import models

    torch.save(all_kinds(torch), FOLDER / "torch_zip.pth")
    torch.save(all_kinds(torch), FOLDER / "torch_legacy.pth", _use_new_zipfile_serialization=False)
    arrays = {f"logits/{name}": logits(torch, models, name) for name in SIZES}
    arrays |= trained_googlenet(torch, models) | layouts(torch, models)
    np.savez_compressed(FOLDER / "torchvision.npz", **arrays)
    for name in SIZES:
        print(name, np.abs(arrays[f"logits/{name}"]).max())


if __name__ == "__main__":
    main()
