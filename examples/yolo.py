"""YOLO finds digits in scenes: trained by `fit`, then forward pass, decoding and suppression as one program.

TODO figures

Scenes of 96 x 96 pixels hold 3 to 8 digits of ten classes and several sizes, which overlap, among clutter and
noise. Held-out scenes are made of digits that no scene of training has. With `JAXDL_DATA` set the digits are
those of MNIST's test images; else the 1,797 that scikit-learn brings.

Run by `python examples/yolo.py [--form anchors|v1] [--quick] [--epochs 14] [--seed 0] [--out out/yolo]`.
"""

import argparse
import dataclasses
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxdl
from jaxdl import anchors, data, losses, metrics, optim, scaling, train
from jaxdl.boxes import Detections
from jaxdl.models import Yolo, YoloConfig
from jaxdl.models.yolo import detect

SIZE, BATCH, PEAK = 96, 32, 2e-3
CLAIM = 0.9


@dataclasses.dataclass(frozen=True)
class Plan:
    """How many scenes there are to train with and to be measured on, and how often they are seen."""

    scenes: int
    held_out: int
    epochs: int


FULL, QUICK = Plan(8000, 500, 14), Plan(960, 100, 4)


def compose(part: str, count: int, seed: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    digits = data.load_scene_digits(part)
    key = jax.random.fold_in(jax.random.key(seed), part == "test")
    return data.scenes(key, count, images=digits.inputs, labels=digits.targets, size=SIZE)


def shapes_of(targets: dict[str, np.ndarray], count: int = 3) -> tuple[tuple[float, float], ...]:
    """Return the anchors that fit the boxes best."""
    corners = targets["boxes"][targets["mask"]]
    found = anchors.kmeans(corners[:, 2:] - corners[:, :2], count, key=jax.random.key(0))
    print(f"anchors {np.asarray(found.shapes).round(1).tolist()}, mean overlap {found.mean_iou:.2f}")
    return tuple((round(float(w), 1), round(float(h), 1)) for w, h in found.shapes)


class Detector:
    """Forward pass, decoding and suppression as one compiled program."""

    def __init__(self, net: jaxdl.net.Net, config: YoloConfig) -> None:
        def found(params: Any, state: Any, images: jax.Array) -> Detections:
            outputs, _ = net.apply(params, state, scaling.pixels()(images), train=False)
            return detect(outputs, config, score_threshold=0.02, iou_threshold=0.45, max_outputs=30)

        self.program = jax.jit(found)

    def __call__(self, fitted: Any, images: np.ndarray, batch: int = 50) -> Detections:
        parts = [self.program(fitted.params, fitted.state, images[i : i + batch])
                 for i in range(0, len(images), batch)]  # fmt: skip
        return jax.tree.map(lambda *rows: np.concatenate(rows), *parts)

    def images_per_second(self, fitted: Any, images: np.ndarray, batch: int, repeats: int = 5) -> float:
        some = jnp.asarray(images[:batch])
        jax.block_until_ready(self.program(fitted.params, fitted.state, some))
        times = []
        for _ in range(repeats):
            begin = time.perf_counter()
            jax.block_until_ready(self.program(fitted.params, fitted.state, some))
            times.append(time.perf_counter() - begin)
        return batch / float(np.median(times))


def mean_average_precision(
    detections: Detections, targets: dict[str, np.ndarray], **options: Any
) -> metrics.MeanAveragePrecision:
    return metrics.mean_average_precision(detections, targets, num_classes=10, **options)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--form", choices=("anchors", "v1"), default="anchors")
    parser.add_argument("--quick", action="store_true", help="a short run, in which nothing is claimed")
    parser.add_argument("--scenes", type=int)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/yolo"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    begin = time.perf_counter()

    plan = QUICK if options.quick else FULL
    count, epochs = options.scenes or plan.scenes, options.epochs or plan.epochs
    images, targets = compose("train", count, options.seed)
    held_out, truth = compose("test", plan.held_out, options.seed)
    print(f"{count:,} scenes to train, {plan.held_out} held out with {truth['mask'].sum():,} objects; "
          f"composed in {time.perf_counter() - begin:.0f} s")  # fmt: skip
    config = YoloConfig(form=options.form, anchors=shapes_of(targets))
    net = jaxdl.net.functional(lambda rngs: Yolo(config, rngs=rngs))
    print(jaxdl.net.summary(net, jax.ShapeDtypeStruct((1, SIZE, SIZE, 1), jnp.float32)), "\n")
    loss = {"anchors": partial(losses.yolo_anchors, anchors=config.anchors, stride=config.stride),
            "v1": partial(losses.yolo_v1, stride=config.stride)}[options.form]  # fmt: skip
    grid = (SIZE // config.stride,) * 2
    lost = losses.yolo_unplaced(targets, grid=grid, stride=config.stride, num_classes=10,
                                anchors=config.anchors if options.form == "anchors" else None)  # fmt: skip
    print(f"{int(lost.sum())} of {targets['mask'].sum():,} objects have no place in the grid")

    detector, steps = Detector(net, config), count // BATCH
    few = slice(200)

    def optimizer(hyper: dict[str, jax.Array]) -> optax.GradientTransformation:
        return optim.adam(optim.warmup_cosine(hyper["peak"], warmup=steps // 2, total=epochs * steps))

    def watch(moment: Any) -> None:
        found = detector(moment.carry, held_out[few])
        value = mean_average_precision(found, {name: part[few] for name, part in truth.items()}).mean
        print(f"epoch {moment.epoch:2d}: loss {moment.history['loss'][-1]:6.2f}, mAP@.5 {value:.3f}, "
              f"{moment.seconds:.0f} s", flush=True)  # fmt: skip

    fitted = train.fit(
        net,
        (images, targets),
        loss=loss,
        optimizer=optimizer,
        hyper={"peak": PEAK},
        scaling=scaling.pixels(),
        epochs=epochs,
        batch_size=BATCH,
        seed=options.seed,
        progress="off",
        callbacks=(watch,),
    )
    found = detector(fitted, held_out)
    result = mean_average_precision(found, truth)
    print(f"mAP@.5 {result.mean:.4f}; by class {result.per_class.round(3).tolist()}")
    return 0 if options.quick or result.mean >= CLAIM else 1


if __name__ == "__main__":
    sys.exit(main())
