"""The parts of the example that plays: its mechanics and its advantages, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np

from examples import policy_gradient as example


def test_the_cart_obeys_the_equations_of_motion() -> None:
    rng = np.random.default_rng(0)
    x, v, angle, spin = states = rng.normal(size=(4, example.EPISODES)) * 0.5
    action = rng.integers(0, 2, example.EPISODES)
    after = example.move(
        example.Cart(*map(jnp.asarray, states.astype(np.float32))), jnp.asarray(action, float)
    )
    for i in range(example.EPISODES):
        sine, cosine, force = np.sin(angle[i]), np.cos(angle[i]), 10.0 * (2 * action[i] - 1)
        # (M + m) x'' + m l (angle'' cos - angle'^2 sin) = F and x'' cos + 4/3 l angle'' = g sin.
        matrix = np.array([[1.1, 0.05 * cosine], [cosine, 4 / 3 * 0.5]])
        drive, turn = np.linalg.solve(matrix, [force + 0.05 * spin[i] ** 2 * sine, 9.8 * sine])
        expected = states[:, i] + 0.02 * np.array([v[i], drive, spin[i], turn])
        np.testing.assert_allclose([part[i] for part in after], expected, rtol=1e-4, atol=1e-5)
    assert x.shape == after.position.shape


def test_advantages_are_discounted_sums_less_their_mean() -> None:
    lengths = np.arange(1, example.EPISODES + 1) * 5
    alive = np.arange(example.HORIZON)[:, None] < lengths
    to_come = np.zeros(alive.shape)
    for time in reversed(range(example.HORIZON)):
        later = to_come[time + 1] if time + 1 < example.HORIZON else 0
        to_come[time] = alive[time] + example.DISCOUNT * later
    centred = (to_come - to_come.mean(1, keepdims=True)) * alive
    expected = centred / np.sqrt((centred**2).sum() / alive.sum())
    np.testing.assert_allclose(example.advantages(jnp.asarray(alive)), expected, rtol=1e-4, atol=1e-5)


def test_an_episode_ends_for_good() -> None:
    """A policy that always pushes right falls within 20 steps, and what follows does not count."""
    always = jnp.tile(jnp.array([[-1e9, 0.0]]), (example.EPISODES, 1))
    played = example.play(lambda seen: always, jax.random.key(0))
    lengths = np.asarray(played.alive).sum(0)
    assert 5 < lengths.min() <= lengths.max() < 20
    assert (np.diff(np.asarray(played.alive).astype(int), axis=0) <= 0).all()
    assert (np.asarray(played.actions) == 1).all()
    assert np.isfinite(played.seen).all()
