"""`sweep`: each member is the run that `fit` makes; a member that diverges touches no other one."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from common import DATA, LOSS, METRICS, NET, X, Y, sgd

from jaxdl import net, train
from jaxdl.errors import DivergenceError, DivergenceWarning, DtypeError, Interrupted, ShapeError
from jaxdl.models import MLP, MLPConfig
from jaxdl.train import points
from jaxdl.train.sweeps import strategy
from jaxdl.train.sweeps.members import members
from jaxdl.train.sweeps.plan import Parts, Plan
from jaxdl.train.sweeps.reporter import SweepReporter

ROOT = Path(__file__).parents[2]
RATES = [0.05, 0.1, 0.2, 0.4, 0.8]
OPTIONS: dict[str, Any] = {
    "loss": LOSS, "optimizer": sgd, "epochs": 4, "batch_size": 8, "valid": (X[50:], Y[50:]),
    "metrics": METRICS, "progress": "off",
}  # fmt: skip


def sweep(rates: Any = RATES, **change: Any) -> train.Sweep:
    change.setdefault("hyper", points.grid(learning_rate=rates))
    return train.sweep(NET, (X[:50], Y[:50]), **{"seeds": 5, **OPTIONS, **change})


def fit(rate: float, seed: int = 5, **change: Any) -> train.Fitted:
    return train.fit(NET, (X[:50], Y[:50]), hyper={"learning_rate": rate}, seed=seed, **OPTIONS | change)


def digest(tree: Any) -> str:
    return hashlib.sha256(b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(tree))).hexdigest()


def close(a: Any, b: Any) -> None:
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-5), a, b)


@pytest.fixture(scope="module")
def one_by_one() -> list[train.Fitted]:
    return [fit(rate) for rate in RATES]


@pytest.mark.parametrize("form", [{"strategy": "vmap"}, {"members_at_once": 2}, {"batches": "independent"}])
def test_every_form_is_fit_up_to_rounding(form: dict[str, Any], one_by_one: list[train.Fitted]) -> None:
    found = sweep(**form)
    assert found.strategy == ("map" if "members_at_once" in form else "vmap")
    assert found.status == ("finished",) * 5
    for index, fitted in enumerate(one_by_one):
        close(found.member(index).params, fitted.params)
        for name in fitted.history:
            np.testing.assert_allclose(found.history[name][index], fitted.history[name], rtol=1e-4, atol=1e-5)
    best = found.best()
    assert best.history["valid_loss"][-1] == min(found.final("valid_loss"))
    close(best.predict(X), one_by_one[found.index()].predict(X))
    measures = best.evaluate((X[50:], Y[50:]), loss=LOSS)
    assert measures["loss"] == pytest.approx(best.history["valid_loss"][-1], rel=1e-5)


def test_seeds_share_the_order_of_the_first_or_have_their_own() -> None:
    shared = sweep([0.1], seeds=[5, 6, 7, 8, 9])
    keys = train.door.keys(6)[0], train.door.keys(5)[1]
    spec = train.Spec(4, 8, metrics=METRICS)
    result = jax.jit(train.make_train(NET, LOSS, sgd, spec))(*keys, DATA, {"learning_rate": jnp.float32(0.1)})
    close(shared.member(1).params, result.params)
    apart = sweep([0.1], seeds=[5, 6, 7, 8, 9], batches="independent")
    close(apart.member(1).params, fit(0.1, seed=6).params)
    assert np.abs(apart.history["loss"][1] - shared.history["loss"][1]).max() > 1e-3
    table = shared.over_seeds("valid_accuracy")
    values = shared.final("valid_accuracy")
    (row,) = list(table)
    assert (row["valid_accuracy"], row["std_valid_accuracy"], row["members"], row["diverged"]) == (
        pytest.approx(values.mean()), pytest.approx(values.std(ddof=1)), 5, 0,
    )  # fmt: skip


def equations(jaxpr: Any) -> Any:
    for equation in jaxpr.eqns:
        yield equation
        for value in equation.params.values():
            for inner in value if isinstance(value, tuple | list) else (value,):
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    yield from equations(inner)


def plan(**change: Any) -> Plan:
    spec = train.Spec(4, 8, metrics=METRICS)
    found = members(points.grid(learning_rate=RATES), 5)
    return Plan(Parts(NET, LOSS, sgd, spec, None), DATA, found, **{"shared": True, **change})


@pytest.mark.parametrize("shared", [True, False])
def test_batches_are_fetched_once_for_all_members_that_share_them(shared: bool) -> None:
    made = plan(shared=shared)
    made.form = made.form._replace(width=5)
    runner = made.runner(5)
    carry, hyper = made.abstract(5)
    chunk = runner.chunk.trace(carry, jnp.ones(5, bool), jnp.int32(1), DATA, hyper).jaxpr.jaxpr
    fetched = [
        e for e in equations(chunk) if e.primitive.name == "gather" and e.invars[0].aval.shape == (50, 4)
    ]
    batches = {e.outvars[0].aval.shape for e in fetched}
    products = [
        tuple(v.aval.shape for v in e.invars) for e in equations(chunk) if e.primitive.name == "dot_general"
    ]
    if shared:
        assert batches == {(6, 8, 4)}
        # The first layer of all members is one product (8, 4) x (4, 5 * 8), as is its gradient.
        assert ((8, 4), (5, 4, 8)) in products
        assert not any((5, 8, 4) in shapes for shapes in products)
    else:
        assert batches == {(5, 6, 8, 4)}
        assert ((5, 8, 4), (5, 4, 8)) in products


def test_divergence_in_a_later_epoch_and_no_compilation_for_other_values() -> None:
    traces = 0

    def late(outputs: jax.Array, targets: jax.Array, hyper: Any) -> jax.Array:
        nonlocal traces
        traces += 1
        return LOSS(outputs, targets) * jnp.where(jnp.abs(outputs).max() > hyper["limit"], jnp.inf, 1)

    hyper = {"learning_rate": 0.5, "limit": np.array([6.0, 9.0, 1e9])}
    options = {"loss": late, "epochs": 300, "metrics": {}, "valid": None}
    with pytest.warns(DivergenceWarning, match="2 of 3 members"):
        found = sweep(hyper=hyper, **options)
    assert 0 < found.errors[0].epoch < found.errors[1].epoch
    for member, error in found.errors.items():
        assert error.step // 6 == error.epoch == found.epochs[member]
        assert 0 < int(error.last_good.epoch) <= error.epoch
        assert np.isfinite(found.history["loss"][member, : error.epoch]).all()
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(error.last_good.params))
    after_first = traces
    again = sweep(hyper={"learning_rate": [0.1, 1.0, 0.2], "limit": 1e9}, seeds=1, **options)
    assert traces == after_first > 0
    assert again.timing.compile < found.timing.compile / 4
    assert again.status == ("finished",) * 3


def test_all_members_diverged() -> None:
    with pytest.raises(DivergenceError, match="all 5 members diverged; the last one: sweep: member"):
        sweep([1e30, 2e30, 3e30, 4e30, 5e30])


STOPPING = {"early_stopping": train.EarlyStopping("valid_loss", patience=2), "epochs": 12}


def test_members_stop_by_themselves_and_may_leave_the_program() -> None:
    rates = [0.2, 0.5, 1.0, 2.0, 4.0, 8.0]
    kept = sweep(rates, **STOPPING)
    assert len(set(kept.epochs)) >= 3
    # The patience of the first ends with its last epoch.
    assert bool(kept.stopping.stopped[0])
    assert (kept.status[0], set(kept.status[1:]), kept.member(0).stopped) == ("finished", {"stopped"}, None)
    for index, rate in enumerate(rates):
        alone, member = fit(rate, **STOPPING), kept.member(index)
        assert kept.epochs[index] == int(alone.stopping.epochs) == member.history.epochs
        assert member.stopped == alone.stopped
        close(member.params, alone.params)
        assert kept.final("valid_loss")[index] == pytest.approx(min(alone.history["valid_loss"]), rel=1e-4)
    compacted = sweep(rates, compact=True, **STOPPING)
    assert (compacted.epochs == kept.epochs).all()
    assert compacted.status == kept.status
    close(compacted.params, kept.params)
    np.testing.assert_allclose(compacted.history["loss"], kept.history["loss"], rtol=1e-4, atol=1e-5)


def test_memory_is_known_before_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    digits = train.Arrays(jnp.zeros((256, 64)), jnp.zeros(256, jnp.int32))
    wider = net.functional(lambda rngs: MLP(MLPConfig(sizes=(64, 32, 10)), rngs=rngs))
    parts = Parts(wider, LOSS, sgd, train.Spec(4, 32), None)
    rates = points.grid(learning_rate=np.linspace(0.1, 0.5, 64))
    made = Plan(parts, digits, members(rates, 0), shared=True)
    one, many = made.cost("scan", 1), made.cost("vmap", 64)
    assert one is not None
    assert many is not None
    assert 0.5 < one.predicted(64) / many.total < 2
    limit = many.held + many.shared + many.apart * 9 // 10
    with pytest.raises(MemoryError, match=r"64, which takes .* MiB.*Fix: members_at_once=32"):
        made.choose("vmap", None, limit, print)
    monkeypatch.setattr(strategy, "AT_ONCE_BYTES", 2**30)
    said: list[str] = []
    made.choose(None, None, limit, said.append)
    assert (made.strategy, said[-1].split(": ")[1]) == ("map", f"{made.form.width} at once are run")
    fitting = made.cost(made.strategy, made.form.width)
    assert fitting is not None
    assert fitting.total <= limit
    with pytest.raises(MemoryError, match="sweep over fewer members"):
        sweep(memory=1000)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"strategy": "pmap"}, ValueError, "'vmap', 'scan', 'map'"),
        ({"strategy": "scan", "members_at_once": 2}, ValueError, "leave one of the two out"),
        ({"members_at_once": 0}, ValueError, "at least 1"),
        ({"batches": "own"}, ValueError, "'shared', 'independent'"),
        (
            {"hyper": {"learning_rate": [0.1, -0.1]}},
            ValueError,
            r"'learning_rate' is -0.1; expected \[0, inf\)",
        ),
        ({"hyper": {"learning_rate": 0.1, "dropuot": [0.1, 0.2]}}, ValueError, "spelling of 'dropuot'"),
        (
            {"hyper": {"learning_rate": 0.1, "loss": [0.1, 0.2]}},
            ValueError,
            "'hyper' is with the name 'loss'",
        ),
        ({"record": lambda step: {"status": 0.0}}, ValueError, "'record' is with the name 'status'"),
        ({"seeds": np.array([[1, 2]])}, DtypeError, "'seeds' is"),
        ({"seeds": jax.random.key(1)}, DtypeError, "'seeds' is"),
        ({"stop_on": "SIGINT"}, DtypeError, "sweep: argument 'stop_on'"),
        ({"hyper": {"rate": [0.1, 0.2]}}, ValueError, "without 'learning_rate'"),
        ({"hyper": {"learning_rate": [0.1, np.nan]}}, ValueError, "nan at index 1"),
        ({"hyper": {"learning_rate": [[0.1]]}}, ShapeError, "at least one"),
        ({"memory": 0}, ValueError, "at least 1"),
        ({"memory": 1e9}, DtypeError, "a whole number"),
        ({"valid": None}, ValueError, "with nothing to measure them on"),
        (
            {"shard": train.shard.data_parallel(1)},
            ValueError,
            "'shard' is a data_parallel; expected a plan for",
        ),
        ({"progress": "loud"}, ValueError, "'bar', 'lines', 'off'"),
        ({"batch_size": 51}, ValueError, "at most 50, the examples"),
        ({"early_stopping": train.EarlyStopping("valid_f1")}, ValueError, "monitor='valid_f1'"),
        ({"loss": "mse"}, TypeError, "'loss' is a str"),
    ],
)
def test_bad_arguments_are_refused_by_name(change: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        sweep(**change)


def test_results_are_asked_for_by_name(tmp_path: Path) -> None:
    found = sweep()
    for call, error, words in (
        (lambda: found.index("valid_accuracy"), ValueError, "mode='max' for an accuracy"),
        (lambda: found.index("valid_loss", mode="up"), ValueError, "'min', 'max'"),
        (lambda: found.best("f1"), KeyError, "'f1' was not recorded"),
        (lambda: found.table("f1"), ValueError, "'f1'; expected one of"),
        (lambda: found.member(5), IndexError, "5; expected below 5"),
        (lambda: found.member("a"), DtypeError, "'a'; expected a whole number"),  # type: ignore[arg-type]
    ):
        with pytest.raises(error, match=words):
            call()
    for write in (train.export, lambda whole: train.save(tmp_path / "model", whole)):
        with pytest.raises(TypeError, match=r"is a Sweep.*Fix: sweep.best\(\.\.\.\) or sweep.member\(i\)"):
            write(found)
    assert repr(found.table()).startswith("Table(5 rows of member, learning_rate, seed, status, epochs, loss")
    columns = found.table("valid_accuracy", mode="max").columns
    assert list(columns) == [
        "member", "learning_rate", "seed", "status", "epochs", "loss", "min_loss",
        "valid_accuracy", "max_valid_accuracy", "valid_loss", "min_valid_loss",
    ]  # fmt: skip
    assert columns["member"][0] == found.index("valid_accuracy", mode="max")
    assert columns["max_valid_accuracy"].max() == found.history["valid_accuracy"].max()
    best = found.table("max_valid_accuracy").columns["max_valid_accuracy"]
    assert best[0] == best.max() > best[-1]
    digits = found.member(-1).history
    np.testing.assert_array_equal(digits["loss"], found.history["loss"][4])


def test_hyperparameters_that_only_the_start_reads_are_read() -> None:
    def injected(hyper: Any) -> optax.GradientTransformation:
        return optax.inject_hyperparams(optax.sgd)(learning_rate=hyper["learning_rate"])

    def falling(outputs: jax.Array, targets: jax.Array) -> jax.Array:
        return -outputs[:, 0]

    weight = net.from_pair(lambda key: {"w": jnp.zeros((1, 1))}, lambda params, x: x @ params["w"])
    found = train.sweep(
        weight, (np.ones((1, 1)), np.ones((1, 1))), loss=falling, optimizer=injected, epochs=3, batch_size=1,
        hyper=points.grid(learning_rate=RATES), progress="off",
    )  # fmt: skip
    np.testing.assert_allclose(found.params["w"].ravel(), 3 * np.float32(RATES), rtol=1e-6)


def test_a_signal_lets_the_chunk_end_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def chunk(reporter: Any, done: int, *_: Any) -> None:
        signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(SweepReporter, "chunk", chunk)
    words = r"sweep: SIGINT stopped the sweep after epoch 1 of 4, with 4 of 5 members in training"
    with pytest.warns(DivergenceWarning), pytest.raises(Interrupted, match=words) as caught:
        sweep([0.05, 0.1, 0.2, 1e30, 0.8])
    assert signal.getsignal(signal.SIGINT) is before
    found = caught.value.fitted
    assert (type(found), caught.value.epoch) == (train.Sweep, 1)
    assert found.status == ("interrupted",) * 3 + ("diverged", "interrupted")
    assert found.epochs.tolist() == [1, 1, 1, 0, 1]
    assert "4 interrupted, 1 diverged" in repr(found)
    monkeypatch.undo()
    whole = sweep()
    member = found.best()
    assert (member.stopped, member.history.epochs) == ("interrupted", 1)
    np.testing.assert_array_equal(found.final("valid_loss")[:3], whole.history["valid_loss"][:3, 0])
    monkeypatch.setattr(SweepReporter, "chunk", lambda *_: [chunk(None, 0), chunk(None, 0)])
    with pytest.raises(KeyboardInterrupt, match="sweep: stopped at once"):
        sweep()


@pytest.mark.slow  # 15 s
def test_members_are_split_over_devices() -> None:
    paths = os.pathsep.join(str(ROOT / folder) for folder in (".", "tests", "tests/train"))
    # Unoptimised, it compiles in half the time.
    flags = "--xla_force_host_platform_device_count=4 --xla_backend_optimization_level=0"
    child = subprocess.run(
        [sys.executable, "-W", "error", ROOT / "tests/train/sweep_devices.py"],
        env={**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu", "PYTHONPATH": paths},
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr
    found = json.loads(child.stdout)
    assert found["devices"] == 4
    for name in ("status", "epochs", "steps"):
        assert found[name][0] == found[name][1]
    assert set(found["status"][0]) == {"finished", "stopped", "diverged"}
    assert found["difference"] < 1e-5
    assert found["collectives"] == 0


@pytest.mark.parametrize("style", ["bar", "lines"])
def test_progress_counts_members(style: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.warns(DivergenceWarning):
        sweep([0.05, 0.1, 0.2, 1e30, 0.8], progress=style)
    assert "4 training, 1 diverged  least valid_loss 0." in (shown := capsys.readouterr().out)
    assert "4/4" in shown or style == "lines"
