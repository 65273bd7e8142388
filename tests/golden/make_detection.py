"""Write the golden file of boxes: ``PYTHONPATH=tests python tests/golden/make_detection.py``.

All of it is torchvision's. Suppression is stored as a digest of what is kept: `nms_case` draws the boxes
anew from the seed.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent
SEEDS, BOXES = 30, 1000
SCALE, SIZE = 0.25, (3, 4)


def drawn(rng: Any, count: int, side: float) -> np.ndarray:
    """Return boxes (count, 4) float32 about as large as a quarter of the side, some past its edge."""
    centre, size = rng.uniform(0, side, (count, 2)), side * np.exp(rng.uniform(-4, -0.7, (count, 2)))
    return np.concatenate([centre - size / 2, centre + size / 2], 1).astype(np.float32)


def nms_case(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return boxes, scores with many ties, and an IoU that occurs between the floats below and above it."""
    rng = np.random.default_rng(seed)
    boxes = drawn(rng, BOXES, 200.0)
    scores = rng.integers(0, 100, BOXES).astype(np.float32) / 100
    found = overlaps(boxes[:200])
    value = found.flat[np.abs(found - np.float32(0.2 + 0.6 * seed / SEEDS)).argmin()]
    return (
        boxes,
        scores,
        np.array([np.nextafter(value, np.float32(0)), value, np.nextafter(value, np.float32(1))]),
    )


def overlaps(boxes: np.ndarray) -> np.ndarray:
    """Return the IoU of all pairs in the arithmetic of torchvision's kernel."""
    low, high = np.maximum(boxes[:, None, :2], boxes[:, :2]), np.minimum(boxes[:, None, 2:], boxes[:, 2:])
    sides = np.maximum(high - low, 0)
    shared, area = sides[..., 0] * sides[..., 1], (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return shared / (area[:, None] + area - shared)


def digest(kept: np.ndarray) -> np.uint64:
    """Return eight bytes that stand for a list of indices."""
    return np.frombuffer(hashlib.sha256(np.asarray(kept, np.int32).tobytes()).digest()[:8], np.uint64)[0]


def suppressed(torch: Any, ops: Any) -> np.ndarray:
    """Return digests (seeds, thresholds) of what torchvision keeps."""
    found = np.zeros((SEEDS, 3), np.uint64)
    for seed in range(SEEDS):
        boxes, scores, thresholds = nms_case(seed)
        for i, threshold in enumerate(thresholds):
            kept = ops.nms(torch.from_numpy(boxes), torch.from_numpy(scores), float(threshold))
            found[seed, i] = digest(kept.numpy())
    return found


def overlap_case() -> tuple[np.ndarray, np.ndarray]:
    """Return two sets of boxes, some of which do not touch."""
    rng = np.random.default_rng(3)
    return drawn(rng, 20, 50.0), drawn(rng, 30, 50.0)


def roi_case() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features, boxes, many with corners halfway between cells, and the slope of the loss."""
    rng = np.random.default_rng(4)
    features = rng.integers(-8, 9, (12, 15, 4)).astype(np.float32) / 8
    boxes = drawn(rng, 40, 60.0)
    boxes[:20] = 2 * np.round(boxes[:20] / 2)
    boxes[0] = 0
    return features, boxes, rng.standard_normal((40, *SIZE, 4), np.float32)


def pooled(torch: Any, ops: Any, kind: str, **options: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return value (boxes, rows, columns, channels) and gradient of torchvision's pooling of `roi_case`."""
    features, boxes, above = roi_case()
    x = torch.from_numpy(np.moveaxis(features, -1, 0)[None].copy()).requires_grad_()
    y = getattr(ops, kind)(x, [torch.from_numpy(boxes)], SIZE, SCALE, **options)
    (slope,) = torch.autograd.grad(y, x, torch.from_numpy(np.moveaxis(above, -1, 1).copy()))
    return np.moveaxis(y.detach().numpy(), 1, -1), np.moveaxis(slope[0].numpy(), 0, -1)


POOLINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "aligned": ("roi_align", {"sampling_ratio": 2, "aligned": True}),
    "plain": ("roi_align", {"sampling_ratio": 3, "aligned": False}),
    "pool": ("roi_pool", {}),
}


def everything(torch: Any, ops: Any) -> dict[str, np.ndarray]:
    """Return what the golden file holds."""
    first, second = (torch.from_numpy(boxes) for boxes in overlap_case())
    found = {
        "nms": suppressed(torch, ops),
        "iou": ops.box_iou(first, second).numpy(),
        "giou": ops.generalized_box_iou(first, second).numpy(),
    }
    for name, (kind, options) in POOLINGS.items():
        found[f"{name}/value"], found[f"{name}/gradient"] = pooled(torch, ops, kind, **options)
    return found


def main() -> None:
    import torch
    from torchvision import ops

    np.savez_compressed(FOLDER / "detection.npz", **everything(torch, ops))


if __name__ == "__main__":
    main()
