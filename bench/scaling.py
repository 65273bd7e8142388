"""How memory and messages grow with the devices: the rule of docs/scaling.md against compiled programs.

`python -m bench.scaling` compiles one run, data parallel and fully sharded, for 1, 2, 4 and 8 devices that
XLA makes of this CPU. Bytes are exact: what a step sends is read from the compiled text, what a device holds
from its arrays and from the compiler's memory analysis. Times are only those of the all-reduce, between
devices that share the memory and the cores of this machine: they show the form of the rule, and nothing of a
real network. It ends with 1 where what is sent or held differs from the rule.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from rich.console import Console
from rich.table import Table

from bench.collectives import collectives
from jaxdl import losses, net, optim, train
from jaxdl.models import MLP, MLPConfig

DEVICES = (1, 2, 4, 8)
BATCH, EXAMPLES, FEATURES, WIDTH, CLASSES = 64, 1024, 256, 512, 16
MOMENTS = 2  # Adam's, so that k = 2 in the rule
MIN_SIZE = 4096
HEADINGS = ("plan", "devices", "sent a step", "rule", "state", "rule", "temporary", "rule")


class Case(NamedTuple):
    """What one program sends and holds, in bytes, beside what the rule says."""

    plan: str
    devices: int
    sent: float
    sent_rule: float
    state: int
    state_rule: float
    temporary: int


def sizes(hidden: int) -> tuple[int, int]:
    """Return the elements of the kernels, which are split, and of the biases."""
    widths = (FEATURES, *[WIDTH] * hidden, CLASSES)
    return sum(a * b for a, b in itertools.pairwise(widths)), sum(widths[1:])


def sent_rule(plan: str, devices: int, kernels: int, biases: int) -> float:
    """Bytes that a device sends a step: gradients, cost and loss summed; kernels gathered."""
    summed = 2 * (devices - 1) / devices * 4 * (kernels + biases + 2)
    return summed + (plan == "fsdp") * (devices - 1) / devices * 4 * kernels


def state_rule(plan: str, devices: int, kernels: int, biases: int) -> float:
    """Bytes of parameters and moments on a device: 4 (1 + k) P, the kernels over n when they are split."""
    return 4 * (1 + MOMENTS) * (kernels / (devices if plan == "fsdp" else 1) + biases)


def measured(kind: str, devices: int, hidden: int) -> Case:
    """Compile one run for some devices, and read what it sends and holds."""
    makers: dict[str, Callable[[], train.shard.Plan]] = {
        "data_parallel": lambda: train.shard.data_parallel(devices),
        "fsdp": lambda: train.shard.fsdp(devices, min_size=MIN_SIZE),
    }
    config = MLPConfig(sizes=(FEATURES, *[WIDTH] * hidden, CLASSES), activation="relu")
    network = net.functional(lambda rngs: MLP(config, rngs=rngs))
    plan = makers[kind]()
    program = train.make_program(network, losses.softmax_cross_entropy, lambda hyper: optim.adam(1e-3),
                                 train.Spec(1, BATCH, shard=plan))  # fmt: skip
    inputs = np.zeros((EXAMPLES, FEATURES), np.float32)
    data = plan.place(train.Arrays(inputs, np.zeros(EXAMPLES, np.int32)))
    carry = jax.jit(program.start)(jax.random.key(0), jax.random.key(1), data, {})
    compiled = jax.jit(program.advance).lower(carry, jnp.int32(1), data, {}).compile()
    in_step = [found for found in collectives(compiled.as_text()) if "while/body/while" in found.source]
    leaves = [leaf for leaf in jax.tree.leaves((carry.params, carry.opt_state)) if leaf.ndim]
    return Case(
        kind, devices,
        sum(found.sent(devices) for found in in_step), sent_rule(kind, devices, *sizes(hidden)),
        sum(leaf.addressable_shards[0].data.nbytes for leaf in leaves),
        state_rule(kind, devices, *sizes(hidden)),
        compiled.memory_analysis().temp_size_in_bytes,
    )  # fmt: skip


def all_reduce_seconds(devices: int, elements: int, repeats: int) -> float:
    """Least seconds of a sum over devices of arrays of this many floats."""
    mesh = jax.make_mesh(
        (devices,), ("devices",), devices=jax.devices()[:devices], axis_types=(AxisType.Auto,)
    )
    split, whole = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in (("devices",), ()))
    array = jax.device_put(np.ones((devices, elements), np.float32), split)
    total = jax.jit(lambda array: array.sum(0), out_shardings=whole).lower(array).compile()
    least = float("inf")
    for _ in range(repeats):
        begin = time.perf_counter()
        jax.block_until_ready(total(array))
        least = min(least, time.perf_counter() - begin)
    return least


def child(quick: bool) -> None:
    hidden = 1 if quick else 2
    cases = [measured(kind, n, hidden) for kind in ("data_parallel", "fsdp") for n in DEVICES]
    lengths = [2**power for power in ((10, 16) if quick else (10, 14, 18, 20, 22))]
    times = {
        n: [all_reduce_seconds(n, length, 3 if quick else 20) for length in lengths] for n in DEVICES[1:]
    }
    print(json.dumps({"cases": cases, "bytes": [4 * length for length in lengths], "seconds": times}))


def temporary_rule(most: Case, devices: int) -> float:
    """Bytes of temporaries: those at the most devices, with the copy of the epoch split over fewer.

    One device alone is another program: nothing is summed, and buffers are shared that are apart here.
    """
    epoch = EXAMPLES // BATCH * BATCH * 4 * (FEATURES + 1)
    return most.temporary + epoch / devices - epoch / most.devices


def tables(found: dict[str, Any]) -> list[Table]:
    memory = Table(*HEADINGS, title=f"bytes a device, batch {BATCH}, Adam")
    cases = [Case(*case) for case in found["cases"]]
    for case in cases:
        own = [other for other in cases if other.plan == case.plan]
        values = (case.sent, case.sent_rule, case.state, case.state_rule, case.temporary,
                  temporary_rule(own[-1], case.devices))  # fmt: skip
        memory.add_row(case.plan, str(case.devices), *(f"{value:,.0f}" for value in values))
    timed = Table("devices", *(f"{size:,} B" for size in found["bytes"]), title="all-reduce, us, one machine")
    for n, seconds in found["seconds"].items():
        timed.add_row(n, *(f"{1e6 * value:,.0f}" for value in seconds))
    return [memory, timed]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smaller network, fewer repeats")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured to FILE as well")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.quick)
        return 0
    flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={max(DEVICES)}", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", "bench.scaling", "--child", *["--quick"] * options.quick]
    output = subprocess.run(
        command, env={**os.environ, **flags}, stdout=subprocess.PIPE, text=True, check=True
    )
    found = json.loads(output.stdout.splitlines()[-1])
    for table in tables(found):
        Console(width=120).print(table)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    cases = [Case(*case) for case in found["cases"]]
    wrong = [case for case in cases if case.sent != case.sent_rule or case.state != case.state_rule]
    for case in wrong:
        print(f"not what the rule says: {case}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
