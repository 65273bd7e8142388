"""What holds for every test: no silent broadcast, small arrays on one device, and the compiler in a hurry.

Most of the time of the suite is XLA compiling tiny programs, so most files compile with few optimizations,
which saves a third of it. Tests and doctests of what is named in `OPTIMIZED`, folders and files, compile as
users do.
`JAX_DISABLE_MOST_OPTIMIZATIONS=0` in the environment, as in `make test-slow`, makes every test do so.
"""

import os
from collections.abc import Iterator

import jax
import pytest

OPTIMIZED = {"bench", "test_dense.py", "train"}

jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture
def key() -> jax.Array:
    """Return the key of tests that need no particular one."""
    return jax.random.key(0)


@pytest.fixture(scope="module", autouse=True)
def few_optimizations(request: pytest.FixtureRequest) -> Iterator[None]:
    """Compile the tests of this file with few optimizations, unless its folder or the environment objects."""
    chosen = "JAX_DISABLE_MOST_OPTIMIZATIONS" in os.environ
    optimized = OPTIMIZED & {*request.path.relative_to(request.config.rootpath).parts}
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", before if chosen else not optimized)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of one op side by side, so that one worker compiles its programs once."""
    places: dict[object, int] = {}

    def place(item: pytest.Item) -> int:
        op = getattr(item, "callspec", None) and item.callspec.params.get("op")
        return places.setdefault((item.path, op.name) if op else item.nodeid, len(places))

    items.sort(key=place)
