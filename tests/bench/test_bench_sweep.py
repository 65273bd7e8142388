"""The workload of sweeps on two members: each is held to NumPy, and its time is that of a member-step."""

import pytest

from bench import mlp, sweep, timing
from bench.case import Machine, Outcome
from bench.harness import measure


@pytest.mark.slow
def test_members_agree_with_numpy_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "SETTLE_S", 0.0)
    monkeypatch.setattr(timing, "gemm_ceiling", lambda **_: 1e9)
    problem = sweep.Problem(mlp.make_problem(32, n=64), 2)
    case = sweep.make_case(problem, ("numpy",))
    assert (case.units, case.label) == (4 * sweep.EPOCHS, "2 x 784-16-16-10, batch 32")
    out = Outcome()
    machine = Machine(device="a test", versions={}, copy_bytes_per_s=1e9)
    measure("sweep", case, machine, repeats=1, out=out)
    assert not out.errors
    (row,) = out.rows
    assert row.ratio == pytest.approx(row.peer_s / row.ours_s)
    assert row.unit == "member-step"
