"""Many to many of equal length: which brackets of a string have a partner, told at every step.

Of an opening bracket only what follows tells, of a closing one what precedes: a network that reads in one
direction can tell one of the two kinds, one that reads in both can tell both.

Reached (seed 0): all brackets of 2,000 unseen strings with both directions; all closing and 60 % of opening
ones with one, in 21 seconds on two cores.

Run by `python examples/tagging.py [--effort quick] [--seed 0] [--out out/tagging]`; it exits with 1 where
the network of both directions tags less than 99 % of the brackets of unseen strings rightly, or that of one
direction 95 % or more.
"""

import argparse
import sys
import time
from pathlib import Path

import jax
import numpy as np

import jaxdl
from _effort import add, pick, reached, verdict
from jaxdl import losses, optim, train
from jaxdl.data import BRACKETS, brackets
from jaxdl.models import SequenceTagger, SequenceTaggerConfig

LENGTH, BATCH, UNITS = 24, 50, 32
PADDING, OPEN = 0, 2
KINDS = ("opening", "closing")


def loss(logits: jax.Array, tags: jax.Array) -> jax.Array:
    return losses.sequence_cross_entropy(logits, tags, padding=PADDING)


def network(*, bidirectional: bool) -> jaxdl.net.Net:
    # Two directions of half the units: about as many parameters.
    width = 22 if bidirectional else UNITS
    config = SequenceTaggerConfig(in_features=8, num_classes=len(BRACKETS), widths=(width,), vocabulary=4,
                                  bidirectional=bidirectional)  # fmt: skip
    return jaxdl.net.functional(lambda rngs: SequenceTagger(config, rngs=rngs))


def strings(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    tokens, tags = brackets(jax.random.key(seed), count, length=LENGTH)
    return np.asarray(tokens), np.asarray(tags)


def fit(data: tuple[np.ndarray, np.ndarray], *, bidirectional: bool, seed: int, epochs: int) -> train.Fitted:
    steps = epochs * (len(data[0]) // BATCH)
    rate = optim.warmup_cosine(0.01, warmup=steps // 10, total=steps)
    return train.fit(network(bidirectional=bidirectional), data, loss=loss, optimizer=optim.adam(rate),
                     epochs=epochs, batch_size=BATCH, seed=seed)  # fmt: skip


def shares(right: np.ndarray, tokens: np.ndarray) -> dict[str, np.ndarray]:
    """Return the share of brackets of each kind that were tagged rightly, by position."""
    found = {}
    for kind, name in enumerate(KINDS, OPEN):
        here = tokens == kind
        found[name] = (right & here).sum(0) / here.sum(0)
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/tagging"))
    add(parser)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    begin = time.perf_counter()

    count, unseen = pick(options, full=(8000, 2000), few=(BATCH, 2000))
    epochs = pick(options, full=6, quick=4, few=1)
    data, (tokens, tags) = strings(options.seed, count), strings(options.seed + 1000, unseen)
    panels, whole, said = {}, {}, {}
    for name, both in (("one direction", False), ("both directions", True)):
        fitted = fit(data, bidirectional=both, seed=options.seed, epochs=epochs)
        said[name] = fitted.predict(tokens).argmax(-1)
        right = said[name] == tags
        panels[name] = shares(right, tokens)
        whole[name] = float(right[tokens >= OPEN].mean())
        kinds = [float(right[tokens == kind].mean()) for kind in (OPEN, OPEN + 1)]
        count = sum(leaf.size for leaf in jax.tree.leaves(fitted.params))
        print(
            f"LSTM, {name}, {count:,} parameters: {100 * whole[name]:.2f} % of the brackets of unseen "
            f"strings, {100 * kinds[0]:.2f} % of opening, {100 * kinds[1]:.2f} % of closing ones"
        )
    jaxdl.plot.comparison(panels, xlabel="position in the string", ylabel="share tagged rightly",
                          path=options.out / "by_position.png")  # fmt: skip
    shown = int(np.argmax(((said["one direction"] != tags) & (said["both directions"] == tags)).sum(1)))
    print("\nm has a partner, u has none:")
    for name, row, letters in (("string", tokens, " a()"), ("truth", tags, " .mu"),
                               *((name, row, " .mu") for name, row in said.items())):  # fmt: skip
        print(f"{name:16}" + "".join(letters[k] for k, token in zip(row[shown], tokens[shown]) if token))
    print(f"{time.perf_counter() - begin:.0f} s in all; picture: {options.out}")
    reached(
        ", ".join(f"{100 * share:.2f} % by {name}" for name, share in whole.items()) + " of unseen brackets"
    )
    return verdict(options, whole["both directions"] >= 0.99 and whole["one direction"] < 0.95)


if __name__ == "__main__":
    sys.exit(main())
