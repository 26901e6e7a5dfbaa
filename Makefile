# Everything a person or CI runs. `make demo` and `make test` need Python >= 3.11 and nothing else.
#
#   make test PYTHON=python3.13    with another Python (.venv is made anew where it differs)
#   make test ORACLE=1             installs PyTorch and numba-cuda as well: compares with the one,
#                                  runs CUDA kernels in the other's simulator and assembles them
#   make test TESTS=tests/test_x.py

PYTHON    ?= python3
ORACLE    ?=
TESTS     ?=
WORKLOADS ?=

python  := .venv/bin/python
oracle  := $(if $(filter-out 0,$(ORACLE)),oracle cuda)
ready   := "$(PYTHON)" .ci/environment.py
goal    := $(or $(firstword $(MAKECMDGOALS)),test)

.PHONY: help demo test check format lint types bench clean supported
.NOTPARALLEL:

help:
	@echo "make demo     train a small network on handwritten digits, eagerly and compiled"
	@echo "make test     run the tests (ORACLE=1: compare with PyTorch too)"
	@echo "make check    what CI runs: format, lint, types, tests"
	@echo "make format   lay the code out as 'make check' wants it"
	@echo "make bench    time jitnet beside its peers (WORKLOADS='mlp_train ...')"
	@echo "make clean    remove .venv, caches and build folders"
	@echo "PYTHON=python3.13 picks another Python; 3.11 or newer."

demo: supported
	@$(ready)
	@$(python) examples/digits.py

test: supported
	@$(ready) test $(oracle)
	@ORACLE=$(ORACLE) $(python) -m pytest $(TESTS)

check: lint types test

format: supported
	@$(ready) dev
	@$(python) -m ruff format .
	@$(python) -m ruff check --fix .

lint: supported
	@$(ready) dev
	@$(python) -m ruff format --check .
	@$(python) -m ruff check .

# mypy sees the installed shape: compiler/ and runtime/ inside jitnet/.
types: supported
	@$(ready) dev
	@rm -rf .typecheck && mkdir .typecheck
	@cp -R jitnet .typecheck/jitnet
	@cp -R compiler runtime .typecheck/jitnet/
	@$(python) -m mypy -p jitnet.compiler -p jitnet.runtime

bench: supported
	@$(ready) bench
	@$(python) -m benchmarks $(WORKLOADS)

clean:
	rm -rf .venv .typecheck .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	rm -rf jitnet.egg-info benchmarks/results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

supported:
	@command -v "$(PYTHON)" >/dev/null 2>&1 || { \
	  echo "There is no '$(PYTHON)' here. Install Python 3.11 or newer, or name one:" >&2; \
	  echo "  make $(goal) PYTHON=/path/to/python3" >&2; \
	  exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "jitnet needs Python 3.11 or newer, and '$(PYTHON)' is not. Name a newer one:" >&2; \
	  echo "  make $(goal) PYTHON=/path/to/python3.13" >&2; \
	  exit 1; }
