# Two commands are all a fresh machine needs: `make demo` and `make test`. Each makes .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
# A file stays on one worker, and files in their order: those of browsers, which take longest, first.
SPREAD := --numprocesses 3 --dist loadfile --no-loadscope-reorder
# What runs with the compiled rewriter and without.
BOTH := tests/html tests/identity tests/web/test_any_sequence.py tests/web/test_attacks.py tests/web/test_conformance.py \
	tests/web/test_consents.py tests/web/test_interplay.py tests/web/test_response.py

.PHONY: demo test test-all check bench wheel clean

demo: $(VENV)/.demo
	$(BIN)/python -m demo_site --fill 60

test: $(VENV)/.compiled $(VENV)/.clickhouse
	$(BIN)/python scripts/find_chromium.py --install
	$(BIN)/python scripts/find_programs.py --install
	$(PYTEST) -m "not slow" $(SPREAD)
	COOKIEGUARD_PURE=1 $(PYTEST) -m "not slow" $(SPREAD) $(BOTH)

# Coverage is that of the Python sources; the compiled build goes through the tests of what it stands for.
test-all: $(VENV)/.compiled $(VENV)/.clickhouse
	$(BIN)/python scripts/find_chromium.py --install
	$(BIN)/python scripts/find_programs.py --slow --install
	$(BIN)/python scripts/check_wheel.py
	$(BIN)/coverage erase
	COOKIEGUARD_PURE=1 HYPOTHESIS_PROFILE=other $(BIN)/coverage run -m pytest $(SPREAD)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report
	$(PYTEST) $(BOTH)

check: $(VENV)/.test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python scripts/check_layers.py

# BENCH="--pages DIR --write" measures on pages of your own and writes RESULTS.md.
bench: $(VENV)/.bench $(VENV)/.compiled
	$(BIN)/python benchmarks/results.py $(BENCH)

wheel: $(VENV)/.test
	$(BIN)/python scripts/check_wheel.py

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cookieguard needs Python 3.11 or newer; this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -qq --upgrade "pip>=25.1"

$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -qq -e '.[demo]'
	touch $@

$(VENV)/.bench: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -qq -e '.[demo]' --group bench
	touch $@ $(VENV)/.demo

$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -qq -e '.[demo]' --group check --group test
	touch $@ $(VENV)/.demo

# 300 MB for one engine: where they cannot be had its tests are skipped, and say so.
$(VENV)/.clickhouse: pyproject.toml $(VENV)/.test
	$(BIN)/python -m pip install -qq --group clickhouse || echo "ClickHouse is NOT tested: chdb cannot be installed here"
	touch $@

# The install above compiles too; this is for sources edited since then.
$(VENV)/.compiled: setup.py $(wildcard src/cookieguard/*/*.p*) $(VENV)/.test
	$(BIN)/python setup.py --quiet build_ext --inplace
	touch $@
