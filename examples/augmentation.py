"""Augmentation: what every one of them makes of digits and photographs, and what they are worth.

Reached: a dense network trained on 200 MNIST digits is right for 81.6 +- 2.3 % of 2,000 others, and for
90.8 +- 1.0 % where each batch is turned, scaled, slanted, shifted and bent: 7.0 to 10.8 points more, five
seeds. The ten trainings took 32 seconds of CPU time in all, on a machine that was busy with others.

Run by `JAXDL_DATA=<folder> python examples/augmentation.py [--effort quick] [--out out/augmentation]`.
Without MNIST there, scikit-learn's digits of 8x8 pixels take its place, 50 of them to train, which gains 1 to
3 points. It fails where augmentation does not help.
"""

import argparse
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import jaxdl
from _effort import add, pick, reached, verdict
from jaxdl import losses, metrics, optim, train
from jaxdl.data import augment, load_digits, load_mnist
from jaxdl.models import MLP, MLPConfig

EXAMPLES = {28: 200, 8: 50}  # By the side of the images.
TESTED, BATCH = 2000, 50
KEY = jax.random.key(0)


def digits(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Return images (count, side, side) from 0 to 1 with their labels."""
    if options.effort != "few":
        try:
            found = load_mnist("test")
            return found.inputs[..., 0] / np.float32(255), found.targets
        except OSError as error:
            print(f"MNIST is not to be had ({type(error).__name__}); scikit-learn's digits are taken\n")
    found = load_digits()
    return found.inputs.reshape(-1, 8, 8) / np.float32(16), found.targets


def photographs(side: int) -> np.ndarray:
    """Return the two photographs of scikit-learn, a square of each, (2, side, side, 3) from 0 to 1."""
    from sklearn.datasets import load_sample_image

    squares = [load_sample_image(name)[:420, 100:520] for name in ("china.jpg", "flower.jpg")]
    wide = jnp.asarray(np.stack(squares), jnp.float32) / 255
    return np.asarray(jnp.clip(jax.image.resize(wide, (2, side, side, 3), "linear"), 0, 1))


def strength(side: int) -> float:
    """Return the alpha that displaces pixels by a twentieth of the side, at a sigma of a seventh."""
    return 2 * np.sqrt(3 * np.pi) * side / 7 * side / 20


def shapes(side: int) -> dict[str, augment.Augment]:
    """Augmentations of position and noise, for images of any number of channels."""
    reach = side // 7
    return {
        "horizontal flip": augment.horizontal_flip(probability=1.0),
        "vertical flip": augment.vertical_flip(probability=1.0),
        "random crop": augment.random_crop(padding=reach, mode="reflect"),
        "resized crop": augment.random_resized_crop(area=(0.3, 0.7)),
        "shift": augment.shift(rows=(-reach, reach), columns=(-reach, reach)),
        "rotation": augment.rotation(degrees=(-30, 30)),
        "scale": augment.scale(factor=(0.6, 1.4)),
        "shear": augment.shear(degrees=(-30, 30)),
        "elastic": augment.elastic(alpha=(strength(side), strength(side)), sigma=side / 7),
        "Gaussian noise": augment.gaussian_noise(deviation=(0.1, 0.2)),
        "cutout": augment.cutout(size=side // 3),
        "random erasing": augment.random_erasing(probability=1.0, area=(0.1, 0.3), fill=0.5),
    }


def colours(pixels: np.ndarray) -> dict[str, augment.Augment]:
    """Augmentations of colour, far stronger than one would train with."""
    same, wide = {"brightness": (1, 1), "contrast": (1, 1), "saturation": (1, 1), "hue": (0, 0)}, (0.4, 1.8)
    return {
        **{part: augment.colour_distortion(**same | {part: wide}) for part in list(same)[:3]},
        "hue": augment.colour_distortion(**same | {"hue": (-0.5, 0.5)}),
        "all colours": augment.colour_distortion(hue=(-0.1, 0.1), saturation=wide, limits=(0, 1)),
        "PCA noise": augment.pca_noise(pixels, deviation=1.0),
    }


def pictures(images: np.ndarray, photos: np.ndarray, options: argparse.Namespace) -> None:
    """Draw every augmentation, mixtures of photographs, and digits on backgrounds."""
    side, out = images.shape[1], options.out

    def some(every: dict[str, augment.Augment]) -> dict[str, augment.Augment]:
        return pick(options, full=every, few=dict(list(every.items())[:1]))

    jaxdl.plot.augmentations(KEY, images[[0, 2, 4]], some(shapes(side)), path=out / "digits.png")
    jaxdl.plot.augmentations(KEY, photos, some(shapes(photos.shape[1])), path=out / "photographs.png")
    jaxdl.plot.augmentations(KEY, photos, some(colours(photos)), panel_size=1.8, path=out / "colours.png")
    mixed = {
        name: lambda key, x, mix=mix: mix(jax.random.key(1), x, jnp.eye(2))[0]
        for name, mix in (("mixup", augment.mixup), ("cutmix", augment.cutmix))
    }
    jaxdl.plot.augmentations(KEY, photos, some(mixed), panel_size=2.2, path=out / "mixtures.png")
    grey = np.repeat(images[:4, :, :, None], 3, -1)
    blends = {
        name: lambda key, x, name=name: augment.on_backgrounds(key, x[..., 0], photos, blend=name)
        for name in ("difference", "over")
    }
    jaxdl.plot.augmentations(KEY, grey, some(blends), path=out / "backgrounds.png")


def training_augmentation(side: int) -> augment.Augment:
    """Small turns, sizes, slants and shifts by one resampling, then an elastic distortion."""
    reach = side / 14 if side > 8 else 0.4
    turn, size, slant = (12, 0.12, 10) if side > 8 else (8, 0.05, 6)
    both = augment.affine(
        degrees=(-turn, turn),
        scale=(1 - size, 1 + size),
        shear=(-slant, slant),
        rows=(-reach, reach),
        columns=(-reach, reach),
    )
    if side > 8:  # Digits of 8 pixels have no room to bend.
        both = augment.compose(both, augment.elastic(alpha=(0, strength(side)), sigma=side / 7))
    # The network is dense: its inputs are rows of pixels.
    return lambda key, x: both(key, x.reshape(-1, side, side)).reshape(x.shape)


def accuracies(
    images: np.ndarray, labels: np.ndarray, augmentation: augment.Augment | None, *, seeds: int, epochs: int
) -> list[float]:
    """Train on the first digits of a shuffle, once for each seed; return the accuracies on the last ones."""
    flat, found = images.reshape(len(images), -1), []
    config = MLPConfig((flat.shape[1], 128, 10))
    net = jaxdl.net.functional(lambda rngs: MLP(config, rngs=rngs))
    optimizer = optim.adam(1e-3)  # One for all seeds: they are one program.
    count = EXAMPLES[images.shape[1]]
    tested = min(TESTED, len(flat) - count)
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(flat))
        few, others = order[:count], order[-tested:]
        fitted = train.fit(
            net,
            (flat[few], labels[few]),
            loss=losses.softmax_cross_entropy,
            optimizer=optimizer,
            epochs=epochs,
            batch_size=BATCH,
            augment=augmentation,
            seed=seed,
            progress="off",
        )
        measures = fitted.evaluate(
            (flat[others], labels[others]),
            loss=losses.softmax_cross_entropy,
            metrics={"accuracy": metrics.accuracy},
        )
        found.append(100 * measures["accuracy"])
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/augmentation"))
    add(parser)
    options = parser.parse_args(arguments)
    seeds, epochs = pick(options, full=(5, 200), quick=(3, 100), few=(2, 1))
    images, labels = digits(options)
    pictures(images, photographs(pick(options, full=112, few=14)), options)
    print(f"pictures: {options.out}/*.png\n")

    print(f"a dense network trained on {EXAMPLES[images.shape[1]]} digits, accuracy on others in %, by seed")
    table = {}
    for name, augmentation in (("as they are", None), ("augmented", training_augmentation(images.shape[1]))):
        begin = time.perf_counter()
        found = np.array(accuracies(images, labels, augmentation, seeds=seeds, epochs=epochs))
        table[name] = found
        row = "  ".join(f"{value:5.2f}" for value in found)
        spent = time.perf_counter() - begin
        print(f"{name:12s} {row}   mean {found.mean():5.2f} +- {found.std(ddof=1):.2f}   {spent:.1f} s")
    gain = table["augmented"] - table["as they are"]
    print(f"gain         {'  '.join(f'{value:5.2f}' for value in gain)}   mean {gain.mean():5.2f}")
    means = [values.mean() for values in table.values()]
    reached(f"{means[1]:.1f} % by {EXAMPLES[images.shape[1]]} digits, augmented, against {means[0]:.1f} %")
    if gain.mean() <= 0 or (gain > 0).sum() < seeds - 1:
        print("augmentation did not help")
        return verdict(options, False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
