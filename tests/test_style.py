"""Style transfer: the terms, the descent against a loop by hand, and how a run ends."""

import signal
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdl import net, optim, style
from jaxdl.errors import DivergenceError, DtypeError, Interrupted, ShapeError
from jaxdl.style import StyleFeatures, StyleFeaturesConfig, content_loss, style_loss, total_variation
from jaxdl.train.progress import Reporter

CONFIG = StyleFeaturesConfig(blocks=((4,), (4,)))
NET = net.functional(lambda rngs: StyleFeatures(CONFIG, rngs=rngs))
LOW, HIGH = "blocks/0/layers/1", "blocks/1/layers/1"
RULE = optim.adam(0.02)
OPTIONS = {
    "content_layers": HIGH, "style_layers": {LOW: 0.25, HIGH: 0.75},
    "alpha": 2.0, "beta": 30.0, "gamma": 1e-3, "steps": 12, "optimizer": RULE, "progress": "off",
}  # fmt: skip


@pytest.fixture(scope="module")
def model() -> tuple[Any, Any]:
    return NET.init(jax.random.key(0))


@pytest.fixture(scope="module")
def pictures() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.random((8, 10, 3), dtype=np.float32), rng.random((12, 6, 3), dtype=np.float32) ** 3


@pytest.fixture(scope="module")
def made(model: Any, pictures: Any) -> style.Transfer:
    return style.transfer(NET, *model, *pictures, **OPTIONS)


def test_descends_as_a_loop_by_hand(model: Any, pictures: Any, made: style.Transfer) -> None:
    content, other = (jnp.asarray(picture)[None] for picture in pictures)

    def features(x: jax.Array) -> dict[str, jax.Array]:
        return {path: found.value for path, found in NET.trace(*model, x, train=False).items()}

    @jax.jit
    def step(x: jax.Array, state: Any) -> Any:
        def cost(x: jax.Array) -> Any:
            found, of_content, of_style = features(x), features(content), features(other)
            terms = (
                content_loss(found[HIGH], of_content[HIGH], normaliser="mean")[0],
                0.25 * style_loss(found[LOW], of_style[LOW], normaliser="mean")[0]
                + 0.75 * style_loss(found[HIGH], of_style[HIGH], normaliser="mean")[0],
                total_variation(x)[0],
            )
            return 2.0 * terms[0] + 30.0 * terms[1] + 1e-3 * terms[2], terms

        (total, terms), gradient = jax.value_and_grad(cost, has_aux=True)(x)
        updates, state = RULE.update(gradient, state, x)
        return jnp.clip(x + updates, 0, 1), state, jnp.array([total, *terms])

    x, state, rows = content, RULE.init(content), []
    for _ in range(13):
        last = x
        x, state, row = step(x, state)
        rows.append(row)
    for column, name in enumerate(("total", "content", "style", "variation")):
        np.testing.assert_allclose(made.history[name], np.stack(rows)[:, column], rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(made.picture, last[0], atol=1e-3)
    assert made.history["content"][0] == 0
    assert made.history["style"][-1] < 0.5 * made.history["style"][0]
    assert made.steps == 12


def test_chunks_do_not_change_the_picture(
    model: Any, pictures: Any, made: style.Transfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seconds in (0.0, 1e9):
        monkeypatch.setattr(sys.modules["jaxdl.style.transfer"], "CHUNK_SECONDS", seconds)
        again = style.transfer(NET, *model, *pictures, **OPTIONS)
        np.testing.assert_array_equal(again.picture, made.picture)


def test_starts_from_noise_and_from_a_picture(model: Any, pictures: Any, made: style.Transfer) -> None:
    noise = [
        style.transfer(NET, *model, *pictures, start="noise", key=jax.random.key(seed), **OPTIONS)
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(noise[0].picture, noise[1].picture)
    assert np.abs(noise[0].picture - noise[2].picture).max() > 0.1
    assert noise[0].history["content"][0] > 0
    again = style.transfer(NET, *model, *pictures, start=np.asarray(pictures[0]), **OPTIONS)
    np.testing.assert_array_equal(again.picture, made.picture)
    assert all(run.picture.min() >= 0 and run.picture.max() <= 1 for run in (*noise, made))


def test_interrupted_runs_give_the_picture_so_far(
    model: Any, pictures: Any, made: style.Transfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = Reporter.status

    def status(self: Reporter, cells: Any, done: int | None = None) -> None:
        shown(self, cells, done)
        if done == 1:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Reporter, "status", status)
    with pytest.raises(Interrupted, match=r"SIGINT stopped the run after step 1 of 12") as caught:
        style.transfer(NET, *model, *pictures, **OPTIONS)
    part = caught.value.fitted
    assert part.steps == 1
    np.testing.assert_array_equal(part.history["total"], made.history["total"][:1])
    assert np.abs(part.picture - pictures[0]).max() > 0


def test_divergence_is_named(model: Any, pictures: Any) -> None:
    options = {**OPTIONS, "preprocess": _blown_up}
    with pytest.raises(DivergenceError, match=r"diverged at step 0: total nan") as caught:
        style.transfer(NET, *model, *pictures, **options)
    np.testing.assert_array_equal(caught.value.last_good, pictures[0])


def _blown_up(x: jax.Array) -> jax.Array:
    return x * jnp.inf


@pytest.mark.slow
def test_random_features_keep_lengths(model: Any) -> None:
    params, _ = model
    kernel = params["blocks"][1]["layers"][0]["kernel"].reshape(-1, 4)
    np.testing.assert_allclose(kernel.T @ kernel, 2 * np.eye(4), atol=1e-5)
    shapes = {
        path: found.value.shape
        for path, found in NET.trace(*model, jnp.ones((1, 8, 8, 3)), train=False).items()
    }
    assert shapes[LOW] == (1, 8, 8, 4)
    assert shapes[HIGH] == (1, 4, 4, 4)
    for bad in (jnp.ones((1, 8, 8, 1)), jnp.ones((8, 8, 3)), jnp.ones((1, 1, 8, 3))):
        with pytest.raises(ShapeError, match="StyleFeatures: argument 'x'"):
            NET.apply(*model, bad, train=False)


def test_a_feature_network_of_no_sense_is_refused() -> None:
    for blocks, error, words in (
        (((4,), ()), ValueError, "at least one block of at least one width"),
        (((0,),), ValueError, "at least 1"),
        (((4.5,),), DtypeError, "whole number"),
    ):
        with pytest.raises(error, match=words):
            StyleFeaturesConfig(blocks=blocks)
    with pytest.raises(ValueError, match="'orthogonal', 'he'"):
        StyleFeaturesConfig(kernel_init="zeros")


def test_gatys_loss_is_that_of_the_paper_for_one_size() -> None:
    rng = np.random.default_rng(1)
    f, a = rng.normal(size=(2, 1, 5, 7, 3)).astype(np.float32)
    grams = [x.reshape(35, 3).T @ x.reshape(35, 3) for x in (f[0], a[0])]
    paper = np.sum((grams[0] - grams[1]) ** 2) / (4 * 3**2 * 35**2)
    np.testing.assert_allclose(style_loss(f, a)[0], paper, rtol=1e-5)
