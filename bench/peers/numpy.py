"""The best vectorised NumPy that we could write. Which variant won where: bench/NOTES.md."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from bench import logistic as logistic_workload
from bench.mlp import SIZES, Problem
from bench.peers import _numpy_lenet, _numpy_sequences

ZERO, ONE = np.float32(0), np.float32(1)
SCALE = np.float32(1 / 255)


def _views(flat: np.ndarray, shapes: list[tuple[int, int]]) -> list[np.ndarray]:
    ends = np.cumsum([rows * columns for rows, columns in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), shapes)]


def _sigmoid(z: np.ndarray, out: np.ndarray) -> None:
    np.negative(z, out)
    np.exp(out, out)
    np.add(out, ONE, out)
    np.reciprocal(out, out)


class MLP:
    """Activations as (units + 1, batch), so that a row of ones carries the bias.

    All weights lie in one flat array and all gradients in another: the update is one subtraction.
    The output's delta is scaled by the learning rate, so that gradients are steps. `_make_*` bind
    the arrays once, since looking up attributes is a part of so small a step.
    """

    compile_s = None

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        batch = problem.batch
        # Measured: BLAS likes the first layer's weights as (in, out) for wide batches only, and
        # converting the gathered pixels beats gathering four times the bytes only in between.
        self._wide = batch >= 64
        self._convert = 16 <= batch < 64
        self._examples = self._make_examples()
        self._onehot = np.eye(SIZES[-1], dtype=np.float32)[problem.labels]
        shapes = [(out, rows + 1) for rows, out in pairwise(SIZES)]
        if self._wide:
            shapes[0] = shapes[0][::-1]
        self._flat = np.empty(sum(rows * columns for rows, columns in shapes), np.float32)
        self._update = np.empty_like(self._flat)
        self._weights, self._gradients = _views(self._flat, shapes), _views(self._update, shapes)
        self._rng = np.random.default_rng(0)
        self._gathered = np.empty((batch, SIZES[0] + 1), self._examples.dtype)
        self._targets = np.empty((batch, SIZES[-1]), np.float32)
        self._hidden = np.ones((2, SIZES[1] + 1, batch), np.float32)
        self._output, self._delta = np.empty((2, SIZES[-1], batch), np.float32)
        self._reset()
        self._step = self._make_step()

    def _make_examples(self) -> np.ndarray:
        pixels = self._problem.inputs
        if self._convert:
            return np.concatenate([pixels, np.full((len(pixels), 1), 255, np.uint8)], 1)
        return np.concatenate([pixels * SCALE, np.ones((len(pixels), 1), np.float32)], 1)

    def _reset(self) -> None:
        for layer, (weight, bias) in enumerate(self._problem.weights):
            target = self._weights[layer]
            target = target.T if layer == 0 and self._wide else target
            target[:, :-1], target[:, -1] = weight.T, bias

    def _make_step(self) -> Callable[[np.ndarray, np.ndarray], float]:
        forward, backward = self._make_forward(), self._make_backward()
        outputs = {"squared": self._make_squared_error, "cross_entropy": self._make_cross_entropy}
        output = outputs[self._problem.loss]()
        flat, update, convert = self._flat, self._update, self._convert
        converted = np.empty_like(self._gathered, np.float32)

        def step(x: np.ndarray, targets: np.ndarray) -> float:
            x = np.multiply(x, SCALE, converted) if convert else x
            forward(x)
            loss = output(targets.T)
            backward(x)
            np.subtract(flat, update, flat)
            return loss

        return step

    def _make_forward(self) -> Callable[[np.ndarray], None]:
        w1, w2, w3 = self._weights
        (first, second), a3, wide = self._hidden, self._output, self._wide
        a1, a2 = first[:-1], second[:-1]
        rows = np.empty((self._problem.batch, SIZES[1]), np.float32)

        def forward(x: np.ndarray) -> None:
            if wide:
                np.matmul(x, w1, rows)
                _sigmoid(rows.T, a1)
            else:
                np.matmul(w1, x.T, a1)
                _sigmoid(a1, a1)
            np.matmul(w2, first, a2)
            _sigmoid(a2, a2)
            np.matmul(w3, second, a3)

        return forward

    def _make_squared_error(self) -> Callable[[np.ndarray], float]:
        outputs, delta, batch = self._output, self._delta, self._problem.batch
        slope = np.empty_like(outputs)
        rate = np.float32(2 * self._problem.learning_rate / batch)

        def squared_error(targets: np.ndarray) -> float:
            _sigmoid(outputs, outputs)
            np.subtract(outputs, targets, delta)
            loss = np.vdot(delta, delta) / batch
            np.subtract(ONE, outputs, slope)
            np.multiply(slope, outputs, slope)
            np.multiply(delta, slope, delta)
            np.multiply(delta, rate, delta)
            return float(loss)

        return squared_error

    def _make_cross_entropy(self) -> Callable[[np.ndarray], float]:
        logits, delta, batch = self._output, self._delta, self._problem.batch
        rate = np.float32(self._problem.learning_rate / batch)

        def cross_entropy(targets: np.ndarray) -> float:
            np.subtract(logits, np.maximum.reduce(logits, 0), logits)
            np.exp(logits, delta)
            total = np.add.reduce(delta, 0)
            loss = (np.log(total).sum() - np.vdot(logits, targets)) / batch
            np.divide(delta, total, delta)
            np.subtract(delta, targets, delta)
            np.multiply(delta, rate, delta)
            return float(loss)

        return cross_entropy

    def _make_backward(self) -> Callable[[np.ndarray], None]:
        g1, g2, g3 = self._gradients
        back2, back3 = (weight[:, :-1].T for weight in self._weights[1:])
        hidden, (first, second) = self._hidden, self._hidden
        d3, wide = self._delta, self._wide
        slope = np.empty_like(hidden)
        slope1, slope2 = slope[:, :-1]
        d1, d2 = np.empty_like(slope1), np.empty_like(slope2)

        def backward(x: np.ndarray) -> None:
            np.subtract(ONE, hidden, slope)
            np.multiply(slope, hidden, slope)
            np.matmul(back3, d3, d2)
            np.multiply(d2, slope2, d2)
            np.matmul(back2, d2, d1)
            np.multiply(d1, slope1, d1)
            np.matmul(d3, second.T, g3)
            np.matmul(d2, first.T, g2)
            if wide:
                np.matmul(x.T, d1.T, g1)
            else:
                np.matmul(d1, x, g1)

        return backward

    def _follow(self, order: np.ndarray) -> list[float]:
        take, take_target, step = self._examples.take, self._onehot.take, self._step
        x, targets = self._gathered, self._targets
        losses = []
        for index in order:  # "clip" lets take write into its output without a buffer
            take(index, 0, x, "clip")
            take_target(index, 0, targets, "clip")
            losses.append(step(x, targets))
        return losses

    def losses(self, order: np.ndarray) -> np.ndarray:
        self._reset()
        return np.array(self._follow(order))

    def epoch(self) -> None:
        order = self._rng.permutation(len(self._onehot))
        self._follow(order.reshape(-1, self._problem.batch))


mlp = MLP


class Logistic:
    """Logistic regression; a column of ones carries the bias, and every output is preallocated."""

    compile_s = None

    def __init__(self, problem: logistic_workload.Problem) -> None:
        self._problem = problem
        self._inputs = np.concatenate([problem.inputs, np.ones((len(problem.inputs), 1), np.float32)], 1)
        self._rng = np.random.default_rng(0)
        self._batch = np.empty((problem.batch, self._inputs.shape[1]), np.float32)
        self._targets = np.empty(problem.batch, np.float32)
        self._logits, self._work = np.empty((2, problem.batch), np.float32)
        self._reset()

    def _reset(self) -> None:
        self._weights = np.zeros(self._inputs.shape[1], np.float32)
        self._gradient = np.empty_like(self._weights)

    def _follow(self, order: np.ndarray) -> list[float]:
        x, y, z, work = self._batch, self._targets, self._logits, self._work
        weights, gradient, losses = self._weights, self._gradient, []
        rate = np.float32(self._problem.learning_rate / self._problem.batch)
        for index in order:
            self._inputs.take(index, 0, x, "clip")
            self._problem.targets.take(index, 0, y, "clip")
            np.matmul(x, weights, z)
            np.logaddexp(ZERO, z, work)
            losses.append(float((work.sum() - np.vdot(y, z)) / len(z)))
            _sigmoid(z, work)
            np.subtract(work, y, work)
            np.multiply(work, rate, work)
            np.matmul(work, x, gradient)
            np.subtract(weights, gradient, weights)
        return losses

    def losses(self, order: np.ndarray) -> np.ndarray:
        self._reset()
        return np.array(self._follow(order))

    def epoch(self) -> None:
        order = self._rng.permutation(len(self._inputs))
        self._follow(order.reshape(-1, self._problem.batch))


logistic = Logistic
lenet = _numpy_lenet.LeNet
lstm, gru = _numpy_sequences.LSTM, _numpy_sequences.GRU
