"""Dates in human form translated to ISO: an encoder-decoder with attention, and the same without.

TODO

Run by `python examples/translator.py [--seed 0] [--out out/translator]`.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import optax

import jaxdl
from jaxdl import losses, metrics, optim, train
from jaxdl.data import Vocabulary, dates, pad
from jaxdl.models import EncoderDecoder, EncoderDecoderConfig

TRAINING, UNSEEN = 10_000, 2_000
EPOCHS, BATCH, RATE = 10, 64, 0.005
STEPS = len("yyyy-mm-dd") + 1  # and the end


class Task(NamedTuple):
    """The texts as numbers."""

    texts: tuple[str, ...]
    answers: tuple[str, ...]
    human: Vocabulary
    iso: Vocabulary
    source: np.ndarray
    target: np.ndarray
    lengths: np.ndarray


def sequence_loss(logits: jax.Array, labels: jax.Array) -> jax.Array:
    return losses.sequence_cross_entropy(logits, labels, padding=0)


def exact(logits: jax.Array, labels: jax.Array) -> jax.Array:
    return metrics.exact_match(logits, labels, padding=0)


def make_task(seed: int) -> Task:
    """Draw the dates, all different; the vocabularies are those of the training part."""
    texts, answers = dates(TRAINING + UNSEEN, seed=seed)
    human, iso = Vocabulary.of(texts[:TRAINING]), Vocabulary.of(answers[:TRAINING])
    source, lengths = pad([human.encode(text) for text in texts])
    target, _ = pad([iso.encode(answer, end=True) for answer in answers])
    return Task(texts, answers, human, iso, source, target, lengths)


def network(task: Task, attention: str) -> jaxdl.net.Net:
    config = EncoderDecoderConfig(len(task.human), len(task.iso), STEPS, attention=attention)
    return jaxdl.net.functional(lambda rngs: EncoderDecoder(config, rngs=rngs))


def fit(task: Task, attention: str, seed: int) -> train.Fitted:
    steps = EPOCHS * (TRAINING // BATCH)
    rate = optim.warmup_cosine(RATE, warmup=steps // 10, total=steps)
    source, target = task.source[:TRAINING], task.target[:TRAINING]
    return train.fit(network(task, attention), ({"source": source, "target": target}, target),
                     loss=sequence_loss, optimizer=optax.chain(optim.clip_by_global_norm(1.0), optim.adam(rate)),
                     metrics={"exact": exact}, train_metrics=True, epochs=EPOCHS, batch_size=BATCH, seed=seed,
                     progress="lines")  # fmt: skip


def translate(task: Task, fitted: train.Fitted) -> list[str]:
    """Return the translations of the unseen dates, each decoded token by token."""
    tokens = fitted.predict({"source": task.source[TRAINING:]})
    return [task.iso.decode(row) for row in tokens]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/translator"))
    options = parser.parse_args()
    task = make_task(options.seed)
    for attention in ("additive", "none"):
        begin, spent = time.perf_counter(), time.process_time()
        fitted = fit(task, attention, options.seed)
        said = translate(task, fitted)
        right = np.array([a == b for a, b in zip(said, task.answers[TRAINING:])])
        print(attention, right.mean(), time.perf_counter() - begin, time.process_time() - spent, fitted.timing)
        break
    return 0


if __name__ == "__main__":
    sys.exit(main())
