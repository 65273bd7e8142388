"""The table of conventions, a file a family: `docs/_conventions.py` prints, `test_conventions.py` checks it."""
