"""Why convolution: edges found by small kernels, and what sharing one kernel saves against a dense layer.

Reached: the 6 x 6 edge is 0 30 30 0; six 5 x 5 x 3 kernels have 456 parameters where a dense layer has
14,455,392, and 352,800 connections where it has 14,450,688; 10 seconds of one core.

Run by `python examples/why_convolution.py [--effort quick] [--out out/why_convolution]`. It applies named
kernels to a photograph that scikit-learn ships, works the textbook's 6 x 6 edge, writes a small convolution
out as the dense layer that it is, counts weights and connections, and checks that a moved picture gives moved
outputs.
"""

import argparse
import math
import sys
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from _effort import add, pick, reached, verdict
from jaxdl import filters, net, plot
from jaxdl.layers import Conv, Linear

SHOWN = ("sobel_vertical", "sobel_horizontal", "scharr_vertical", "laplacian", "gaussian_blur", "sharpen")
SIGNED = ("sobel_vertical", "sobel_horizontal", "scharr_vertical", "laplacian")


def photograph(step: int) -> np.ndarray:
    """Return a photograph as (height, width, 3) in [0, 1], every so many pixels of it."""
    from sklearn.datasets import load_sample_image

    return load_sample_image("china.jpg")[::step, ::step].astype(np.float32) / 255


def edges(out: Path, step: int) -> bool:
    """Draw what each kernel makes of a photograph; say whether the kernels do what their names say."""
    image = photograph(step)
    grey = image.mean(axis=2)
    found = {name: filters.apply(grey[None, :, :, None], filters.kernel(name)) for name in SHOWN}
    pictures = {name: np.asarray(outputs[0, :, :, 0]) for name, outputs in found.items()}
    strength = np.hypot(pictures["sobel_vertical"], pictures["sobel_horizontal"])
    clipped = {name: np.clip(pictures[name], 0, 1) for name in SHOWN if name not in SIGNED}
    shown = {"photograph": image, **pictures, **clipped, "strength of the Sobel edges": strength}
    plot.images(shown, columns=4, size=3.2, signed=SIGNED, path=out / "edges.png")
    rough = {name: float(np.abs(np.diff(pictures[name])).mean()) for name in ("gaussian_blur", "sharpen")}
    return rough["gaussian_blur"] < float(np.abs(np.diff(grey)).mean()) < rough["sharpen"]


def textbook(out: Path) -> bool:
    """Work the 6 x 6 example: bright on the left, dark on the right; the edge comes out in the middle."""
    image = jnp.tile(jnp.array([10.0, 10.0, 10.0, 0.0, 0.0, 0.0]), (6, 1))
    kernel = filters.kernel("vertical")
    edge = filters.apply(image[None, :, :, None], kernel)[0, :, :, 0]
    flipped = filters.apply(image[None, :, ::-1, None], kernel)[0, :, :, 0]
    plot.images(
        {"6 x 6": image, "kernel": kernel, "4 x 4: an edge": edge, "from dark to bright": flipped},
        size=1.9, signed=("kernel", "4 x 4: an edge", "from dark to bright"), values=True,
        path=out / "textbook.png",
    )  # fmt: skip
    print("6 x 6 image, 3 x 3 kernel, rows of the 4 x 4 result:", np.asarray(edge[0]).astype(int).tolist(),
          "and, turned round,", np.asarray(flipped[0]).astype(int).tolist())  # fmt: skip
    wanted = np.array([0, 30, 30, 0])
    return bool((edge == wanted[None]).all() and (flipped == -wanted[None]).all())


def count(make: Callable[[nnx.Rngs], nnx.Module]) -> tuple[int, int]:
    """Return (weights, biases) of a layer, without allocating it."""
    params = jax.eval_shape(lambda: net.functional(make).init(jax.random.key(0))[0])
    return math.prod(params["kernel"].shape), math.prod(params["bias"].shape)


def sharing() -> bool:
    """Count the weights of 32x32x3 -> 28x28x6, as six 5x5 kernels and as a dense layer."""
    ours = count(lambda rngs: Conv(3, 6, (5, 5), padding="VALID", rngs=rngs))
    dense = count(lambda rngs: Linear(32 * 32 * 3, 28 * 28 * 6, rngs=rngs))
    connections = 28 * 28 * 6 * 5 * 5 * 3
    print("\n32 x 32 x 3 -> 28 x 28 x 6           weights      biases  connections")
    print(f"  six kernels of 5 x 5 x 3     {ours[0]:>13,}{ours[1]:>12,}{connections:>13,}")
    print(f"  a dense layer                {dense[0]:>13,}{dense[1]:>12,}{dense[0]:>13,}")
    print(f"  parameters: {sum(ours)} instead of {sum(dense):,}; each output sees 75 of 3,072 inputs")
    reached(f"{sum(ours)} parameters, where a dense layer has {sum(dense):,}")
    return ours == (450, 6) and dense == (14_450_688, 4704)


def matrix() -> bool:
    """Write a convolution of a 6 x 6 picture out as a dense layer; count what is zero and what repeats."""
    kernel = jax.random.normal(jax.random.key(0), (3, 3, 1, 1))
    dense = np.asarray(filters.as_matrix(kernel, (6, 6, 1)))
    x = jax.random.normal(jax.random.key(1), (6, 6))
    direct = filters.apply(x[None, :, :, None], kernel[:, :, 0, 0]).ravel()
    error = float(np.abs(np.asarray(x).ravel() @ dense - direct).max())
    links, distinct = int((dense != 0).sum()), len(np.unique(dense[dense != 0]))
    print(f"\na 3 x 3 kernel on 6 x 6 as a {dense.shape[0]} x {dense.shape[1]} matrix: {dense.size} entries, "
          f"{links} not zero, {distinct} different ones; the product differs by {error:.0e}")  # fmt: skip
    return links == 16 * 9 and distinct == 9 and error < 1e-5


def equivariance() -> bool:
    """Move a picture by (3, 5); the outputs of a convolution move likewise, a dense layer's do not."""
    x = jax.random.uniform(jax.random.key(2), (1, 32, 32, 3))
    moved = jnp.roll(x, (3, 5), axis=(1, 2))
    conv = Conv(3, 6, (5, 5), padding="VALID", rngs=nnx.Rngs(0))
    dense = filters.as_matrix(jax.random.normal(jax.random.key(3), (5, 5, 1, 1)), (12, 12, 1))
    dense = jax.random.permutation(jax.random.key(4), dense, axis=0)
    # Away from the edges over which `roll` wraps.
    kept = conv(moved)[:, 3:, 5:] - conv(x)[:, :-3, :-5]
    flat = jax.random.uniform(jax.random.key(5), (12, 12))
    outputs = [(picture.ravel() @ dense).reshape(8, 8) for picture in (flat, jnp.roll(flat, 1, axis=1))]
    change = float(jnp.abs(outputs[1][:, 1:] - outputs[0][:, :-1]).max())
    error = float(jnp.abs(kept).max())
    print(f"\nmoved by 3 and 5 pixels: outputs of the convolution moved likewise, to {error:.0e}; "
          f"with the same weights in other places they differ by {change:.1f}")  # fmt: skip
    return error < 1e-5 and change > 0.1


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/why_convolution"))
    add(parser)
    options = parser.parse_args(arguments)
    out = options.out
    checks = {
        "the kernels blur and sharpen": edges(out, pick(options, full=2, few=16)),
        "the textbook's edge": textbook(out),
        "the counts of weights": sharing(),
        "the matrix of a convolution": matrix(),
        "equivariance": equivariance(),
    }
    print(f"\npictures: {out}/edges.png, textbook.png")
    wrong = [name for name, holds in checks.items() if not holds]
    if wrong:
        print("does not hold:", ", ".join(wrong))
    return verdict(options, not wrong)


if __name__ == "__main__":
    sys.exit(main())
