"""flax Linen's RNN over its LSTM and GRU cells with a Dense head, and optax."""

from collections.abc import Callable
from typing import Any

import flax.linen as linen
import jax
import numpy as np
import optax

from bench.peers._jax import batch_loss
from bench.sequences import CLASSES, Problem
from bench.timing import compiled

# How Linen names the gates, in the order of ours.
GATES = {"lstm": ("i", "f", "g", "o"), "gru": ("r", "z", "n")}


class Network(linen.Module):
    cell: str
    features: int

    @linen.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        make = {"lstm": linen.OptimizedLSTMCell, "gru": linen.GRUCell}[self.cell]
        x = linen.RNN(make(self.features, name="cell"))(x)
        return linen.Dense(CLASSES, name="head")(x[:, -1])


def _gates(problem: Problem, name: str) -> list[np.ndarray]:
    return np.split(problem.weights[name], len(GATES[problem.cell]), axis=-1)


def tree(problem: Problem) -> dict[str, Any]:
    """The weights as Linen has them: two layers a gate; the LSTM's biases are those of h, the GRU's of x."""
    biases = _gates(problem, "bias")
    cell: dict[str, Any] = {}
    for gate, kernel, inner, bias in zip(
        GATES[problem.cell], _gates(problem, "input"), _gates(problem, "recurrent"), biases
    ):
        first, second = {"kernel": kernel}, {"kernel": inner}
        (second if problem.cell == "lstm" else first)["bias"] = bias
        cell |= {f"i{gate}": first, f"h{gate}": second}
    if problem.cell == "gru":
        cell["hn"]["bias"] = problem.weights["recurrent_bias"]
    head = {"kernel": problem.weights["head"], "bias": problem.weights["head_bias"]}
    return {"cell": cell, "head": head}


class Training:
    """One jax.jit call a step, or one lax.scan an epoch; parameters are donated."""

    def __init__(self, problem: Problem, scan: bool) -> None:
        self._problem, self._scan = problem, scan
        self._network = Network(problem.cell, problem.size.features)
        self._optimizer = optax.sgd(problem.learning_rate)
        self._data = jax.device_put((problem.inputs, problem.labels))
        self._rng = np.random.default_rng(0)
        self._state = self._initial()
        order = np.zeros((problem.steps, problem.batch), np.int32)
        self._jitted = jax.jit(self._epoch if scan else self._step, donate_argnums=0)
        arguments = (self._state, *self._data, order if scan else order[0])
        self._run, self.compile_s = compiled(self._jitted, *arguments)

    def _initial(self) -> Any:
        # Copies, since a donated view of the problem's own arrays would change them.
        parameters = jax.tree.map(lambda array: jax.numpy.array(array, copy=True), tree(self._problem))
        return parameters, self._optimizer.init(parameters)

    def _step(self, state: Any, inputs: jax.Array, labels: jax.Array, index: jax.Array) -> Any:
        def cost(parameters: Any) -> jax.Array:
            logits = self._network.apply({"params": parameters}, inputs[index])
            return batch_loss(logits, labels[index], "cross_entropy")

        parameters, optimizer = state
        value, gradient = jax.value_and_grad(cost)(parameters)
        change, optimizer = self._optimizer.update(gradient, optimizer, parameters)
        return (optax.apply_updates(parameters, change), optimizer), value

    def _epoch(self, state: Any, inputs: jax.Array, labels: jax.Array, order: jax.Array) -> Any:
        return jax.lax.scan(lambda state, index: self._step(state, inputs, labels, index), state, order)

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
        return np.array(self._follow(order, self._jitted))

    def weights(self) -> dict[str, np.ndarray]:
        cell, head = self._state[0]["cell"], self._state[0]["head"]
        names = GATES[self._problem.cell]
        holder = "h" if self._problem.cell == "lstm" else "i"
        found = {
            "input": np.concatenate([cell[f"i{gate}"]["kernel"] for gate in names], 1),
            "recurrent": np.concatenate([cell[f"h{gate}"]["kernel"] for gate in names], 1),
            "bias": np.concatenate([cell[f"{holder}{gate}"]["bias"] for gate in names]),
            "head": np.asarray(head["kernel"]),
            "head_bias": np.asarray(head["bias"]),
        }
        if self._problem.cell == "gru":
            found["recurrent_bias"] = np.asarray(cell["hn"]["bias"])
        return found

    def epoch(self) -> None:
        order = self._rng.permutation(len(self._problem.labels))
        self._follow(order.reshape(-1, self._problem.batch), self._run)
