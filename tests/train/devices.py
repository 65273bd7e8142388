"""What eight forced devices do, measured in a process of its own; prints JSON for test_shard.py."""

import json
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from common import RNG, adam

from bench.collectives import collectives
from jaxdl import layers, losses, metrics, net, optim, train
from jaxdl.models import MLP, MLPConfig
from jaxdl.train import shard

BATCH, FEATURES, WIDTH, CLASSES = 64, 12, 32, 4
# Of another mean for each eighth of a batch, so that statistics by device would be seen to differ.
X = (RNG.normal(size=(232, FEATURES)) + RNG.normal(size=(232, 1))).astype(np.float32)
Y = np.argmax(X[:, :CLASSES], 1).astype(np.int32)
CONFIG = MLPConfig(sizes=(FEATURES, WIDTH, CLASSES), activation="relu", dropout=0.25, batch_norm=True)
NET = net.functional(lambda rngs: MLP(CONFIG, rngs=rngs))
LOSS = losses.softmax_cross_entropy
HYPER = {"learning_rate": jnp.float32(0.01)}
DATA = train.Arrays(X[:192], Y[:192], X[192:], Y[192:])
PLANS = {
    "one": None,
    "data_parallel": shard.data_parallel(),
    "fsdp": shard.fsdp(min_size=128),
}


def widest(a: Any, b: Any) -> float:
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return max(float(np.max(np.abs(np.asarray(x) - np.asarray(y)))) for x, y in pairs)


def run(plan: shard.Plan | None) -> tuple[train.Carry, str]:
    """Train in chunks of 1, 2 and 3 epochs by one compiled program: a carry laid out otherwise is refused."""
    spec = train.Spec(6, BATCH, metrics=(("accuracy", metrics.accuracy),), shard=plan)
    program = train.make_program(NET, LOSS, adam, spec)
    data = spec.layout.place(DATA)
    carry = jax.jit(program.start)(jax.random.key(0), jax.random.key(1), data, HYPER)
    advance = jax.jit(program.advance).lower(carry, jnp.int32(1), data, HYPER).compile()
    for stop in (1, 3, 6):
        carry = advance(carry, jnp.int32(stop), data, HYPER)
    return carry, advance.as_text()


def compared(one: train.Carry, other: train.Carry) -> dict[str, float]:
    parts = ("params", "state", "opt_state", "history")
    return {name: widest(getattr(one, name), getattr(other, name)) for name in parts}


def layout(carry: train.Carry) -> dict[str, Any]:
    """Return the shapes and the bytes of one device's part of parameters and optimizer state."""
    leaves = [leaf for leaf in jax.tree.leaves((carry.params, carry.opt_state)) if leaf.ndim == 2]
    return {
        "kernels": sorted({(leaf.shape, leaf.addressable_shards[0].data.shape) for leaf in leaves}),
        "bytes": sum(leaf.nbytes for leaf in leaves),
        "bytes_a_device": sum(leaf.addressable_shards[0].data.nbytes for leaf in leaves),
        "whole": all(leaf.is_fully_replicated for leaf in jax.tree.leaves((carry.state, carry.history))),
    }


def sent(text: str) -> list[tuple[str, tuple[tuple[int, ...], ...]]]:
    return [(found.kind, found.shapes) for found in collectives(text) if "while/body/while" in found.source]


def statistics_by_device() -> float:
    """Return how far the mean of the variances of eight parts of a batch is from that of the whole batch."""
    params, state = NET.init(jax.random.key(0))

    def variance(x: jax.Array) -> jax.Array:
        return NET.apply(params, state, x, train=True, key=jax.random.key(0))[1]["norms"][0]["var"]

    x = jnp.asarray(X[:BATCH])
    parts = jax.vmap(variance)(x.reshape(8, -1, FEATURES)).mean(0)
    return widest(variance(x), parts)


def masks() -> bool:
    """Tell whether dropout drew the same mask for a batch split over 1, 2 and 8 devices."""
    dropout = net.functional(lambda rngs: layers.Dropout(0.5, rngs=rngs))
    found = []
    for n in (1, 2, 8):
        plan = shard.data_parallel(n)

        @jax.jit
        def draw(x: jax.Array, plan: shard.Plan = plan) -> jax.Array:
            return dropout.apply({}, {}, plan.batch(x), train=True, key=jax.random.key(5))[0]

        found.append(np.asarray(draw(plan.place(np.ones((BATCH, 7), np.float32)))))
    return all(np.array_equal(found[0], other) for other in found) and 0 < found[0].mean() < 2


def members() -> dict[str, Any]:
    """Train 16 members on eight devices, all on one, and those of the first device alone."""
    line = net.functional(lambda rngs: layers.Linear(FEATURES, CLASSES, rngs=rngs))
    spec = train.Spec(2, BATCH)
    many = jax.jit(
        jax.vmap(train.make_train(line, LOSS, lambda hyper: optim.sgd(hyper["rate"]), spec), (0, None, None, 0))
    )
    keys, rates = jax.random.split(jax.random.key(0), 16), {"rate": jnp.linspace(0.01, 0.2, 16)}
    order, data, plan = jax.random.key(1), train.Arrays(X[:192], Y[:192]), shard.members()
    placed = (plan.place_members(keys), order, plan.place(data), plan.place_members(rates))
    split = many.lower(*placed).compile()
    found, whole = split(*placed), many(keys, order, data, rates)
    first = many(keys[:2], order, data, {"rate": rates["rate"][:2]})
    return {
        "collectives": len(collectives(split.as_text())),
        "split": all(len(leaf.addressable_shards) == 8 and leaf.addressable_shards[0].data.shape[0] == 2
                     for leaf in jax.tree.leaves(found.params)),
        "difference": widest(found.params, whole.params),
        "same_as_alone": all(np.array_equal(np.asarray(a)[:2], np.asarray(b)) for a, b in
                             zip(jax.tree.leaves(found.params), jax.tree.leaves(first.params))),
    }  # fmt: skip


def moved(carry: train.Carry) -> dict[str, Any]:
    """Lay a carry of eight devices out over two, as after reading it from a file."""
    placed = shard.fsdp(2, min_size=128).place_carry(carry)
    kernel = placed.params["layers"][0]["kernel"]
    return {
        "difference": widest(carry.params, placed.params),
        "part": kernel.addressable_shards[0].data.shape,
        "key": bool(jnp.all(jax.random.key_data(placed.key) == jax.random.key_data(carry.key))),
    }


def main() -> None:
    carries, texts = {}, {}
    for name, plan in PLANS.items():
        carries[name], texts[name] = run(plan)
    fitted = train.fit(NET, (X, Y), loss=LOSS, optimizer=adam, hyper=HYPER, epochs=1, batch_size=BATCH,
                       progress="off", shard=PLANS["fsdp"])  # fmt: skip
    found = {
        "devices": jax.device_count(),
        "differences": {name: compared(carries["one"], carries[name]) for name in PLANS},
        "layout": {name: layout(carries[name]) for name in PLANS},
        "sent": {name: sent(texts[name]) for name in PLANS},
        "statistics_by_device": statistics_by_device(),
        "masks": masks(),
        "members": members(),
        "moved": moved(carries["fsdp"]),
        "predicted": list(fitted.predict(X[:5]).shape),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
