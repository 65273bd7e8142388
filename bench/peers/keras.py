"""Keras 3 on its JAX backend: compile(jit_compile=True), a few steps an execution, fit."""

import os
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"  # read when keras is imported

import keras
import numpy as np
from keras import layers, ops

from bench import images
from bench.mlp import SIZES, Problem
from bench.peers import _keras_sequences
from bench.timing import first_call

if keras.backend.backend() != "jax":
    raise RuntimeError(f"keras was imported before with the backend {keras.backend.backend()}")


def _squared(onehot: Any, outputs: Any) -> Any:
    return ops.sum(ops.square(outputs - onehot), axis=-1)


class MLP:
    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        squared = problem.loss == "squared"
        self._images = problem.inputs.astype(np.float32) / 255
        labels = problem.labels
        self._targets = np.eye(SIZES[-1], dtype=np.float32)[labels] if squared else labels
        self._model = keras.Sequential([keras.Input(SIZES[:1])])
        for width in SIZES[1:-1]:
            self._model.add(layers.Dense(width, activation="sigmoid"))
        self._model.add(layers.Dense(SIZES[-1], activation="sigmoid" if squared else None))
        cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self._model.compile(
            optimizer=keras.optimizers.SGD(problem.learning_rate),
            loss=_squared if squared else cross_entropy,
            jit_compile=True,
            steps_per_execution=problem.steps,  # no callback within the epoch: twice as fast
        )
        batch = np.arange(problem.batch)
        self.compile_s = first_call(lambda: self._train(batch))
        self._reset()

    def _reset(self) -> None:
        self._model.set_weights([array for layer in self._problem.weights for array in layer])

    def _train(self, index: np.ndarray) -> float:
        return self._model.train_on_batch(self._images[index], self._targets[index])

    def losses(self, order: np.ndarray) -> np.ndarray:
        self._reset()
        return np.array([self._train(index) for index in order])

    def epoch(self) -> None:
        self._model.fit(
            self._images,
            self._targets,
            batch_size=self._problem.batch,
            epochs=1,
            shuffle=True,
            verbose=0,
        )


mlp = MLP


class LeNet:
    """Keras's Adam adds epsilon to the uncorrected root; 1e-9 there is the others' 1e-8 after a few steps."""

    def __init__(self, problem: images.Problem) -> None:
        self._problem = problem
        self._images = problem.inputs.astype(np.float32) / 255
        self._model = keras.Sequential(
            [
                keras.Input((28, 28, 1)),
                layers.Conv2D(6, 5, padding="same", activation="relu"),
                layers.MaxPooling2D(2),
                layers.Conv2D(16, 5, activation="relu"),
                layers.MaxPooling2D(2),
                layers.Flatten(),
                layers.Dense(120, activation="relu"),
                layers.Dense(84, activation="relu"),
                layers.Dense(10),
            ]
        )
        self._compile()
        batch = np.arange(problem.batch)
        self.compile_s = first_call(lambda: self._train(batch))
        self._reset()

    def _compile(self) -> None:
        self._model.compile(
            optimizer=keras.optimizers.Adam(self._problem.learning_rate, epsilon=1e-9),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=True,
            steps_per_execution=self._problem.steps,
        )

    def _reset(self) -> None:
        zeros = (np.zeros(kernel.shape[-1], np.float32) for kernel in self._problem.kernels)
        self._model.set_weights([array for pair in zip(self._problem.kernels, zeros) for array in pair])

    def _train(self, index: np.ndarray) -> float:
        return self._model.train_on_batch(self._images[index], self._problem.labels[index])

    def losses(self, order: np.ndarray) -> np.ndarray:
        self._compile()  # the moments of Adam start anew
        self._reset()
        return np.array([self._train(index) for index in order])

    def epoch(self) -> None:
        problem = self._problem
        self._model.fit(
            self._images, problem.labels, batch_size=problem.batch, epochs=1, shuffle=True, verbose=0
        )


lenet = LeNet
lstm = gru = _keras_sequences.Training
