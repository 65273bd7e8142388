"""What the units of a trained LeNet-5 see: the nine patches that excite each most, and saliency maps.

Reached, after two epochs on 8,000 images of MNIST: 98.1 % of 2,000 held-out digits. Units see 5 x 5 pixels
in the first layer and 14 x 14 in the second, where they answer to strokes, hooks, arcs and ends of lines.
71 % of the saliency lies within two pixels of the ink, on 47 % of the pixels. 23 seconds of one core.

Run by `python examples/unit_patches.py [--effort quick] [--epochs 2] [--out out/unit_patches]`, with
JAXDL_DATA=<folder> where MNIST is there; the digits that scikit-learn ships are taken otherwise. The
receptive fields are measured in the network itself and must be those of the textbook formula; every
activation found is computed again from its patch alone, everything else of the image replaced by noise, and
must come out the same.
"""

import argparse
import sys
from pathlib import Path

import jax
import numpy as np

import jaxdl
from _effort import add, pick, reached, verdict
from jaxdl import losses, metrics, optim, plot, receptive_field, scaling, train, units
from jaxdl.data import Dataset, load_digits, load_mnist, split
from jaxdl.models import LeNet5
from jaxdl.receptive_field import Layer

NET = jaxdl.net.functional(lambda rngs: LeNet5.modern(rngs=rngs))
# The ReLU behind C1 and the one behind C3, and the layers that lie below them.
STACKS = {
    "layers/1": [Layer(5, padding=2)],
    "layers/4": [Layer(5, padding=2), Layer(2, stride=2), Layer(5)],
}
SHOWN = 10


Sets = tuple[Dataset, Dataset, scaling.Scaling]


def load() -> Sets:
    """Return (training, test, scaling): MNIST, or scikit-learn's digits enlarged to 28 x 28."""
    try:
        digits = load_mnist("test")
        print("MNIST: 8,000 of the 10,000 published test images train, 2,000 test\n")
        return digits.take(range(8000)), digits.take(range(8000, 10000)), scaling.pixels()
    except OSError:
        print("MNIST is not to be had: scikit-learn's digits, 24 x 24 pixels of their own, 2 around\n")
    return enlarged()


def enlarged() -> Sets:
    small = load_digits()
    large = np.repeat(np.repeat(small.inputs.reshape(-1, 8, 8, 1), 3, axis=1), 3, axis=2)
    images = np.pad(large, ((0, 0), (2, 2), (2, 2), (0, 0)))
    training, test = split(Dataset(images, small.targets, small.classes), (2 / 3, 1 / 3), seed=0)
    return training, test, scaling.pixels(highest=16)


def alone(fitted: train.Fitted, found: units.TopPatches, images: np.ndarray) -> float:
    """Return the largest change of an activation when all but its patch is replaced by noise."""
    noise = np.random.default_rng(0).uniform(0, images.max(), images.shape[1:])
    worst = 0.0
    trace = jax.jit(lambda x: NET.trace(fitted.params, fitted.state, x, train=False)[found.layer].value)
    for row, unit in enumerate(found.units):
        canvas = np.repeat(noise[None], found.activations.shape[1], axis=0).astype(np.float32)
        for rank, ((top, bottom), (left, right)) in enumerate(found.boxes[row]):
            canvas[rank, top:bottom, left:right] = found.patches[row][rank]
        outputs = np.asarray(trace(fitted.scaling(canvas)))
        places = found.positions[row]
        again = outputs[np.arange(len(places)), places[:, 0], places[:, 1], unit]
        worst = max(worst, float(np.abs(again - found.activations[row]).max()))
    return worst


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/unit_patches"))
    parser.add_argument("--epochs", type=int)
    add(parser)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    training, test, pixels = enlarged() if options.effort == "few" else load()
    training = training.take(range(pick(options, full=len(training), few=64)))
    fitted = train.fit(
        NET,
        training,
        valid=test,
        loss=losses.softmax_cross_entropy,
        optimizer=optim.adam(2e-3),
        metrics={"accuracy": metrics.accuracy},
        scaling=pixels,
        epochs=pick(options, full=2, few=1, given=options.epochs),
        batch_size=32,
        progress="lines",
    )
    accuracy = fitted.history["valid_accuracy"][-1]
    print(f"\nLeNet-5: {100 * accuracy:.1f} % of the held-out digits\n")
    wrong = [] if accuracy > 0.9 else ["the network has not learnt its digits"]

    for layer, stack in STACKS.items():
        fields = receptive_field.measure(NET, fitted.params, fitted.state, training.features, layer=layer)
        formula = receptive_field.stack(stack)
        found = units.top_patches(
            NET, fitted.params, fitted.state, training.inputs, layer=layer, scaling=fitted.scaling
        )
        change = alone(fitted, found, training.inputs)
        size, stride = formula.size[0], formula.stride[0]
        print(f"{layer}: every unit sees {size} x {size} pixels, at a stride of {stride}; strongest "
              f"activation {found.activations.max():.1f}, alone: same to {change:.0e}")  # fmt: skip
        if fields.field() != formula:
            wrong.append(f"{layer} sees {fields.field()}, but the formula says {formula}")
        if change > 1e-4 * found.activations.max():
            wrong.append(f"activations of {layer} depend on pixels outside of their patches")
        name = {"layers/1": "first_layer.png", "layers/4": "second_layer.png"}[layer]
        plot.top_patches(found, columns=min(len(found.units), 8), path=options.out / name)

    picked = test.take([int(np.flatnonzero(test.targets == digit)[0]) for digit in range(SHOWN)])
    x = fitted.scaling(picked.inputs)
    maps = units.saliency(
        NET,
        fitted.params,
        fitted.state,
        x,
        target=picked.targets,
        samples=pick(options, full=32, few=2),
        key=jax.random.key(0),
    )
    plot.saliency(picked.inputs, maps, names=list(picked.targets), path=options.out / "saliency.png")
    ink = np.asarray(picked.inputs[..., 0] > 0.3 * picked.inputs.max())
    near = np.asarray(jaxdl.kernels.pool.max_pool(ink[..., None].astype(np.float32), (5, 5), (1, 1), "SAME"))
    share = float(np.asarray(maps)[near[..., 0] > 0].sum() / maps.sum())
    print(f"{100 * share:.0f} % of the saliency lies within two pixels of the ink, "
          f"which is {100 * near.mean():.0f} % of the pixels")  # fmt: skip
    if share <= near.mean():
        wrong.append("saliency is no nearer to the ink than chance")
    print(f"\npictures: {options.out}/first_layer.png, second_layer.png, saliency.png")
    for what in wrong:
        print(what)
    reached(f"{100 * accuracy:.1f} % of held-out digits; {100 * share:.0f} % of the saliency near the ink")
    return verdict(options, not wrong)


if __name__ == "__main__":
    sys.exit(main())
