"""Many to one: handwritten digits read row by row, eight steps of eight pixels, by recurrent networks.

Run by `python examples/digits_by_rows.py [--seed 0] [--out out/digits_by_rows]`; it exits with 1 where
the LSTM is below 96 %.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

import jaxdl
from jaxdl import losses, metrics, optim, train
from jaxdl.data import Dataset, load_digits, split
from jaxdl.models import SequenceClassifier, SequenceClassifierConfig

BATCH, EPOCHS = 32, 40
METRICS = {"accuracy": metrics.accuracy}
CELLS = ("rnn", "gru", "lstm")
RATES, SEEDS = (0.001, 0.003, 0.01), (0, 1, 2)


def rows(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return digits as sequences (examples, 8 rows, 8 pixels) in [0, 1], and their classes."""
    return (data.inputs.reshape(-1, 8, 8) / 16).astype(np.float32), data.targets


def network(cell: str) -> jaxdl.net.Net:
    config = SequenceClassifierConfig(in_features=8, num_classes=10, widths=(64,), cell=cell, dropout=0.2)
    return jaxdl.net.functional(lambda rngs: SequenceClassifier(config, rngs=rngs))


def fit(data: tuple[np.ndarray, np.ndarray], valid: tuple[np.ndarray, np.ndarray], seed: int) -> train.Fitted:
    steps = EPOCHS * (len(data[1]) // BATCH)
    rate = optim.warmup_cosine(0.01, warmup=steps // 10, total=steps)
    return train.fit(network("lstm"), data, valid=valid, loss=losses.softmax_cross_entropy,
                     optimizer=optim.adam(rate), metrics=METRICS, epochs=EPOCHS, batch_size=BATCH,
                     seed=seed)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/digits_by_rows"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    begin = time.perf_counter()

    learning, test = split(load_digits(), (2 / 3, 1 / 3), seed=options.seed)
    training, valid = split(learning, (0.9, 0.1), seed=options.seed)
    data = rows(training)
    print(jaxdl.net.summary(network("lstm"), data[0]), "\n")
    fitted = fit(data, rows(valid), options.seed)
    accuracy = fitted.evaluate(rows(test), loss=losses.softmax_cross_entropy, metrics=METRICS)["accuracy"]
    print(f"LSTM: {100 * accuracy:.1f} % of {len(test)} held-out digits; {fitted.timing.compile:.1f} s to "
          f"compile, {fitted.timing.run:.1f} s to train")  # fmt: skip
    print(f"{time.perf_counter() - begin:.0f} s in all; pictures: {options.out}")
    return 0 if accuracy >= 0.96 else 1


if __name__ == "__main__":
    sys.exit(main())
