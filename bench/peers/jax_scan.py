"""Plain JAX: the cell in `lax.scan`, differentiated by jax; the steps of an epoch in a scan as well."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench import attention as attention_workload
from bench.peers._jax import batch_loss
from bench.sequences import Problem
from bench.timing import compiled

Weights = dict[str, jax.Array]


def _lstm(weights: Weights, carry: Any, x: jax.Array) -> Any:
    h, c = carry
    z = x @ weights["input"] + h @ weights["recurrent"] + weights["bias"]
    i, f, g, o = jnp.split(z, 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None


def _gru(weights: Weights, carry: Any, x: jax.Array) -> Any:
    h, c = carry
    size = h.shape[-1]
    outer, inner = x @ weights["input"] + weights["bias"], h @ weights["recurrent"]
    gates = jax.nn.sigmoid(outer[:, : 2 * size] + inner[:, : 2 * size])
    r, u = jnp.split(gates, 2, axis=-1)
    new = jnp.tanh(outer[:, 2 * size :] + r * (inner[:, 2 * size :] + weights["recurrent_bias"]))
    return ((1 - u) * new + u * h, c), None


class Training:
    def __init__(self, problem: Problem) -> None:
        self._problem, self._rng = problem, np.random.default_rng(0)
        self._cell = {"lstm": _lstm, "gru": _gru}[problem.cell]
        self._data = jax.device_put((problem.inputs, problem.labels))
        self._weights = self._initial()
        self._jitted = jax.jit(self._steps, donate_argnums=0)
        order = np.zeros((problem.steps, problem.batch), np.int32)
        self._run, self.compile_s = compiled(self._jitted, self._weights, *self._data, order)

    def _initial(self) -> Weights:
        # Copies, since a donated view of the problem's own arrays would change them.
        return {name: jnp.array(weight, copy=True) for name, weight in self._problem.weights.items()}

    def _cost(self, weights: Weights, inputs: jax.Array, labels: jax.Array) -> jax.Array:
        zero = jnp.zeros((len(inputs), self._problem.size.features))
        carry = (zero, zero) if self._problem.cell == "lstm" else (zero, ())
        xs = jnp.swapaxes(inputs, 0, 1)
        (h, _), _ = jax.lax.scan(lambda carry, x: self._cell(weights, carry, x), carry, xs)
        return batch_loss(h @ weights["head"] + weights["head_bias"], labels, "cross_entropy")

    def _steps(self, weights: Weights, inputs: jax.Array, labels: jax.Array, order: jax.Array) -> Any:
        rate = self._problem.learning_rate

        def step(weights: Weights, index: jax.Array) -> tuple[Weights, jax.Array]:
            loss, slopes = jax.value_and_grad(self._cost)(weights, inputs[index], labels[index])
            return jax.tree.map(lambda weight, slope: weight - rate * slope, weights, slopes), loss

        return jax.lax.scan(step, weights, order)

    def losses(self, order: np.ndarray) -> np.ndarray:
        self._weights, found = self._jitted(self._initial(), *self._data, order.astype(np.int32))
        return np.asarray(found)

    def weights(self) -> dict[str, np.ndarray]:
        return {name: np.asarray(weight) for name, weight in self._weights.items()}

    def epoch(self) -> None:
        order = self._rng.permutation(len(self._problem.labels)).astype(np.int32)
        order = order.reshape(-1, self._problem.batch)
        self._weights, losses = self._run(self._weights, *self._data, order)
        jax.block_until_ready((self._weights, losses))


def attention(problem: attention_workload.Problem) -> attention_workload.Scanned:
    """Two products around jax.nn.softmax."""
    seen = np.tril(np.ones((problem.time, problem.time), bool)) if problem.causal else None

    def attend(query: jax.Array, keys: jax.Array, values: jax.Array, mask: jax.Array | None) -> jax.Array:
        q, k, v = (array.reshape(*array.shape[:2], problem.heads, -1) for array in (query, keys, values))
        scores = jnp.einsum("bqhf,bshf->bhqs", q, k) / np.sqrt(q.shape[-1]).astype(q.dtype)
        for part in (None if mask is None else mask[:, None, None], seen):
            scores = scores if part is None else jnp.where(part, scores, -jnp.inf)
        context = jnp.einsum("bhqs,bshf->bqhf", jax.nn.softmax(scores), v)
        return context.reshape(query.shape)

    return attention_workload.Scanned(problem, attend)


lstm = gru = Training
