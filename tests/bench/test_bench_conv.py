"""Single convolutions: what their programs compute, their arithmetic, and what the table says of each."""

import dataclasses
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bench import conv, conv_table, timing
from bench.harness import agree
from jaxdl.kernels.conv import conv_general_dilated

FIRST = conv.Shape("first", 2, (6, 6), 1, 3, (3, 3), first=True)
INNER = conv.Shape("inner", 2, (5,), 4, 6, (3,), padding=1, groups=2)


@pytest.fixture(autouse=True)
def _short_scans(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(conv, "SCAN_STEPS", (2, 3))
    monkeypatch.setattr(conv, "MEMBERS", 2)
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)  # no time is measured here
    yield
    jax.config.update("jax_disable_most_optimizations", before)


def test_arithmetic_is_two_operations_a_tap_and_as_much_for_each_gradient() -> None:
    assert FIRST.flop("forward") == 2 * 2 * 36 * 3 * 9
    assert FIRST.flop("train") == 2 * FIRST.flop("forward")
    assert INNER.flop("train") == 3 * 2 * 2 * 5 * 6 * 2 * 3


@pytest.mark.parametrize("shape", [FIRST, INNER], ids=lambda shape: shape.name)
def test_a_scan_of_steps_is_the_steps_one_by_one(shape: conv.Shape) -> None:
    scanned = conv.work(shape, "scan", "train", None)
    step = jax.jit(conv.work(shape, "call", "train", None).function)
    kernel, x = scanned.arguments
    for index in range(3):
        kernel, slopes = step(kernel, x[index] if shape.first else x)
        x = x if shape.first else x - 1e-3 * slopes[1]
    result = jax.jit(scanned.function)(*scanned.arguments)
    agree(
        conv.comparable((kernel, slopes[0])), conv.comparable((result[0], jax.tree.leaves(result)[-1])), 1e-5
    )


@pytest.mark.parametrize("shape", [FIRST, INNER], ids=lambda shape: shape.name)
def test_members_have_a_kernel_each_and_share_what_the_first_layer_sees(shape: conv.Shape) -> None:
    kernels, x = conv.work(shape, "members", "train", None).arguments
    assert kernels.shape == (2, *shape.kernel_shape)
    assert x.shape == ((3,) if shape.first else (2,)) + shape.x_shape


def test_another_result_is_told_from_ours() -> None:
    one, *_ = (jnp.asarray(np.random.default_rng(0).normal(size=(4, 5)), jnp.float32),)
    agree(conv.comparable(one), conv.comparable(one * (1 + 1e-6)), 1e-4)
    for other in (one * 1.01, -one, one.at[2, 3].add(0.1)):
        with pytest.raises(Exception, match="is not our"):
            agree(conv.comparable(one), conv.comparable(other), 1e-4)


def test_the_table_says_who_is_wrong_and_who_refuses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def convolve(*arguments: object, implementation: str | None, **options: object) -> jax.Array:
        if implementation == "refuses":
            raise ValueError("not for this shape")
        factor = 2 if implementation == "doubles" else 1
        return factor * conv_general_dilated(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(conv, "conv_general_dilated", convolve)
    monkeypatch.setattr(conv, "SHAPES", (FIRST, dataclasses.replace(INNER, places=("call",))))
    monkeypatch.setattr(conv, "IMPLEMENTATIONS", ("xla", "doubles", "refuses"))
    monkeypatch.setattr(conv_table, "ROUND_S", 0.0)
    monkeypatch.setattr(timing, "gemm_ceiling", lambda dtype: 1e9)
    assert conv_table.main(["--places", "call", "--passes", "forward"]) == 1
    printed = capsys.readouterr().out
    assert printed.count("doubles: WRONG") == printed.count("refuses: refused: not for this shape") == 2
    assert conv_table.main(["--places", "scan", "--implementations", "rule,xla"]) == 0
    assert "inner" not in capsys.readouterr().out
    assert conv_table.main(["--only", "nothing"]) == 2


def test_the_workload_times_the_rule_in_a_scan() -> None:
    (case,) = conv.cases(quick=True)
    assert (case.label, case.units) == ("LeNet 1: 5x5, 28x28, 1 to 6, scan, train", 3)
    assert tuple(case.peers) == conv.PEERS
