"""Any cell in the recurrent stack: flax's, one that draws numbers, in a fit; and what is no cell."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from recurrent_nets import drawn, network

from jaxdl import layers, losses, net, optim, train
from jaxdl.errors import ShapeError

BATCH, TIME, INPUTS, FEATURES = 3, 4, 2, 5
LENGTHS = jnp.array([3, 4, 1])


def gru_cell(inputs: int, rngs: nnx.Rngs) -> nnx.Module:
    return nnx.GRUCell(inputs, FEATURES, rngs=rngs)


def lstm_cell(inputs: int, rngs: nnx.Rngs) -> nnx.Module:
    return nnx.LSTMCell(inputs, FEATURES, rngs=rngs)


def in_blocks(cell: Any) -> dict[str, jax.Array]:
    """Return the weights of flax's LSTM cell as ours, gates side by side."""
    parts = {"input": ("ii", "if_", "ig", "io"), "recurrent": ("hi", "hf", "hg", "ho")}
    blocks = {leaf: [cell[name]["kernel"] for name in names] for leaf, names in parts.items()}
    blocks["bias"] = [cell[name]["bias"] for name in parts["recurrent"]]
    return {leaf: jnp.concatenate(arrays, -1) for leaf, arrays in blocks.items()}


class Noisy(nnx.Module):
    """A cell that counts its steps and drops what it puts out."""

    def __init__(self) -> None:
        self.dropout = layers.Dropout("rate", rngs=nnx.Rngs(0))

    def initial(self, x: jax.Array) -> jax.Array:
        return jnp.zeros_like(x)

    def __call__(self, carry: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return carry + 1, self.dropout(jnp.ones_like(x))


class Counts(nnx.Module):
    """A cell that counts its steps and looks at nothing."""

    def initial(self, x: jax.Array) -> jax.Array:
        return jnp.zeros_like(x)

    def __call__(self, carry: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return carry + 1, carry + 1


class Ends(nnx.Module):
    """A recurrent layer of flax's cells, its last step, and a head."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.recurrent = layers.Recurrent(gru_cell, INPUTS, FEATURES, bidirectional=True, rngs=rngs)
        self.head = layers.Linear(2 * FEATURES, 1, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.head(layers.last_step(self.recurrent(x)[0], bidirectional=True))


def test_the_lstm_of_flax_equals_ours() -> None:
    """In both directions, with lengths; flax's carry is (c, h)."""
    theirs = network(layers.Recurrent, lstm_cell, INPUTS, FEATURES, bidirectional=True)
    ours = network(layers.LSTM, INPUTS, FEATURES, bidirectional=True)
    params = drawn(theirs)
    runs = params["layer"]["layers"][0]
    twin = {"layer": {"layers": {0: {way: in_blocks(run["cell"]) for way, run in runs.items()}}}}
    x = jax.random.normal(jax.random.key(0), (BATCH, TIME, INPUTS)).at[2, 1:].set(jnp.nan)
    given = {"x": x, "lengths": LENGTHS}
    found = jax.jit(lambda given: theirs.apply(params, {}, given, train=True)[0])(given)
    wanted = jax.jit(lambda given: ours.apply(twin, {}, given, train=True)[0])(given)
    np.testing.assert_allclose(found[0], wanted[0], rtol=1e-5, atol=1e-6)
    for (c, h), (h_ours, c_ours) in zip(found[1], wanted[1], strict=True):
        np.testing.assert_allclose(c, c_ours, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(h, h_ours, rtol=1e-5, atol=1e-6)


def test_a_cell_draws_anew_at_every_step_and_not_in_evaluation(key: jax.Array) -> None:
    noisy = net.functional(lambda rngs: layers.Recurrent(lambda *_: Noisy(), 50, 50, rngs=rngs))
    x = jnp.zeros((2, TIME, 50))
    run = jax.jit(lambda key: noisy.apply({}, {}, x, train=True, key=key, hyper={"rate": 0.5})[0])
    y, carry = run(key)
    assert set(np.unique(y)) == {0.0, 2.0}
    masks = {np.asarray(y[:, t]).tobytes() for t in range(TIME)}
    assert len(masks) == TIME
    np.testing.assert_array_equal(carry, TIME)
    np.testing.assert_array_equal(run(key)[0], y)
    assert (run(jax.random.key(1))[0] != y).any()
    (still, _), _ = noisy.apply({}, {}, x, train=False)
    np.testing.assert_array_equal(still, 1.0)
    with pytest.raises(TypeError, match="key"):
        noisy.apply({}, {}, x, train=True, hyper={"rate": 0.5})


def test_it_is_fitted() -> None:
    """The first step is the target, through four steps of a cell."""
    x = np.random.default_rng(0).normal(size=(64, TIME, INPUTS)).astype(np.float32)
    fitted = train.fit(
        net.functional(Ends), (x, x[:, 0, :1]), loss=losses.squared_error, optimizer=optim.adam(0.03),
        epochs=15, batch_size=16, progress="off",
    )  # fmt: skip
    assert fitted.history["loss"][-1] < 0.3 * fitted.history["loss"][0]


class Wrong(nnx.Module):
    """A cell that fails in the way it is asked to."""

    def __init__(self, way: str) -> None:
        self.way = way

    def initial(self, x: jax.Array) -> Any:
        return jnp.zeros(3) if self.way == "unbatched" else jnp.zeros_like(x)

    def __call__(self, carry: Any, x: jax.Array) -> Any:
        grown = {"shape": x[:, :1], "structure": (carry, carry)}.get(self.way, carry)
        return grown, x[:, :1] if self.way == "output" else x


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        ("GRU", TypeError, "'make' is a str; expected a function"),
        (
            lambda inputs, rngs: layers.Linear(inputs, 2, rngs=rngs),
            TypeError,
            "returns a Linear",
        ),
        (lambda *_: None, TypeError, "returns a NoneType"),
        (
            lambda *_: Wrong("unbatched"),
            ShapeError,
            r"\(3,\), made by the cell",
        ),
        (lambda *_: Wrong("output"), ShapeError, r"output is \(2, 1\); expected \(2, 2\)"),
        (lambda *_: Wrong("shape"), ShapeError, r"'carry' is of shape \(2, 1\); expected \(2, 2\)"),
        (lambda *_: Wrong("structure"), ShapeError, "return the carry in the form that came in"),
    ],
)
def test_what_is_no_cell_is_told(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        nnx.eval_shape(lambda: layers.Recurrent(make, 2, 2, rngs=nnx.Rngs(0))(jnp.ones((2, TIME, 2))))


def test_a_bad_length_poisons_what_a_cell_makes_without_its_input() -> None:
    recurrent = layers.Recurrent(lambda inputs, rngs: Counts(), INPUTS, INPUTS, rngs=nnx.Rngs(0))
    graph, state = nnx.split(recurrent)
    run = jax.jit(lambda lengths: nnx.merge(graph, state)(jnp.ones((2, TIME, INPUTS)), lengths=lengths))
    y, carry = run(jnp.array([TIME + 1, 2]))
    assert np.isnan(y[0]).all()
    assert np.isnan(carry[0]).all()
    assert np.array_equal(y[1, :, 0], [1, 2, 0, 0])
