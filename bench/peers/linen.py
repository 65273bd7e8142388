"""flax Linen with optax, as its guides write it: one jax.jit call a step, state donated."""

from functools import partial
from typing import Any

import flax.linen as linen
import jax
import numpy as np
import optax

from bench.mlp import SIZES, Problem
from bench.peers import _linen_images, _linen_sequences
from bench.peers._jax import batch_loss, batch_of
from bench.timing import compiled


class Network(linen.Module):
    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for width in SIZES[1:-1]:
            x = linen.sigmoid(linen.Dense(width)(x))
        return linen.Dense(SIZES[-1])(x)


class MLP:
    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._data = jax.device_put((problem.inputs, problem.labels))
        self._rng = np.random.default_rng(0)
        self._optimizer = optax.sgd(problem.learning_rate)
        network = Network()

        @partial(jax.jit, donate_argnums=(0, 1))
        def step(parameters: Any, state: Any, images: jax.Array, labels: jax.Array, index: Any) -> Any:
            def loss(parameters: Any) -> jax.Array:
                x, target = batch_of(images, labels, index)
                return batch_loss(network.apply(parameters, x), target, problem.loss)

            value, gradient = jax.value_and_grad(loss)(parameters)
            change, state = self._optimizer.update(gradient, state, parameters)
            return optax.apply_updates(parameters, change), state, value

        self._step = step
        self._state = self._initial()
        index = np.zeros(problem.batch, np.int32)
        _, self.compile_s = compiled(step, *self._state, *self._data, index)

    def _initial(self) -> tuple[Any, Any]:
        layers = {
            f"Dense_{layer}": {"kernel": weight, "bias": bias}
            for layer, (weight, bias) in enumerate(self._problem.weights)
        }
        parameters = jax.device_put({"params": layers})
        return parameters, self._optimizer.init(parameters)

    def _follow(self, order: np.ndarray) -> list[jax.Array]:
        parameters, state = self._state
        losses = []
        for index in order.astype(np.int32):
            parameters, state, loss = self._step(parameters, state, *self._data, index)
            losses.append(loss)
        self._state = jax.block_until_ready((parameters, state))
        return losses

    def losses(self, order: np.ndarray) -> np.ndarray:
        self._state = self._initial()
        return np.array(self._follow(order))

    def epoch(self) -> None:
        order = self._rng.permutation(len(self._problem.labels))
        self._follow(order.reshape(-1, self._problem.batch))


mlp = MLP
lenet = partial(_linen_images.training, "lenet", scan=False)
resnet20 = partial(_linen_images.training, "resnet20", scan=False)
vgg16 = _linen_images.Forward
lstm = gru = partial(_linen_sequences.Training, scan=False)
