"""One small problem for the tests of training."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxdl import losses, metrics, net, optim
from jaxdl.models import MLP, MLPConfig
from jaxdl.train import Arrays

RNG = np.random.default_rng(0)
X = RNG.normal(size=(70, 4)).astype(np.float32)
Y = (np.argmax(X[:, :3], 1)).astype(np.int32)
KEYS = (jax.random.key(0), jax.random.key(1))
DATA = Arrays(jnp.asarray(X[:50]), jnp.asarray(Y[:50]), jnp.asarray(X[50:]), jnp.asarray(Y[50:]))
HYPER = {"learning_rate": 0.1}
METRICS = {"accuracy": metrics.accuracy}
NET = net.functional(lambda rngs: MLP(MLPConfig(sizes=(4, 8, 3)), rngs=rngs))
LOSS = losses.softmax_cross_entropy


def sgd(hyper: dict[str, jax.Array]) -> optax.GradientTransformation:
    return optim.sgd(hyper["learning_rate"])


def adam(hyper: dict[str, jax.Array]) -> optax.GradientTransformation:
    return optim.adam(hyper["learning_rate"])
