"""The perceptron: truth tables, scikit-learn's steps, XOR by two layers and by a small network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import Perceptron

from jaxdl import losses, net, optim, scaling, train
from jaxdl.data import Dataset, load_breast_cancer, load_iris
from jaxdl.descent import CONVERGED, NOT_FINITE, OUT_OF_STEPS
from jaxdl.errors import ShapeError
from jaxdl.models import MLP, MLPConfig, perceptron

INPUTS = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
TABLES = {"AND": [0, 0, 0, 1], "NAND": [1, 1, 1, 0], "OR": [0, 1, 1, 1]}
XOR = [0, 1, 1, 0]


@pytest.mark.parametrize("name", TABLES)
def test_gates_set_and_learnt(name: str) -> None:
    assert perceptron.gate(name)(INPUTS).tolist() == TABLES[name]
    targets = np.array(TABLES[name])
    for on_boundary in perceptron.BOUNDARIES:
        unit = perceptron.fit(INPUTS, targets, on_boundary=on_boundary)
        assert unit(INPUTS).tolist() == TABLES[name]
        assert int(unit.status) == CONVERGED
        assert int(unit.steps) < 20


def test_the_printed_rule_in_numpy() -> None:
    w, b, targets = np.zeros(2), 0.0, TABLES["NAND"]
    for _ in range(20):
        for x, y in zip(INPUTS, targets):
            error = y - (w @ x + b > 0)
            w, b = w + 0.5 * error * x, b + 0.5 * error
    unit = perceptron.fit(INPUTS, np.array(targets), learning_rate=0.5, on_boundary="class_0")
    np.testing.assert_allclose(np.append(unit.kernel, unit.bias), np.append(w, b))


def test_xor_is_no_single_unit_but_two_layers() -> None:
    unit = perceptron.fit(INPUTS, np.array(XOR))
    assert int(unit.status) == OUT_OF_STEPS
    assert unit(INPUTS).tolist() != XOR
    assert perceptron.xor(INPUTS).tolist() == XOR


def test_equals_scikit_learn() -> None:
    data = load_breast_cancer()
    x = np.asarray(scaling.z_score(data.inputs)(data.inputs))
    weights = np.arange(len(x)) % 3
    theirs = Perceptron(shuffle=False, tol=None, max_iter=5).fit(x, data.targets, sample_weight=weights)
    unit = perceptron.fit(x, data.targets, max_epochs=5, weights=weights)
    np.testing.assert_allclose(unit.kernel, theirs.coef_[0], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(unit.bias, theirs.intercept_[0], rtol=1e-3)
    iris = load_iris()
    setosa = (iris.targets == 0).astype(int)
    theirs = Perceptron(shuffle=False, tol=None, max_iter=100).fit(iris.inputs, setosa)
    unit = perceptron.fit(iris.inputs, setosa)
    np.testing.assert_allclose(unit.kernel, theirs.coef_[0], rtol=1e-4)
    assert int(unit.status) == CONVERGED


def test_many_gates_at_once_and_nonsense_is_nan() -> None:
    targets = jnp.array([*TABLES.values(), XOR, [0, 1, 2, 1]])
    units = jax.vmap(lambda y: perceptron.fit(INPUTS, y, max_epochs=50))(targets)
    assert units.status.tolist()[:4] == [CONVERGED] * 3 + [OUT_OF_STEPS]
    assert np.isnan(units.kernel[4]).all()
    assert np.isnan(perceptron.Perceptron(*(part[4] for part in jax.tree.leaves(units)))(INPUTS)).all()


def test_a_small_network_learns_xor() -> None:
    config = MLPConfig(sizes=(2, 8, 2), activation="relu")
    network = net.functional(lambda rngs: MLP(config, rngs=rngs))
    data = Dataset(
        np.tile(INPUTS, (2, 1)).astype(np.float32), np.tile(np.array(XOR, np.int32), 2), ("0", "1")
    )
    fitted = train.fit(
        network, data, loss=losses.softmax_cross_entropy, optimizer=lambda hyper: optim.adam(0.05),
        epochs=200, batch_size=8, seed=0, progress="off",
    )  # fmt: skip
    assert np.argmax(fitted.predict(INPUTS.astype(np.float32)), axis=1).tolist() == XOR


def test_traced_settings_out_of_range_give_nan() -> None:
    for options in ({"learning_rate": -1.0}, {"learning_rate": 0.0}, {"weights": -jnp.ones(4)}):
        fitted = jax.jit(lambda values: perceptron.fit(INPUTS, np.array(TABLES["AND"]), **values))
        unit = fitted(options)
        assert np.isnan(unit.kernel).all(), options
        assert np.isnan(unit.bias)
        assert int(unit.status) == NOT_FINITE
    for rate in (-1.0, 0.0):
        with pytest.raises(ValueError, match="'learning_rate'"):
            perceptron.fit(INPUTS, np.array(XOR), learning_rate=rate)
    with pytest.raises(ShapeError, match="'learning_rate' is of shape"):
        perceptron.fit(INPUTS, np.array(XOR), learning_rate=jnp.ones(2))
