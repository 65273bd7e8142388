"""LeNet-5 in vectorised NumPy: convolutions as products with patches, channels first and then the batch.

Arrays are (channels, batch, height, width), so that patches are copied in rows of a whole image line and each
product has the batch's positions as its long axis. ReLU comes after the pooling, where there is a quarter to
do; the first convolution has no input gradient. All parameters lie in one flat array, and so do Adam's
moments. What is as large as the batch is allocated once.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from bench.images import Problem

ZERO = np.float32(0)
SCALE = np.float32(1 / 255)
BETA1, BETA2, EPS = np.float32(0.9), np.float32(0.999), np.float32(1e-8)
SHAPES = ((6, 25), (16, 150), (120, 400), (84, 120), (10, 84))


class Conv:
    """y = w x + b over windows of 5 x 5, w (outputs, inputs * 25); the gradient of x by adding windows up."""

    def __init__(self, weight: np.ndarray, bias: np.ndarray, inputs: int, batch: int, side: int) -> None:
        outputs, out = len(weight), side - 4
        self._weight, self._bias = weight, bias[:, None]
        self.x = np.zeros((inputs, batch, side, side), np.float32)
        windows = sliding_window_view(self.x, (5, 5), (2, 3))
        self._windows = windows.transpose(0, 4, 5, 1, 2, 3)  # of self.x itself: no copy
        self._patches = np.empty(self._windows.shape, np.float32)
        self._columns = self._patches.reshape(inputs * 25, batch * out * out)
        self.y = np.empty((outputs, batch, out, out), np.float32)
        self._flat = self.y.reshape(outputs, -1)
        self.slope = np.empty_like(self.y)
        self._flat_slope = self.slope.reshape(outputs, -1)
        self.x_slope = np.empty_like(self.x)

    def forward(self) -> None:
        np.copyto(self._patches, self._windows)
        np.matmul(self._weight, self._columns, self._flat)
        np.add(self._flat, self._bias, self._flat)

    def parameter_gradients(self, weight: np.ndarray, bias: np.ndarray) -> None:
        np.matmul(self._flat_slope, self._columns.T, weight)
        np.add.reduce(self._flat_slope, 1, out=bias)

    def input_gradient(self) -> None:
        np.matmul(self._weight.T, self._flat_slope, self._columns)  # the patches are not needed any more
        self.x_slope.fill(0)
        height, width = self.y.shape[2:]
        for down in range(5):
            for right in range(5):
                part = self.x_slope[:, :, down : down + height, right : right + width]
                np.add(part, self._patches[:, down, right], part)


class Pool:
    """relu(max over 2 x 2); of equal entries the first in reading order takes the gradient, as elsewhere."""

    def __init__(self, conv: Conv, out: np.ndarray) -> None:
        def quarters(array: np.ndarray) -> list[np.ndarray]:
            return [array[:, :, down::2, right::2] for down in (0, 1) for right in (0, 1)]

        self._from, self._to, self._out = quarters(conv.y), quarters(conv.slope), out
        self._top, self._bottom, self._rest = (np.empty(out.shape, np.float32) for _ in range(3))
        self._masks = np.empty((3, *out.shape), bool)

    def forward(self) -> None:
        one, two, three, four = self._from
        np.maximum(one, two, out=self._top)
        np.maximum(three, four, out=self._bottom)
        left, right, upper = self._masks
        np.greater_equal(one, two, left)
        np.greater_equal(three, four, right)
        np.greater_equal(self._top, self._bottom, upper)
        np.maximum(self._top, self._bottom, out=self._rest)
        np.maximum(self._rest, ZERO, out=self._out)

    def backward(self, slope: np.ndarray) -> None:
        left, right, upper = self._masks
        alive, lower = self._rest, self._bottom
        np.greater(alive, ZERO, alive)
        np.multiply(slope, alive, alive)
        np.multiply(alive, upper, self._top)
        np.subtract(alive, self._top, lower)
        for part, mask, (first, second) in (
            (self._top, left, self._to[:2]),
            (lower, right, self._to[2:]),
        ):
            np.multiply(part, mask, first)
            np.subtract(part, first, second)


class LeNet:
    compile_s = None

    def __init__(self, problem: Problem) -> None:
        self._problem, batch = problem, problem.batch
        self._pixels = problem.inputs[..., 0]
        self._onehot = np.eye(10, dtype=np.float32)[problem.labels]
        self._flat, self._slopes, *self._moments, self._work = np.zeros((5, _size()), np.float32)
        self._weights, self._biases = _views(self._flat)
        self._gradients = list(zip(*_views(self._slopes)))
        self._first = Conv(self._weights[0], self._biases[0], 1, batch, 32)
        self._second = Conv(self._weights[1], self._biases[1], 6, batch, 14)
        self._maps = np.empty((16, batch, 5, 5), np.float32)
        self._pools = Pool(self._first, self._second.x), Pool(self._second, self._maps)
        self._rng = np.random.default_rng(0)
        self._reset()

    def _reset(self) -> None:
        self._flat.fill(0)
        for moment in self._moments:
            moment.fill(0)
        self._step_count = 0
        first, second, third, *dense = self._problem.kernels
        channels_first = third.reshape(5, 5, 16, 120).transpose(2, 0, 1, 3).reshape(400, 120)
        convolutions = (
            kernel.transpose(3, 2, 0, 1).reshape(kernel.shape[3], -1) for kernel in (first, second)
        )
        matrices = (kernel.T for kernel in (channels_first, *dense))
        for weight, kernel in zip(self._weights, (*convolutions, *matrices)):
            weight[:] = kernel

    def gradients(self, index: np.ndarray) -> float:
        """The loss of a batch; the gradients of all parameters are then in their flat array."""
        np.multiply(self._pixels[index], SCALE, self._first.x[0, :, 2:-2, 2:-2])
        for conv, pool in zip((self._first, self._second), self._pools):
            conv.forward()
            pool.forward()
        activations = [self._maps.transpose(1, 0, 2, 3).reshape(len(index), 400)]
        for weight, bias in zip(self._weights[2:], self._biases[2:]):
            z = activations[-1] @ weight.T
            z += bias
            activations.append(np.maximum(z, ZERO, out=z) if len(weight) > 10 else z)
        loss, slope = _cross_entropy(activations.pop(), self._onehot[index])
        for place in (4, 3, 2):
            slope = self._dense_backward(place, slope, activations.pop())
        maps = slope.reshape(len(index), 16, 5, 5).transpose(1, 0, 2, 3)
        self._pools[1].backward(maps)
        self._second.parameter_gradients(*self._gradients[1])
        self._second.input_gradient()
        self._pools[0].backward(self._second.x_slope)
        self._first.parameter_gradients(*self._gradients[0])
        return loss

    def _dense_backward(self, place: int, slope: np.ndarray, inputs: np.ndarray) -> np.ndarray:
        weight, bias = self._gradients[place]
        np.matmul(slope.T, inputs, weight)
        np.add.reduce(slope, 0, out=bias)
        slope = slope @ self._weights[place]
        if place > 2:  # the maps are behind a ReLU of their own
            slope *= inputs > 0
        return slope

    def _step(self, index: np.ndarray) -> float:
        loss = self.gradients(index)
        self._step_count += 1
        self._adam(self._problem.learning_rate, self._step_count)
        return loss

    def _adam(self, rate: float, count: int) -> None:
        mean, square = self._moments
        slopes, work = self._slopes, self._work
        np.multiply(mean, BETA1, mean)
        np.multiply(slopes, 1 - BETA1, work)
        np.add(mean, work, mean)
        np.multiply(square, BETA2, square)
        np.multiply(slopes, slopes, slopes)
        np.multiply(slopes, 1 - BETA2, slopes)
        np.add(square, slopes, square)
        np.multiply(square, np.float32(1 / (1 - 0.999**count)), work)
        np.sqrt(work, work)
        np.add(work, EPS, work)
        np.divide(mean, work, work)
        np.multiply(work, np.float32(rate / (1 - 0.9**count)), work)
        np.subtract(self._flat, work, self._flat)

    def losses(self, order: np.ndarray) -> np.ndarray:
        self._reset()
        return np.array([self._step(index) for index in order])

    def epoch(self) -> None:
        order = self._rng.permutation(len(self._problem.labels))
        for index in order.reshape(-1, self._problem.batch):
            self._step(index)


def _cross_entropy(logits: np.ndarray, onehot: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean over the batch, and the gradient of the logits."""
    logits -= logits.max(1, keepdims=True)
    slope = np.exp(logits)
    total = slope.sum(1, keepdims=True)
    loss = (np.log(total).sum() - np.vdot(logits, onehot)) / len(logits)
    slope /= total
    slope -= onehot
    slope *= np.float32(1 / len(logits))
    return float(loss), slope


def _size() -> int:
    return sum(rows * columns + rows for rows, columns in SHAPES)


def _views(flat: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Weights (out, in) and biases (out,) as parts of the flat array."""
    ends = np.cumsum([size for rows, columns in SHAPES for size in (rows * columns, rows)])
    parts = np.split(flat, ends[:-1])
    return [part.reshape(shape) for part, shape in zip(parts[::2], SHAPES)], parts[1::2]
