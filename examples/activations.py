"""Every activation with its derivative, what each does inside a network, and the output layer by task.

FIGURES

Run by `python examples/activations.py [--epochs 20] [--seed 0] [--out out/activations]`.
"""

import argparse
import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from jaxdl import activations, losses, metrics, optim, plot, train
from jaxdl.data import load_digits
from jaxdl.net import Net, from_pair

HIDDEN, BATCH, TRAINING = 32, 32, 1200
Activation = Callable[[jax.Array], jax.Array]
INSIDE: dict[str, Activation] = {
    "step": activations.step,
    "identity": activations.identity,
    "sigmoid": activations.sigmoid,
    "tanh": activations.tanh,
    "relu": activations.relu,
    "swish": activations.swish,
}


def network(activation: Activation, outputs: int, *, last_bias: float = 0.0) -> Net:
    """Return 64-32-32-outputs, of bare functions."""
    sizes = (64, HIDDEN, HIDDEN, outputs)

    def init(key: jax.Array) -> dict[str, jax.Array]:
        keys = jax.random.split(key, 3)
        kernels = (jax.random.normal(k, (m, n)) / np.sqrt(m) for k, m, n in zip(keys, sizes, sizes[1:]))
        params = {f"kernel{i}": kernel for i, kernel in enumerate(kernels)}
        params |= {f"bias{i}": jnp.zeros((1, n)) for i, n in enumerate(sizes[1:])}
        return params | {"bias2": jnp.full((1, outputs), last_bias)}

    def apply(params: dict[str, jax.Array], x: jax.Array) -> jax.Array:
        for i in range(2):
            x = activation(x @ params[f"kernel{i}"] + params[f"bias{i}"])
        return x @ params["kernel2"] + params["bias2"]

    return from_pair(init, apply)


def first_cost(net: Net, x: jax.Array, labels: jax.Array, params: dict[str, jax.Array]) -> jax.Array:
    outputs, _ = net.apply(params, {}, x, train=True)
    return jnp.mean(losses.softmax_cross_entropy(outputs, labels))


def targets_of(labels: np.ndarray) -> dict[str, np.ndarray]:
    """Return what each task asks about a digit; ink and numbers in tenths, to be of size 1."""
    facts = np.stack([labels % 2 == 0, labels >= 5, np.isin(labels, (2, 3, 5, 7))], 1)
    number = (labels / 10).astype(np.float32)[:, None]
    return {
        "regression": number - 0.45,
        "non_negative_regression": np.maximum(number - 0.4, 0),
        "binary": (labels % 2)[:, None],
        "multi_class": labels,
        "multi_label": facts.astype(np.int32),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/activations"))
    options = parser.parse_args()
    begin = time.perf_counter()
    plot.activations(path=options.out / "activations.png")
    plot.step_and_sigmoid(path=options.out / "step_and_sigmoid.png")

    digits = load_digits()
    order = np.random.default_rng(options.seed).permutation(len(digits))
    inputs, labels = digits.inputs[order] / np.float32(16), digits.targets[order]
    keys = jax.random.key(options.seed), jax.random.key(options.seed + 1)

    def run(net: Net, loss: Callable[..., jax.Array], targets: np.ndarray, measures: dict) -> train.Result:
        spec = train.Spec(epochs=options.epochs, batch_size=BATCH, metrics=measures)
        arrays = [jnp.asarray(a) for part in np.split(np.arange(len(labels)), [TRAINING])
                  for a in (inputs[part], targets[part])]  # fmt: skip
        return jax.jit(train.make_train(net, loss, optim.adam(3e-3), spec))(*keys, train.Arrays(*arrays), {})

    print("hidden activation  first-layer gradient at the start  accuracy on held-out digits")
    reached = {}
    for name, activation in INSIDE.items():
        net = network(activation, 10)
        params, _ = net.init(keys[0])
        z = jnp.asarray(inputs[:TRAINING])
        first = functools.partial(first_cost, net, z, jnp.asarray(labels[:TRAINING]))
        slope = jax.jit(jax.grad(first))(params)
        size = float(jnp.linalg.norm(slope["kernel0"]))
        result = run(net, losses.softmax_cross_entropy, labels, {"accuracy": metrics.accuracy})
        reached[name] = float(result.history["valid_accuracy"][-1])
        print(f"{name:18s} {size:33.4f} {100 * reached[name]:28.1f} %")
        if (size == 0) != (name == "step"):
            print("only the step may be without a gradient")
            return 1

    print("\ntask                      held-out loss, first and last epoch")
    better = True
    for task, targets in targets_of(labels).items():
        loss, activation = activations.output_for(task)
        outputs = 10 if task == "multi_class" else targets.shape[1]
        # A rectified output that starts below 0 on every example would never learn.
        net = network(activations.tanh, outputs, last_bias=0.5 * (task == "non_negative_regression"))
        result = run(net, loss, targets, {})
        curve = np.asarray(result.history["valid_loss"])
        predicted = activation(net.apply(result.params, {}, jnp.asarray(inputs[-1:]), train=False)[0])
        print(f"{task:24s} {curve[0]:8.4f} -> {curve[-1]:.4f}   last target {np.ravel(targets[-1:]).round(2)}, "
              f"predicted {np.asarray(predicted[0]).round(2)}")  # fmt: skip
        better &= bool(curve[-1] < 0.7 * curve[0])
    print(f"\npictures: {options.out}, {time.perf_counter() - begin:.0f} s")
    smooth = min(reached[name] for name in INSIDE if name not in ("step", "identity"))
    return 0 if better and smooth > reached["step"] else 1


if __name__ == "__main__":
    sys.exit(main())
