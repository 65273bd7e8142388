"""The workloads of recurrent layers: peers that train alike, arithmetic, and the table of formulations."""

import importlib.util
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bench import gru, lstm, lstm_sweep, peers, recurrent, recurrent_table, sequences, timing
from bench.case import Machine, Outcome
from bench.harness import agree, measure
from jaxdl.kernels import recurrent as kernel

LIBRARIES = {"linen": "flax", "linen_scan": "flax", "keras": "keras"}
SLOW = ("ours", "jax_scan", "linen", "linen_scan", "keras", "torch_compile")  # compiling takes seconds
SIZE = sequences.Size(3, 2, 3, 4)
CELLS = ("lstm", "gru")


@pytest.fixture(autouse=True)
def _users_configuration(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(timing, "SETTLE_S", 0.0)
    monkeypatch.setattr(timing, "gemm_ceiling", lambda **_: 1e9)
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)  # no time is measured here
    with jax.numpy_rank_promotion("allow"):
        yield
    jax.config.update("jax_disable_most_optimizations", before)


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def _cost(cell: str, weights: dict[str, np.ndarray], x: np.ndarray, labels: np.ndarray) -> float:
    """The formulas in float64, step by step."""
    h = c = np.zeros((len(x), len(weights["recurrent"])))
    for t in range(x.shape[1]):
        z = x[:, t] @ weights["input"] + weights["bias"]
        inner = h @ weights["recurrent"]
        if cell == "lstm":
            i, f, g, o = np.split(z + inner, 4, 1)
            c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
            h = _sigmoid(o) * np.tanh(c)
        else:
            (r, u, n), (ir, iu, inn) = np.split(z, 3, 1), np.split(inner, 3, 1)
            n = np.tanh(n + _sigmoid(r + ir) * (inn + weights["recurrent_bias"]))
            u = _sigmoid(u + iu)
            h = (1 - u) * n + u * h
    logits = h @ weights["head"] + weights["head_bias"]
    logits -= logits.max(1, keepdims=True)
    return float(np.mean(np.log(np.exp(logits).sum(1)) - logits[np.arange(len(labels)), labels]))


@pytest.mark.parametrize("cell", CELLS)
def test_numpy_descends_along_the_gradient_of_the_formulas(cell: str) -> None:
    problem = sequences.make_problem(cell, SIZE, 3)
    peer = peers.load("numpy", cell)(problem)
    peer.epoch()  # leaves buffers full
    index, rng = np.arange(2, 4), np.random.default_rng(0)
    (loss,) = peer.losses(index[None])
    batch = problem.inputs[index].astype(np.float64), problem.labels[index]
    starts = {name: weight.astype(np.float64) for name, weight in problem.weights.items()}
    assert loss == pytest.approx(_cost(cell, starts, *batch), rel=1e-5)
    for name, start in starts.items():
        slope = (start - peer.weights()[name]) / problem.learning_rate
        for _ in range(3):
            way = rng.standard_normal(start.shape)
            ahead, behind = (
                _cost(cell, starts | {name: start + step * way}, *batch) for step in (1e-5, -1e-5)
            )
            assert np.vdot(slope, way) == pytest.approx((ahead - behind) / 2e-5, rel=1e-3, abs=2e-5), name


@pytest.mark.parametrize(
    ("name", "cell"),
    [("torch", "lstm"), ("torch", "gru")]
    + [pytest.param(*pair, marks=pytest.mark.slow) for pair in product(SLOW, CELLS)],
)
def test_every_peer_trains_to_the_weights_of_numpy(name: str, cell: str) -> None:
    library = LIBRARIES.get(name, "torch" if "torch" in name else "jax")
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed, so its peer cannot be compared")
    problem = sequences.make_problem(cell, SIZE, 3)
    order = sequences.order_of(problem)
    numpy = peers.load("numpy", cell)(problem)
    peer = sequences.Ours(problem) if name == "ours" else peers.load(name, cell)(problem)
    peer.epoch()
    expected = sequences.trained(numpy, problem, order)
    assert len(set(expected[: len(order)])) == 3
    agree(expected, sequences.trained(peer, problem, order), 1e-4)


def test_ours_trains_to_the_weights_of_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequences, "compiled", lambda function, *_: (function, 0.0))  # the timed program
    problem = sequences.make_problem("lstm", SIZE, 2)
    order = sequences.order_of(problem)
    peer, numpy = sequences.Ours(problem), peers.load("numpy", "lstm")(problem)
    agree(sequences.trained(peer, problem, order), sequences.trained(numpy, problem, order), 1e-4)


def test_another_weight_is_told_from_ours() -> None:
    problem = sequences.make_problem("lstm", SIZE, 3)
    peer, order = peers.load("numpy", "lstm")(problem), sequences.order_of(problem)
    expected = sequences.trained(peer, problem, order)
    peer.weights = lambda: problem.weights | {"bias": problem.weights["bias"] + np.float32(1e-2)}
    with pytest.raises(Exception, match="is not our"):
        agree(expected, sequences.trained(peer, problem, order), 1e-3)


def test_arithmetic_is_two_operations_a_tap_and_as_much_for_each_gradient() -> None:
    step = 4 * 4 * (3 + 4)  # products of one sequence at one step, forward
    layer = 2 * 2 * 3 * (3 * step - 4 * 4 * 3)
    assert sequences.flop("lstm", SIZE) == layer + 3 * 2 * 2 * 4 * 10
    assert recurrent.Shape("lstm", SIZE).flop == layer
    assert recurrent.Shape("gru", SIZE, members=5, first=False).flop == 5 * 3 / 4 * 2 * 2 * 3 * 3 * step
    assert sequences.flop("lstm", sequences.MIDDLE) == pytest.approx(1.68e9, rel=1e-2)


def test_weights_go_where_their_shape_is() -> None:
    weights = {"bias": np.ones(3, np.float32), "head": np.full((3, 2), 2, np.float32)}
    tree = {"a": {"kernel": jnp.zeros((3, 2))}, "b": jnp.zeros(3)}
    filled = sequences.fill(tree, weights)
    assert filled["a"]["kernel"].tolist() == [[2, 2]] * 3
    assert filled["b"].tolist() == [1, 1, 1]
    with pytest.raises(ValueError, match="none of shape"):
        sequences.fill({"a": jnp.zeros(4), "b": jnp.zeros(3)}, weights)
    with pytest.raises(ValueError, match="not"):
        sequences.fill({"b": jnp.zeros(3)}, weights)


def test_workloads_have_their_sizes() -> None:
    assert [str(size) for size, _ in lstm.SIZES] == [
        "T=28 B=32 I=28 H=64",
        "T=100 B=32 I=64 H=128",
        "T=100 B=64 I=128 H=256",
    ]
    (small,), (sweep,) = gru.cases(quick=True), lstm_sweep.cases(quick=True)
    assert (small.label, small.units, tuple(small.peers)) == ("T=5 B=4 I=3 H=8", 3, gru.PEERS)
    assert (sweep.label, sweep.units) == ("4 x T=5 B=4 I=3 H=8", 16)


def test_members_of_the_sweep_differ_in_weights_and_rate() -> None:
    problem = lstm_sweep.make_problem(SIZE, 2, 4)
    first, last = problem.member(0), problem.member(3)
    assert (first.learning_rate, last.learning_rate) == pytest.approx((0.1, 1.0))
    assert not np.array_equal(first.weights["input"], last.weights["input"])
    np.testing.assert_array_equal(first.inputs, last.inputs)


@pytest.mark.slow
def test_members_of_the_sweep_agree_with_numpy_one_after_another() -> None:
    case = lstm_sweep.make_case(lstm_sweep.make_problem(SIZE, 3, 2), ("numpy", "alone"))
    out = Outcome()
    measure("lstm_sweep", case, Machine("a test", {}, 1e9), repeats=1, out=out)
    assert not out.errors
    assert [row.unit for row in out.rows] == ["member-step"] * 2


@pytest.mark.parametrize("first", [pytest.param(True, marks=pytest.mark.slow), False])
def test_a_run_is_the_steps_one_by_one_for_every_member(monkeypatch: pytest.MonkeyPatch, first: bool) -> None:
    monkeypatch.setattr(recurrent, "RUN_STEPS", (2, 2))
    shape = recurrent.Shape("rnn", SIZE, members=2, first=first)
    weights, x, _ = recurrent.arguments(shape)
    ends, values = jax.jit(recurrent.program(shape, None))(weights, x, None)
    assert values.shape == (2, 2)
    mine = jax.tree.map(lambda leaf: leaf[1], weights)
    x = x if first else jnp.stack([x[1]] * 2)
    slopes = jax.jit(jax.grad(lambda weights, x: recurrent._loss(shape, None, weights, x, None), (0, 1)))
    moved = [mine, x[0]]
    for step in range(2):
        changes = slopes(moved[0], x[step] if first else moved[1])
        moved = jax.tree.map(lambda leaf, change: leaf - 1e-2 / 6 * change, moved, list(changes))
    found = jax.tree.map(lambda leaf: leaf[1], ends if first else ends[0])
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-5), found, moved[0])


def test_the_table_says_who_is_wrong_and_who_refuses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plain: Callable[..., Any] = kernel.rnn

    def run(*arguments: Any, implementation: str | None, **options: Any) -> Any:
        if implementation == "refuses":
            raise ValueError("not for this shape")
        y, carry = plain(*arguments, implementation="scan", **options)
        return (2 * y if implementation == "doubles" else y), carry

    monkeypatch.setattr(kernel, "rnn", run)
    monkeypatch.setattr(recurrent, "SHAPES", (recurrent.Shape("rnn", SIZE),))
    monkeypatch.setattr(recurrent, "IMPLEMENTATIONS", ("scan", "doubles", "refuses"))
    monkeypatch.setattr("bench.conv_table.ROUND_S", 0.0)
    assert recurrent_table.main(["--implementations", "doubles,refuses"]) == 1
    printed = capsys.readouterr().out
    assert printed.count("doubles: WRONG") == printed.count("refuses: refused: not for this shape") == 1
    assert recurrent_table.main(["--only", "nothing"]) == 2
    assert recurrent_table.main(["--list"]) == 0
    assert "rnn T=3 B=2 I=3 H=4" in capsys.readouterr().out
