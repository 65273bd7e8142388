"""The table of conventions by family; `docs/_conventions.py` prints, `test_conventions.py` checks it."""
