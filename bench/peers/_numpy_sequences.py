"""LSTM and GRU in vectorised NumPy, time first: the best that we could write.

All steps' inputs take one product a gate, and so do all steps' gradients to the weights; in the loop there is
the product with the state alone. Gates are the first axis, so that what is done to each element runs over
contiguous memory, in such an order that those which are treated alike are neighbours. Weights of a sigmoid
gate are kept halved, so that one tanh serves all: sigmoid(z) = (tanh(z / 2) + 1) / 2. All that is as large as
the batch is allocated once, and every view of it is made once. While the forward loop has a step in the
cache, it leaves there the derivatives that the backward loop only scales.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.peers._numpy_lenet import _cross_entropy
from bench.sequences import CLASSES, Problem

HALF, ONE = np.float32(0.5), np.float32(1)


def _apart(array: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """The gates, blocks of the last axis, as a first axis in another order."""
    blocks = np.split(array, len(order), axis=-1)
    return np.stack([blocks[i] for i in order])


def _together(array: np.ndarray, order: Sequence[int]) -> np.ndarray:
    """The gates of the first axis as blocks of the last, in the original order."""
    return np.concatenate([array[order.index(i)] for i in range(len(order))], axis=-1)


def _scales(*sigmoids: bool) -> np.ndarray:
    """What the weights of a gate are multiplied with: a half where a sigmoid follows."""
    return np.where(sigmoids, HALF, ONE)[:, None, None]


def _transposed(weight: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(weight.swapaxes(1, 2))


class Training:
    """What both share: the examples, the head, the loop over batches. `_xh` holds x, 1 and h of each step."""

    compile_s = None

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        time, batch, inputs, features = problem.size
        ones = np.ones((time, len(problem.labels), 1), np.float32)
        self._examples = np.concatenate([problem.inputs.swapaxes(0, 1), ones], axis=2)
        self._onehot = np.eye(CLASSES, dtype=np.float32)[problem.labels]
        self._xh = np.zeros((time + 1, batch, inputs + 1 + features), np.float32)
        self._x, self._last = self._xh[:time, :, : inputs + 1], self._xh[time, :, inputs + 1 :]
        self._rows = self._xh[:time].reshape(time * batch, -1)
        self._slope = np.empty((batch, features), np.float32)  # of h
        self._rng = np.random.default_rng(0)
        self._reset()

    def _reset(self) -> None:
        self._head, self._head_bias = (self._problem.weights[name].copy() for name in ("head", "head_bias"))

    def _step(self, index: np.ndarray) -> float:
        np.copyto(self._x, np.take(self._examples, index, axis=1))
        self._forward()
        logits = self._last @ self._head
        logits += self._head_bias
        loss, slope = _cross_entropy(logits, self._onehot[index])
        np.matmul(slope, self._head.T, self._slope)
        slope *= np.float32(self._problem.learning_rate)
        self._head -= self._last.T @ slope
        self._head_bias -= slope.sum(0)
        self._backward()
        return loss

    def _forward(self) -> None:
        raise NotImplementedError

    def _backward(self) -> None:
        """From the gradient of the last h in `_slope`; updates the layer."""
        raise NotImplementedError

    def losses(self, order: np.ndarray) -> np.ndarray:
        self._reset()
        return np.array([self._step(index) for index in order])

    def epoch(self) -> None:
        order = self._rng.permutation(len(self._problem.labels))
        for index in order.reshape(-1, self._problem.batch):
            self._step(index)


class LSTM(Training):
    """Gates in the order output, forget, input, candidate: three are sigmoids, c moves the last three."""

    ORDER = (3, 1, 0, 2)
    SCALES = _scales(True, True, True, False)

    def __init__(self, problem: Problem) -> None:
        time, batch, inputs, features = problem.size
        self._weight = np.empty((4, inputs + 1 + features, features), np.float32)
        self._change = np.empty_like(self._weight)
        self._rates = np.float32(problem.learning_rate) * self.SCALES**3
        self._z = np.empty((4, time * batch, features), np.float32)
        self._memory = np.zeros((time + 1, batch, features), np.float32)
        self._wide = np.empty((4, batch, features), np.float32)
        self._one, self._two = np.empty((2, batch, features), np.float32)
        gates = np.empty((time, 3, batch, features), np.float32)
        super().__init__(problem)
        self._steps = [self._views(t, gates[t]) for t in range(time)]

    def _views(self, t: int, gates: np.ndarray) -> tuple[Any, ...]:
        start, z = self._problem.size.inputs + 1, self._z.reshape(4, -1, *self._wide.shape[1:])[:, t]
        return (
            z, z[:3], gates, *gates, *z, z[1:], self._memory[t], self._memory[t + 1],
            self._xh[t, :, start:], self._xh[t + 1, :, start:],
        )  # fmt: skip

    def _reset(self) -> None:
        super()._reset()
        start, weights = self._problem.size.inputs, self._problem.weights
        self._weight[:, :start] = _apart(weights["input"], self.ORDER)
        self._weight[:, start] = _apart(weights["bias"], self.ORDER)
        self._weight[:, start + 1 :] = _apart(weights["recurrent"], self.ORDER)
        self._weight *= self.SCALES

    def weights(self) -> dict[str, np.ndarray]:
        start, whole = self._problem.size.inputs, _together(self._weight / self.SCALES, self.ORDER)
        layer = {"input": whole[:start], "bias": whole[start], "recurrent": whole[start + 1 :]}
        return layer | {"head": self._head, "head_bias": self._head_bias}

    def _forward(self) -> None:
        start = self._problem.size.inputs + 1
        np.matmul(self._rows[:, :start], self._weight[:, :start], self._z)
        recurrent, wide, one, two = self._weight[:, start:], self._wide, self._one, self._two
        do, df, di, dg = wide
        for z, sigmoids, gates, o, f, i, zo, zf, zi, zg, _, before, c, h, after in self._steps:
            np.matmul(h, recurrent, wide)
            np.add(z, wide, z)
            np.tanh(z, z)
            np.multiply(sigmoids, HALF, gates)
            np.add(gates, HALF, gates)
            np.multiply(f, before, c)
            np.multiply(i, zg, one)
            np.add(c, one, c)
            np.tanh(c, two)
            np.multiply(o, two, after)
            # What the slopes of h and c are multiplied with; a sigmoid's own half is in the scales.
            np.multiply(z, z, wide)
            np.subtract(ONE, wide, wide)
            np.multiply(do, two, zo)
            np.multiply(df, before, zf)
            np.multiply(di, zg, zi)
            np.multiply(dg, i, zg)
            np.multiply(two, two, two)
            np.subtract(ONE, two, two)
            np.multiply(o, two, o)

    def _backward(self) -> None:
        slope, c_slope, one, wide = self._slope, self._two, self._one, self._wide
        back = _transposed(self._weight[:, self._problem.size.inputs + 1 :] * self.SCALES)
        c_slope.fill(0)
        for z, _, _, o, f, _, zo, _, _, _, others, *_ in reversed(self._steps):
            np.multiply(slope, o, one)
            np.add(c_slope, one, c_slope)
            np.multiply(zo, slope, zo)
            np.multiply(others, c_slope, others)
            np.multiply(c_slope, f, c_slope)
            np.matmul(z, back, wide)
            np.add.reduce(wide, 0, out=slope)
        np.matmul(self._rows.T, self._z, self._change)
        np.multiply(self._change, self._rates, self._change)
        np.subtract(self._weight, self._change, self._weight)


class GRU(Training):
    """Slopes in the order candidate, reset, update, inner: inputs take the first three, h the last three.

    `inner` is what the reset gate multiplies; its bias is a row of the recurrent weights.
    """

    ORDER = (2, 0, 1)  # of the input's gates; the recurrent ones have reset, update, candidate
    SAME = (0, 1, 2)
    SCALES = _scales(False, True, True), _scales(True, True, False)

    def __init__(self, problem: Problem) -> None:
        time, batch, inputs, features = problem.size
        self._input = np.empty((3, inputs + 1, features), np.float32)
        self._recurrent = np.zeros((3, 1 + features, features), np.float32)
        self._changes = np.empty_like(self._input), np.empty_like(self._recurrent)
        self._rates = [np.float32(problem.learning_rate) * scale**3 for scale in self.SCALES]
        self._z = np.empty((4, time * batch, features), np.float32)
        self._wide = np.empty((3, batch, features), np.float32)
        self._one, self._two = np.empty((2, batch, features), np.float32)
        gates = np.empty((time, 2, batch, features), np.float32)
        super().__init__(problem)
        self._steps = [self._views(t, gates[t]) for t in range(time)]

    def _views(self, t: int, gates: np.ndarray) -> tuple[Any, ...]:
        start, z = self._problem.size.inputs, self._z.reshape(4, -1, *self._wide.shape[1:])[:, t]
        return (
            z[1:3], gates, *gates, *z, z[1:],
            self._xh[t, :, start:], self._xh[t, :, start + 1 :], self._xh[t + 1, :, start + 1 :],
        )  # fmt: skip

    def _reset(self) -> None:
        super()._reset()
        weights = self._problem.weights
        self._input[:, :-1] = _apart(weights["input"], self.ORDER)
        self._input[:, -1] = _apart(weights["bias"], self.ORDER)
        self._recurrent[:, 1:] = _apart(weights["recurrent"], self.SAME)
        self._recurrent[:, 0] = 0
        self._recurrent[2, 0] = weights["recurrent_bias"]
        self._input *= self.SCALES[0]
        self._recurrent *= self.SCALES[1]

    def weights(self) -> dict[str, np.ndarray]:
        first = _together(self._input / self.SCALES[0], self.ORDER)
        second = _together(self._recurrent[:, 1:] / self.SCALES[1], self.SAME)
        layer = {"input": first[:-1], "bias": first[-1], "recurrent": second}
        layer["recurrent_bias"] = self._recurrent[2, 0]
        return layer | {"head": self._head, "head_bias": self._head_bias}

    def _forward(self) -> None:
        np.matmul(self._rows[:, : self._problem.size.inputs + 1], self._input, self._z[:3])
        recurrent, wide, new, less = self._recurrent, self._wide, self._one, self._two
        both, inner = wide[:2], wide[2]
        for sigmoids, gates, r, u, zn, zr, zu, _, _, with_one, h, after in self._steps:
            np.matmul(with_one, recurrent, wide)
            np.add(sigmoids, both, sigmoids)
            np.tanh(sigmoids, sigmoids)
            np.multiply(sigmoids, HALF, gates)
            np.add(gates, HALF, gates)
            np.multiply(r, inner, new)
            np.add(new, zn, new)
            np.tanh(new, new)
            np.subtract(h, new, less)
            np.multiply(u, less, after)
            np.add(after, new, after)
            # What the slope of h is multiplied with, and for the reset gate that of the candidate.
            np.multiply(sigmoids, sigmoids, sigmoids)
            np.subtract(ONE, sigmoids, sigmoids)
            np.multiply(zr, inner, zr)
            np.multiply(zu, less, zu)
            np.multiply(new, new, new)
            np.subtract(ONE, new, new)
            np.subtract(ONE, u, less)
            np.multiply(new, less, zn)

    def _backward(self) -> None:
        start, slope, one, wide = self._problem.size.inputs, self._slope, self._one, self._wide
        back = _transposed(self._recurrent[:, 1:] * self.SCALES[1])
        for _, _, r, u, zn, zr, zu, inner, recurrent, *_ in reversed(self._steps):
            np.multiply(zn, slope, zn)
            np.multiply(zu, slope, zu)
            np.multiply(zr, zn, zr)
            np.multiply(zn, r, inner)
            np.multiply(slope, u, slope)
            np.matmul(recurrent, back, wide)
            np.add.reduce(wide, 0, out=one)
            np.add(slope, one, slope)
        np.matmul(self._rows[:, : start + 1].T, self._z[:3], self._changes[0])
        np.matmul(self._rows[:, start:].T, self._z[1:], self._changes[1])
        self._changes[1][:2, 0] = 0  # the input's bias is theirs
        for weight, change, rates in zip((self._input, self._recurrent), self._changes, self._rates):
            np.multiply(change, rates, change)
            np.subtract(weight, change, weight)
