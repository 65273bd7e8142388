"""NumPy as it is usually written: vectorised over the batch, one line a formula, no preallocated outputs."""

import numpy as np

from bench.mlp import Problem


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


class MLP:
    """The network of the workload; pixels are float32 and scaled once."""

    compile_s = None

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._inputs = problem.inputs / np.float32(255)
        self._onehot = np.eye(10, dtype=np.float32)[problem.labels]
        self._rng = np.random.default_rng(0)
        self._reset()

    def _reset(self) -> None:
        self._layers = [(w.copy(), b.copy()) for w, b in self._problem.weights]

    def _step(self, x: np.ndarray, y: np.ndarray) -> float:
        batch, activations = np.float32(len(x)), [x]
        for w, b in self._layers:
            activations.append(_sigmoid(activations[-1] @ w + b))
        a = activations[-1]
        loss = float(np.square(a - y).sum() / batch)
        delta = 2 * (a - y) / batch * a * (1 - a)
        for layer in (2, 1, 0):
            (w, b), below = self._layers[layer], activations[layer]
            d_w, d_b = below.T @ delta, delta.sum(0)
            if layer:
                delta = (delta @ w.T) * below * (1 - below)
            rate = np.float32(self._problem.learning_rate)
            self._layers[layer] = (w - rate * d_w, b - rate * d_b)
        return loss

    def _follow(self, order: np.ndarray) -> list[float]:
        return [self._step(self._inputs[index], self._onehot[index]) for index in order]

    def losses(self, order: np.ndarray) -> np.ndarray:
        self._reset()
        return np.array(self._follow(order))

    def epoch(self) -> None:
        order = self._rng.permutation(len(self._onehot))
        self._follow(order.reshape(-1, self._problem.batch))


mlp = MLP
