"""flax Linen on images: LeNet-5, ResNet-20 and VGG-16 as its guides write them, with optax."""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as linen
import jax
import jax.numpy as jnp
import numpy as np
import optax

from bench import vgg16 as vgg_workload
from bench.images import Problem, fill
from bench.peers._jax import batch_loss, batch_of
from bench.timing import compiled


class LeNet(linen.Module):
    dtype: Any = jnp.float32

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        pool = partial(linen.max_pool, window_shape=(2, 2), strides=(2, 2))
        x = pool(linen.relu(linen.Conv(6, (5, 5), padding="SAME", dtype=self.dtype)(x)))
        x = pool(linen.relu(linen.Conv(16, (5, 5), padding="VALID", dtype=self.dtype)(x)))
        x = x.reshape(len(x), -1)
        for width in (120, 84):
            x = linen.relu(linen.Dense(width, dtype=self.dtype)(x))
        return linen.Dense(10, dtype=self.dtype)(x)


class ResNet20(linen.Module):
    """Shortcuts subsample and add channels of zeros."""

    dtype: Any = jnp.float32

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        conv = partial(linen.Conv, kernel_size=(3, 3), use_bias=False, padding=1, dtype=self.dtype)
        norm = partial(linen.BatchNorm, use_running_average=False, momentum=0.9, dtype=self.dtype)
        x = linen.relu(norm()(conv(16)(x)))
        for width in (16, 32, 64):
            for _ in range(3):
                extra = width - x.shape[-1]
                stride = 2 if extra else 1
                y = linen.relu(norm()(conv(width, strides=stride)(x)))
                y = norm()(conv(width)(y))
                if extra:
                    x = jnp.pad(x[:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (extra // 2, extra - extra // 2)))
                x = linen.relu(y + x)
        return linen.Dense(10, dtype=self.dtype)(x.mean((1, 2)))


class VGG(linen.Module):
    """Without dropout, which is nothing at inference."""

    stages: tuple[tuple[int, ...], ...]
    hidden: tuple[int, ...]
    classes: int
    dtype: Any = jnp.float32

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        for stage in self.stages:
            for width in stage:
                x = linen.relu(linen.Conv(width, (3, 3), padding=1, dtype=self.dtype)(x))
            x = linen.max_pool(x, (2, 2), strides=(2, 2))
        x = x.reshape(len(x), -1)
        for width in self.hidden:
            x = linen.relu(linen.Dense(width, dtype=self.dtype)(x))
        return linen.Dense(self.classes, dtype=self.dtype)(x)


class Training:
    """One jax.jit call a step, or one lax.scan an epoch; parameters and optimizer are donated."""

    def __init__(
        self,
        problem: Problem,
        make: Callable[..., linen.Module],
        optimizer: optax.GradientTransformation,
        scan: bool = False,
    ) -> None:
        self._problem, self._optimizer, self._scan = problem, optimizer, scan
        self._network = make(dtype=jnp.dtype(problem.dtype))
        self._data = jax.device_put((problem.inputs, problem.labels))
        self._rng = np.random.default_rng(0)
        self._state = self._initial()
        order = np.zeros((problem.steps, problem.batch), np.int32)
        function = self._epoch if scan else self._step
        self._jitted = jax.jit(function, donate_argnums=0)
        arguments = (self._state, *self._data, order if scan else order[0])
        self._run, self.compile_s = compiled(self._jitted, *arguments)

    def _initial(self) -> Any:
        image = jnp.zeros((1, *self._problem.inputs.shape[1:]))
        variables = jax.jit(self._network.init)(jax.random.key(0), image)
        parameters = fill(variables["params"], self._problem.kernels)
        return {**variables, "params": parameters}, self._optimizer.init(parameters)

    def _step(self, state: Any, images: jax.Array, labels: jax.Array, index: jax.Array) -> Any:
        variables, optimizer = state
        others = {name: value for name, value in variables.items() if name != "params"}

        def cost(parameters: Any) -> tuple[jax.Array, Any]:
            x, target = batch_of(images, labels, index)
            logits, changed = self._network.apply({"params": parameters, **others}, x, mutable=list(others))
            return batch_loss(logits.astype(jnp.float32), target, "cross_entropy"), changed

        (value, changed), gradient = jax.value_and_grad(cost, has_aux=True)(variables["params"])
        change, optimizer = self._optimizer.update(gradient, optimizer, variables["params"])
        parameters = optax.apply_updates(variables["params"], change)
        return ({**changed, "params": parameters}, optimizer), value

    def _epoch(self, state: Any, images: jax.Array, labels: jax.Array, order: jax.Array) -> Any:
        return jax.lax.scan(lambda state, index: self._step(state, images, labels, index), state, order)

    def _follow(self, order: np.ndarray, run: Callable[..., Any]) -> Any:
        order = order.astype(np.int32)
        if self._scan:
            self._state, found = run(self._state, *self._data, order)
        else:
            found = []
            for index in order:
                self._state, loss = run(self._state, *self._data, index)
                found.append(loss)
        jax.block_until_ready((self._state, found))
        return found

    def losses(self, order: np.ndarray) -> np.ndarray:
        self._state = self._initial()
        found = np.array(self._follow(order, self._jitted))
        self._state = self._initial()
        return found

    def epoch(self) -> None:
        order = self._rng.permutation(len(self._problem.labels))
        self._follow(order.reshape(-1, self._problem.batch), self._run)


def training(name: str, problem: Problem, scan: bool) -> Training:
    """The peer of the workload `name`."""
    if name == "lenet":
        return Training(problem, LeNet, optax.adam(problem.learning_rate), scan)
    return Training(problem, ResNet20, optax.sgd(problem.learning_rate, momentum=0.9), scan)


class Forward:
    """VGG-16 behind one jax.jit call."""

    def __init__(self, problem: vgg_workload.Problem) -> None:
        dtype = jnp.dtype(problem.dtype)
        network = VGG(problem.stages, problem.hidden, problem.classes, dtype)
        x = jnp.asarray(problem.inputs, dtype)
        shapes = jax.eval_shape(network.init, jax.random.key(0), x)
        zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes["params"])
        params = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), fill(zeros, problem.kernels))
        self._arguments = ({"params": params}, x)
        self._run, self.compile_s = compiled(jax.jit(network.apply), *self._arguments)

    def logits(self) -> np.ndarray:
        return np.asarray(self._run(*self._arguments)).astype(np.float32)

    def run(self) -> None:
        jax.block_until_ready(self._run(*self._arguments))
