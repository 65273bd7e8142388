"""Dense networks on real digits: linear collapse, dropout against overfitting, batch norm for speed.

Five linear layers reach the least cost of linear regression (1.00 times it), one matrix to 4e-7. On 200
digits with every fifth label wrong, three seeds of five dropout rates trained as one program, a rate of 0.6
lowers the validation loss from 0.79 to 0.52 and raises the accuracy from 78 to 87 %. Six sigmoid layers that
stay at 10 % for 30 epochs of SGD reach 95.8 % with batch norm on z and 97.2 % with batch norm on a; exact
statistics take the validation loss from 0.151 to 0.149. What batch norm makes of one example scatters by
0.41, 0.21 and 0.11 in batches of 8, 32 and 128. Took 34 s of one core.

Run by `python examples/dense_networks.py [--effort quick] [--seed 0] [--out out/dense_networks]`.
"""

import argparse
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import jaxdl
from _effort import add, pick, reached, verdict
from jaxdl import losses, metrics, optim, scaling, train
from jaxdl.data import load_digits, split
from jaxdl.layers import BatchNorm
from jaxdl.models import MLP, MLPConfig
from jaxdl.net import Net, functional


def network(**options: object) -> Net:
    config = MLPConfig(**options)
    return functional(lambda rngs: MLP(config, rngs=rngs))


def collapse(data: train.Arrays, widths: tuple[int, ...], epochs: int) -> dict[str, float]:
    """Train linear layers, and solve the linear regression that they amount to."""
    targets = jax.nn.one_hot(data.targets, 10)
    net = network(sizes=(64, *widths, 10), activation="identity")
    fitted = train.fit(
        net, (data.inputs, targets), loss=losses.squared_error, optimizer=optim.adam(2e-3),
        epochs=epochs, batch_size=len(targets), progress="off",
    )  # fmt: skip
    layers = [jax.tree.map(np.asarray, fitted.params["layers"][i]) for i in range(len(widths) + 1)]
    kernel, bias = np.eye(64), np.zeros(64)
    for layer in layers:
        kernel, bias = kernel @ layer["kernel"], bias @ layer["kernel"] + layer["bias"]
    design = np.concatenate([data.inputs, np.ones((len(targets), 1))], axis=1).astype(np.float64)
    solution = np.linalg.lstsq(design, np.asarray(targets, np.float64), rcond=None)[0]
    best = float(np.mean((design @ solution - np.asarray(targets)) ** 2))
    outputs = fitted.predict(data.inputs)
    return {
        "cost of the network / least cost": float(fitted.history["loss"][-1]) / best,
        "distance to one matrix": float(np.max(np.abs(outputs - (np.asarray(data.inputs) @ kernel + bias)))),
    }


def dropout(data: train.Arrays, epochs: int, seed: int, out: Path) -> dict[str, float]:
    """Train on 200 digits, every fifth label wrong, with five dropout rates at once, vmapped."""
    wrong = jnp.arange(200) % 5 == 0
    few = data._replace(inputs=data.inputs[:200], targets=(data.targets[:200] + wrong) % 10)
    net = network(sizes=(64, 128, 128, 10), dropout="dropout")
    spec = train.Spec(epochs, 50, metrics=(("accuracy", metrics.accuracy),))
    run = train.make_train(net, losses.softmax_cross_entropy, lambda hyper: optim.adam(2e-3), spec)
    rates = jnp.array([0.0, 0.2, 0.4, 0.6, 0.8])
    keys = jax.random.split(jax.random.key(seed), 3)
    over_rates = jax.vmap(run, in_axes=(None, None, None, 0))
    over_seeds = jax.vmap(over_rates, in_axes=(0, 0, None, None))
    history = jax.jit(over_seeds)(keys, keys, few, {"dropout": rates}).history
    history = {name: np.asarray(values).mean(0) for name, values in history.items()}
    labels = [f"rate {float(rate):.1f}" for rate in rates]
    panels = {
        "training loss, with dropout": dict(zip(labels, history["loss"], strict=True)),
        "validation loss": dict(zip(labels, history["valid_loss"], strict=True)),
    }
    jaxdl.plot.comparison(panels, log=True, path=out / "dropout.png")
    found = {f"validation loss, {label}": history["valid_loss"][i, -1] for i, label in enumerate(labels)}
    found |= {
        f"accuracy, {label}": history["valid_accuracy"][i, -20:].mean() for i, label in enumerate(labels)
    }
    return {name: float(value) for name, value in found.items()}


def batch_norm(
    data: train.Arrays, places: tuple[str, ...], layers: int, epochs: int, seed: int, out: Path
) -> dict[str, float]:
    """Train sigmoid layers without batch norm, with it before and with it after the activation."""
    curves, found = {}, {}
    variants = {
        "left out": {"batch_norm": False},
        "on z": {"batch_norm": True},
        "on a": {"batch_norm": True, "norm_place": "after_activation"},
    }
    for label in places:
        options = variants[label]
        net = network(sizes=(64, *[64] * layers, 10), activation="sigmoid", kernel_init="glorot", **options)
        fitted = train.fit(
            net, (data.inputs, data.targets), valid=(data.valid_inputs, data.valid_targets),
            loss=losses.softmax_cross_entropy, optimizer=optim.sgd(0.5), epochs=epochs, batch_size=32,
            seed=seed, metrics={"accuracy": metrics.accuracy}, progress="off",
        )  # fmt: skip
        curves[label] = fitted.history["valid_accuracy"]
        if label == "on z":
            exact = train.exact_statistics(net, fitted.params, fitted.state, data.inputs)
            for name, state in (("running", fitted.state), ("exact", exact)):
                measures = train.evaluate(
                    net, fitted.params, state, (data.valid_inputs, data.valid_targets),
                    loss=losses.softmax_cross_entropy,
                )  # fmt: skip
                found[f"validation loss, {name} statistics"] = measures["loss"]
    jaxdl.plot.comparison(
        {f"{layers} sigmoid layers, SGD at 0.5": curves},
        ylabel="validation accuracy",
        path=out / "batch_norm.png",
    )
    return found | {f"accuracy, batch norm {label}": float(curve[-1]) for label, curve in curves.items()}


def noise(seed: int) -> dict[str, float]:
    """Send one example through batch norm among random others: how far does its output scatter?"""
    net = functional(lambda rngs: BatchNorm(1, rngs=rngs))
    params, state = net.init(jax.random.key(seed))
    found = {}
    for size in (8, 32, 128):

        def one(key: jax.Array, size: int = size) -> jax.Array:
            x = jax.random.normal(key, (size, 1)).at[0].set(1.0)
            return net.apply(params, state, x, train=True)[0][0, 0]

        draws = jax.jit(jax.vmap(one))(jax.random.split(jax.random.key(seed + 1), 2000))
        found[f"batch of {size}"] = float(draws.std())
    return found


def claimed(
    linear: dict[str, float], dropped: dict[str, float], normed: dict[str, float], noisy: dict[str, float]
) -> dict[str, bool]:
    """Return whether each claim holds."""
    return {
        "linear layers reach the least cost": linear["cost of the network / least cost"] < 1.05,
        "linear layers are one matrix": linear["distance to one matrix"] < 1e-3,
        "dropout lowers the validation loss": dropped["validation loss, rate 0.6"]
        < 0.8 * dropped["validation loss, rate 0.0"],
        "dropout raises the accuracy": dropped["accuracy, rate 0.6"] > dropped["accuracy, rate 0.0"] + 0.01,
        "batch norm trains six sigmoid layers": min(
            normed["accuracy, batch norm on z"], normed["accuracy, batch norm on a"]
        )
        > 0.9 > 0.5 > normed["accuracy, batch norm left out"],
        "its noise falls as 1 / sqrt(batch)": 3 < noisy["batch of 8"] / noisy["batch of 128"] < 5.5,
    }  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/dense_networks"))
    add(parser)
    options = parser.parse_args(arguments)
    learning, valid = split(load_digits(), (0.8, 0.2), seed=options.seed)
    scaled = scaling.pixels(highest=16)
    data = train.Arrays(scaled(learning.inputs), jnp.asarray(learning.targets),
                        scaled(valid.inputs), jnp.asarray(valid.targets))  # fmt: skip
    epochs, layers = pick(options, full=((2000, 100, 30), 6), few=((1, 1, 1), 1))
    places = pick(options, full=("left out", "on z", "on a"), few=("on z",))
    found = {
        "five linear layers against linear regression": collapse(
            data, pick(options, full=(32,) * 4, few=()), epochs[0]
        ),
        "dropout, 200 digits with every fifth label wrong, mean of 3 seeds": dropout(
            data, epochs[1], options.seed, options.out
        ),
        "batch norm": batch_norm(data, places, layers, epochs[2], options.seed, options.out),
        "standard deviation of one output that batch norm gives": noise(options.seed),
    }
    for title, values in found.items():
        print(f"\n{title}")
        for name, value in values.items():
            print(f"  {name:40} {value:.4g}")
    _, dropped, normed, _ = found.values()
    claims = pick(options, full=claimed, few=lambda *found: {})(*found.values())
    print()
    for claim, holds in claims.items():
        print(f"{'holds' if holds else 'FAILS'}: {claim}")
    print(f"pictures: {options.out}")
    loss = [dropped[f"validation loss, rate {rate}"] for rate in ("0.0", "0.6")]
    reached(f"validation loss {loss[0]:.2f} without dropout, {loss[1]:.2f} with; six sigmoid layers learn to "
            f"{100 * normed['accuracy, batch norm on z']:.1f} % with batch norm")  # fmt: skip
    return verdict(options, all(claims.values()))


if __name__ == "__main__":
    sys.exit(main())
