"""Faster R-CNN, both stages trained together: digits of several sizes that overlap, found and named.

Run by `python examples/faster_rcnn.py [--seed 0] [--quick] [--out out/faster_rcnn]`. The held-out scenes are
composed of other digits. It exits with 1 where the mean average precision at IoU .5 is below .9; `--quick`
trains for seconds, shows the pictures all the same, and asks for nothing.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxdl
from jaxdl import anchors, boxes, losses, metrics, optim, scaling, train
from jaxdl.data import Dataset, load_scene_digits, scenes
from jaxdl.models import FasterRCNN, FasterRCNNConfig, faster_rcnn

BATCH, RATE, CLASSES = 16, 0.002, 10


def compose(part: str, key: jax.Array, count: int) -> Dataset:
    """Return scenes of 96 x 96 pixels with 3 to 8 digits."""
    digits = load_scene_digits(part, source="digits")
    return Dataset(*scenes(key, count, images=digits.inputs, labels=digits.targets))


def fitting_anchors(data: Dataset, key: jax.Array, count: int = 4) -> tuple[tuple[float, float], ...]:
    """Return shapes that overlap the boxes of the scenes best."""
    found = data.targets["boxes"][data.targets["mask"] != 0]
    shapes, overlap = anchors.kmeans(found[:4000, 2:] - found[:4000, :2], count, key=key)
    print("anchors:", ", ".join(f"{w:.0f} x {h:.0f}" for w, h in shapes), f"(mean IoU {float(overlap):.2f})")
    return tuple((float(w), float(h)) for w, h in shapes)


def fit(net: jaxdl.net.Net, data: Dataset, *, epochs: int, seed: int) -> train.Fitted:
    steps = epochs * (len(data) // BATCH)
    rate = optim.warmup_cosine(RATE, warmup=steps // 10, total=steps)
    return train.fit(net, data, loss=losses.faster_rcnn, optimizer=optim.adam(rate), epochs=epochs,
                     batch_size=BATCH, scaling=scaling.pixels(), seed=seed, progress="lines")  # fmt: skip


def detector(fitted: train.Fitted) -> Any:
    """Return network, decoding and suppression as one program."""

    def run(images: jax.Array) -> Any:
        outputs, _ = fitted.net.apply(fitted.params, fitted.state, fitted.scaling(images), train=False)
        return faster_rcnn.detect(outputs, max_outputs=30), outputs.regions

    return jax.jit(run)


def predictions(fitted: train.Fitted, images: np.ndarray) -> tuple[Any, Any, float]:
    """Return detections, proposals and milliseconds an image."""
    run = detector(fitted)
    parts = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
    jax.block_until_ready(run(parts[0]))
    begin = time.perf_counter()
    found = [jax.block_until_ready(run(part)) for part in parts]
    spent = time.perf_counter() - begin
    detections, regions = jax.tree.map(lambda *leaves: np.concatenate(leaves), *found)
    return detections, regions, 1000 * spent / len(images)


def recall(regions: Any, targets: dict[str, np.ndarray], threshold: float) -> float:
    """Return the share of the objects that a proposal overlaps by the threshold or more."""
    overlap = jax.jit(jax.vmap(boxes.iou))(regions.regions, targets["boxes"])
    best = jnp.where(regions.mask[..., None], overlap, 0).max(1)
    return float(np.mean(np.asarray(best)[targets["mask"] != 0] >= threshold))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--scenes", type=int, default=3200)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--out", type=Path, default=Path("out/faster_rcnn"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    begin = time.perf_counter()

    keys = jax.random.split(jax.random.key(options.seed), 3)
    training, test = compose("train", keys[0], options.scenes), compose("test", keys[1], 256)
    print(f"composed in {time.perf_counter() - begin:.1f} s")
    config = FasterRCNNConfig(anchors=fitting_anchors(training, keys[2]), pool_size=5)
    net = jaxdl.net.functional(lambda rngs: FasterRCNN(config, rngs=rngs))
    cpu = time.process_time()
    fitted = fit(net, training, epochs=options.epochs, seed=options.seed)
    print(fitted.timing, f"cpu {time.process_time() - cpu:.0f}")
    detections, regions, milliseconds = predictions(fitted, test.inputs)
    found = metrics.mean_average_precision(detections, test.targets, num_classes=CLASSES)
    print(
        f"mAP@.5 {found.mean:.3f}, {milliseconds:.1f} ms an image, recall of proposals "
        f"{recall(regions, test.targets, 0.5):.3f} at IoU .5, {recall(regions, test.targets, 0.7):.3f} at .7"
    )
    print(f"{time.perf_counter() - begin:.0f} s in all; pictures: {options.out}")
    return 0 if options.quick or found.mean >= 0.9 else 1


if __name__ == "__main__":
    sys.exit(main())
