"""A character model of first names: it learns which letter comes next, and then invents names.

Reached (seed 0): 2.01 nats a character on 2,949 names that it has not seen, where an add-one trigram model
has 2.26 and a bigram model 2.47. Of 2,000 names drawn at temperature 1, 78.8 % are not in the training set,
such as meryana, vilynn and lenkny. 40 seconds on two cores.

Run by `python examples/characters.py [--effort quick] [--text FILE] [--seed 0] [--out out/characters]`. The
names are 29,494 different first names, downloaded once, or found in the folder that JAXDL_DATA names. Of a
text of your own each line is a text; where lines are long, the file is cut into windows. The validation part
is the same for all models, and it exits with 1 where the network is not better than the trigram model there.
"""

import argparse
import functools
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

import jaxdl
from _effort import add, pick, reached, verdict
from jaxdl import losses, metrics, optim, sampling, train
from jaxdl.data import END, PADDING, START, UNKNOWN, Dataset, Vocabulary
from jaxdl.models import LanguageModel, LanguageModelConfig, ngram

BATCH, RATE, LONGEST = 128, 0.005, 100
A_FEW = ("anna", "bert", "carla", "dora", "emil", "frida", "gustav", "hanna", "ida", "jonas", "karin", "max")
TEMPERATURES = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5)


class Corpus(NamedTuple):
    """Training and validation tokens (texts, time), the first of each text only ever an input."""

    vocabulary: Vocabulary
    training: np.ndarray
    validation: np.ndarray
    known: frozenset[str]
    first: int


def parted(count: int, seed: int) -> list[np.ndarray]:
    """Return the numbers of nine tenths of the examples, and of the others."""
    numbers = Dataset(np.arange(count)[:, None], np.zeros(count))
    return [part.inputs[:, 0] for part in jaxdl.data.split(numbers, (0.9, 0.1), seed=seed)]


def of_lines(lines: Sequence[str], seed: int) -> Corpus:
    """Make every line a text between a start and an end token; none is in both parts."""
    lines = sorted(set(lines))
    training, validation = ([lines[i] for i in part] for part in parted(len(lines), seed))
    vocabulary = Vocabulary.of(training)
    steps = max(map(len, lines)) + 2
    tokens = [
        jaxdl.data.pad([vocabulary.encode(line, start=True, end=True) for line in part], length=steps)[0]
        for part in (training, validation)
    ]
    return Corpus(vocabulary, tokens[0], tokens[1], frozenset(training), START)


def of_text(text: str, seed: int, length: int = 64) -> Corpus:
    """Cut a text into windows, the last token of each the first of the next."""
    vocabulary = Vocabulary.of(text, minimum_count=2)
    inputs, targets = jaxdl.data.windows(vocabulary.encode(text), length)
    rows = np.concatenate([inputs, targets[:, -1:]], axis=1)
    training, validation = (rows[part] for part in parted(len(rows), seed))
    first = int(np.bincount(inputs[:, 0]).argmax())
    return Corpus(vocabulary, training, validation, frozenset(map(vocabulary.decode, training)), first)


def loss(logits: jax.Array, labels: jax.Array) -> jax.Array:
    return losses.sequence_cross_entropy(logits, labels, padding=PADDING)


def accuracy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    return metrics.sequence_accuracy(logits, labels, padding=PADDING)


def fit(corpus: Corpus, options: argparse.Namespace) -> train.Fitted:
    features, least, most = pick(options, full=(128, 6, 25), quick=(96, 3, 10), few=(8, 1, 1))
    config = LanguageModelConfig(len(corpus.vocabulary), cell="gru", features=features, dropout=0.1)
    net = jaxdl.net.functional(lambda rngs: LanguageModel(config, rngs=rngs))
    training, valid = (
        Dataset(tokens[:, :-1], tokens[:, 1:], corpus.vocabulary.names)
        for tokens in (corpus.training, corpus.validation)
    )
    print(jaxdl.net.summary(net, training.inputs), "\n")
    # A short text is taken in smaller batches, and gone over more often.
    batch = min(BATCH, max(len(training) // 40, 1))
    epochs = min(max(least, 1000 // (len(training) // batch)), most)
    steps = epochs * (len(training) // batch)
    rate = optim.warmup_cosine(RATE, warmup=steps // 20, total=steps)
    return train.fit(net, training, valid=valid, loss=loss, optimizer=optim.adam(rate), epochs=epochs,
                     batch_size=batch, metrics={"accuracy": accuracy}, seed=options.seed,
                     progress="lines")  # fmt: skip


class Inventor:
    """A trained model that writes; each of its methods is one compiled program."""

    def __init__(self, fitted: train.Fitted, corpus: Corpus) -> None:
        self.fitted, self.vocabulary = fitted, corpus.vocabulary
        self.options: dict[str, Any] = {
            "steps": corpus.training.shape[1] - 1, "start": corpus.first, "end": END, "padding": PADDING,
        }  # fmt: skip

    def _model(self) -> LanguageModel:
        return self.fitted.net.bind(self.fitted.params, self.fitted.state)  # type: ignore[misc]

    @functools.partial(jax.jit, static_argnames=("self", "count", "top_k"))
    def _draw(self, key: Any, temperature: Any, *, count: int, top_k: int | None) -> sampling.Generated:
        model = self._model()
        drawing = {} if key is None else {"temperature": temperature, "top_k": top_k}
        return sampling.generate(model.step, model.initial(count), key, **drawing, **self.options)

    @functools.partial(jax.jit, static_argnames=("self", "beams"))
    def _search(self, penalty: float, *, beams: int) -> sampling.Beams:
        model = self._model()
        return sampling.beam_search(model.step, model.initial(1), beams=beams, length_penalty=penalty,
                                    **self.options)  # fmt: skip

    def draw(self, key: Any, temperature: float, count: int, top_k: int | None = None) -> list[str]:
        tokens = np.asarray(self._draw(key, temperature, count=count, top_k=top_k).tokens)
        return [self.vocabulary.decode(row) for row in tokens]

    def search(self, beams: int, penalty: float) -> list[str]:
        return [
            self.vocabulary.decode(row) for row in np.asarray(self._search(penalty, beams=beams).tokens[0])
        ]


def show(title: str, texts: Sequence[str], known: frozenset[str]) -> None:
    marked = [f"{text}*" if text in known else text for text in texts]
    print(f"{title:>18}: " + ", ".join(marked).replace("\n", " / ")[:180])


def invent(inventor: Inventor, corpus: Corpus, seed: int, count: int) -> dict[str, list[float]]:
    """Print what the model writes; return what share of it is new, different, and in the validation part."""
    keys = jax.random.split(jax.random.key(seed), len(TEMPERATURES) + 1)
    print("\nWhat it writes; * is in the training set:")
    show("argmax", inventor.draw(None, 1.0, 1), corpus.known)
    show("top 5", inventor.draw(keys[-1], 1.0, 10, top_k=5), corpus.known)
    for penalty in (0.0, 1.0):
        show(f"beams, penalty {penalty:g}", inventor.search(10, penalty), corpus.known)
    held = {corpus.vocabulary.decode(row) for row in corpus.validation}
    shares: dict[str, list[float]] = {
        "not in the training set": [],
        "different": [],
        "in the validation set": [],
    }
    for key, temperature in zip(keys, TEMPERATURES, strict=False):
        texts = inventor.draw(key, temperature, count)
        show(f"temperature {temperature:g}", texts[:10], corpus.known)
        shares["not in the training set"].append(np.mean([text not in corpus.known for text in texts]))
        shares["different"].append(len(set(texts)) / len(texts))
        shares["in the validation set"].append(np.mean([text in held for text in texts]))
    return shares


def lines_of(options: argparse.Namespace) -> Sequence[str]:
    """Return the lines of a text, or the names; for a few steps some that are at hand."""
    if options.text is not None:
        return jaxdl.data.load_lines(options.text)
    return A_FEW if options.effort == "few" else jaxdl.data.load_names()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", type=Path, help="a text file of your own, instead of the names")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/characters"))
    add(parser)
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    begin = time.perf_counter()

    try:
        lines = lines_of(options)
    except OSError as error:
        print(f"{error}\nOr pass a text of your own: --text FILE")
        return 1
    if max(map(len, lines)) <= LONGEST:
        corpus, unit = of_lines(lines, options.seed), "lines"
    else:
        corpus, unit = of_text(jaxdl.data.load_text(options.text), options.seed), "windows"
    counted = (corpus.validation[:, 1:] != PADDING).sum()
    print(f"{len(corpus.training):,} {unit} to train, {len(corpus.validation):,} to validate; "
          f"{len(corpus.vocabulary.tokens)} characters\n")  # fmt: skip

    fitted = fit(corpus, options)
    also = (UNKNOWN,) if options.text else ()
    nats = {"network": float(fitted.history["valid_loss"][-1]) * len(corpus.validation) / counted}
    for name, order in (("bigram", 2), ("trigram", 3)):
        model = ngram.fit(corpus.training, vocabulary_size=len(corpus.vocabulary), order=order, also=also)
        nats[name] = float(ngram.cross_entropy(model, corpus.validation).sum() / counted)
    print("\nNats a character on the validation set, the end counted: "
          + ", ".join(f"{name} {value:.4f}" for name, value in nats.items()))  # fmt: skip

    count = pick(options, full=2000, few=10)
    shares = invent(Inventor(fitted, corpus), corpus, options.seed, count)
    new = dict(zip(TEMPERATURES, shares["not in the training set"], strict=True))
    print(f"At temperature 1, {100 * new[1.0]:.1f} % of {count:,} texts are not in the training set.")
    curves = {
        name: fitted.history[part] * len(tokens) / (tokens[:, 1:] != PADDING).sum()
        for name, part, tokens in (
            ("validation", "valid_loss", corpus.validation),
            ("training, while it learns", "loss", corpus.training),
        )
    }
    levels = {f"{name}, add one": nats[name] for name in ("bigram", "trigram")}
    jaxdl.plot.language_model(curves, levels=levels, temperatures=TEMPERATURES, shares=shares,
                              path=options.out / "characters.png")  # fmt: skip
    timing = fitted.timing
    print(f"\n{timing.compile:.1f} s to compile, {timing.run:.1f} s to train, "
          f"{time.perf_counter() - begin:.0f} s in all; picture: {options.out}")  # fmt: skip
    reached(f"{nats['network']:.2f} nats a character, an add-one trigram model {nats['trigram']:.2f}")
    return verdict(options, nats["network"] < nats["trigram"])


if __name__ == "__main__":
    sys.exit(main())
