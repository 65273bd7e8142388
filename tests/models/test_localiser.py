"""Localisation: both losses against their formulas, what does not count, the metric, the model."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from rows import localisation as rows

from jaxdl import losses, metrics, models, net, optim, scaling, train
from jaxdl.errors import DtypeError, ShapeError

SIZE, NAMES = rows.SIZE, ("boxes", "labels", "mask")
OUTPUTS, *PARTS = rows.vectors(np.random.default_rng(3))
TARGETS: dict[str, Any] = dict(zip(NAMES, PARTS))
FORMS = {
    "cross_entropy": partial(losses.localisation, size=SIZE),
    "squared_error": partial(losses.localisation, size=SIZE, form="squared_error"),
}


@pytest.fixture(scope="module")
def programs() -> dict[str, Any]:
    """Value and gradient of the sum of each form, compiled once."""

    def both(loss: Any, outputs: Any, targets: Any) -> Any:
        return loss(outputs, targets), jax.grad(lambda x: loss(x, targets).sum())(outputs)

    return {form: jax.jit(partial(both, loss)) for form, loss in FORMS.items()}


def test_the_form_that_texts_print(programs: dict[str, Any]) -> None:
    value, _ = programs["squared_error"](OUTPUTS.astype(np.float32), TARGETS)
    np.testing.assert_allclose(value, rows.as_printed(OUTPUTS, *PARTS), rtol=1e-5)


def test_squared_errors_of_the_box_alone() -> None:
    loss = partial(losses.localisation, size=SIZE, box_loss="squared_error", box_weight=2.0)
    value = jax.jit(loss)(OUTPUTS.astype(np.float32), TARGETS)
    np.testing.assert_allclose(value, rows.as_libraries(OUTPUTS, *PARTS, squared=True), rtol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_where_there_is_no_object_only_p_learns_and_nothing_else_is_read(
    form: str, programs: dict[str, Any]
) -> None:
    outputs = OUTPUTS.astype(np.float32)
    value, slope = programs[form](outputs, TARGETS)
    none = ~TARGETS["mask"][:, 0]
    assert (np.asarray(slope)[none, 1:] == 0).all()
    assert (np.asarray(slope)[none, 0] != 0).all()
    assert (np.asarray(slope)[~none] != 0).all()
    # Whatever stands in the empty places, NaN and labels of no class among it, changes no bit.
    wild = TARGETS | {
        "boxes": np.where(TARGETS["mask"][..., None], TARGETS["boxes"], np.nan),
        "labels": np.where(TARGETS["mask"], TARGETS["labels"], 99).astype(np.int32),
    }
    for ours, theirs in zip(programs[form](outputs, wild), (value, slope)):
        np.testing.assert_array_equal(ours, theirs)
    # Nor do outputs that could not be trained, in places where no object is.
    outputs[none, 1:] = np.inf
    for ours, theirs in zip(programs[form](outputs, TARGETS), (value, slope)):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "change",
    [
        {"labels": 3},
        {"labels": -1},
        {"boxes": [6, 1, 2, 5]},
        {"boxes": [2, 5, 6, 5]},
        {"boxes": [2, 1, np.nan, 5]},
    ],
)
def test_an_unsound_object_poisons_its_own_image(
    form: str, change: dict[str, Any], programs: dict[str, Any]
) -> None:
    outputs, targets = OUTPUTS.astype(np.float32), {name: part.copy() for name, part in TARGETS.items()}
    good = programs[form](outputs, targets)
    for name, value in change.items():
        targets[name][1, 0] = value
    for found, wanted in zip(programs[form](outputs, targets), good):
        assert np.isnan(np.asarray(found)[1]).all()
        np.testing.assert_array_equal(np.delete(found, 1, 0), np.delete(wanted, 1, 0))


def judged(outputs: Any, targets: Any) -> Any:
    metric = partial(metrics.localisation_accuracy, size=SIZE)
    right, classed = (metric(outputs, targets, classify=classify) for classify in (False, True))
    return right, classed, models.localise(outputs, size=SIZE)


def test_the_metric_by_hand() -> None:
    # One object over the left half of 8 x 16 pixels: bx 1/4, by 1/2, bh 1, bw 1/2.
    box, half = [0.25, 0.5, 1.0, 0.5], [0.25, 0.5, 0.5, 0.5]
    less = [0.25, 0.5, 0.49, 0.5]
    outputs = jnp.array([
        [1.0, *box, 0, 5], [1, *half, 0, 5], [1, *less, 0, 5], [-1, *box, 0, 5], [1, *box, 5, 0],
        [-1, *box, 0, 5], [1, *box, 0, 5], [jnp.nan, *box, 0, 5],
    ])  # fmt: skip
    there = np.array([[1], [1], [1], [1], [1], [0], [0], [0]])
    targets = {"boxes": np.tile(np.array([0, 0, 8, 8], np.float32), (8, 1, 1)), "mask": there,
               "labels": np.ones((8, 1), np.int32)}  # fmt: skip
    # Right: the box itself, and the half of it, whose IoU is .5; none where none is. The class may count.
    right, classed, found = jax.jit(judged)(outputs, targets)
    assert right.tolist() == [1, 1, 0, 0, 1, 1, 0, 0]
    assert classed.tolist() == [1, 1, 0, 0, 0, 1, 0, 0]
    np.testing.assert_allclose(found.boxes[0, 0], [0, 0, 8, 8])
    assert found.mask[:, 0].tolist() == [True, True, True, False, True, False, True, False]
    assert (np.asarray(found.boxes)[~np.asarray(found.mask)] == 0).all()
    assert found.labels[:, 0].tolist() == [1, 1, 1, 0, 0, 0, 1, 0]
    # In the printed form p is the chance itself.
    plain = models.localise(outputs.at[:, 0].set(0.6), size=SIZE, form="squared_error", score_threshold=0.6)
    np.testing.assert_allclose(plain.scores, 0.6)
    # There 0.4 is none, which as a logit would be one.
    low = outputs.at[:, 0].set(0.4)
    printed = metrics.localisation_accuracy(low, targets, size=SIZE, form="squared_error")
    assert printed.tolist() == [0, 0, 0, 0, 0, 1, 1, 1]


def test_a_box_out_of_the_image_is_cut_off_and_a_negative_side_is_none() -> None:
    outputs = jnp.array([[3.0, 0, 0, 1, 1, 0], [3, 0.5, 0.5, -1, 0.5, 0]])
    boxes = models.localise(outputs, size=SIZE).boxes[:, 0]
    np.testing.assert_allclose(boxes, [[0, 0, 8, 4], [4, 4, 12, 4]])


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"widths": ()}, ValueError, "1 to 4 blocks"),
        ({"widths": (4,) * 5}, ValueError, "each halves 16"),
        ({"widths": 16}, DtypeError, r"Fix: widths=\(16,\)"),
        ({"units": 0}, ValueError, "'units' is 0"),
        ({"size": 8.5}, DtypeError, "whole number"),
    ],
)
def test_bad_configs(change: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        models.LocaliserConfig(**({"size": 16, "widths": (4, 8)} | change))


def test_counts_and_images_of_another_size() -> None:
    config = models.LocaliserConfig(size=12, widths=(4, 8), units=5, num_classes=3)
    shaped = net.functional(lambda rngs: models.Localiser(config, rngs=rngs))
    params, _ = jax.eval_shape(shaped.init, jax.random.key(0))
    convolutions, norms = 9 * (4 + 4 * 8), 2 * (4 + 8)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == convolutions + norms + (72 + 1) * 5 + 6 * 8
    with pytest.raises(ShapeError, match="images of 12 x 12"):
        nnx.eval_shape(lambda: models.Localiser(config, rngs=nnx.Rngs(0))(jnp.zeros((1, 16, 16, 1))))


def test_learns_a_bright_square_through_fit_and_survives_its_file(tmp_path: Any) -> None:
    rng = np.random.default_rng(0)
    images, boxes = np.zeros((96, 8, 8, 1), np.uint8), np.zeros((96, 1, 4), np.float32)
    mask = np.arange(96)[:, None] % 3 > 0
    for i, (x, y) in enumerate(rng.integers(0, 5, (96, 2))):
        if mask[i, 0]:
            images[i, y : y + 4, x : x + 4], boxes[i, 0] = 255, (x, y, x + 4, y + 4)
    targets = {"boxes": boxes, "labels": np.zeros((96, 1), np.int32), "mask": mask}
    config = models.LocaliserConfig(size=8, widths=(8,), units=16, num_classes=1)
    fitted = train.fit(
        net.functional(lambda rngs: models.Localiser(config, rngs=rngs)), (images, targets),
        loss=partial(losses.localisation, size=8), optimizer=optim.adam(0.01), epochs=25, batch_size=32,
        metrics={"localised": partial(metrics.localisation_accuracy, size=8)}, train_metrics=True,
        scaling=scaling.pixels(), progress="off",
    )  # fmt: skip
    assert fitted.history["localised"][-1] > 0.9
    again = train.load(train.save(tmp_path / "localiser.safetensors", fitted))
    found = models.localise(again.predict(images), size=8)
    result = metrics.mean_average_precision(found, targets, num_classes=1)
    assert result.mean > 0.8
