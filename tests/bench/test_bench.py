"""The harness on fake workloads, and the peers on one tiny problem."""

import dataclasses
import importlib.util
import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from bench import __main__ as command
from bench import mlp, peers, report, timing
from bench.case import Case, Contender, Machine, Outcome
from bench.harness import Disagreement, agree, measure

MACHINE = Machine(device="a test", versions={"python": "3"}, copy_bytes_per_s=1e9)
GEMM_CEILING = timing.gemm_ceiling  # the fixture below replaces it
LIBRARIES = {"linen": "flax", "nnx_jit": "flax", "torch": "torch", "keras": "keras"}


@pytest.fixture(autouse=True)
def _users_configuration() -> Iterator[None]:
    """The other tests forbid jax to promote ranks; Keras, and a benchmark's user, do not."""
    with jax.numpy_rank_promotion("allow"):
        yield


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "SETTLE_S", 0.0)
    monkeypatch.setattr(timing, "gemm_ceiling", lambda **_: 1e9)


def _contender(result: list[float]) -> Callable[[], Contender]:
    return lambda: Contender(run=lambda: None, check=lambda: np.array(result), compile_s=0.5)


def _missing() -> Contender:
    raise ModuleNotFoundError("No module named 'nowhere'")


def _broken() -> Contender:
    raise ValueError("cannot do that")


FAKE_PEERS = {
    "equal": _contender([1.0, 2.00001]),
    "wrong": _contender([1.0, 2.1]),
    "nan": _contender([1.0, np.nan]),
    "short": _contender([1.0]),
    "missing": _missing,
    "broken": _broken,
}


def _case(*names: str) -> Case:
    chosen = {name: FAKE_PEERS[name] for name in names}
    return Case("size 1", _contender([1.0, 2.0]), chosen, units=4, flop=8.0)


def _measure(*names: str, **options: object) -> Outcome:
    out = Outcome()
    measure("fake", _case(*names), MACHINE, repeats=3, out=out, **options)
    return out


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A workload that is listed beside the real ones."""
    workload = SimpleNamespace(NAME="fake", DESCRIPTION="does nothing", PEERS=tuple(FAKE_PEERS))
    workload.cases = lambda quick: [_case("equal", "missing")]
    monkeypatch.setattr(command, "workloads", lambda: {"mlp": mlp, "fake": workload})
    monkeypatch.setattr(command.report, "machine", lambda: MACHINE)
    return workload


def _fake_clock(monkeypatch: pytest.MonkeyPatch, ticks: Iterator[float]) -> None:
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=ticks.__next__))


def test_interleave_rotates_the_order_after_one_warm_up_each() -> None:
    calls: list[str] = []
    functions = {name: lambda name=name: calls.append(name) for name in "abc"}
    times = timing.interleave(functions, repeats=4)
    assert "".join(calls) == "abc" + "abc" + "bca" + "cab" + "abc"
    assert [len(times[name]) for name in "abc"] == [4, 4, 4]


def test_interleave_settles_before_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "SETTLE_S", 1.5)
    _fake_clock(monkeypatch, itertools.count())
    calls: list[str] = []
    functions = {name: lambda name=name: calls.append(name) for name in "ab"}
    times = timing.interleave(functions, repeats=1)
    assert "".join(calls) == "ab" + "aa" + "bb"
    assert times == {"a": [1], "b": [1]}


def test_median_and_spread_ignore_an_outlier() -> None:
    assert timing.median([3.0, 1.0, 2.0, 100.0, 2.0]) == 2.0
    assert timing.spread([1.0, 2.0, 3.0, 4.0, 100.0]) == pytest.approx(2 / 3)
    assert timing.spread([1.0]) == 0.0


def test_first_call_is_what_the_first_costs_beyond_the_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _fake_clock(monkeypatch, iter([0.0, 5.0, 5.0, 6.0]))
    assert timing.first_call(lambda: None) == 4.0


def test_agree_holds_relative_to_ours() -> None:
    agree(np.array([1e3, 1e-3]), np.array([1.00005e3, 1.00005e-3]), tolerance=1e-4)
    with pytest.raises(Disagreement, match="at index 1"):
        agree(np.array([1e3, 1e-3]), np.array([1e3, 2e-3]), tolerance=1e-4)
    with pytest.raises(Disagreement, match="our own result is not finite"):
        agree(np.array([np.inf]), np.array([np.inf]), tolerance=1e-4)


def test_a_peer_that_agrees_becomes_a_row() -> None:
    (row,) = _measure("equal").rows
    assert (row.workload, row.case, row.peer, row.repeats) == ("fake", "size 1", "equal", 3)
    assert row.ratio == pytest.approx(row.peer_s / row.ours_s)
    assert row.ceiling_share == pytest.approx(8.0 / row.ours_s / 1e9)
    assert row.compile_s == row.peer_compile_s == 0.5


@pytest.mark.parametrize("name", ["wrong", "nan", "short", "broken"])
def test_a_peer_that_fails_its_check_is_not_timed(name: str) -> None:
    out = _measure(name, "equal")
    assert [row.peer for row in out.rows] == ["equal"]
    (error,) = out.errors
    assert error.startswith(f"size 1: {name} was not timed")


def test_a_missing_library_is_absent_and_no_error() -> None:
    out = _measure("missing")
    assert out.absent == {"missing": "No module named 'nowhere'"}
    assert out.rows == out.errors == []


def test_only_the_chosen_peers_are_run() -> None:
    out = _measure("equal", "wrong", peers=("equal",))
    assert [row.peer for row in out.rows] == ["equal"]
    assert out.errors == []


def test_list_names_workloads_and_peers(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--list"]) == 0
    text = capsys.readouterr().out
    assert f"mlp: {mlp.DESCRIPTION}" in text
    assert f"peers: {', '.join(mlp.PEERS)}" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["nonsense", "mlp"],
            "unknown workload: nonsense; "
            "known: attention, augment, bookkeeping, checkpoint, compilation, conv, dense, gru, lenet, "
            "lenet_sweep, logistic, lstm, lstm_sweep, mlp, nms, pool, recurrent, resnet20, roi, "
            "sweep, sweep_strategies, tree, validation_curve, vgg16, yolo",
        ),
        (["mlp", "--peers", "numpy,nobody"], "unknown peer: nobody; known: numpy, numpy_plain, linen"),
        (["mlp", "--json", "no/such/folder/rows.json"], "there is no folder no/such/folder"),
        ([], "usage:"),
    ],
)
def test_a_wrong_command_line_says_what_is_known(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(arguments) == 2
    assert message in capsys.readouterr().err


def test_json_is_a_list_of_rows(
    fake: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "rows.json"
    assert command.main(["fake", "--json", str(target), "--repeats", "2"]) == 0
    (row,) = json.loads(target.read_text())
    contract = {"workload", "peer", "ours_s", "peer_s", "ratio", "compile_s", "ceiling_share"}
    assert contract | {"device", "versions", "repeats", "spread"} <= row.keys()
    assert (row["peer"], row["repeats"], row["device"]) == ("equal", 2, "a test")
    printed = capsys.readouterr().out
    assert "fake on a test" in printed
    assert "absent: missing (No module named 'nowhere')" in printed


def test_a_busy_machine_is_warned_of(
    fake: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    busy = dataclasses.replace(MACHINE, versions={"load before": "1.7"})
    monkeypatch.setattr(command.report, "machine", lambda: busy)
    assert command.main(["fake"]) == 0
    assert "load average 1.7 before the start" in capsys.readouterr().err


def test_the_machine_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "copy_bandwidth", lambda: 5e9)
    machine = report.machine()
    assert machine.device
    assert {"python", "jax", "numpy", "threads", "load before"} <= machine.versions.keys()
    assert machine.copy_bytes_per_s == 5e9


def test_the_ceilings_are_rates() -> None:
    assert GEMM_CEILING(repeats=1, side=64) > 1e6
    assert timing.copy_bandwidth(repeats=1, megabytes=1) > 1e6


def test_a_refused_peer_is_exit_code_1(fake: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    fake.cases = lambda quick: [_case("wrong")]
    assert command.main(["fake"]) == 1
    assert "error: size 1: wrong was not timed" in capsys.readouterr().out


def test_the_module_runs_and_lists() -> None:
    root = Path(command.__file__).parents[1]
    result = subprocess.run(
        [sys.executable, "-m", "bench", "--list"], cwd=root, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert "mlp: " in result.stdout


def test_an_absent_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "bench.peers.torch", raising=False)
    out = Outcome()
    case = mlp.make_case(mlp.make_problem(16, n=64), ("torch",))
    measure("mlp", case, MACHINE, repeats=1, out=out)
    assert list(out.absent) == ["torch"]
    assert out.errors == out.rows == []


def _reference(problem: mlp.Problem, order: np.ndarray) -> list[float]:
    """Float64, one layer at a time, nothing folded."""
    weights = [(w.astype(np.float64), b.astype(np.float64)) for w, b in problem.weights]
    losses = []
    for index in order:
        activations = [problem.inputs[index] / 255]
        for w, b in weights:
            activations.append(1 / (1 + np.exp(-(activations[-1] @ w + b))))
        target = np.eye(10)[problem.labels[index]]
        if problem.loss == "squared":
            a = activations[-1]
            losses.append(((a - target) ** 2).sum(1).mean())
            delta = 2 * (a - target) * a * (1 - a)
        else:
            logits = activations[-2] @ weights[-1][0] + weights[-1][1]
            p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
            losses.append(-np.log((p * target).sum(1)).mean())
            delta = p - target
        for layer in reversed(range(3)):
            (w, b), a = weights[layer], activations[layer]
            rate = problem.learning_rate / problem.batch
            weights[layer] = w - rate * a.T @ delta, b - rate * delta.sum(0)
            delta = (delta @ w.T) * a * (1 - a)
    return losses


def _order(problem: mlp.Problem) -> np.ndarray:
    order = np.random.default_rng(3).permutation(len(problem.labels))
    return order.reshape(problem.steps, problem.batch)


@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
@pytest.mark.parametrize("batch", [8, 16, 64])  # each layout of the peer
def test_numpy_equals_a_float64_loop(batch: int, loss: str) -> None:
    problem = dataclasses.replace(mlp.make_problem(batch, loss, n=128), learning_rate=2.0)
    peer, order = peers.load("numpy", "mlp")(problem), _order(problem)
    expected = _reference(problem, order)
    np.testing.assert_allclose(peer.losses(order), expected, rtol=1e-5)
    peer.epoch()
    np.testing.assert_allclose(peer.losses(order), expected, rtol=1e-5)


@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
def test_ours_equals_a_float64_loop(loss: str) -> None:
    problem = mlp.make_problem(16, loss, n=64)
    order = _order(problem)
    np.testing.assert_allclose(mlp.Ours(problem).losses(order), _reference(problem, order), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "loss"),
    [(name, "squared") for name in mlp.PEERS if name not in ("numpy", "sklearn")]
    + [("torch", "cross_entropy"), ("sklearn", "cross_entropy")],
)
def test_every_peer_does_the_same_work(name: str, loss: str) -> None:
    library = LIBRARIES.get(name, name)
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed, so its peer cannot be compared")
    problem = mlp.make_problem(16, loss, n=64)
    peer, order = peers.load(name, "mlp")(problem), _order(problem)
    peer.losses(order[:1])  # so that starting anew is tested as well
    np.testing.assert_allclose(peer.losses(order), _reference(problem, order), rtol=1e-4)
    peer.epoch()


def test_the_numpy_peer_learns_the_digits() -> None:
    problem = mlp.make_problem(32, n=1024)
    assert problem.inputs.dtype == np.uint8
    assert 0.1 < (problem.inputs > 0).mean() < 0.4
    peer, order = peers.load("numpy", "mlp")(problem), _order(problem)
    losses = peer.losses(np.concatenate([order] * 40))
    assert losses[-10:].mean() < 0.5 * losses[:10].mean()


def test_the_problem_is_whole_batches_and_made_from_its_seed() -> None:
    problem, again = mlp.make_problem(10, n=64), mlp.make_problem(10, n=64)
    assert (len(problem.labels), problem.steps) == (60, 6)
    np.testing.assert_array_equal(problem.inputs, again.inputs)


def test_flop_counts_no_gradient_of_the_input() -> None:
    assert mlp.flop(10) == 2 * 10 * (784 * 16 * 2 + 16 * 16 * 3 + 16 * 10 * 3)
