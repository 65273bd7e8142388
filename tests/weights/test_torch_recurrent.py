"""Torch's recurrent layers and ours: weights to and fro, outputs, carries, gradients."""

import importlib.util
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import recurrent
from recurrent_nets import network

from jaxdl import layers, net, weights
from jaxdl.errors import DtypeError, FormatError, ShapeError

GOLDEN = Path(__file__).parents[1] / "golden" / "recurrent.npz"
TORCH = importlib.util.find_spec("torch") is not None
QUICK = set(recurrent.GOLDEN) - {"gru_3_one", "lstm_1_one"}
NEEDS_TORCH = pytest.mark.skipif(not TORCH, reason="PyTorch is not installed")


def twin(name: str) -> dict[str, np.ndarray]:
    """Return the arrays of a case, live where torch is installed."""
    if TORCH:
        import torch

        found = recurrent.arrays(torch, name)
    else:
        with np.load(GOLDEN) as golden:
            found = {key: golden[key] for key in golden.files if key.startswith(f"{name}/")}
    return {key.removeprefix(f"{name}/"): value for key, value in found.items()}


def made(name: str) -> net.Net:
    kind, options = recurrent.CASES[name]
    ours = dict(options)
    if kind == "RNN":
        ours["activation"] = ours.pop("nonlinearity", "tanh")
    return network(getattr(layers, kind), recurrent.INPUTS, recurrent.FEATURES, **ours)


def group(found: dict[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    return {key.removeprefix(f"{name}/"): v for key, v in found.items() if key.startswith(f"{name}/")}


def ours(found: dict[str, np.ndarray]) -> Any:
    """Return torch's carry, (runs, batch, features) or two of them, in our form."""
    h = jnp.asarray(found["carry1"])
    runs = tuple(zip(h, jnp.asarray(found["carry2"]), strict=True)) if "carry2" in found else tuple(h)
    return runs[0] if len(runs) == 1 else runs


def theirs(carry: Any, parts: int) -> list[jax.Array]:
    """Return a carry of ours in torch's form."""
    leaves = jax.tree.leaves(carry)
    return [jnp.stack(leaves[part::parts]) for part in range(parts)]


@pytest.mark.parametrize(
    "name",
    [
        name if name in QUICK else pytest.param(name, marks=[pytest.mark.slow, NEEDS_TORCH])
        for name in recurrent.CASES
    ],
)
def test_outputs_carries_and_gradients_equal_torch(name: str) -> None:
    found, kind = twin(name), recurrent.CASES[name][0].lower()
    parts = 2 if kind == "lstm" else 1
    apply, factors = made(name).apply, [found[f"factor{i}"] for i in range(parts + 1)]

    def loss(params: Any, x: Any, carry: Any, lengths: Any) -> tuple[jax.Array, list[jax.Array]]:
        (y, last), _ = apply(params, {}, {"x": x, "lengths": lengths, "carry": carry}, train=True)
        results = [y, *theirs(last, parts)]
        return sum(jnp.vdot(a, b) for a, b in zip(results, factors, strict=True)), results

    params = {"layer": weights.from_torch_recurrent(kind, group(found, "weights"))}
    run = jax.jit(jax.grad(loss, argnums=(0, 1, 2), has_aux=True))
    (slopes, d_x, d_carry), results = run(params, found["x"], ours(found), jnp.asarray(recurrent.LENGTHS))
    got = dict(enumerate(results)) | {"x": d_x} | dict(enumerate(theirs(d_carry, parts), 10))
    wanted = {i: found[f"result{i}"] for i in range(parts + 1)} | {"x": found["x/gradient"]}
    wanted |= {10 + i: found[f"carry{i + 1}/gradient"] for i in range(parts)}
    mine = weights.to_torch_recurrent(kind, slopes["layer"])
    for key, slope in group(found, "gradients").items():
        # One bias is that of both, but for the last third of a GRU's.
        start = 2 * recurrent.FEATURES if key.startswith("bias_hh") else 0
        if kind == "gru" or not start:
            got[key], wanted[key] = mine[key][start:], slope[start:]
    for key in wanted:
        np.testing.assert_allclose(got[key], wanted[key], rtol=1e-5, atol=1e-5, err_msg=str(key))


@pytest.mark.parametrize("name", ["rnn_tanh_2_both", "gru_3_one", "lstm_1_one"])
def test_back_and_forth_is_bit_for_bit(name: str) -> None:
    found, kind = group(twin(name), "weights"), recurrent.CASES[name][0].lower()
    params = weights.from_torch_recurrent(kind, found)
    back = weights.to_torch_recurrent(kind, params)
    assert {key: value.shape for key, value in back.items()} == {key: v.shape for key, v in found.items()}
    assert list(back) == list(found)
    again = weights.from_torch_recurrent(kind, back)
    jax.tree.map(np.testing.assert_array_equal, again, params)
    assert jax.tree.structure(again) == jax.tree.structure(params)
    like = jax.eval_shape(made(name).init, jax.random.key(0))[0]["layer"]
    jax.tree.map(lambda a, b: np.testing.assert_equal(a.shape, b.shape), params, like)


def source(gates: int = 3, **changed: np.ndarray | None) -> dict[str, np.ndarray]:
    rows = gates * 4
    found = {"weight_ih_l0": np.ones((rows, 2)), "weight_hh_l0": np.ones((rows, 4)),
             "bias_ih_l0": np.ones(rows), "bias_hh_l0": np.ones(rows)} | changed  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def test_without_biases_and_with_the_other_update_gate(tmp_path: Path) -> None:
    bare = source(bias_ih_l0=None, bias_hh_l0=None)
    found = weights.from_torch_recurrent("gru", bare)["layers"][0]["forward"]
    assert float(found["bias"].sum()) == 0.0
    turned = weights.from_torch_recurrent("gru", bare, update="candidate")
    signs = turned["layers"][0]["forward"]["input"][0, ::4].tolist()
    assert signs == [1.0, -1.0, 1.0]
    back = weights.to_torch_recurrent("gru", turned, update="candidate")
    np.testing.assert_array_equal(back["weight_ih_l0"], bare["weight_ih_l0"])
    weights.save(tmp_path / "gru.safetensors", bare)
    again = weights.from_torch_recurrent("gru", tmp_path / "gru.safetensors")
    np.testing.assert_array_equal(again["layers"][0]["forward"]["input"], found["input"])


@pytest.mark.parametrize(
    ("kind", "given", "error", "words"),
    [
        ("gru", source(bias_hh_l0=None), FormatError, "without 'bias_hh_l0'"),
        ("gru", source(weight_hh_l0=np.ones((12, 3))), FormatError, r"'weight_ih_l0' \(12, 2\) where \(9"),
        ("gru", source(4), FormatError, "it looks like 'lstm'"),
        ("lstm", source(4, weight_hr_l0=np.ones((2, 4))), FormatError, "'weight_hr_l0', of an LSTM with"),
        ("gru", source(weight_ih_l1=np.ones((12, 4))), FormatError, "without 'weight_hh_l1', 'bias_ih_l1'"),
        ("gru", source(weight_ih_l900000000=np.ones(1)), FormatError, "without 'weight_ih_l1'"),
        ("gru", {f"encoder.{k}": v for k, v in source().items()}, FormatError, "names begin with 'encoder.'"),
        ("gru", source(bias_hh_l0=np.full(12, np.nan)), FormatError, "not finite everywhere"),
        ("gru", source(bias_hh_l0=np.ones(12, int)), DtypeError, "of dtype int64"),
        ("gru", [1.0], DtypeError, "is a list; expected a mapping"),
        ("gru", {}, FormatError, "without 'weight_ih_l0'"),
        ("sru", source(), ValueError, "expected one of 'rnn', 'gru', 'lstm'"),
    ],
)  # fmt: skip
def test_bad_sources_are_told(kind: str, given: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        weights.from_torch_recurrent(kind, given)


def test_what_torch_has_not_is_told() -> None:
    cell = {"input": np.ones((2, 12)), "recurrent": np.ones((4, 12)), "bias": np.ones(12)}
    tree = {"layers": {0: {"forward": cell}}}
    with pytest.raises(ShapeError, match="without 'layers/0/forward/recurrent_bias'"):
        weights.to_torch_recurrent("gru", tree)
    with pytest.raises(ShapeError, match="with unknown 'layers/0/norm/scale'"):
        weights.to_torch_recurrent("gru", {"layers": {0: {"forward": cell, "norm": {"scale": np.ones(4)}}}})
    with pytest.raises(ValueError, match="'candidate' for 'lstm'"):
        weights.to_torch_recurrent("lstm", tree, update="candidate")
