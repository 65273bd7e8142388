"""Recurrent layers: each convention by its formula, pieces, padding, dropout, layer norm, bad input."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from flax import nnx
from recurrent_nets import drawn, network

from jaxdl import layers, net
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.initializers import library_default

GOLDEN = Path(__file__).parents[1] / "golden" / "recurrent.npz"
BATCH, TIME, INPUTS, FEATURES = 3, 5, 2, 4
LENGTHS = jnp.array([3, 5, 1])
RNGS = nnx.Rngs(0)


def made(kind: str = "GRU", features: int = FEATURES, **options: Any) -> net.Net:
    return network(getattr(layers, kind), INPUTS, features, **options)


def sequences(seed: int = 1) -> jax.Array:
    return jax.random.normal(jax.random.key(seed), (BATCH, TIME, INPUTS))


def run(net_: net.Net, params: Any, x: jax.Array, **given: Any) -> Any:
    return jax.jit(lambda params, x, given: net_.apply(params, {}, {"x": x, **given}, train=False)[0])(
        params, x, given
    )


def by_hand(kind: str, options: dict[str, Any], w: dict[str, Any], x: np.ndarray, carry: Any) -> Any:
    """Take one step as the formulas are printed, in float64."""
    h, c = carry
    gates = [np.split(w[name], w["bias"].size // FEATURES, -1) for name in ("input", "recurrent", "bias")]
    z = [x @ a + h @ u + b for a, u, b in zip(*gates, strict=True)]
    if kind == "LSTM":
        look = w.get("peephole", np.zeros((3, FEATURES)))
        i = oracles.sigmoid(z[0] + look[0] * c)
        f = 1 - i if options.get("coupled") else oracles.sigmoid(z[1] + look[1] * c)
        c = f * c + i * np.tanh(z[-2])
        o = oracles.sigmoid(z[-1] + look[-1] * c)
        return o * (np.tanh(c) if options.get("output_tanh", True) else c), c
    r, u = oracles.sigmoid(z[0]), oracles.sigmoid(z[-2])
    held = gates[1][-1]
    after = r * (h @ held + w.get("recurrent_bias", 0.0))
    inside = {None: h @ held, "before": (r * h) @ held, "after": after}[options.get("reset", "after")]
    n = np.tanh(x @ gates[0][-1] + gates[2][-1] + inside)
    u = u if options.get("update") == "candidate" else 1 - u
    return u * n + (1 - u) * h, c


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("GRU", {"reset": None, "update": "candidate"}),
        ("GRU", {"reset": "before"}),
        ("GRU", {"update": "candidate"}),
        ("LSTM", {"output_tanh": False}),
        ("LSTM", {"peephole": True}),
        ("LSTM", {"peephole": True, "coupled": True, "output_tanh": False}),
    ],
)
def test_conventions_equal_their_formulas(kind: str, options: dict[str, Any]) -> None:
    net_ = made(kind, **options)
    params, x = drawn(net_), sequences()
    outputs, carry = run(net_, params, x)
    leaves = params["layer"]["layers"][0]["forward"]
    w = {name: np.asarray(leaf, np.float64) for name, leaf in leaves.items()}
    state: Any = (np.zeros((BATCH, FEATURES)),) * 2
    for t in range(TIME):
        state = by_hand(kind, options, w, np.asarray(x[:, t], np.float64), state)
        np.testing.assert_allclose(outputs[:, t], state[0], rtol=1e-5, atol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5),
                 carry, state if kind == "LSTM" else state[0])  # fmt: skip


def test_textbook_forms_by_name() -> None:
    gru = nnx.eval_shape(lambda: layers.GRU.textbook(2, 3, rngs=nnx.Rngs(0)))
    lstm = nnx.eval_shape(lambda: layers.LSTM.textbook(2, 3, num_layers=2, rngs=nnx.Rngs(0)))
    options = [dict(layer.layers[0].forward.convention.options) for layer in (gru, lstm)]
    assert (options[0]["reset"], options[0]["update"], options[1]["output_tanh"]) == (
        None,
        "candidate",
        False,
    )
    assert len(lstm.layers) == 2


def test_the_gru_of_the_texts_is_torchs_with_an_open_reset_gate() -> None:
    """r = 1 and u = sigmoid(-z): the layer that equals torch, its reset bias so large that r is 1."""
    text, full = made("GRU", reset=None, update="candidate"), made("GRU")
    params, x = drawn(text), sequences()
    leaves = params["layer"]["layers"][0]["forward"]
    blocks = {name: jnp.split(leaf, 2, -1) for name, leaf in leaves.items()}
    wide = {
        name: jnp.concatenate([jnp.zeros_like(u) + 50 * (name == "bias"), -u, c], -1)
        for name, (u, c) in blocks.items()
    }
    twin = {"layer": {"layers": {0: {"forward": wide | {"recurrent_bias": jnp.zeros(FEATURES)}}}}}
    np.testing.assert_allclose(run(text, params, x)[0], run(full, twin, x)[0], rtol=1e-5, atol=1e-6)


def test_reset_before_equals_keras() -> None:
    with np.load(GOLDEN) as golden:
        found = {key.removeprefix("keras/"): golden[key] for key in golden.files if key.startswith("keras/")}
    # Keras has its update gate in front.
    order = {name: np.split(found[name], 3, -1) for name in ("input", "recurrent", "bias")}
    cell = {name: jnp.asarray(np.concatenate([r, z, n], -1)) for name, (z, r, n) in order.items()}
    params = {"layer": {"layers": {0: {"forward": cell}}}}
    outputs, h = run(made("GRU", reset="before"), params, jnp.asarray(found["x"]))
    np.testing.assert_allclose(outputs, found["outputs"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(h, found["outputs"][:, -1], rtol=1e-5, atol=1e-6)


def test_pieces_equal_the_whole_and_their_gradients_stop() -> None:
    """Ragged sequences cut in two, of which some end in the first piece."""
    net_ = made("LSTM")
    params, x = drawn(net_), sequences()
    whole, last = run(net_, params, x, lengths=LENGTHS)

    def in_pieces(x: jax.Array, stop: bool) -> Any:
        first = {"x": x[:, :2], "lengths": jnp.minimum(LENGTHS, 2)}
        before, carry = net_.apply(params, {}, first, train=True)[0]
        carry = jax.lax.stop_gradient(carry) if stop else carry
        rest = {"x": x[:, 2:], "lengths": jnp.maximum(LENGTHS - 2, 0), "carry": carry}
        after, carry = net_.apply(params, {}, rest, train=True)[0]
        return after.sum(), (jnp.concatenate([before, after], 1), carry)

    @jax.jit
    def both(x: jax.Array) -> Any:
        return [jax.grad(in_pieces, has_aux=True)(x, stop) for stop in (False, True)]

    for stop, (reached, (outputs, carry)) in enumerate(both(x)):
        np.testing.assert_allclose(outputs, whole, rtol=1e-6, atol=1e-6)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6), carry, last)
        assert bool((reached[:2, :2] != 0).all()) is not bool(stop)
        assert not reached[2].any()  # ended before


def test_padding_changes_nothing_by_a_bit() -> None:
    net_ = made("GRU", num_layers=2, bidirectional=True, layer_norm=True)
    params, x = drawn(net_), sequences()
    inside = (jnp.arange(TIME)[None] < LENGTHS[:, None])[..., None]

    def loss(params: Any, x: jax.Array) -> Any:
        y, carry = net_.apply(params, {}, {"x": x, "lengths": LENGTHS}, train=True)[0]
        return sum(leaf.sum() for leaf in jax.tree.leaves((y * jnp.cos(y), carry))), (y, carry)

    both = jax.jit(jax.value_and_grad(loss, (0, 1), has_aux=True))
    clean, dirty = (both(params, jnp.where(inside, x, filling)) for filling in (0.0, jnp.nan))
    jax.tree.map(np.testing.assert_array_equal, clean, dirty)
    assert jax.tree.all(jax.tree.map(lambda leaf: np.isfinite(leaf).all(), clean))
    (_, (y, carry)), (_, d_x) = clean
    assert not np.where(inside, 0, y).any()
    assert not np.where(inside, 0, d_x).any()
    # Behind the norm of the outputs the carry is as the cell left it.
    norm = params["layer"]["layers"][1]["norm"]
    row = np.concatenate(carry[2:], -1, dtype=np.float64)[2]  # of one step: both directions end there
    normed = (row - row.mean()) / np.sqrt(row.var() + 1e-5) * norm["scale"] + norm["bias"]
    np.testing.assert_allclose(y[2, 0], normed, rtol=1e-4, atol=1e-4)


def test_last_step_and_traced_lengths_out_of_range_that_poison_their_example_alone() -> None:
    net_ = made("GRU", bidirectional=True)
    params, x = drawn(net_), sequences()

    @jax.jit
    def ends(lengths: jax.Array) -> Any:
        outputs, carry = net_.apply(params, {}, {"x": x, "lengths": lengths}, train=False)[0]
        return outputs, carry, layers.last_step(outputs, lengths, bidirectional=True)

    good = ends(LENGTHS)
    np.testing.assert_array_equal(good[2], np.concatenate(good[1], -1))  # the last step is the carry
    for wrong in (0, TIME + 1, -1):
        for a, b in zip(jax.tree.leaves(ends(LENGTHS.at[1].set(wrong))), jax.tree.leaves(good), strict=True):
            assert np.isnan(a[1]).all()
            np.testing.assert_array_equal(a[::2], b[::2])


def test_dropout_acts_between_layers_alone(key: jax.Array) -> None:
    """With the identity of relu as its cells: what is dropped after the first layer, scaled up, is seen."""
    net_ = made("RNN", 200, num_layers=2, activation="relu", dropout="rate")
    params = jax.tree.map(jnp.zeros_like, jax.eval_shape(net_.init, key)[0])
    first, second = (params["layer"]["layers"][i]["forward"] for i in (0, 1))
    first["bias"] += 1.0
    second["input"] = jnp.eye(200)
    x = sequences()

    @jax.jit
    def outputs(rate: Any) -> jax.Array:
        given = {"x": x, "lengths": LENGTHS}
        return net_.apply(params, {}, given, train=True, key=key, hyper={"rate": rate})[0][0]

    y = outputs(0.25)
    values = {round(float(v), 4) for v in np.unique(y[1])}
    assert values == {0.0, 1.3333}
    assert float((y[1] == 0).mean()) == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / 1000))
    assert not y[0, 3:].any()
    assert (y[1, 0] != y[1, 1]).any()  # drawn anew at every step
    np.testing.assert_array_equal(outputs(0.0)[1], 1.0)
    still = run(net_, params, x)[0]
    np.testing.assert_array_equal(still, 1.0)


def test_weights_start_as_they_are_said_to() -> None:
    @jax.jit
    def weights() -> Any:
        cells = [
            layer.layers[0].forward
            for layer in (
                layers.LSTM(90, 30, forget_bias=1.0, rngs=nnx.Rngs(0)),
                layers.RNN(2, 16, kernel_init=torch, recurrent_init=torch, bias_init=torch, rngs=nnx.Rngs(1)),
            )
        ]
        return [(cell.input[...], cell.recurrent[...], cell.bias[...]) for cell in cells]

    torch = library_default("torch", inputs=16)
    (kernel, recurrent, bias), rest = weights()
    for block in np.split(np.asarray(recurrent), 4, -1):
        np.testing.assert_allclose(block.T @ block, np.eye(30), atol=1e-5)
    np.testing.assert_array_equal(bias, np.repeat([0.0, 1.0, 0.0, 0.0], 30))
    assert float(kernel.var()) * 60 == pytest.approx(1, rel=0.05)  # Xavier's, of every gate for itself
    assert all(0.1 < float(abs(leaf).max()) <= 0.25 for leaf in rest)


X = jnp.ones((BATCH, TIME, INPUTS))
H = jnp.zeros((BATCH, FEATURES))


@pytest.mark.parametrize(
    ("kind", "options", "given", "error", "words"),
    [
        ("GRU", {}, {"lengths": jnp.array([5, 6, 1])}, ValueError, r"\[1\]' is 6; expected within \[1, 5\]"),
        ("GRU", {}, {"lengths": jnp.array([5, 0, 1])}, ValueError, r"\[1\]' is 0; expected within \[1, 5\]"),
        ("GRU", {}, {"lengths": jnp.array([5, -1, 1]), "carry": H}, ValueError, r"-1; .* within \[0, 5\]"),
        ("GRU", {}, {"lengths": jnp.array([5, 3])}, ShapeError, r"'lengths' is of shape \(2,\)"),
        ("GRU", {}, {"lengths": jnp.ones(3)}, DtypeError, "'lengths' is of dtype float32"),
        ("GRU", {}, {"lengths": [5, 3, 1]}, DtypeError, "'lengths' is a list"),
        ("GRU", {}, {"carry": H[:2]}, ShapeError, r"'carry' is of shape \(2, 4\); expected \(3, 4\)"),
        ("GRU", {}, {"carry": (H, H)}, ShapeError, "'carry' is of structure"),
        ("GRU", {}, {"carry": H.astype(int)}, DtypeError, "'carry' is of dtype int32"),
        ("LSTM", {}, {"carry": H}, ShapeError, "'carry' is of structure"),
        ("LSTM", {"num_layers": 2}, {"carry": (H, H, H)}, ShapeError, "is 3 of them; expected a tuple of 2"),
        ("RNN", {"bidirectional": True}, {"carry": H}, ShapeError, "tuple of 2, of 1 layers in 2 directions"),
        ("RNN", {}, {"x": X[0]}, ShapeError, r"is of shape \(5, 2\); expected \(batch, time, features\)"),
        ("RNN", {}, {"x": X[..., :1]}, ShapeError, r"with 2 features.*RNN\(1, ...\)"),
        ("RNN", {}, {"x": X[:, :0]}, ShapeError, "some time"),
        ("RNN", {}, {"x": X.astype(int)}, DtypeError, "'x' is of dtype int32"),
    ],
)  # fmt: skip
def test_bad_calls_are_told(
    kind: str, options: Any, given: dict[str, Any], error: type[Exception], words: str
) -> None:
    make = getattr(layers, kind)
    with pytest.raises(error, match=words):
        nnx.eval_shape(lambda: make(INPUTS, FEATURES, rngs=nnx.Rngs(0), **options)(**({"x": X} | given)))


@pytest.mark.parametrize(
    ("kind", "options", "error", "words"),
    [
        ("RNN", {"num_layers": 0}, ValueError, "'num_layers' is 0; expected at least 1"),
        ("RNN", {"num_layers": 1.5}, DtypeError, "'num_layers' is 1.5"),
        ("RNN", {"dropout": 1.0, "num_layers": 2}, ValueError, r"'dropout' is 1.0; expected \[0, 1\)"),
        ("RNN", {"dropout": 0.5}, ValueError, "'dropout' is 0.5; expected 0 where there is one layer"),
        ("RNN", {"activation": "sigmoid"}, ValueError, "expected one of 'tanh', 'relu'"),
        ("RNN", {"bidirectional": "yes"}, ValueError, "'bidirectional' is 'yes'"),
        ("RNN", {"implementation": "fast"}, ValueError, "RNN: argument 'implementation' is 'fast'"),
        ("GRU", {"reset": "never"}, ValueError, "'reset' is 'never'"),
        ("GRU", {"update": "forget"}, ValueError, "'update' is 'forget'"),
        ("LSTM", {"coupled": True, "forget_bias": 1.0}, ValueError, "there is no forget gate of its own"),
        ("LSTM", {"peephole": 2}, ValueError, "'peephole' is 2"),
    ],
)
def test_bad_options_are_told(kind: str, options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        getattr(layers, kind)(INPUTS, FEATURES, rngs=RNGS, **options)
    with pytest.raises(ValueError, match="'features' is 0"):
        getattr(layers, kind)(INPUTS, 0, rngs=RNGS)
