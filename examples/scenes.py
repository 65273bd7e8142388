"""Scenes to detect digits in: what they look like, the sizes and overlaps of objects, how fast they come.

Reached (seed 0), with digits of MNIST: 1,621 scenes of 96 x 96 a second of processor time; 3 to 8 objects,
2 to 41 pixels wide (median 18) and 10 to 41 high (median 24); of every hundred, 55 overlap another, 13.5 by
an IoU above 0.1. With the 8x8 digits:
1,682 scenes a second, 5 to 36 wide (17) and 16 to 43 high (25), 55.5 and 16 of a hundred.

Run by `python examples/scenes.py [--effort quick] [--seed 0] [--count 2048] [--out out/scenes]`, about 10
seconds; of MNIST digits where its test files are in `JAXDL_DATA` or the cache, else of scikit-learn's. It
exits with 1 where a scene has too few objects, a box leaves its image, training and held-out scenes share a
digit, less than a tenth of the objects overlap another by an IoU above 0.1, or 300 scenes take longer than a
second of one core.
"""

import argparse
import sys
import time
from pathlib import Path

import jax
import numpy as np

from _effort import add, pick, reached, verdict
from jaxdl import boxes, data, plot


def overlaps(targets: dict[str, np.ndarray]) -> np.ndarray:
    """Return, of every object, the greatest IoU with another of its scene."""
    found, mask = np.asarray(boxes.iou(targets["boxes"], targets["boxes"])), targets["mask"]
    others = mask[:, :, None] & mask[:, None] & ~np.eye(mask.shape[1], dtype=bool)[None]
    return np.where(others, found, 0).max(2)[mask]


def statistics(targets: dict[str, np.ndarray], names: tuple[str, ...]) -> float:
    """Print numbers, classes, sizes and overlaps; return the share of objects that overlap."""
    mask, numbers = targets["mask"], targets["mask"].sum(1)
    sides = (targets["boxes"][..., 2:] - targets["boxes"][..., :2])[mask]
    shares = np.bincount(targets["labels"][mask], minlength=len(names)) / mask.sum()
    iou = overlaps(targets)
    print(f"objects a scene: {numbers.min()} to {numbers.max()}, {numbers.mean():.2f} in the mean")
    print("share of each class:", ", ".join(f"{name} {share:.1%}" for name, share in zip(names, shares)))
    for name, side in (("width", sides[:, 0]), ("height", sides[:, 1])):
        told = ", ".join(f"{value:.0f}" for value in np.percentile(side, (0, 10, 50, 90, 100)))
        print(f"{name} in pixels, least, 10 %, median, 90 %, greatest: {told}")
    print("overlap with another object:",
          ", ".join(f"IoU > {one}: {(iou > one).mean():.1%}" for one in (0.0, 0.1, 0.2, 0.3)))  # fmt: skip
    return float((iou > 0.1).mean())


def throughput(key: jax.Array, digits: data.SceneDigits, count: int) -> float:
    """Return scenes a second of processor time, once compiled."""
    data.scenes(key, 1, images=digits)
    begin = time.process_time()
    data.scenes(key, count, images=digits)
    return count / (time.process_time() - begin)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int)
    parser.add_argument("--out", type=Path, default=Path("out/scenes"))
    add(parser)
    options = parser.parse_args(arguments)
    count = pick(options, full=2048, few=16, given=options.count)
    begin, keys = time.perf_counter(), jax.random.split(jax.random.key(options.seed), 3)

    parts = [data.load_scene_digits("train"), data.load_scene_digits("test")]
    pixels = [{image.tobytes() for image in part.inputs} for part in parts]
    both = len(pixels[0] & pixels[1])
    print(f"{len(parts[0])} digits for training, {len(parts[1])} held out, {parts[0].features[:2]} pixels "
          f"each, {both} in both\n")  # fmt: skip
    training, held = (data.scene_digits(part.inputs, part.targets) for part in parts)

    images, targets = data.scenes(keys[0], count, images=training)
    sides = targets["boxes"][targets["mask"]]
    inside = bool(
        (sides >= 0).all() and (sides <= images.shape[1]).all() and (sides[:, 2:] > sides[:, :2]).all()
    )
    crowded = statistics(targets, parts[0].classes or ())
    shown, truth = data.scenes(keys[1], 12, images=held)
    plot.objects(shown, truth, names=parts[1].classes, path=options.out / "scenes.png")
    speed = throughput(keys[2], training, count)
    print(f"{speed:.0f} scenes a second of processor time")
    print(f"{time.perf_counter() - begin:.0f} s in all; pictures: {options.out}")
    good = inside and not both and targets["mask"].sum(1).min() >= 3 and crowded >= 0.1 and speed >= 300
    reached(f"{100 * crowded:.1f} % of the objects overlap another by an IoU above 0.1; {speed:,.0f} scenes "
            "a second")  # fmt: skip
    return verdict(options, bool(good))


if __name__ == "__main__":
    sys.exit(main())
