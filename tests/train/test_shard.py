"""Many devices: eight forced ones in one child process give what one device gives, laid out as planned."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import pytest

from bench.collectives import Collective, collectives
from jaxdl import train
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.train import shard

ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT, ROOT / "tests", ROOT / "tests/train")
KERNELS = [[12, 32], [32, 4]]
PARAMETERS = 12 * 32 + 2 * 32 + 32 * 4 + 4


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    # Unoptimised, it compiles in half the time; what is sent between devices is decided before.
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"
    paths = os.pathsep.join(map(str, FOLDERS))
    child = subprocess.run(
        [sys.executable, "-W", "error", ROOT / "tests/train/devices.py"],
        env={**os.environ, "XLA_FLAGS": f"{flags} --xla_backend_optimization_level=0",
             "JAX_DISABLE_MOST_OPTIMIZATIONS": "1", "JAX_PLATFORMS": "cpu", "PYTHONPATH": paths},
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    return json.loads(child.stdout)


@pytest.mark.parametrize("plan", ["data_parallel", "fsdp"])
def test_eight_devices_train_what_one_trains(found: dict[str, Any], plan: str) -> None:
    differences = found["differences"][plan]
    assert max(differences.values()) < 1e-5
    assert differences["state"] < 1e-6


def test_statistics_of_batch_norm_are_those_of_the_whole_batch(found: dict[str, Any]) -> None:
    # Statistics by device would be off by far more than the tolerance of the test above.
    assert found["statistics_by_device"] > 1e-2


def test_the_mask_of_dropout_is_one_whatever_the_devices(found: dict[str, Any]) -> None:
    assert found["masks"]


def test_chunks_go_through_one_compiled_program(found: dict[str, Any]) -> None:
    for stops in found["stops"].values():
        assert stops[0] == 1
        assert stops[-1] == 6


def test_fsdp_splits_parameters_and_optimizer_state(found: dict[str, Any]) -> None:
    layout = found["layout"]["fsdp"]
    assert layout["kernels"] == [[[12, 32], [12, 4]], [[32, 4], [4, 4]]]
    assert layout["bytes_a_device"] * 8 == layout["bytes"]
    assert layout["whole_state"]
    parallel = found["layout"]["data_parallel"]
    assert parallel["bytes_a_device"] == parallel["bytes"]


def test_data_parallel_sends_gradients_and_statistics_only(found: dict[str, Any]) -> None:
    assert found["sent"]["one"] == []
    *training, validation = found["sent"]["data_parallel"]
    assert {kind for kind, _ in (*training, validation)} == {"all-reduce"}
    # Mean and variance of batch norm forward; backward what flows through them, with its scale and bias.
    *statistics, gradients = [shapes for _, shapes in training]
    assert [sum(map(math.prod, shapes)) for shapes in statistics] == [32, 32, 64, 32]
    # The gradients of two kernels and of two biases, the cost and the loss: one message.
    assert sum(map(math.prod, gradients)) == PARAMETERS - 32 + 2
    assert validation == ["all-reduce", [[]]]


def test_fsdp_gathers_each_split_parameter_once_a_step(found: dict[str, Any]) -> None:
    sent = found["sent"]["fsdp"]
    gathered = sorted(shape for kind, shapes in sent if kind == "all-gather" for shape in shapes)
    # Once in training and once in validation.
    assert gathered == sorted(KERNELS * 2)
    others = [item for item in sent if item[0] != "all-gather"]
    # On CPU, XLA sums whole gradients and cuts them: there is no reduce-scatter.
    assert others == found["sent"]["data_parallel"]


def test_members_of_a_sweep_send_nothing(found: dict[str, Any]) -> None:
    members = found["members"]
    assert members["collectives"] == 0
    assert members["split"]
    # Bit for bit the program of one device's members; a program of all of them rounds otherwise.
    assert members["same_as_alone"]


def test_streams_are_split_over_devices(found: dict[str, Any]) -> None:
    assert found["streamed"]["difference"] < 1e-6
    assert found["streamed"]["part"] == [3, 4]


def test_a_carry_moves_to_another_number_of_devices(found: dict[str, Any]) -> None:
    assert found["moved"] == {"parts": [[4, 2], [4, 8]], "same": True, "key": True}


def test_plans_are_static() -> None:
    assert shard.fsdp(1, min_size=8) == shard.fsdp(1, min_size=8) != shard.fsdp(1, min_size=9)
    assert len({shard.data_parallel(1), shard.data_parallel(1), shard.members(1)}) == 2
    assert hash(train.Spec(1, 2, shard=shard.data_parallel(1)))


def test_errors_name_the_fix() -> None:
    with pytest.raises(ValueError, match=r"XLA_FLAGS=--xla_force_host_platform_device_count=1000"):
        shard.data_parallel(1000)
    with pytest.raises(DtypeError, match="n=int"):
        shard.fsdp(2.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="fsdp: argument 'min_size' is 0"):
        shard.fsdp(1, min_size=0)
    with pytest.raises(ValueError, match=r"'mesh' is None; .* Fix: train\.shard\.data_parallel\(\)"):
        shard.Plan("data_parallel", None)
    with pytest.raises(ValueError, match=r"'mesh' is Mesh.*; expected None"):
        shard.Plan("alone", shard.fsdp(1).mesh)
    with pytest.raises(ValueError, match="'kind' is 'both'"):
        shard.Plan("both", None)
    with pytest.raises(ValueError, match=r"pass train\.shard\.members\(\) to train\.sweep"):
        train.Spec(1, 8, shard=shard.members(1))
    with pytest.raises(DtypeError, match="'shard' is a int"):
        train.Spec(1, 8, shard=2)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="a multiple of 1 devices"):
        shard.members(1).place_members(jnp.float32(1))


def test_a_batch_that_devices_do_not_divide() -> None:
    class Eight(shard.Plan):
        devices = 8

    plan = Eight("data_parallel", shard.data_parallel(1).mesh)
    plan.check(64)
    plan.check(64, 4)
    with pytest.raises(ValueError, match=r"a multiple of 8 \(8 devices\). Fix: batch_size=96"):
        plan.check(100)
    with pytest.raises(ValueError, match=r"16 \(8 devices x 2 micro-batches\). Fix: batch_size=16"):
        plan.check(8, 2)
    assert (plan.rows(1000), plan.rows(40), plan.rows(5)) == (1000, 40, 5)
    # What is advised for the micro-batches is taken for the devices too.
    with pytest.raises(ValueError, match=r"a divisor of batch_size=32. Fix: batch_size=48"):
        train.Spec(1, 32, accumulate=3, shard=plan)
    assert train.Spec(1, 48, accumulate=3, shard=plan)


def test_collectives_are_read_from_the_text() -> None:
    text = (
        "  %x = (f32[12,4]{1,0}, bf16[3]{0}) all-reduce-start(%a, %b), metadata={op_name=\"jit(f)/dot\"}\n"
        "  %y = f32[16]{0} all-gather(%c), dimensions={0}\n  %z = f32[16]{0} add(%x, %y)\n"
    )  # fmt: skip
    first, second = collectives(text)
    assert first == Collective("all-reduce", ((12, 4), (3,)), 198, "jit(f)/dot")
    assert (first.sent(8), second.sent(8)) == (2 * 7 / 8 * 198, 7 / 8 * 64)
