"""Fresh starts: one from the cache compiles nothing and computes the same numbers."""

import pytest

from bench import compilation
from bench._start import CONFIGS, Server


def test_a_warm_start_compiles_nothing_and_agrees() -> None:
    server = Server(next(iter(CONFIGS)))
    try:
        filling, warm = (server.start("warm") for _ in range(2))
    finally:
        server.close()
    assert warm["losses"] == filling["losses"]
    assert warm["misses"] == filling["hits"] == 0
    assert warm["hits"] == filling["misses"] > 5


def test_a_failed_start_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    server = Server("no such network")
    try:
        with pytest.raises(RuntimeError, match="the started process failed"):
            server.start("off")
    finally:
        server.close()
    assert "KeyError: 'no such network'" in capfd.readouterr().err


def test_the_case_says_what_it_is() -> None:
    case = compilation.make_case("64-32-10")
    assert (case.unit, tuple(case.peers), case.tolerance) == ("start", compilation.PEERS, 0.0)
    assert case.flop == 6 * 512 * (64 * 32 + 32 * 10)
