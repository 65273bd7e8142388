"""Runs that start from given weights: what is kept, drawn anew, frozen, and refused."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from common import KEYS, LOSS, X, Y

from jaxdl import _trees, net, optim, train
from jaxdl.errors import DtypeError, ShapeError
from jaxdl.models import MLP, MLPConfig
from jaxdl.net import starting

HEAD = "layers/2"
NETS = {
    classes: net.functional(
        lambda rngs, n=classes: MLP(MLPConfig(sizes=(4, 8, 6, n), batch_norm=True), rngs=rngs)
    )
    for classes in (3, 5)
}
PARAMS, STATE = jax.jit(NETS[5].init)(jax.random.key(7))
STATE = jax.tree.map(lambda leaf: leaf + 0.25, STATE)
START = net.start_from(NETS[3], PARAMS, STATE, new=HEAD)
BODY = optim.frozen(lambda path: not path.startswith(HEAD))


def same(before: Any, after: Any) -> dict[str, bool]:
    old, new = _trees.named_leaves(before), _trees.named_leaves(after)
    return {name: np.asarray(old[name]).tobytes() == np.asarray(new[name]).tobytes() for name in new}


def test_all_but_the_head_is_given_and_the_head_follows_the_key() -> None:
    drawn = [START.init(jax.random.key(seed)) for seed in (0, 1)]
    for name, kept in same(PARAMS, drawn[0][0]).items():
        assert kept != name.startswith(HEAD), name
    assert all(same(STATE, drawn[0][1]).values())
    assert drawn[0][0]["layers"][2]["kernel"].shape == (6, 3)
    plain = NETS[3].init(jax.random.key(1))[0]
    np.testing.assert_array_equal(drawn[1][0]["layers"][2]["kernel"], plain["layers"][2]["kernel"])
    assert START.config == NETS[3].config


def test_without_a_new_part_and_with_new_statistics() -> None:
    fresh = NETS[5].init(jax.random.key(0))[1]
    params, state = net.start_from(NETS[5], PARAMS, fresh).init(jax.random.key(0))
    assert all(same(PARAMS, params).values())
    assert all(same(fresh, state).values())


def test_statistics_may_be_left_out_only_where_none_are_kept() -> None:
    with pytest.raises(ValueError, match=r"'state' is None.*'norms/0/mean'.*Fix: .*fitted\.state"):
        net.start_from(NETS[5], PARAMS, new=HEAD)
    params, state = net.start_from(NETS[5], PARAMS, new="norms").init(jax.random.key(0))
    assert all(same(NETS[5].init(jax.random.key(0))[1], state).values())
    assert same(PARAMS, params)["layers/0/kernel"]


def test_the_head_alone_is_trained_where_the_rest_is_frozen() -> None:
    fitted = train.fit(START, (X, Y), loss=LOSS, optimizer=optim.adamw(0.01, weight_decay=0.1), epochs=2,
                       batch_size=35, progress="off", frozen=BODY)  # fmt: skip
    for name, kept in same(PARAMS, fitted.params).items():
        assert kept != name.startswith(HEAD), name
    assert all(same(STATE, fitted.state).values())
    # Held norms belong to the started network too, and keep its start.
    held = START.hold(frozenset(["norms/0"]))  # type: ignore[misc]
    assert all(same(START.init(KEYS[0])[0], held.init(KEYS[0])[0]).values())


def test_a_sweep_draws_a_head_for_each_seed() -> None:
    found = train.sweep(START, (X, Y), loss=LOSS, optimizer=optim.sgd(0.1), seeds=[0, 1], epochs=1,
                        batch_size=35, progress="off", frozen=BODY)  # fmt: skip
    kernels = found.params["layers"][2]["kernel"]
    assert not np.array_equal(kernels[0], kernels[1])
    body = np.asarray(found.params["layers"][0]["kernel"])
    np.testing.assert_array_equal(body, np.stack([np.asarray(PARAMS["layers"][0]["kernel"])] * 2))


def changed(name: str, leaf: Any) -> Any:
    tree = jax.tree.map(lambda x: x, PARAMS)
    layer, part = name.split("/")
    tree["layers"][int(layer)] = tree["layers"][int(layer)] | {part: leaf}
    return tree


@pytest.mark.parametrize(
    ("params", "options", "error", "words"),
    [
        (PARAMS, {}, ShapeError, r"layers/2/bias.*of shape \(5,\); expected \(3,\).*new='layers/2'"),
        (PARAMS, {"new": "head"}, ValueError, "'head', which matches nothing.*layers/2"),
        (PARAMS, {"new": ["layers/2", "layers/22"]}, ValueError, "'layers/22'"),
        ({"layers": PARAMS["layers"]}, {"new": HEAD}, ShapeError, r"norms/0/bias.*missing"),
        (PARAMS | {"extra": jnp.ones(2)}, {"new": HEAD}, ShapeError, "extra.*not of this network"),
        (changed("0/kernel", jnp.ones((4, 9))), {"new": HEAD}, ShapeError, r"\(4, 9\); expected \(4, 8\)"),
        (changed("0/kernel", jnp.ones((4, 8), jnp.int32)), {"new": HEAD}, DtypeError, "int32"),
        (changed("0/kernel", "weights"), {"new": HEAD}, DtypeError, "is a str"),
        (None, {}, DtypeError, r"'params' is a NoneType.*Fix: .*fitted\.params, fitted\.state"),
        ((PARAMS, STATE), {}, DtypeError, r"'params' is a tuple.*fitted\.params, fitted\.state"),
        (PARAMS, {"state": 3}, DtypeError, "'state' is a int"),
        (PARAMS, {"new": None}, DtypeError, "'new' is None; expected a path"),
        (PARAMS, {"new": 3}, DtypeError, "'new' is 3;"),
        (PARAMS, {"new": [3]}, DtypeError, r"'new' is \[3\]"),
    ],
)
def test_what_does_not_fit_is_named(params: Any, options: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        net.start_from(NETS[3], params, **options)


def test_paths_that_match_nothing_are_met_with_the_nearest_or_the_outermost() -> None:
    leaves = {
        "fc": {"kernel": 0},
        "conv1": {"kernel": 0},
        "layers": {n: {"conv": {"b": 0}} for n in range(20)},
    }
    names = list(_trees.named_leaves(leaves))
    for path, words in (
        ("fc1", "did you mean 'fc'?"),
        ("layer/3/conv", "did you mean 'layers/3/conv' or"),
        ("head", "choose from conv1, fc, layers/19, layers/18, "),
    ):
        assert starting._hint(path, names).startswith(words), path
    assert starting._hint("head", names).endswith("layers/10 and 10 more, or what lies below")
    assert starting._hint("head", ["kernel"]) == "choose from kernel, or what lies below"


def test_it_takes_networks() -> None:
    with pytest.raises(TypeError, match=r"jaxdl.net.Net"):
        net.start_from(MLP, PARAMS)  # type: ignore[arg-type]
