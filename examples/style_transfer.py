"""Style transfer: a photograph of a palace in the style of a photograph of a flower, without a download.

Reached, in 300 steps of 0.02 s each: from the content image the style term falls 19 times, the content term
rises to 0.54 of that between the two photographs; from noise the style term falls 14 times and the content
term 2.4 times. 37 seconds of one core, 10 of them compiling.

Run by `python examples/style_transfer.py [--effort quick] [--steps 300] [--out out/style_transfer]`. Both
photographs come with scikit-learn, taken at 120 x 180 pixels, and the features from a small network of random
orthogonal weights with average pooling. It exits with 1 unless the style term falls at least 10 times: from
the content image while the content term never rises above 0.6 of that between the two photographs, and from
noise while the content term falls.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxdl
from _effort import add, pick, reached, verdict
from jaxdl import optim, plot, style
from jaxdl.style import StyleFeatures, StyleFeaturesConfig

SIZE = (180, 120)  # width, height
CONFIG = StyleFeaturesConfig(blocks=((16, 16), (32, 32), (64,)))
RELUS = [f"blocks/{block}/layers/{layer}" for block, layer in ((0, 1), (0, 3), (1, 1), (1, 3), (2, 1))]
CONTENT, STYLE = RELUS[1:2], RELUS
ALPHA, BETA, GAMMA, RATE = 1.0, 2.5, 3e-5, 0.03
MEAN, DEVIATION = 0.45, 0.25
FALL, BOUND = 10.0, 0.6


def photographs(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return (palace, flower) as (height, width, 3) in [0, 1]."""
    from PIL import Image
    from sklearn.datasets import load_sample_image

    pictures = [Image.fromarray(load_sample_image(name)) for name in ("china.jpg", "flower.jpg")]
    palace, flower = (np.asarray(picture.resize(size), np.float32) / 255 for picture in pictures)
    return palace, flower


def preprocess(x: jax.Array) -> jax.Array:
    return (x - MEAN) / DEVIATION


def content_between(net: jaxdl.net.Net, weights: Any, first: np.ndarray, second: np.ndarray) -> float:
    """Return the content term between two pictures: the measure of what is a large one."""

    def features(picture: np.ndarray) -> jax.Array:
        return net.trace(*weights, preprocess(picture[None]), train=False)[CONTENT[0]].value

    return float(style.content_loss(features(first), features(second), normaliser="mean")[0])


def tell(what: str, made: style.Transfer, large: float) -> None:
    content, of_style = made.history["content"], made.history["style"]
    fall, share = of_style[0] / of_style[-1], content.max() / large
    print(f"{what}: style {of_style[0]:.4g} -> {of_style[-1]:.4g} ({fall:.0f} times less), content "
          f"{content[0]:.4g} -> {content[-1]:.4g} (at most {share:.2f} of that between the photographs); "
          f"{made.steps} steps, {made.compile:.1f} s compiling, {made.run:.1f} s")  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/style_transfer"))
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int, default=0)
    add(parser)
    options = parser.parse_args(arguments)
    steps = pick(options, full=300, quick=120, few=2, given=options.steps)
    palace, flower = photographs(pick(options, full=SIZE, few=(36, 24)))
    net = jaxdl.net.functional(lambda rngs: StyleFeatures(CONFIG, rngs=rngs))
    weights = net.init(jax.random.key(options.seed))
    rule = optim.adam(optim.warmup_cosine(RATE, warmup=min(20, steps // 2), total=steps))
    large = content_between(net, weights, palace, flower)
    made = {
        start: style.transfer(
            net,
            *weights,
            palace,
            flower,
            content_layers=CONTENT,
            style_layers=STYLE,
            alpha=ALPHA,
            beta=BETA,
            gamma=GAMMA,
            start=start,
            steps=steps,
            optimizer=rule,
            key=jax.random.key(options.seed),
            preprocess=preprocess,
        )
        for start in ("content", "noise")
    }
    for start, result in made.items():
        tell(f"from {'the content image' if start == 'content' else start}", result, large)
    pictures = {"content": palace, "style": flower}
    pictures |= {f"from {start}": result.picture for start, result in made.items()}
    plot.images(pictures, columns=2, size=4.0, path=options.out / "before_and_after.png")
    panels = {
        f"from {start}": {name: result.history[name] for name in ("content", "style")}
        for start, result in made.items()
    }
    plot.comparison(panels, xlabel="step", ylabel="term", log=True, path=options.out / "history.png")
    print(f"pictures: {options.out}/before_and_after.png, history.png")

    wrong = []
    first, noise = (result.history for result in made.values())
    if first["style"][0] < FALL * first["style"][-1]:
        wrong.append(f"from the content image the style term fell less than {FALL:g} times")
    if first["content"].max() > BOUND * large:
        wrong.append(f"the content term rose above {BOUND} of that between the photographs")
    if noise["style"][0] < FALL * noise["style"][-1] or noise["content"][0] < noise["content"][-1]:
        wrong.append("from noise a term did not fall")
    for what in wrong:
        print(what)
    fall = first["style"][0] / first["style"][-1]
    reached(f"a style term {fall:.0f} times less from the content image, in {steps} steps")
    return verdict(options, not wrong)


if __name__ == "__main__":
    sys.exit(main())
