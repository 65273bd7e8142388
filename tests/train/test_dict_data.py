"""Inputs and targets that are dicts of arrays, through everything that trains, predicts and reads data."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import losses, metrics, net, optim, scaling, train
from jaxdl.data import Dataset, folds, split
from jaxdl.errors import DivergenceError, DtypeError, FormatError, ShapeError
from jaxdl.train import Checkpoint, Moment, Stream, fit, predict

RNG = np.random.default_rng(0)
N, TIME, FEATURES, CLASSES = 24, 5, 3, 4
LENGTHS = RNG.integers(1, TIME + 1, N)
SEQUENCE = RNG.normal(size=(N, TIME, FEATURES))
X = {"sequence": SEQUENCE, "lengths": LENGTHS}
LABELS = RNG.integers(0, CLASSES, N)
TAGS = RNG.integers(0, CLASSES, (N, TIME))
VALID = ({name: array[:7] for name, array in X.items()}, LABELS[:7])
HYPER = {"learning_rate": 0.3}


def _init(key: jax.Array) -> Any:
    return {"w": 0.1 * jax.random.normal(key, (FEATURES, CLASSES)), "b": jnp.zeros(CLASSES)}


def _steps(params: Any, x: Any) -> jax.Array:
    """Logits (batch, time, classes), with nothing of the padded steps in them."""
    valid = jnp.arange(TIME)[None] < x["lengths"][:, None]
    return jnp.where(valid[..., None], x["sequence"], 0) @ params["w"] + params["b"][None, None]


NET = net.from_pair(_init, lambda params, x: _steps(params, x).mean(1))
TAGGER = net.from_pair(_init, _steps)
NAMED = net.from_pair(_init, lambda params, x: {"tags": _steps(params, x), "kind": _steps(params, x).mean(1)})
# The same computation of one array that holds the lengths in its last feature.
PLAIN = net.from_pair(
    _init, lambda params, x: _steps(params, {"sequence": x[..., :-1], "lengths": x[:, 0, -1]}).mean(1)
)
PLAIN_X = np.concatenate([SEQUENCE, np.broadcast_to(LENGTHS[:, None, None], (N, TIME, 1))], -1)


def sgd(hyper: Any) -> Any:
    return optim.momentum(hyper["learning_rate"])


def masked(outputs: jax.Array, targets: Any) -> jax.Array:
    """Cross-entropy of the valid steps."""
    values = losses.softmax_cross_entropy(outputs, targets["tags"])
    return jnp.where(jnp.arange(TIME)[None] < targets["lengths"][:, None], values, 0).sum(1)


def both(outputs: Any, targets: Any) -> jax.Array:
    tags = losses.softmax_cross_entropy(outputs["tags"], targets["tags"]).sum(1)
    return tags + losses.softmax_cross_entropy(outputs["kind"], targets["kind"])


OPTIONS: dict[str, Any] = {
    "loss": losses.softmax_cross_entropy, "optimizer": sgd, "hyper": HYPER, "epochs": 3, "batch_size": 8,
    "valid": VALID, "metrics": {"accuracy": metrics.accuracy}, "progress": "off",
}  # fmt: skip
MASKED = OPTIONS | {"loss": masked, "valid": None, "metrics": None}
BOTH = MASKED | {"loss": both}


def same(a: Any, b: Any) -> bool:
    return jax.tree.all(jax.tree.map(lambda x, y: bool((np.asarray(x) == np.asarray(y)).all()), a, b))


def equal(a: Any, b: Any) -> bool:
    return all(np.array_equal(a[name], b[name], equal_nan=True) for name in [*a, *b])


@pytest.fixture(scope="module")
def fitted() -> Any:
    return fit(NET, (X, LABELS), **OPTIONS)


def test_the_run_is_that_of_one_array_with_the_same_numbers(fitted: Any) -> None:
    plain = fit(PLAIN, (PLAIN_X, LABELS), **OPTIONS | {"valid": (PLAIN_X[:7], LABELS[:7])})
    assert equal(fitted.history, plain.history)
    assert same(fitted.params, plain.params)


def test_the_order_of_the_names_and_float64_change_nothing(fitted: Any) -> None:
    turned = {"lengths": LENGTHS.astype(np.uint16), "sequence": SEQUENCE.astype(np.float32)}
    other = fit(NET, (turned, LABELS), **OPTIONS)
    assert same(fitted.params, other.params)
    assert other.timing.compile < fitted.timing.compile


def test_the_example_says_names_shapes_and_dtypes(fitted: Any) -> None:
    assert {name: (one.shape, str(one.dtype)) for name, one in fitted.example.items()} == {
        "lengths": ((), "int32"), "sequence": ((TIME, FEATURES), "float32"),
    }  # fmt: skip


def test_predictions_and_measures_see_every_example_once(fitted: Any) -> None:
    found = fitted.predict(X, batch_size=7)
    direct = np.asarray(NET.apply(fitted.params, {}, jax.tree.map(jnp.asarray, X), train=False)[0])
    np.testing.assert_allclose(found, direct, rtol=1e-6)
    measured = fitted.evaluate((X, LABELS), loss=losses.softmax_cross_entropy, batch_size=7,
                               metrics={"accuracy": metrics.accuracy})  # fmt: skip
    assert measured["accuracy"] == pytest.approx((direct.argmax(1) == LABELS).mean())
    assert measured["loss"] == pytest.approx(float(losses.softmax_cross_entropy(direct, LABELS).mean()))
    valid = fitted.evaluate(VALID, loss=losses.softmax_cross_entropy)
    assert valid["loss"] == pytest.approx(fitted.history["valid_loss"][-1])


def test_a_sweep_trains_what_fit_trains(fitted: Any) -> None:
    options = OPTIONS | {"hyper": {"learning_rate": np.float32([0.3, 0.1])}, "strategy": "scan"}
    found = train.sweep(NET, (X, LABELS), **options)
    assert same(found.member(0).params, fitted.params)
    assert same(found.member(1).predict(X), found.member(1).predict(X, batch_size=N))
    assert found.example == fitted.example


def test_a_stream_of_dicts_trains_the_same_network() -> None:
    options = MASKED | {"step_losses": True, "epochs": 2}
    targets = {"tags": TAGS, "lengths": LENGTHS}
    order = [train.batch_order(train.door.keys(0)[1], epoch, examples=N, batch_size=8) for epoch in range(2)]

    def batches(epoch: int) -> list[Any]:
        return [jax.tree.map(lambda a, i=i: a[np.asarray(i)], (X, targets)) for i in order[epoch]]

    held = fit(TAGGER, (X, targets), **options)
    streamed = fit(TAGGER, Stream(batches, steps=3), **options | {"batch_size": None})
    np.testing.assert_allclose(held.history["step_loss"], streamed.history["step_loss"], rtol=1e-6)
    assert jax.tree.all(jax.tree.map(lambda a, b: np.allclose(a, b, rtol=1e-6), held.params, streamed.params))
    assert streamed.example == held.example


@pytest.mark.parametrize("streamed", [False, True], ids=["memory", "stream"])
def test_a_resumed_run_is_the_unbroken_one_bit_by_bit(tmp_path: Path, streamed: bool) -> None:
    targets = {"tags": TAGS, "lengths": LENGTHS}

    def data(x: Any = X) -> Any:
        if not streamed:
            return x, targets
        parts = [jax.tree.map(lambda a, i=i: a[i : i + 8], (x, targets)) for i in range(0, N, 8)]
        return Stream(lambda epoch: parts)

    def stop(moment: Moment) -> str | None:
        return "enough" if moment.epoch == 1 else None

    options = MASKED | ({"batch_size": None} if streamed else {})
    whole = fit(TAGGER, data(), **options)
    saved = options | {"checkpoint": Checkpoint(tmp_path, every=1)}
    fit(TAGGER, data(), **saved, callbacks=[stop])
    resumed = fit(TAGGER, data(), **saved, resume=True)
    assert same(whole.params, resumed.params)
    assert equal(whole.history, resumed.history)
    if not streamed:
        with pytest.raises(ValueError, match=r"data\['inputs'\]"):
            fit(TAGGER, data({**X, "sequence": SEQUENCE + 1}), **saved, resume=True)


def test_all_that_is_static_takes_the_dict(fitted: Any, tmp_path: Path) -> None:
    shapes = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), (X, LABELS))
    options = OPTIONS | {"optimizer": lambda hyper: optim.sgd(hyper["learning_rate"])}
    compiled = train.compile(NET, shapes, **options)
    assert compiled.flops_per_step > 0
    assert fit(NET, (X, LABELS), **options).timing.compile < compiled.seconds
    exported = train.export(fitted, tmp_path / "model")
    again = train.load_exported(tmp_path / "model")
    assert repr(again).startswith("Exported(lengths int32 (examples), sequence float32 (examples, 5, 3);")
    for program in (exported, again):
        np.testing.assert_allclose(program(X), fitted.predict(X), rtol=1e-6)
    for wrong, said in (
        (SEQUENCE, "an array"), ({"sequence": SEQUENCE}, "a dict of"),
        ({**X, "sequence": SEQUENCE[:, 1:]}, r"inputs\['sequence'\]"), ({**X, "lengths": LENGTHS[:3]}, "3"),
    ):  # fmt: skip
        with pytest.raises(ShapeError, match=said):
            again(wrong)
    with pytest.raises(DtypeError, match=r"inputs\['lengths'\]"):
        again({**X, "lengths": LENGTHS / 1.0})


def test_the_rate_range_takes_the_dict() -> None:
    found = train.rate_range(NET, (X, LABELS), loss=losses.softmax_cross_entropy, batch_size=8, steps=20,
                             optimizer=sgd)  # fmt: skip
    assert np.isfinite(found.losses[0])


def test_exact_statistics_take_the_dict() -> None:
    from flax import nnx

    from jaxdl.layers import BatchNorm

    class Normed(nnx.Module):
        def __init__(self, *, rngs: nnx.Rngs) -> None:
            self.norm = BatchNorm(FEATURES, rngs=rngs)

        def __call__(self, x: Any) -> Any:
            return self.norm(x["sequence"][:, 0] * x["lengths"][:, None])

    normed = net.functional(lambda rngs: Normed(rngs=rngs))
    state = train.exact_statistics(normed, *normed.init(jax.random.key(0)), X, batch_size=7)
    first = SEQUENCE[:, 0] * LENGTHS[:, None]
    np.testing.assert_allclose(state["norm"]["mean"], first.mean(0), rtol=1e-5)
    np.testing.assert_allclose(state["norm"]["var"], first.var(0), rtol=1e-5)


def _louder(scale: Any, x: Any) -> Any:
    return {**x, "sequence": scale(x["sequence"])}


def test_scaling_and_augmentation_get_the_dict() -> None:
    seen = []

    def augment(key: jax.Array, x: Any) -> Any:
        seen.append({name: array.dtype.name for name, array in x.items()})
        return {**x, "sequence": jax.random.normal(key, x["sequence"].shape) + x["sequence"]}

    scale = jax.tree_util.Partial(_louder, scaling.z_score(SEQUENCE.reshape(-1, FEATURES)))
    options = OPTIONS | {"augment": augment, "scaling": scale, "epochs": 1}
    found = fit(NET, (X, LABELS), **options)
    assert seen[0] == {"lengths": "int32", "sequence": "float32"}
    scaled = {**X, "sequence": scale.args[0](SEQUENCE)}
    np.testing.assert_allclose(found.predict(X), predict(NET, found.params, {}, scaled), rtol=1e-5)
    with pytest.raises(DtypeError, match=r"Scaling.*a dict of \['lengths', 'sequence'\].*Partial"):
        fit(NET, (X, LABELS), **OPTIONS | {"scaling": scaling.pixels()})
    with pytest.raises(ShapeError, match="augment"):
        fit(NET, (X, LABELS), **OPTIONS | {"augment": lambda key, x: {"sequence": x["sequence"]}})


def test_targets_by_step_are_trained_measured_and_checked() -> None:
    options = OPTIONS | {"valid": (X, TAGS), "train_metrics": True}
    found = fit(TAGGER, (X, TAGS), **options)
    direct = found.predict(X).argmax(-1) == TAGS
    assert found.history["valid_accuracy"][-1] == pytest.approx(direct.mean())
    bad = TAGS.copy()
    bad[3, 2] = CLASSES
    with pytest.raises(FormatError, match=r"data targets.*4 at row 3, column 2"):
        fit(TAGGER, (X, bad), **options)


def test_labels_in_a_dict_are_checked_where_the_outputs_have_the_name() -> None:
    kind = LABELS.copy()
    kind[5] = -1
    with pytest.raises(FormatError, match=r"data targets\['kind'\].*-1 at row 5"):
        fit(NAMED, (X, {"tags": TAGS, "kind": kind}), **BOTH)
    first = [(jax.tree.map(lambda a: a[:4], X), {"tags": TAGS[:4], "kind": LABELS[:4]})]
    second = [(jax.tree.map(lambda a: a[4:8], X), {"tags": TAGS[4:8], "kind": kind[4:8]})]
    with pytest.raises(FormatError, match=r"batch 1 \(epoch 1\), targets\['kind'\]"):
        fit(NAMED, Stream(first + second), **BOTH | {"batch_size": None})


def test_a_wrong_label_without_a_name_in_the_outputs_poisons_the_loss() -> None:
    bad = TAGS.copy()
    bad[0, 0] = CLASSES
    with pytest.raises(DivergenceError) as caught:
        fit(TAGGER, (X, {"tags": bad, "lengths": LENGTHS}), **MASKED)
    assert caught.value.cause == "loss"


@pytest.mark.parametrize(
    ("inputs", "error", "said"),
    [
        ({}, FormatError, r"data\[0\].*an empty dict"),
        ({1: SEQUENCE}, DtypeError, r"data\[0\].*the name 1"),
        ({"": SEQUENCE}, DtypeError, r"data\[0\].*the name ''"),
        ({"a": {"b": SEQUENCE}}, DtypeError, r"data\[0\]\['a'\].*a dict within a dict.*a_b"),
        ({**X, "lengths": LENGTHS[:-1]}, ShapeError, r"data\[0\]\['sequence'\].*23 examples"),
        ({**X, "lengths": 3}, ShapeError, r"data\[0\]\['lengths'\].*of shape \(\)"),
        ({name: array[:0] for name, array in X.items()}, ShapeError, r"data\[0\]\['lengths'\].*at least one"),
        ({**X, "sequence": np.where(SEQUENCE > 2, np.nan, SEQUENCE)}, FormatError,
         r"data\[0\]\['sequence'\]' is nan at row"),
        ({**X, "lengths": LENGTHS + 2**40}, FormatError, r"data\[0\]\['lengths'\].*int32"),
        ({**X, "lengths": [str(n) for n in LENGTHS]}, DtypeError, r"data\[0\]\['lengths'\].*real numbers"),
        ({**X, "lengths": [[1], [1, 2]]}, ShapeError, r"data\[0\]\['lengths'\].*ragged"),
    ],
)  # fmt: skip
def test_bad_dicts_are_named(inputs: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        fit(NET, (inputs, LABELS), **OPTIONS)
    with pytest.raises(error, match=said.replace(r"data\[0\]", "inputs")):
        predict(NET, _init(jax.random.key(0)), {}, inputs)


def test_parts_that_do_not_fit_each_other_are_named() -> None:
    with pytest.raises(ShapeError, match=r"data\[1\].*of shape \(23,\).*24 examples.*data\[0\]\['lengths'\]"):
        fit(NET, (X, LABELS[1:]), **OPTIONS)
    with pytest.raises(ShapeError, match=r"data.*inputs \(24,\) and targets \{tags: int64\[24, 5\]\}"):
        fit(NET, (LENGTHS, {"tags": TAGS}), **OPTIONS)
    for other in (SEQUENCE, {"sequence": SEQUENCE}, {**X, "sequence": SEQUENCE[:, 1:]}):
        with pytest.raises(ShapeError, match=r"valid.*inputs of shape .*as in data"):
            fit(NET, (X, LABELS), **OPTIONS | {"valid": (other, LABELS)})
    batches = [(X, LABELS), ({"sequence": SEQUENCE}, LABELS)]
    with pytest.raises(ShapeError, match=r"sequence: float32\[24, 5, 3\]\} and .* as the first batch"):
        list(Stream(batches).read(1))


def test_a_data_set_holds_dicts() -> None:
    dataset = Dataset(X, LABELS, classes=("a", "b", "c", "d"))
    told = "inputs lengths int32 (), sequence float32 (5, 3)"
    assert repr(dataset) == f"Dataset(24 examples, {told}, 4 classes)"
    assert dataset.features == {"lengths": (), "sequence": (TIME, FEATURES)}
    assert not dataset.inputs["sequence"].flags.writeable
    part = dataset.take([3, 1])
    np.testing.assert_array_equal(part.inputs["lengths"], LENGTHS[[3, 1]])
    training, test = split(dataset, (0.75, 0.25))
    held = np.concatenate([training.inputs["lengths"], test.inputs["lengths"]])
    assert sorted(held.tolist()) == sorted(LENGTHS.tolist())
    assert [len(valid) for _, valid in folds(dataset, 3, stratify=False)] == [8, 8, 8]
    named = Dataset(X, {"tags": TAGS, "weights": LENGTHS / 2})
    assert repr(named).endswith("targets tags int32 (5,), weights float32 ())")


@pytest.mark.parametrize(
    ("inputs", "targets", "options", "error", "said"),
    [
        (X, {"tags": TAGS}, {"classes": ("a", "b")}, DtypeError, "targets.*with classes"),
        (X, LABELS, {"names": ("a", "b")}, ShapeError, "names.*dict"),
        (X, LABELS[1:], {}, ShapeError, "targets.*23.*24"),
        ({**X, "lengths": LENGTHS[1:]}, LABELS, {}, ShapeError, r"inputs\['sequence'\].*23 examples"),
    ],
)
def test_a_data_set_refuses(inputs: Any, targets: Any, options: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        Dataset(inputs, targets, **options)
