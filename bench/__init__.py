"""Benchmarks of jaxdl against the best honest version of each peer: `python -m bench --list`."""
