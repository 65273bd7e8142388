"""Is there an object, where, and of which class? Localisation by ``[p, bx, by, bh, bw, c1, ..., c10]``.

Reached (seed 0), on 1,000 held-out scenes of one digit or none among clutter: 87.4 % of the digits with
IoU >= .5, 98.9 % of the scenes judged rightly empty or not, the class of 81.5 % of what is localised, average
precision .593; in 51 seconds on two cores.

Run by `python examples/localisation.py [--effort quick] [--form squared_error] [--seed 0]
[--out out/localisation]`. The form is that of the loss: cross-entropies and smooth L1, or the squared errors
that texts print, which the figures are not for. It exits with 1 where less than 80 % of the digits are
localised by the first.
"""

import argparse
import functools
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxdl
from _effort import add, pick, reached, verdict
from jaxdl import losses, metrics, optim, train
from jaxdl.boxes import Detections
from jaxdl.data import load_scene_digits, scenes
from jaxdl.models import Localiser, LocaliserConfig, localise

SIZE, WIDTHS, BATCH, RATE = 48, (16, 24, 48, 96), 32, 0.003
SCENE: dict[str, Any] = {"size": SIZE, "scales": (14.0, 36.0), "clutter": 4}


def data(seed: int, part: Any, certain: int, either: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return scenes with a digit and scenes with one or none; those of the test hold other digits."""
    digits = load_scene_digits(part, source="digits")
    keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), part == "test"))
    both = [
        scenes(key, count, images=digits.inputs, labels=digits.targets, objects=(least, 1), **SCENE)
        for key, count, least in zip(keys, (certain, either), (1, 0))
    ]
    joined = {name: np.concatenate([targets[name] for _, targets in both]) for name in both[0][1]}
    return np.concatenate([images for images, _ in both]), joined


def fit(form: str, training: Any, seed: int, epochs: int) -> train.Fitted:
    config = LocaliserConfig(size=SIZE, widths=WIDTHS)
    net = jaxdl.net.functional(lambda rngs: Localiser(config, rngs=rngs))
    steps = epochs * (len(training[0]) // BATCH)
    loss = functools.partial(losses.localisation, size=SIZE, form=form, box_weight=2.0)
    localised = functools.partial(metrics.localisation_accuracy, size=SIZE, form=form)
    rate = optim.warmup_cosine(RATE, warmup=steps // 10, total=steps)
    return train.fit(net, training, loss=loss, optimizer=optim.adam(rate), metrics={"localised": localised},
                     train_metrics=True, scaling=jaxdl.scaling.pixels(), epochs=epochs, batch_size=BATCH,
                     seed=seed, progress="lines")  # fmt: skip


def judge(found: Detections, targets: dict[str, np.ndarray]) -> dict[str, float]:
    """Return shares: objects localised, images judged empty or not, classes of what is localised."""
    there = targets["mask"][:, 0]
    near = np.asarray(jaxdl.boxes.iou(found.boxes, targets["boxes"]))[:, 0, 0] >= 0.5
    seen, right = np.asarray(found.mask)[:, 0], (np.asarray(found.labels) == targets["labels"])[:, 0]
    hit = there & near & seen
    return {"IoU >= .5": float(hit[there].mean()), "presence": float((seen == there).mean()),
            "class": float(right[hit].mean()) if hit.any() else 0.0}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--form", choices=("cross_entropy", "squared_error"), default="cross_entropy")
    parser.add_argument("--out", type=Path, default=Path("out/localisation"))
    add(parser)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    begin = time.perf_counter()

    count = pick(options, full=4000, quick=800, few=16)
    held = pick(options, full=500, quick=250, few=4)
    training = data(options.seed, "train", 2 * count, count)
    images, targets = data(options.seed, "test", held, held)
    print(f"{len(training[0])} and {len(images)} scenes in {time.perf_counter() - begin:.1f} s\n")
    fitted = fit(options.form, training, options.seed, pick(options, full=6, few=1))
    found = localise(fitted.predict(images), size=SIZE, form=options.form)
    row = judge(found, targets)
    row["mAP@.5"] = metrics.mean_average_precision(found, targets, num_classes=10).mean
    shown = slice(max(held - 16, 0), held + 16)
    jaxdl.plot.detections(images[shown], Detections(*(np.asarray(part)[shown] for part in found)),
                          {name: part[shown] for name, part in targets.items()}, columns=8,
                          path=options.out / f"{options.form}.png")  # fmt: skip
    print(f"\n{options.form}:", *(f"{name} {value:.3f}" for name, value in row.items()), sep="   ")
    print(f"{time.perf_counter() - begin:.0f} s in all; pictures: {options.out}")
    reached(
        f"{100 * row['IoU >= .5']:.1f} % of the digits with IoU >= .5, in {len(images):,} held-out scenes"
    )
    claim = pick(options, full=0.8, quick=0.5, few=0.0)
    return verdict(options, row["IoU >= .5"] >= claim or options.form == "squared_error")


if __name__ == "__main__":
    sys.exit(main())
