"""Fresh starts: one from the cache compiles nothing and computes the same numbers; one that fails is said."""

import pytest

from bench import compilation
from bench._start import Server
from jaxdl.models import MLPConfig


def test_a_warm_start_compiles_nothing_and_agrees(capfd: pytest.CaptureFixture[str]) -> None:
    server = Server(MLPConfig(sizes=(64, 10)))
    try:
        filling, warm = (server.start("warm") for _ in range(2))
        server._config = MLPConfig(sizes=(63, 10))
        with pytest.raises(RuntimeError, match="the started process failed"):
            server.start("off")
    finally:
        server.close()
    assert "ShapeError" in capfd.readouterr().err
    assert warm["losses"] == filling["losses"]
    assert warm["misses"] == filling["hits"] == 0
    assert warm["hits"] == filling["misses"] > 5


def test_the_case_says_what_it_is() -> None:
    case = compilation.make_case("64-32-10")
    assert (case.unit, tuple(case.peers), case.tolerance) == ("start", compilation.PEERS, 0.0)
    assert case.flop == 6 * 512 * (64 * 32 + 32 * 10)
