"""What holds for every test: no silent broadcast, small arrays on one device, and the compiler in a hurry.

Most of the time of the suite is XLA compiling tiny programs, so most files compile with few optimizations,
which saves a third of it. Tests and doctests of what is named in `OPTIMIZED`, folders and files, compile with
all of them; of these, those of `HURRIED` prove nothing that hinges on it. Where XLA still has its older
emitters of fused loops on the CPU, all are written by these: they compile in about half the time. A program
is compiled in one piece, not cut into up to 32 for as many threads: a fifth less work where it is small.
`JAX_DISABLE_MOST_OPTIMIZATIONS=0` in the environment, as in `make test-slow`, makes every test compile as
users do.
"""

import gc
import os
from collections.abc import Iterator

import jaxlib
import pytest

OLDER_EMITTERS = "--xla_cpu_use_fusion_emitters=false"
ONE_PIECE = "--xla_cpu_parallel_codegen_split_count=1"
# Read by XLA when it is first used; a version that does not know a flag would end the process.
KNOWN = {"0.10": (ONE_PIECE, OLDER_EMITTERS), "0.11": (ONE_PIECE,), "0.12": (ONE_PIECE,)}
if os.environ.get("JAX_DISABLE_MOST_OPTIMIZATIONS") != "0":
    given = os.environ.get("XLA_FLAGS", "").split()
    chosen = {flag.split("=")[0] for flag in given}
    ours = KNOWN.get(".".join(jaxlib.__version__.split(".")[:2]), ())
    os.environ["XLA_FLAGS"] = " ".join([*given, *(flag for flag in ours if flag.split("=")[0] not in chosen)])

import jax  # noqa: E402

OPTIMIZED = {"test_dense.py", "train"}
HURRIED = {
    "jaxdl", "test_dict_data.py", "test_export.py", "test_fit.py", "test_fit_options.py", "test_frozen.py",
    "test_log.py", "test_log_faults.py", "test_make_train.py", "test_model_file.py", "test_order.py",
    "test_origin.py", "test_range.py", "test_rates.py", "test_replay.py", "test_restore.py",
    "test_statistics.py", "test_sweep.py", "test_sweep_points.py",
}  # fmt: skip

jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture
def key() -> jax.Array:
    """Return the key of tests that need no particular one."""
    return jax.random.key(0)


@pytest.fixture(scope="module", autouse=True)
def few_optimizations(request: pytest.FixtureRequest) -> Iterator[None]:
    """Compile the tests of this file with few optimizations, unless its folder or the environment objects."""
    chosen = "JAX_DISABLE_MOST_OPTIMIZATIONS" in os.environ
    names = {*request.path.relative_to(request.config.rootpath).parts}
    optimized = OPTIMIZED & names and not HURRIED & names
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", before if chosen else not optimized)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


def pytest_collection_finish() -> None:
    """Keep the garbage collector from what lives to the end, and from stopping at every few objects."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of one op side by side, so that one worker compiles its programs once."""
    places: dict[object, int] = {}

    def place(item: pytest.Item) -> int:
        op = getattr(item, "callspec", None) and item.callspec.params.get("op")
        return places.setdefault((item.path, op.name) if op else item.nodeid, len(places))

    items.sort(key=place)
