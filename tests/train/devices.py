"""What eight forced devices do, measured in a process of its own; prints JSON for test_shard.py."""

import json
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from common import RNG, adam

from bench.collectives import collectives
from jaxdl import layers, losses, net, optim, train
from jaxdl.models import MLP, MLPConfig
from jaxdl.train import shard
from jaxdl.train.runner import runner_of

BATCH, EPOCHS, FEATURES, WIDTH, CLASSES = 64, 6, 12, 32, 4
# Of another mean for each eighth of a batch, so that statistics by device would be seen to differ.
X = (RNG.normal(size=(232, FEATURES)) + RNG.normal(size=(232, 1))).astype(np.float32)
Y = np.argmax(X[:, :CLASSES], 1).astype(np.int32)
CONFIG = MLPConfig(sizes=(FEATURES, WIDTH, CLASSES), activation="relu", dropout=0.25, batch_norm=True)
NET = net.functional(lambda rngs: MLP(CONFIG, rngs=rngs))
LOSS = losses.softmax_cross_entropy
HYPER = {"learning_rate": jnp.float32(0.01)}
PLANS = {
    "one": None,
    "data_parallel": shard.data_parallel(),
    "fsdp": shard.fsdp(min_size=128),
}


def widest(a: Any, b: Any) -> float:
    """Return the largest difference of two trees, relative where the values exceed 1."""
    pairs = [(np.asarray(x), np.asarray(y)) for x, y in
             zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)]  # fmt: skip
    return max(float(np.max(np.abs(x - y) / np.maximum(1, np.abs(x)))) for x, y in pairs)


def fit(plan: shard.Plan | None) -> tuple[train.Fitted, str, list[int]]:
    """Train in chunks by one compiled program, which refuses a carry that is laid out otherwise."""
    stops: list[int] = []

    def note(moment: train.Moment) -> None:
        stops.append(moment.epoch)

    fitted = train.fit(NET, (X[:192], Y[:192]), valid=(X[192:], Y[192:]), loss=LOSS, optimizer=adam,
                       epochs=EPOCHS, batch_size=BATCH, hyper=HYPER, progress="off", callbacks=[note],
                       shard=plan)  # fmt: skip
    (advance,) = runner_of(NET, LOSS, adam, train.Spec(EPOCHS, BATCH, shard=plan), None).ready.values()
    return fitted, advance.as_text(), stops


def compared(one: train.Fitted, other: train.Fitted) -> dict[str, float]:
    found = {
        name: widest(getattr(one, name), getattr(other, name)) for name in ("params", "state", "opt_state")
    }
    return found | {"history": widest(dict(one.history), dict(other.history))}


def layout(fitted: train.Fitted) -> dict[str, Any]:
    """Return the shapes and the bytes of one device's part of parameters and optimizer state."""
    leaves = [leaf for leaf in jax.tree.leaves((fitted.params, fitted.opt_state)) if leaf.ndim == 2]
    return {
        "kernels": sorted({(leaf.shape, leaf.addressable_shards[0].data.shape) for leaf in leaves}),
        "bytes": sum(leaf.nbytes for leaf in leaves),
        "bytes_a_device": sum(leaf.addressable_shards[0].data.nbytes for leaf in leaves),
        "whole_state": all(leaf.is_fully_replicated for leaf in jax.tree.leaves(fitted.state)),
    }


def sent(text: str) -> list[tuple[str, tuple[tuple[int, ...], ...]]]:
    return [(found.kind, found.shapes) for found in collectives(text) if "while/body/while" in found.source]


def statistics_by_device(one: train.Fitted) -> float:
    """Return how far the mean of the variances of eight parts of a batch is from that of the whole batch."""
    z = X[:BATCH] @ np.asarray(one.params["layers"][0]["kernel"])
    return float(np.max(np.abs(z.var(0) - z.reshape(8, -1, WIDTH).var(1).mean(0))))


def masks() -> bool:
    """Tell whether dropout drew the same mask for a batch split over 1 and 8 devices."""
    dropout = net.functional(lambda rngs: layers.Dropout(0.5, rngs=rngs))
    found = []
    for n in (1, 8):
        plan = shard.data_parallel(n)

        @jax.jit
        def draw(x: jax.Array, plan: shard.Plan = plan) -> jax.Array:
            return dropout.apply({}, {}, plan.batch(x), train=True, key=jax.random.key(5))[0]

        found.append(np.asarray(draw(plan.place(np.ones((BATCH, 7), np.float32)))))
    return bool(np.array_equal(*found) and 0 < found[0].mean() < 2)


def streamed() -> dict[str, Any]:
    """Train on a stream of batches, on one device and fully sharded on eight."""
    line = net.functional(lambda rngs: layers.Linear(FEATURES, CLASSES, rngs=rngs))

    def batches(epoch: int) -> list[tuple[np.ndarray, np.ndarray]]:
        return [(X[i : i + BATCH], Y[i : i + BATCH]) for i in (0, BATCH, 2 * BATCH)]

    one, split = (
        train.fit(line, train.Stream(batches), loss=LOSS, optimizer=optim.sgd(0.1), epochs=2,
                  progress="off", shard=plan)
        for plan in (None, shard.fsdp(4, min_size=16))
    )  # fmt: skip
    return {
        "difference": widest(one.params, split.params),
        "part": split.params["kernel"].addressable_shards[0].data.shape,
    }


def members() -> dict[str, Any]:
    """Train 16 members on eight devices, and those of the first device alone."""
    line = net.functional(lambda rngs: layers.Linear(FEATURES, CLASSES, rngs=rngs))
    spec = train.Spec(2, BATCH)
    many = jax.jit(
        jax.vmap(
            train.make_train(line, LOSS, lambda hyper: optim.sgd(hyper["rate"]), spec), (0, None, None, 0)
        )
    )
    keys, rates = jax.random.split(jax.random.key(0), 16), {"rate": jnp.linspace(0.01, 0.2, 16)}
    order, data, plan = jax.random.key(1), train.Arrays(X[:192], Y[:192]), shard.members()
    placed = (plan.place_members(keys), order, plan.place(data), plan.place_members(rates))
    split = many.lower(*placed).compile()
    found = split(*placed)
    first = many(keys[:2], order, data, {"rate": rates["rate"][:2]})
    return {
        "collectives": len(collectives(split.as_text())),
        "split": all(len(leaf.addressable_shards) == 8 and leaf.addressable_shards[0].data.shape[0] == 2
                     for leaf in jax.tree.leaves(found.params)),
        "same_as_alone": all(np.array_equal(np.asarray(a)[:2], np.asarray(b)) for a, b in
                             zip(jax.tree.leaves(found.params), jax.tree.leaves(first.params))),
    }  # fmt: skip


def moved() -> dict[str, Any]:
    """Lay a carry of eight devices out over two, as after reading it from a file."""

    class Small(NamedTuple):
        params: Any
        key: jax.Array

    here, there = shard.fsdp(min_size=16), shard.fsdp(2, min_size=16)
    carry = here.place_carry(Small({"w": jnp.arange(64.0).reshape(4, 16)}, jax.random.key(3)))
    again = there.place_carry(carry)
    return {
        "parts": [part.params["w"].addressable_shards[0].data.shape for part in (carry, again)],
        "same": bool(np.array_equal(carry.params["w"], again.params["w"])),
        "key": jax.random.key_data(again.key).tolist() == jax.random.key_data(carry.key).tolist(),
    }


def main() -> None:
    fits = {name: fit(plan) for name, plan in PLANS.items()}
    one = fits["one"][0]
    found = {
        "differences": {name: compared(one, fitted) for name, (fitted, _, _) in fits.items()},
        "layout": {name: layout(fitted) for name, (fitted, _, _) in fits.items()},
        "sent": {name: sent(text) for name, (_, text, _) in fits.items()},
        "stops": {name: stops for name, (_, _, stops) in fits.items()},
        "statistics_by_device": statistics_by_device(one),
        "masks": masks(),
        "streamed": streamed(),
        "members": members(),
        "moved": moved(),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
