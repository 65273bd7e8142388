"""Keras's LSTM and GRU with a Dense head, on its JAX backend; imported by keras.py, which chooses that."""

from typing import Any

import keras
import numpy as np
from keras import layers

from bench.sequences import CLASSES, Problem
from bench.timing import first_call

# Gates of the GRU in Keras: update, reset, candidate; those of the LSTM are ours.
ORDER = {"lstm": (0, 1, 2, 3), "gru": (1, 0, 2)}


def _arranged(array: np.ndarray, cell: str) -> np.ndarray:
    """From our order of gates to Keras's, or back: the one is its own inverse."""
    blocks = np.split(array, len(ORDER[cell]), axis=-1)
    return np.concatenate([blocks[i] for i in ORDER[cell]], axis=-1)


class _OnlyTheCandidate(keras.constraints.Constraint):
    """Of the GRU's second bias, what the first cannot do: both would move by the same slope."""

    def __init__(self, features: int) -> None:
        self._free = np.repeat(np.float32([[1, 1, 1], [0, 0, 1]]), features, axis=1)

    def __call__(self, w: Any) -> Any:
        return w * self._free


class Training:
    def __init__(self, problem: Problem) -> None:
        self._problem, features = problem, problem.size.features
        second = {"bias_constraint": _OnlyTheCandidate(features)} if problem.cell == "gru" else {}
        make = {"lstm": layers.LSTM, "gru": layers.GRU}[problem.cell]
        self._model = keras.Sequential(
            [
                keras.Input((problem.size.time, problem.size.inputs)),
                make(features, **second),
                layers.Dense(CLASSES),
            ]
        )
        self._model.compile(
            optimizer=keras.optimizers.SGD(problem.learning_rate),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=True,
            steps_per_execution=problem.steps,  # no callback within the epoch
        )
        batch = np.arange(problem.batch)
        self.compile_s = first_call(lambda: self._train(batch))
        self._reset()

    def _reset(self) -> None:
        weights, cell = self._problem.weights, self._problem.cell
        bias = _arranged(weights["bias"], cell)
        if cell == "gru":
            second = np.zeros_like(bias)
            second[-self._problem.size.features :] = weights["recurrent_bias"]
            bias = np.stack([bias, second])
        matrices = [_arranged(weights[name], cell) for name in ("input", "recurrent")]
        self._model.set_weights([*matrices, bias, weights["head"], weights["head_bias"]])

    def _train(self, index: np.ndarray) -> float:
        return self._model.train_on_batch(self._problem.inputs[index], self._problem.labels[index])

    def losses(self, order: np.ndarray) -> np.ndarray:
        self._reset()
        return np.array([self._train(index) for index in order])

    def weights(self) -> dict[str, np.ndarray]:
        # Not get_weights, whose arrays NumPy 2 warns of.
        matrix, inner, bias, head, head_bias = (np.asarray(one.value) for one in self._model.weights)
        cell = self._problem.cell
        found = {"input": _arranged(matrix, cell), "recurrent": _arranged(inner, cell)}
        if cell == "gru":
            bias, found["recurrent_bias"] = bias[0], bias[1, -self._problem.size.features :]
        return found | {"bias": _arranged(bias, cell), "head": head, "head_bias": head_bias}

    def epoch(self) -> None:
        problem = self._problem
        self._model.fit(
            problem.inputs, problem.labels, batch_size=problem.batch, epochs=1, shuffle=True, verbose=0
        )
