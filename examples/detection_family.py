"""R-CNN, Fast R-CNN, Faster R-CNN and YOLO on the same scenes: how well each finds, and what that costs.

Reached with MNIST's digits (seed 0) on 256 held-out scenes, milliseconds an image on two cores; Faster R-CNN
and YOLO were loaded from what `faster_rcnn` and `yolo` had saved (4,000 and 12,000 scenes):

                  mAP@.5  proposals  network  suppression  in all   training
    R-CNN          .926      47.8      16.5      0.14       64.4      101 s
    Fast R-CNN     .934      47.8       2.9      0.15       50.9      189 s
    Faster R-CNN   .985                 1.2      0.09        1.3      246 s
    YOLO           .978                 0.5      0.10        0.6      210 s

97 % of the digits overlap one of at most 128 proposals of selective search by half or more. 404 seconds in
all.

Scenes of 96 x 96 pixels hold 3 to 8 digits of ten classes that overlap, among clutter and noise; those held
out are made of digits that no scene of training has. R-CNN classifies a crop at each of 128 proposals of
selective search, Fast R-CNN pools them from one pass over the image, Faster R-CNN proposes by itself, YOLO
does without.

Run by `python examples/detection_family.py [--effort quick] [--only "Fast R-CNN" ...] [--scenes
2400] [--epochs 10] [--source digits|mnist] [--processes 2] [--seed 0] [--yolo out/yolo/model.safetensors]
[--faster out/faster_rcnn/model.safetensors] [--out out/detection_family]`. Where those two files are, the
models in them are measured; else both are trained here, on the scenes that the others have. Proposals are
kept in the output folder. It exits with 1 where selective search finds less than .9 of the objects, or a
detector stays below what `CLAIMS` says; `--effort quick` claims nothing of the detectors.
"""

import argparse
import dataclasses
import hashlib
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxdl
from _effort import add, pick, reached, verdict
from jaxdl import anchors, data, losses, metrics, models, optim, proposals, scaling, train
from jaxdl.boxes import Detections
from jaxdl.models import fast_rcnn, faster_rcnn, yolo

CLASSES, BATCH = 10, 16
# Proposals of an image; how many of them, and of the true boxes, Fast R-CNN learns from.
REGIONS, LEARNED = 128, 72
SEARCH = {"scales": (60.0, 200.0), "sigma": 0.6, "min_size": 15, "max_proposals": REGIONS}
SHOWN = {"score_threshold": 0.02, "iou_threshold": 0.45, "max_outputs": 30}
CLAIMS = {"R-CNN": 0.75, "Fast R-CNN": 0.75, "Faster R-CNN": 0.85, "YOLO": 0.8}


@dataclasses.dataclass(frozen=True)
class Plan:
    """How many scenes there are, and how often each detector sees those to train on."""

    scenes: int
    held_out: int
    epochs: dict[str, int]


FULL = Plan(2400, 256, {"R-CNN": 6, "Fast R-CNN": 12, "Faster R-CNN": 10, "YOLO": 20})
QUICK = Plan(320, 64, {"R-CNN": 2, "Fast R-CNN": 6, "Faster R-CNN": 6, "YOLO": 10})
FEW = Plan(2, 2, dict.fromkeys(CLAIMS, 1))


@dataclasses.dataclass(frozen=True)
class Scenes:
    """Images, their objects, and what selective search proposes."""

    images: np.ndarray
    targets: dict[str, np.ndarray]
    proposals: np.ndarray
    mask: np.ndarray

    @property
    def inputs(self) -> dict[str, np.ndarray]:
        """What networks of given proposals are fed with."""
        return {"image": self.images, "proposals": self.proposals, "proposal_mask": self.mask}

    def to_train(self, places: int | None = None) -> "Scenes":
        """Return the same with the true boxes and the first proposals, so many in all."""
        boxes, mask = proposals.add_truth(self.proposals, self.mask, self.targets)
        return dataclasses.replace(self, proposals=boxes[:, :places], mask=mask[:, :places])


@dataclasses.dataclass(frozen=True)
class Detector:
    """A trained network, how its outputs are read, whether it is given proposals, seconds of its training."""

    model: Any
    detect: Callable[[Any], Detections]
    given: bool
    seconds: float | None


def compose(part: str, count: int, options: argparse.Namespace) -> Scenes:
    digits = data.load_scene_digits(part, source=options.source)
    key = jax.random.fold_in(jax.random.key(options.seed), part == "test")
    images, targets = data.scenes(key, count, images=digits.inputs, labels=digits.targets)
    return Scenes(images, targets, *searched(images, options))


def searched(images: np.ndarray, options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Return the proposals of images: those that are kept, or new ones, which are kept."""
    digest = hashlib.sha256(images.tobytes() + repr(sorted(SEARCH.items())).encode()).hexdigest()[:16]
    path = options.out / f"proposals_{digest}.npz"
    if not path.exists():
        begin = time.perf_counter()
        boxes, mask = proposals.propose(images, processes=options.processes, seed=options.seed, **SEARCH)
        print(f"searched {len(images):,} scenes in {time.perf_counter() - begin:.0f} s")
        np.savez(path, boxes=boxes, mask=mask)
    with np.load(path) as kept:
        return kept["boxes"], kept["mask"]


def fit(
    net: jaxdl.net.Net, examples: Any, *, epochs: int, batch: int, rate: float, seed: int, **rest: Any
) -> Any:
    count = len(jax.tree.leaves(examples)[0])
    batch = min(batch, count)
    steps = epochs * (count // batch)
    schedule = optim.warmup_cosine(rate, warmup=steps // 10, total=steps)
    return train.fit(net, examples, optimizer=optim.adam(schedule), epochs=epochs, batch_size=batch,
                     seed=seed, progress="lines", **rest)  # fmt: skip


def train_rcnn(scenes: Scenes, epochs: int, seed: int) -> Detector:
    config, found = models.RCNNConfig(), scenes.to_train()
    crops = proposals.crops(
        jax.random.key(seed), found.images, found.proposals, found.mask, found.targets, num_classes=CLASSES,
        size=config.crop_size, context=config.context, count=32,
    )  # fmt: skip
    print(f"{len(crops[0]):,} crops, {np.mean(crops[1]['labels'] > 0):.0%} of them of objects")
    net = jaxdl.net.functional(lambda rngs: models.RCNN(config, rngs=rngs))
    fitted = fit(net, crops, epochs=epochs, batch=64, rate=2e-3, seed=seed, loss=losses.crop_heads,
                 scaling=scaling.pixels())  # fmt: skip
    return Detector(fitted, partial(fast_rcnn.detect, **SHOWN), True, fitted.timing.run)


def train_fast(scenes: Scenes, epochs: int, seed: int) -> Detector:
    found = scenes.to_train(LEARNED)
    net = jaxdl.net.functional(lambda rngs: models.FastRCNN(models.FastRCNNConfig(), rngs=rngs))
    fitted = fit(net, (found.inputs, found.targets), epochs=epochs, batch=BATCH, rate=2e-3, seed=seed,
                 loss=losses.region_heads)  # fmt: skip
    return Detector(fitted, partial(fast_rcnn.detect, **SHOWN), True, fitted.timing.run)


def train_faster(scenes: Scenes, epochs: int, seed: int) -> Detector:
    config = models.FasterRCNNConfig(anchors=fitting(scenes.targets, 4), pool_size=5)
    net = jaxdl.net.functional(lambda rngs: models.FasterRCNN(config, rngs=rngs))
    fitted = fit(net, (scenes.images, scenes.targets), epochs=epochs, batch=BATCH, rate=2e-3, seed=seed,
                 loss=losses.faster_rcnn, scaling=scaling.pixels())  # fmt: skip
    return Detector(fitted, partial(faster_rcnn.detect, **SHOWN), False, fitted.timing.run)


def train_yolo(scenes: Scenes, epochs: int, seed: int) -> Detector:
    config = models.YoloConfig(anchors=fitting(scenes.targets, 3))
    net = jaxdl.net.functional(lambda rngs: models.Yolo(config, rngs=rngs))
    loss = partial(losses.yolo_anchors, anchors=config.anchors, stride=config.stride)
    fitted = fit(net, (scenes.images, scenes.targets), epochs=epochs, batch=BATCH, rate=2e-3, seed=seed,
                 loss=loss, scaling=scaling.pixels())  # fmt: skip
    return Detector(fitted, partial(yolo.detect, config=config, **SHOWN), False, fitted.timing.run)


def fitting(targets: dict[str, np.ndarray], count: int) -> tuple[tuple[float, float], ...]:
    """Return the shapes of anchors that overlap the objects best."""
    corners = targets["boxes"][targets["mask"] != 0][:4000]
    found = anchors.kmeans(corners[:, 2:] - corners[:, :2], count, key=jax.random.key(0))
    return tuple((float(w), float(h)) for w, h in np.asarray(found.shapes).round(1))


def loaded(path: Path, kind: type) -> Detector | None:
    """Return the model of a file that another example wrote, where there is one."""
    if not path.exists():
        return None
    model = train.load(path)
    if not isinstance(model.config, kind):
        raise SystemExit(f"{path} holds a {type(model.config).__name__}, not a {kind.__name__}")
    detect = partial(yolo.detect, config=model.config) if kind is models.YoloConfig else faster_rcnn.detect
    print(f"loaded {path}")
    return Detector(model, partial(detect, **SHOWN), False, None)


def programs(detector: Detector) -> tuple[Any, Any]:
    """Return the network and what reads its outputs, each as a compiled program."""
    model = detector.model

    def network(params: Any, state: Any, x: Any) -> Any:
        given = x if detector.given else scaling.pixels()(x["image"])
        return model.net.apply(params, state, given, train=False)[0]

    return partial(jax.jit(network), model.params, model.state), jax.jit(detector.detect)


def found_in(scenes: Scenes, network: Any, read: Any) -> Detections:
    parts = [jax.tree.map(lambda leaf, i=i: leaf[i : i + BATCH], scenes.inputs)
             for i in range(0, len(scenes.images), BATCH)]  # fmt: skip
    return jax.tree.map(
        lambda *rows: np.concatenate(rows), *(jax.device_get(read(network(part))) for part in parts)
    )


def milliseconds(
    scenes: Scenes, detector: Detector, network: Any, read: Any, searching: float
) -> dict[str, float]:
    """Return what an image costs in each part: the median of several batches."""
    batch = jax.tree.map(lambda leaf: jnp.asarray(leaf[:BATCH]), scenes.inputs)
    count = min(BATCH, len(scenes.images))
    times = {"proposals": searching} if detector.given else {}
    times["network"] = timed(network, batch, count)
    times["suppression"] = timed(read, network(batch), count)
    return times


def timed(run: Any, x: Any, count: int, repeats: int = 7) -> float:
    spent = []
    for _ in range(repeats):
        begin = time.perf_counter()
        jax.block_until_ready(run(x))
        spent.append(time.perf_counter() - begin)
    return 1000 * float(np.median(spent[1:])) / count


def search_cost(images: np.ndarray) -> float:
    """Return milliseconds an image of selective search, in one process."""
    begin = time.perf_counter()
    proposals.propose(images, progress="off", **SEARCH)
    return 1000 * (time.perf_counter() - begin) / len(images)


def detectors(scenes: Scenes, plan: Plan, options: argparse.Namespace) -> dict[str, Detector]:
    """Train the four, or load the two that other examples trained."""
    made: dict[str, Detector] = {}
    steps: dict[str, tuple[Any, Detector | None]] = {
        "R-CNN": (train_rcnn, None),
        "Fast R-CNN": (train_fast, None),
        "Faster R-CNN": (train_faster, loaded(options.faster, models.FasterRCNNConfig)),
        "YOLO": (train_yolo, loaded(options.yolo, models.YoloConfig)),
    }
    for name, (trained, ready) in steps.items():
        if name not in options.only:
            continue
        print(f"\n{name}", flush=True)
        made[name] = ready or trained(scenes, options.epochs or plan.epochs[name], options.seed)
        train.save(options.out / f"{name}.safetensors", made[name].model)
    return made


def draw(scenes: Scenes, found: dict[str, Detections], at: int, path: Path) -> None:
    """Draw what each detector finds in one scene."""
    rows = jax.tree.map(lambda *leaves: np.stack([leaf[at] for leaf in leaves]), *found.values())
    repeated = {name: np.repeat(part[at][None], len(found), 0) for name, part in scenes.targets.items()}
    figure = jaxdl.plot.detections(
        np.repeat(scenes.images[at][None], len(found), 0), rows, repeated, size=3.2
    )
    for axes, name in zip(figure.axes, found, strict=True):
        axes.set_title(f"{name}\n{axes.get_title()}", fontsize=10)
    figure.savefig(path, dpi=120)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=tuple(CLAIMS), help="some of the detectors")
    parser.add_argument("--scenes", type=int, help="scenes to train on")
    parser.add_argument("--epochs", type=int, help="of every detector that is trained here")
    parser.add_argument("--source", choices=("digits", "mnist"))
    parser.add_argument("--processes", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--yolo", type=Path, default=Path("out/yolo/model.safetensors"))
    parser.add_argument("--faster", type=Path, default=Path("out/faster_rcnn/model.safetensors"))
    parser.add_argument("--out", type=Path, default=Path("out/detection_family"))
    add(parser)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    begin, plan = time.perf_counter(), pick(options, full=FULL, quick=QUICK, few=FEW)
    options.processes = pick(options, full=2, few=1, given=options.processes)
    options.only = pick(options, full=list(CLAIMS), few=["R-CNN"], given=options.only)

    training, test = (
        compose("train", options.scenes or plan.scenes, options),
        compose("test", plan.held_out, options),
    )
    recall = proposals.recall(test.proposals, test.mask, test.targets)
    searching = search_cost(test.images[:BATCH])
    print(f"selective search: {test.mask.sum(1).mean():.0f} proposals, {searching:.0f} ms an image; recall",
          ", ".join(f"{recall[k - 1]:.3f} of {k}" for k in (10, 50, REGIONS)))  # fmt: skip
    jaxdl.plot.comparison({"selective search": {"held-out scenes": recall}}, xlabel="proposals",
                          ylabel="recall at IoU .5", path=options.out / "recall.png")  # fmt: skip

    rows, found = {}, {}
    for name, detector in detectors(training, plan, options).items():
        network, read = programs(detector)
        found[name] = found_in(test, network, read)
        score = metrics.mean_average_precision(found[name], test.targets, num_classes=CLASSES).mean
        rows[name] = (score, milliseconds(test, detector, network, read, searching), detector.seconds)
    show(rows, test, found, options.out)
    print(f"{time.perf_counter() - begin:.0f} s in all; pictures: {options.out}")
    reached("mAP " + ", ".join(f"{name} {row[0]:.2f}" for name, row in rows.items()))
    claims = pick(options, full=CLAIMS, quick={}, few={})
    good = all(rows[name][0] >= claim for name, claim in claims.items() if name in rows)
    return verdict(options, good and bool(recall[-1] >= 0.9))


def show(rows: dict[str, Any], test: Scenes, found: dict[str, Detections], out: Path) -> None:
    """Print the table and draw the pictures."""
    print(f"\n{'':14}{'mAP@.5':>8}{'proposals':>11}{'network':>9}{'suppression':>13}{'ms an image':>13}"
          f"{'training':>11}")  # fmt: skip
    for name, (score, times, seconds) in rows.items():
        cells = [times.get(part, 0.0) for part in ("proposals", "network", "suppression")]
        trained = "loaded" if seconds is None else f"{seconds:.0f} s"
        print(f"{name:14}{score:8.3f}{cells[0]:11.1f}{cells[1]:9.2f}{cells[2]:13.2f}{sum(cells):13.1f}"
              f"{trained:>11}")  # fmt: skip
    precisions, costs = ({name: row[i] for name, row in rows.items()} for i in (0, 1))
    jaxdl.plot.detectors(precisions, costs, path=out / "family.png")
    crowded = int(np.argmax(test.targets["mask"].sum(1)))
    draw(test, found, crowded, out / "scene.png")


if __name__ == "__main__":
    sys.exit(main())
