"""Write coco.npz: ``PYTHONPATH=tests python tests/golden/make_coco.py``, where numpy and pycocotools are."""

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).parent / "coco.npz"
CLASSES, SEEDS, MOST = 4, (0, 1), (1, 2, 100)


def scene(seed: int, *, images: int = 12, objects: int = 7, places: int = 15) -> tuple[dict[str, Any], ...]:
    """Return detections and targets with ties of scores, crowds for odd seeds, and objects of all sizes."""
    rng = np.random.default_rng(seed)
    low, side = rng.uniform(0, 112, (images, objects, 2)), np.exp(rng.uniform(2, 5, (images, objects, 2)))
    boxes = np.round(np.concatenate([low, low + side], -1))
    labels, mask = rng.integers(0, CLASSES, (images, objects)), rng.random((images, objects)) < 0.7
    ignore = mask & (rng.random((images, objects)) < 0.15 * (seed % 2))
    near = rng.integers(0, objects, (images, places))
    found = np.take_along_axis(boxes, near[..., None], 1) + np.round(rng.normal(size=(images, places, 4)) * 6)
    found[..., 2:] = np.maximum(found[..., 2:], found[..., :2])
    right, others = np.take_along_axis(labels, near, 1), rng.integers(0, CLASSES, (images, places))
    detections = {
        "boxes": found.astype(np.float32), "scores": np.round(rng.random((images, places)), 1),
        "labels": np.where(rng.random((images, places)) < 0.8, right, others),
        "mask": rng.random((images, places)) < 0.8,
    }  # fmt: skip
    return detections, {"boxes": boxes, "labels": labels, "mask": mask, "ignore": ignore}


def _rows(parts: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for image, place in np.argwhere(parts["mask"]):
        x1, y1, x2, y2 = (float(side) for side in parts["boxes"][image, place])
        row = {"image_id": int(image), "category_id": int(parts["labels"][image, place]),
               "bbox": [x1, y1, x2 - x1, y2 - y1]}  # fmt: skip
        if "scores" in parts:
            row["score"] = float(parts["scores"][image, place])
        else:
            row |= {"id": len(rows) + 1, "area": (x2 - x1) * (y2 - y1),
                    "iscrowd": int(parts["ignore"][image, place])}  # fmt: skip
        rows.append(row)
    return rows


def table(seed: int) -> np.ndarray:
    """Return the average precisions (thresholds, classes, all and three sizes, most detections)."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    detections, targets = scene(seed)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {"images": [{"id": image} for image in range(len(targets["mask"]))],
                         "annotations": _rows(targets),
                         "categories": [{"id": label} for label in range(CLASSES)]}  # fmt: skip
        truth.createIndex()
        judge = COCOeval(truth, truth.loadRes(_rows(detections)), "bbox")
        judge.params.maxDets = list(MOST)
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"]
    return np.asarray(np.where(precision < 0, np.nan, precision).mean(1))


if __name__ == "__main__":
    np.savez_compressed(FILE, **{str(seed): table(seed) for seed in SEEDS})
