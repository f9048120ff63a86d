# Every command works from a clean clone: it makes the environment it needs, once.
# Needs: Linux, make, Python >= 3.11 with venv (choose one with `make PYTHON=python3.12 ...`).

PYTHON ?= python3
TORCH ?= torch==2.13.0
# One thread for every library: figures and bits do not depend on the machine's load.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

BIN := .venv/bin
CONFORMANCE_BIN := .venv-conformance/bin
ARGS ?=

.PHONY: help demo test test-modes conformance bench bench-eager lint typecheck architecture wheel ci clean

help:
	@echo "make demo         train the seed's MLP on handwritten digits (under a minute)"
	@echo "make test         the test suite, without torch"
	@echo "make test-modes   most of it again without llvmlite, and with the JIT forced"
	@echo "make conformance  PyTorch's own test databases against flambeau (installs $(TORCH))"
	@echo "make bench        training steps beside torch, torch.compile and JAX"
	@echo "make bench-eager  single ops and the import, beside torch and NumPy"
	@echo "make lint         ruff check"
	@echo "make typecheck    mypy"
	@echo "make architecture the import order and the size limits"
	@echo "make wheel        a wheel in dist/, checked for the data that ships with it"
	@echo "make ci           all of the above, as .ci/run does"
	@echo "make clean        remove environments and caches"
	@echo "ARGS='...' is passed on, e.g. make conformance ARGS=\"--only op --filter linalg\""

demo: .venv/.demo
	$(BIN)/python -m flambeau._demo $(ARGS)

test: .venv/.dev
	$(BIN)/python -m pytest $(ARGS)

# What is about tensors, autograd, layers and optimizers again, eagerly (as where there is no
# llvmlite) and compiled at first sight; the other tests choose their modes themselves.
test-modes: AGAIN = --ignore=tests/engine --ignore=tests/footguns --ignore=tests/fuzz \
    --ignore=tests/architecture
test-modes: .venv/.dev
	FLAMBEAU_JIT=off $(BIN)/python -m pytest -p tests.without_llvmlite $(AGAIN) $(ARGS)
	FLAMBEAU_JIT=force $(BIN)/python -m pytest $(AGAIN) $(ARGS)

architecture: .venv/.dev
	$(BIN)/python -m pytest tests/architecture $(ARGS)

lint: .venv/.dev
	$(BIN)/ruff check .

typecheck: .venv/.dev
	$(BIN)/mypy

conformance: .venv-conformance/.stamp
	$(CONFORMANCE_BIN)/python -m tests.conformance.run $(ARGS)

wheel: .venv/.dev
	rm -rf build dist
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	@$(BIN)/python -m zipfile --list dist/flambeau-*.whl > dist/contents.txt
	@for name in _demo/data/digits.csv.gz _demo/data/README.md py.typed; do \
	    grep -q "flambeau/$$name" dist/contents.txt \
	        || { echo "not in the wheel: $$name"; exit 1; }; \
	done

bench: .venv-conformance/.rivals
	$(CONFORMANCE_BIN)/python -m benchmarks.run $(ARGS)

bench-eager: .venv-conformance/.stamp
	$(CONFORMANCE_BIN)/python -m benchmarks.eager $(ARGS)

ci:
	.ci/run

# The stamps: an environment is made again when what it installs changes.

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "flambeau needs Python >= 3.11; try make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.demo: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[demo]'
	touch $@

.venv/.dev: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

.venv-conformance/.stamp: pyproject.toml tests/conformance/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "flambeau needs Python >= 3.11; try make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv-conformance
	$(CONFORMANCE_BIN)/python -m pip install --quiet '$(TORCH)' \
	    -r tests/conformance/requirements.txt
	$(CONFORMANCE_BIN)/python -m pip install --quiet --editable '.[scipy,safetensors,demo]'
	touch $@

# Without JAX the benchmarks leave it out, and say so.
.venv-conformance/.rivals: .venv-conformance/.stamp
	-$(CONFORMANCE_BIN)/python -m pip install --quiet jax
	touch $@

clean:
	rm -rf .venv .venv-conformance .conformance .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -rf build dist runs *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
