"""Recurrent kernels: every formulation against the plain scan, each convention, padding, cuDNN's weights."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from jaxdl.kernels import _recurrent_cudnn as cudnn
from jaxdl.kernels import recurrent
from jaxdl.kernels.recurrent import Weights

BATCH, TIME, IN, WIDE = 3, 4, 2, 3
LENGTHS = jnp.array([4, 1, 3])
OWN = ("inner", "hoisted", "summed")
FORMS: list[tuple[str, dict[str, Any], bool]] = [
    *(("rnn", {"activation": name}, False) for name in ("tanh", "relu")),
    *(
        ("gru", {"reset": reset, "update": update}, False)
        for reset, update in (("after", "state"), ("before", "candidate"), (None, "candidate"))
    ),
    *(
        ("lstm", {"output_tanh": tanh, "coupled": coupled}, looks)
        for tanh, coupled, looks in ((True, False, False), (False, False, True), (True, True, True))
    ),
]  # fmt: skip
ALL = pytest.mark.parametrize(
    ("kind", "options", "looks"), FORMS, ids=lambda value: str(value).replace(" ", "") if value else ""
)


def given(kind: str, options: dict[str, Any], looks: bool = False, seed: int = 0) -> tuple[Any, ...]:
    """x, carry, weights."""
    rng = np.random.default_rng(seed)
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[kind]
    gates -= options.get("coupled", False) or options.get("reset", "") is None

    def draw(*shape: int) -> jax.Array:
        return jnp.asarray(rng.normal(size=shape), jnp.float32)

    h = draw(BATCH, WIDE)
    weights = Weights(draw(IN, gates * WIDE), draw(WIDE, gates * WIDE), draw(gates * WIDE))
    weights = weights._replace(
        recurrent_bias=draw(WIDE) if options.get("reset") == "after" else None,
        peephole=draw(gates - 1, WIDE) if looks else None,
    )
    return draw(BATCH, TIME, IN), (h, draw(BATCH, WIDE)) if kind == "lstm" else h, weights


def cost(
    kind: str, options: dict[str, Any], lengths: Any, reverse: bool, how: str | None, *arrays: Any
) -> Any:
    """A scalar that every output and every part of the last carry moves in its own way."""
    y, carry = getattr(recurrent, kind)(
        *arrays, lengths=lengths, reverse=reverse, implementation=how, **options
    )
    scale = jnp.arange(1.0, y.size + 1).reshape(y.shape) / y.size
    return jnp.sum(jnp.sin(y) * scale) + sum(jnp.sum(jnp.cos(part)) for part in jax.tree.leaves(carry))


@ALL
def test_gradients_are_those_of_the_plain_scan(kind: str, options: dict[str, Any], looks: bool) -> None:
    arrays = given(kind, options, looks)
    ways = ((None, False), (LENGTHS, True))

    @jax.jit
    def every(arrays: Any) -> Any:
        return [
            [jax.value_and_grad(partial(cost, kind, options, *way, how), (0, 1, 2))(*arrays) for way in ways]
            for how in ("scan", *OWN)
        ]

    plain, *own = every(arrays)
    for found in own:
        jax.tree.map(partial(np.testing.assert_allclose, rtol=2e-5, atol=2e-5), found, plain)


def by_hand(options: dict[str, Any], x: Any, carry: tuple[Any, Any], w: Weights) -> tuple[Any, Any]:
    """Take one step as the formulas are printed, in float64; what the options lack says which cell it is."""
    h, c = carry
    blocks = len(w.bias) // WIDE
    z, v = (np.split(part, blocks, -1) for part in (x @ w.input + w.bias, h @ w.recurrent))
    if "activation" in options:
        return {"tanh": np.tanh, "relu": lambda s: np.maximum(s, 0)}[options["activation"]](z[0] + v[0]), c
    if "reset" in options:
        r, u = oracles.sigmoid(z[0] + v[0]), oracles.sigmoid(z[-2] + v[-2])
        u = u if options["update"] == "candidate" else 1 - u
        before = (r * h) @ w.recurrent[:, -WIDE:]
        held = 0 if w.recurrent_bias is None else w.recurrent_bias
        inside = {None: v[-1], "before": before, "after": r * (v[-1] + held)}
        return u * np.tanh(z[-1] + inside[options["reset"]]) + (1 - u) * h, c
    look = np.zeros((3, WIDE)) if w.peephole is None else w.peephole
    i = oracles.sigmoid(z[0] + v[0] + look[0] * c)
    f = 1 - i if options["coupled"] else oracles.sigmoid(z[1] + v[1] + look[1] * c)
    c = f * c + i * np.tanh(z[-2] + v[-2])
    o = oracles.sigmoid(z[-1] + v[-1] + look[-1] * c)
    return o * (np.tanh(c) if options["output_tanh"] else c), c


@ALL
def test_each_form_is_its_formula(kind: str, options: dict[str, Any], looks: bool) -> None:
    x, start, weights = given(kind, options, looks)
    outputs, _ = getattr(recurrent, kind)(x, start, weights, implementation="scan", **options)
    exact = Weights(*(None if part is None else np.asarray(part, np.float64) for part in weights))
    carry = tuple(np.asarray(part, np.float64) for part in (start if kind == "lstm" else (start, start)))
    for step in range(TIME):
        carry = by_hand(options, np.asarray(x[:, step], np.float64), carry, exact)
        np.testing.assert_allclose(outputs[:, step], carry[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("how", ["scan", *OWN])
@pytest.mark.parametrize("reverse", [False, True])
def test_padding_changes_nothing_by_a_bit(how: str, reverse: bool) -> None:
    x, carry, weights = given("lstm", {})
    inside = jnp.arange(TIME)[None, :, None] < LENGTHS[:, None, None]

    @jax.jit
    def run(x: Any) -> Any:
        y, last = recurrent.lstm(x, carry, weights, lengths=LENGTHS, reverse=reverse, implementation=how)
        slopes = jax.grad(partial(cost, "lstm", {}, LENGTHS, reverse, how), (0, 1, 2))(x, carry, weights)
        return y, last, slopes

    clean = run(x)
    assert not np.any(np.where(inside, 0, clean[0]))
    assert not np.any(np.where(inside, 0, clean[2][0]))
    for filling in (jnp.nan, jnp.inf, 1e30):
        dirty = run(jnp.where(inside, x, filling))
        jax.tree.map(np.testing.assert_array_equal, dirty, clean)


def test_a_sequence_in_pieces_is_the_whole() -> None:
    x, carry, weights = given("lstm", {})
    whole, last = recurrent.lstm(x, carry, weights)
    first, between = recurrent.lstm(x[:, :3], carry, weights)
    second, end = recurrent.lstm(x[:, 3:], between, weights)
    np.testing.assert_allclose(jnp.concatenate([first, second], 1), whole, atol=1e-6)
    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-6), end, last)


@pytest.mark.parametrize("how", OWN)
def test_no_reset_is_torch_with_an_open_gate(how: str) -> None:
    """r = 1 and u = sigmoid(-z): a reset gate with a bias of 40 is 1 in float32."""
    x, h, weights = given("gru", {"reset": None})
    size = WIDE

    def widened(part: jax.Array, fill: float) -> jax.Array:
        gate = jnp.full((*part.shape[:-1], size), fill)
        return jnp.concatenate([gate, -part[..., :size], part[..., size:]], -1)

    torch_form = Weights(widened(weights.input, 0), widened(weights.recurrent, 0), widened(weights.bias, 40))
    expected, _ = recurrent.gru(x, h, torch_form, implementation=how)
    found, _ = recurrent.gru(x, h, weights, reset=None, update="candidate", implementation=how)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_differentiates_twice() -> None:
    x, h, weights = given("gru", {"reset": "before"})

    def twice(how: str, x: jax.Array) -> jax.Array:
        slope = jax.grad(partial(cost, "gru", {"reset": "before"}, None, False, how), 2)
        return jax.grad(lambda x: jnp.sum(slope(x, h, weights).recurrent ** 2))(x)

    found, plain = jax.jit(lambda x: [twice(how, x) for how in ("inner", "scan")])(x)
    np.testing.assert_allclose(found, plain, rtol=1e-4, atol=1e-4)


def test_forward_derivatives_need_the_scan() -> None:
    x, h, weights = given("rnn", {})
    for how in ("scan", None):

        def run(x: Any, how: str | None = how) -> Any:
            with recurrent.using(how):
                return recurrent.rnn(x, h, weights)[0]

        if how is None:
            with pytest.raises(TypeError, match="forward-mode"):
                jax.jvp(run, (x,), (x,))
        else:
            slope = jax.jvp(run, (x,), (x,))[1]
            assert np.isfinite(slope).all()


def test_members_with_weights_of_their_own() -> None:
    draws = [given("lstm", {}, seed=seed) for seed in range(2)]
    x, carry, _ = draws[0]
    many = jax.tree.map(lambda *parts: jnp.stack(parts), *(weights for *_, weights in draws))
    slopes = [jax.grad(partial(cost, "lstm", {}, None, False, how, x, carry)) for how in OWN]
    together = jax.jit(lambda many: [jax.vmap(slope)(many) for slope in slopes])(many)
    for index, (*_, weights) in enumerate(draws):
        alone = jax.jit(slopes[0])(weights)
        for found in together:
            one = jax.tree.map(lambda part, index=index: part[index], found)
            jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5), one, alone)


def test_weights_are_packed_as_cudnn_takes_them() -> None:
    rnn = pytest.importorskip("jax.experimental.rnn", reason="this jax has no cuDNN LSTM to compare with")
    x, carry, weights = given("lstm", {})
    parts = rnn.unpack_lstm_weights(cudnn.packed(weights), IN, WIDE, 1, False)
    full = jnp.full((BATCH,), TIME, jnp.int32)
    h, c = (part[None] for part in carry)
    y, h, c = rnn.lstm_ref(x, h, c, *parts, full, IN, WIDE, 1, 0.0, False)
    expected, last = recurrent.lstm(x, carry, weights)
    for a, b in ((y, expected), (h[0], last[0]), (c[0], last[1])):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.skipif(jax.default_backend() != "gpu", reason="cuDNN needs an NVIDIA GPU")
def test_cudnn_is_the_plain_scan() -> None:
    arrays = given("lstm", {})
    found, plain = (
        jax.value_and_grad(partial(cost, "lstm", {}, None, False, how), (0, 1, 2))(*arrays)
        for how in ("cudnn", "scan")
    )
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-3), found, plain)
