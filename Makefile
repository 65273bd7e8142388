PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help demo test test-slow test-kill check format bench docs gallery golden lock clean

help:
	@echo "make demo       train LeNet-5 on real digits (installs into $(VENV) first)"
	@echo "make gallery    run every example quickly, write examples/README.md and its pictures"
	@echo "make test       run the tests"
	@echo "make test-slow  run the tests that take minutes too, all of them optimized as users compile"
	@echo "make test-kill  kill a training run 500 times and resume it (a quarter of an hour)"
	@echo "make check      ruff and mypy"
	@echo "make format     ruff format"
	@echo "make docs       build the site into docs/_build/html, every warning an error"
	@echo "make bench      the benchmark of this machine, against every peer that is installed"
	@echo "make golden     write the golden files anew (needs PyTorch and Keras in $(VENV))"
	@echo "make lock       pin the newest versions in requirements.txt (needs uv)"
	@echo "make LOCKED=1 ...  install exactly the versions of requirements.txt, by hash"
	@echo "make clean      remove $(VENV) and what was built"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "jaxdl needs Python 3.11 or newer; found $$($(PYTHON) --version 2>&1). Fix: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

# One stamp an extra: an install is repeated only when pyproject.toml changes.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
$(VENV)/.%: pyproject.toml | $(BIN)/python
	@echo "installing jaxdl with '$*' into $(VENV): a minute or two"
ifneq ($(LOCKED),)
	$(PIP) --require-hashes --requirement requirements.txt
	$(PIP) --no-deps --no-build-isolation --editable .
else
	$(PIP) --editable '.[$*]'
endif
	@touch $@

# The versions that were tested, by hash and without addresses; needs uv on the path.
lock:
	uv pip compile pyproject.toml --extra test --extra check --extra docs --universal --python-version 3.11 --upgrade \
		--generate-hashes --no-emit-index-url --no-header --no-annotate --quiet --output-file requirements.txt

demo: $(VENV)/.examples
	$(BIN)/python examples/lenet.py

gallery: $(VENV)/.examples
	$(BIN)/python examples/_gallery.py

test: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: $(VENV)/.test
	JAX_DISABLE_MOST_OPTIMIZATIONS=0 $(BIN)/python -m pytest -n 2 --dist worksteal -m "slow or not slow"

test-kill: $(VENV)/.test
	PYTHONPATH=tests:tests/train:. $(BIN)/python tests/train/kills.py fit --kills 500

check: $(VENV)/.test $(VENV)/.check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.check
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.docs
	$(BIN)/python -m sphinx --builder html --fresh-env --fail-on-warning --keep-going --quiet docs docs/_build/html
	@echo "open docs/_build/html/index.html"

bench: $(VENV)/.examples
	$(BIN)/python -m bench mlp

golden: $(VENV)/.test
	PYTHONPATH=tests $(BIN)/python tests/golden/make.py

clean:
	rm -rf $(VENV) build dist out *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -rf docs/_build docs/reference docs/benchmarks.md docs/gallery.md
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
