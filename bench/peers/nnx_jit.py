"""flax NNX as its guides write it: nnx.jit over a module and an nnx.Optimizer, a call a step."""

from itertools import pairwise

import flax.nnx as nnx
import jax
import numpy as np
import optax

from bench.mlp import SIZES, Problem
from bench.peers._jax import batch_loss, batch_of
from bench.timing import first_call


class Network(nnx.Module):
    def __init__(self, rngs: nnx.Rngs) -> None:
        self.layers = nnx.List(nnx.Linear(rows, columns, rngs=rngs) for rows, columns in pairwise(SIZES))

    def __call__(self, x: jax.Array) -> jax.Array:
        *hidden, last = self.layers
        for layer in hidden:
            x = nnx.sigmoid(layer(x))
        return last(x)


class MLP:
    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._data = jax.device_put((problem.inputs, problem.labels))
        self._rng = np.random.default_rng(0)

        @nnx.jit
        def step(network: Network, optimizer: nnx.Optimizer, *data: jax.Array) -> jax.Array:
            def loss(network: Network) -> jax.Array:
                x, target = batch_of(*data)
                return batch_loss(network(x), target, problem.loss)

            value, gradient = nnx.value_and_grad(loss)(network)
            optimizer.update(network, gradient)
            return value

        self._jitted = step
        self._reset()
        order = np.zeros((1, problem.batch), int)
        self.compile_s = first_call(lambda: self._follow(order))
        self._reset()

    def _reset(self) -> None:
        network = Network(nnx.Rngs(0))
        for layer, (weight, bias) in zip(network.layers, self._problem.weights):
            layer.kernel[...], layer.bias[...] = weight, bias
        self._network = network
        sgd = optax.sgd(self._problem.learning_rate)
        optimizer = nnx.Optimizer(network, sgd, wrt=nnx.Param)
        # The guides' cure for the cost of walking the module at every call.
        self._step = nnx.cached_partial(self._jitted, network, optimizer)

    def _follow(self, order: np.ndarray) -> list[jax.Array]:
        losses = [self._step(*self._data, index) for index in order.astype(np.int32)]
        jax.block_until_ready((losses, nnx.state(self._network)))
        return losses

    def losses(self, order: np.ndarray) -> np.ndarray:
        self._reset()
        return np.array(self._follow(order))

    def epoch(self) -> None:
        order = self._rng.permutation(len(self._problem.labels))
        self._follow(order.reshape(-1, self._problem.batch))


mlp = MLP
