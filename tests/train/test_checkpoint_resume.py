"""Runs that are broken off and resumed: to the last bit the unbroken run, or an error that says why not."""

import dataclasses
import errno
import json
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from common import DATA, KEYS, LOSS, X, Y, adam, sgd
from jax import monitoring
from resumable import EPOCHS, SPEC, fingerprint, run, stored
from resumable import HYPER as RATES
from resumable import NET as RUN_NET

from jaxdl import net, train
from jaxdl.errors import CheckpointWarning, DivergenceError, DtypeError, FormatError, LockError, ShapeError
from jaxdl.optim import frozen
from jaxdl.train import Carry, EarlyStopping, Health, Spec, session
from jaxdl.train.checkpoint import Checkpoint, Saver, Store, arrays, manifest
from jaxdl.train.checkpoint.identity import compare, describe
from jaxdl.train.runner import runner_of
from jaxdl.train.session import Moment


@pytest.fixture(autouse=True)
def _a_chunk_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "CHUNK_SECONDS", 0.0)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, str]]:
    """The end of the unbroken run, trained in one piece."""
    folder = tmp_path_factory.mktemp("whole")
    return fingerprint(run(Checkpoint(folder, every=EPOCHS))), stored(folder)


@pytest.fixture(scope="module")
def moments() -> list[Moment]:
    """The moments of a run, an epoch a chunk."""
    found: list[Moment] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "CHUNK_SECONDS", 0.0)
        run(callbacks=[found.append])
    return found


@pytest.fixture(scope="module")
def made_run(tmp_path_factory: pytest.TempPathFactory, moments: list[Moment]) -> Path:
    """A folder with a run of two epochs."""
    folder = tmp_path_factory.mktemp("made_run")
    with Saver(folder) as saver:
        saver.begin(moments[0].carry, described(moments[0]))
        saver.save(moments[1])
    return folder


class Crash(BaseException):
    """In the place of a power cut."""


def crash_after(epoch: int) -> Callable[[Moment], None]:
    def callback(moment: Moment) -> None:
        if moment.epoch == epoch:
            raise Crash

    return callback


def compilations(function: Callable[[], Any]) -> int:
    seen: list[str] = []

    def listen(event: str, duration: float, **_: Any) -> None:
        if event.endswith("backend_compile_duration"):
            seen.append(event)

    monitoring.register_event_duration_secs_listener(listen)
    try:
        function()
    finally:
        monitoring.unregister_event_duration_listener(listen)
    return len(seen)


def test_a_run_broken_twice_ends_as_the_unbroken_one(tmp_path: Path, whole: tuple[str, Any]) -> None:
    policy = Checkpoint(tmp_path, every=1)
    with pytest.raises(Crash):
        run(policy, callbacks=[crash_after(3)])
    assert Store(tmp_path, writable=False).steps() == [1, 2]
    with pytest.raises(Crash):
        run(policy, resume=True, callbacks=[crash_after(5)])
    assert Store(tmp_path, writable=False).steps() == [2, 3, 4]
    fitted: list[train.Fitted] = []
    assert compilations(lambda: fitted.append(run(policy, resume=True))) == 0
    assert compilations(lambda: jax.jit(lambda x: x + 1)(1.0)) == 1
    assert (fingerprint(fitted[0]), stored(tmp_path)) == whole
    assert fitted[0].history.epochs == EPOCHS
    # Once more: nothing is left to do, and the end is the same.
    assert (fingerprint(run(policy, resume=True)), stored(tmp_path)) == whole


def test_whatever_the_chunks_the_end_is_the_same(
    tmp_path: Path, whole: tuple[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, callbacks=[lambda moment: "enough" if moment.epoch == 2 else None])
    assert Store(tmp_path, writable=False).steps() == [2]
    monkeypatch.setattr(session, "CHUNK_SECONDS", 9.0)
    fitted = run(tmp_path, resume=True)
    assert (fingerprint(fitted), stored(tmp_path)) == whole
    assert fitted.stopped is None


@pytest.mark.slow  # 6 s: it compiles one more program
def test_more_epochs_go_on_from_the_end(tmp_path: Path, whole: tuple[str, Any]) -> None:
    run(tmp_path, epochs=4)
    assert fingerprint(run(tmp_path, resume=True)) == whole[0]


def test_the_history_of_a_longer_run_begins_with_what_is_saved(made_run: Path, moments: list[Moment]) -> None:
    carry, record = moments[0].carry, described(moments[0])
    longer = {name: jnp.full((9, *values.shape[1:]), jnp.nan) for name, values in carry.history.items()}
    with Saver(made_run, resume=True) as saver:
        found = saver.begin(carry._replace(history=longer), record | {"epochs": 9})
        with pytest.raises(ValueError, match="'epochs' is 1; expected at least 2, which are trained"):
            saver.begin(carry, record | {"epochs": 1})
    for name, values in moments[1].history.items():
        np.testing.assert_array_equal(found.history[name][:2], values)
        assert np.isnan(found.history[name][2:]).all()
        assert len(found.history[name]) == 9


def test_a_run_that_stopped_early_stays_stopped(tmp_path: Path, whole: tuple[str, Any]) -> None:
    rates = RATES | {"learning_rate": 30.0}  # away from every minimum
    first = run(tmp_path, hyper=rates)
    again = run(tmp_path, hyper=rates, resume=True)
    assert first.stopped == again.stopped == "early stopping"
    assert first.history.epochs == again.history.epochs < EPOCHS
    assert fingerprint(first) == fingerprint(again)


def test_every_and_best_say_what_is_kept(tmp_path: Path, whole: tuple[str, Any]) -> None:
    fitted = run(Checkpoint(tmp_path, every=2, keep=1, best="valid_loss", mode="max"))
    scores = fitted.history["valid_loss"][1::2]
    best = 2 * (int(np.argmax(scores)) + 1)
    store = Store(tmp_path, mode="max", writable=False)
    assert store.steps() == sorted({best, EPOCHS})
    assert store.best == best
    assert fingerprint(fitted) == whole[0]
    with pytest.raises(ValueError, match=r"'best' is 'valid_f1'; expected one of \['loss'"):
        run(Checkpoint(tmp_path / "other", best="valid_f1"))


def test_seconds_hold_saves_apart(tmp_path: Path, whole: tuple[str, Any]) -> None:
    seen = []
    policy = Checkpoint(tmp_path, seconds=3600.0)
    run(policy, callbacks=[lambda moment: seen.append(Store(tmp_path, writable=False).steps())])
    assert seen == [[]] * EPOCHS
    assert stored(tmp_path) == whole[1]


def test_a_folder_with_a_run_is_refused(tmp_path: Path, whole: tuple[str, Any]) -> None:
    run(tmp_path)
    with pytest.raises(ValueError, match=r"with a run of 6 epochs; .* Fix: resume=True, or another folder"):
        run(tmp_path)
    with Store(tmp_path), pytest.raises(LockError, match=f"in use by process {os.getpid()}"):
        run(tmp_path, resume=True)


def test_resume_in_an_empty_folder_starts(tmp_path: Path, whole: tuple[str, Any]) -> None:
    assert fingerprint(run(tmp_path / "new", resume=True)) == whole[0]
    with pytest.raises(ValueError, match="'resume' is True; expected False without a checkpoint"):
        run(resume=True)
    with pytest.raises(DtypeError, match="'resume' is a int"):
        run(tmp_path, resume=1)
    with pytest.raises(DtypeError, match="'checkpoint' is a int"):
        run(3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 4}, "'seed' is 4; expected 3, as in the run that is resumed"),
        ({"hyper": RATES | {"drop": 0.1}}, r"'hyper\['drop'\]' is 0\.1"),
        ({"valid": (X[:49:-1], Y[:49:-1])}, r"'data\['valid_inputs'\]'"),
    ],
)
def test_another_run_is_refused_by_name(made_run: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(made_run, resume=True, **changes)
    assert Store(made_run, writable=False).steps() == [2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 5}, r"'spec\['batch_size'\]' is 5; expected 10"),
        ({"average": 0.8}, r"'spec\['average'\]' is 0\.8; expected 0\.9"),
        ({"early_stopping": None}, r"'spec\['early_stopping'\]' is None"),
        (
            {"early_stopping": EarlyStopping("loss")},
            r"'spec\['early_stopping'\]\['monitor'\]' is loss; expected v",
        ),
        ({"metrics": ()}, r"'spec\['metrics'\]"),
        ({"frozen": frozen("layers/0")}, r"'spec\['frozen'\]' is \{'paths'.*expected None"),
        ({"augment": lambda key, x: x}, r"'spec\['augment'\]' is a function; expected None"),
    ],
)
def test_another_option_is_refused_by_name(
    tmp_path: Path, moments: list[Moment], changes: dict[str, Any], message: str
) -> None:
    before = described(moments[0])
    now = described(moments[0], spec=dataclasses.replace(SPEC, **changes))
    with pytest.raises(ValueError, match=message):
        compare(before, now)
    compare(before, before)
    compare(json.loads(json.dumps(before)), before)


def test_another_network_is_refused_by_the_leaf(made_run: Path, moments: list[Moment]) -> None:
    carry, record = moments[0].carry, described(moments[0])
    (params, layers), wide = (carry.params, carry.params["layers"]), {"kernel": jnp.ones((4, 9))}
    others = {
        r"'params/layers/0/kernel' is of shape \(4, 9\); expected \(4, 8\), as saved": layers
        | {0: layers[0] | wide},
        "a tree without 'params/layers/": {0: layers[0]},
        "a tree with 'params/layers/0/more'": layers | {0: layers[0] | {"more": jnp.ones(1)}},
    }
    for message, other in others.items():
        with Saver(made_run, resume=True) as saver, warnings.catch_warnings():
            warnings.simplefilter("ignore", CheckpointWarning)  # of another program
            with pytest.raises(ShapeError, match=message):
                saver.begin(carry._replace(params=params | {"layers": other}), record)


def described(moment: Moment, spec: Any = SPEC) -> dict[str, Any]:
    return describe(moment.carry, DATA, RATES, spec, seed=3, program="p")


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Write the manifest of the newest step anew, as another machine would have written it."""
    step = folder / f"step_{Store(folder, writable=False).steps()[-1]:08d}"
    body = manifest.read(step)
    change(body["record"])
    (step / "MANIFEST").unlink()
    manifest.write(step, body)


@pytest.mark.parametrize(
    ("part", "name", "message"),
    [
        ("environment", "jaxlib", "jaxlib was 'other' and is"),
        ("environment", "device", "device was 'other' and is"),
        ("environment", "cores", "cores was 'other' and is"),
        (None, "program", "the program is another one"),
    ],
)
def test_what_is_not_bit_exact_is_said(tmp_path: Path, part: str | None, name: str, message: str) -> None:
    run(tmp_path, callbacks=[lambda moment: "enough" if moment.epoch == 2 else None])

    def change(record: dict[str, Any]) -> None:
        (record if part is None else record[part])[name] = "other"

    rewrite(tmp_path, change)
    with pytest.warns(CheckpointWarning, match=f"resume: not bit-exact: {message}"):
        run(tmp_path, resume=True)


def test_another_loss_is_another_program() -> None:
    """The digest is that of what the compiler gets: not of names, nor of objects."""
    small = net.from_pair(lambda key: {"w": jnp.ones((4, 3))}, lambda params, x: x @ params["w"])
    spec, hyper = Spec(1, 25), {"learning_rate": jnp.float32(0.1)}

    def digest(factor: float) -> str:
        runner = runner_of(small, lambda z, y: factor * LOSS(z, y), sgd, spec, None)
        carry = jax.eval_shape(runner.start, *KEYS, DATA, hyper)
        return runner.digest(carry, DATA, hyper)

    assert digest(1.0) == digest(1.0) != digest(2.0)


def test_a_damaged_step_is_named_and_the_one_before_it_taken(tmp_path: Path, whole: tuple[str, Any]) -> None:
    with pytest.raises(Crash):
        run(Checkpoint(tmp_path, every=1), callbacks=[crash_after(4)])
    newest = tmp_path / "step_00000003"
    (newest / "MANIFEST").write_bytes((newest / "MANIFEST").read_bytes()[:-1])
    with pytest.warns(
        CheckpointWarning, match="step 3 in .* is damaged: MANIFEST was changed.*Step 2 is taken"
    ):
        fitted = run(Checkpoint(tmp_path, every=1), resume=True)
    assert (fingerprint(fitted), stored(tmp_path)) == whole
    for step in tmp_path.glob("step_*"):
        (step / "MANIFEST").unlink()
    with pytest.raises(FormatError, match=r"no step in .* is whole: step 6: .*step 5: .*step 4: "):
        run(tmp_path, resume=True)


def test_a_writing_error_is_raised_and_what_is_saved_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: tuple[str, Any]
) -> None:
    save, count = arrays.save, []

    def full(folder: Path, buffers: Any) -> None:
        count.append(folder)
        if len(count) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(folder, buffers)

    with monkeypatch.context() as patch:
        patch.setattr(arrays, "save", full)
        with pytest.raises(OSError, match="No space left on device"):
            run(Checkpoint(tmp_path, every=1))
    assert Store(tmp_path, writable=False).steps() == [1, 2]
    assert fingerprint(run(tmp_path, resume=True)) == whole[0]


def test_an_error_in_the_last_save_is_raised_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(folder: Path, buffers: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(arrays, "save", full)
    with pytest.raises(OSError, match="Input/output error"):
        run(Checkpoint(tmp_path, every=EPOCHS))
    with pytest.raises(Crash) as caught:
        run(Checkpoint(tmp_path, every=5), callbacks=[crash_after(6)])
    assert "the last checkpoint was not written: [Errno 5]" in caught.value.__notes__[0]
    assert Store(tmp_path, writable=False).steps() == []


def test_a_state_that_is_not_finite_is_never_saved(tmp_path: Path, moments: list[Moment]) -> None:
    with Saver(tmp_path) as saver:
        saver.begin(moments[0].carry, {"steps": 5})
        saver.save(moments[0])
        bad = jax.tree.map(lambda leaf: leaf * jnp.nan, moments[1].carry.state)
        with pytest.raises(DivergenceError, match=r"after 2 epochs is not saved: .*'state/.*' with NaN"):
            saver(dataclasses.replace(moments[1], carry=moments[1].carry._replace(state=bad), stopped="end"))
    assert Store(tmp_path, writable=False).steps() == [1]


def test_save_now_is_on_the_disk_when_it_returns(tmp_path: Path, moments: list[Moment]) -> None:
    with Saver(Checkpoint(tmp_path, seconds=3600.0)) as saver:
        saver.begin(moments[0].carry, {"steps": 5})
        saver(moments[0])
        assert saver.store.steps() == []
        saver.save(moments[1])
        assert saver.store.steps() == [2]
        saver.save(moments[1])
    record = json.loads((tmp_path / "step_00000002" / "MANIFEST").read_bytes().partition(b"\n")[2])["record"]
    assert record == {"steps": 5, "epoch": 2, "cursor": 10, "rows": 2}


def test_a_diverged_run_leaves_the_last_good_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = runner_of(RUN_NET, LOSS, adam, SPEC, None)
    compiled = runner.compiled

    def advance(carry: Carry, stop: Any, *rest: Any) -> Carry:
        """Leave the finite numbers in the third epoch."""
        after = compiled(carry, *rest)(carry, stop, *rest)
        bad = jax.tree.map(lambda leaf: leaf * jnp.nan, after.params)
        worse = after._replace(params=bad, health=Health(jnp.int32(12), jnp.int32(1)))
        return worse if int(stop) == 3 else after

    def unwilling(*_: Any, **__: Any) -> None:
        raise RuntimeError("no replay today")

    monkeypatch.setattr(runner, "compiled", lambda *_: advance)
    monkeypatch.setattr(runner, "replay", advance)
    monkeypatch.setattr(runner, "report", unwilling)  # of the step, which takes a program more
    with pytest.raises(
        DivergenceError,
        match=r"at step 12 \(epoch 3\).*The replay of this step failed \(RuntimeError: no replay today\)",
    ):
        run(Checkpoint(tmp_path, every=1))
    assert Store(tmp_path, writable=False).steps() == [1, 2]
    monkeypatch.undo()
    assert run(tmp_path, resume=True).history.epochs == EPOCHS
