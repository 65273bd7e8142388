"""Write the golden files from torchvision: ``PYTHONPATH=tests python tests/golden/make_torchvision.py``."""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
DTYPES = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")


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


def main() -> None:
    import torch

    torch.save(all_kinds(torch), FOLDER / "torch_zip.pth")
    torch.save(all_kinds(torch), FOLDER / "torch_legacy.pth", _use_new_zipfile_serialization=False)


if __name__ == "__main__":
    main()
