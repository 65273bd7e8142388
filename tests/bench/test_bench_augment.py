"""The formulations that `bench augment` compares give the same images, and ours are those of the library."""

import jax
import numpy as np

from bench import augment as workload
from jaxdl.data import augment

KEY = jax.random.key(0)
X = np.random.default_rng(0).random((5, 9, 9, 3), np.float32)


def test_formulations_agree() -> None:
    with jax.numpy_rank_promotion("allow"):
        cropped = jax.jit(workload.crop_by_slices)(KEY, X)
        for form in (workload.crop_by_one_hot, workload.crop_by_take):
            np.testing.assert_allclose(jax.jit(form)(KEY, X), cropped, atol=1e-6)
        turned = jax.jit(workload.turn)(KEY, X)
        for form in (workload.turn_per_pixel, workload.turn_by_products):
            np.testing.assert_allclose(jax.jit(form)(KEY, X), turned, atol=1e-5)


def test_a_turn_is_that_of_the_library() -> None:
    degrees = float(np.degrees(jax.random.uniform(KEY, (5, 1, 1), minval=-0.3, maxval=0.3)[0, 0, 0]))
    with jax.numpy_rank_promotion("allow"):
        turned = jax.jit(workload.turn)(KEY, X)
    found = augment.rotation(degrees=(degrees, degrees))(KEY, X[:1])
    np.testing.assert_allclose(found, turned[:1], atol=1e-5)


def test_cases() -> None:
    assert [len(workload.cases(quick)) for quick in (True, False)] == [2, 6]
    assert {peer for case in workload.cases(False) for peer in case.peers} == set(workload.PEERS)
