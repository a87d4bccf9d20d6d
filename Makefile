# Two commands are all a fresh machine needs: `make demo` and `make test`. Each makes .venv first. `make help` lists all.
PYTHON ?= python3
# As root on Debian the tests install the programs they drive (Chromium, nginx, Varnish, GoAccess). INSTALL=0 forbids it.
INSTALL ?= 1
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest
# A file stays on one worker, and files in their order: tests/conftest.py puts those that take longest first.
SPREAD := --numprocesses 3 --dist loadfile --no-loadscope-reorder
QUICK := $(PYTEST) -m 'not slow'
# What waits for browsers, servers and their limits of time. All else computes, and gets what these leave of the machine,
# in processes that collect their own tests alone: 1,000 small ones take 12 s of CPU so, and 19 spread over three workers.
WAITING := tests/browser tests/servers tests/vectors tests/scan
APART := $(WAITING) tests/web tests/features tests/engines tests/storage tests/html tests/identity
# What starts commands and shops in processes of their own: two thirds of the CPU of what is left.
COMMANDS := tests/cli tests/check tests/demo tests/frameworks tests/testing
# What only a release waits for: shops and checkers of others from the package indexes, two builds, kills by the thousand.
FOR_RELEASE := tests/frameworks/test_django_sites.py tests/packaging/test_release.py tests/test_types.py
SURVIVAL := tests/features/records/store/test_crashes.py tests/features/outbox/test_run.py tests/features/records/values/test_verification.py \
	tests/features/rights/test_killed.py tests/features/rights/test_restarts.py tests/servers tests/features/statistics/test_disclosure.py
LONG := env RECORDS=10000 NOTICES=10000 EDITS=2500 ERASURES=200 RESTARTS=50
# An engine a process; each prints what it heard. Alone, without VECTORS=whole, each views an eighth of the ways.
OTHER_ENGINES := tests/vectors/test_firefox.py tests/vectors/test_webkit.py
ABROAD_AT_ONCE := "firefox: nice -n 5 $(PYTEST) tests/vectors/test_firefox.py" "webkit: nice -n 5 $(PYTEST) tests/vectors/test_webkit.py"
# What runs with the compiled modules and without: in `make test` what names them, in `make test-all` more.
BOTH := tests/html tests/identity tests/web/test_attacks.py tests/web/test_conformance.py tests/web/test_response.py
MORE := tests/web/test_any_sequence.py tests/web/test_consent_cookie.py tests/web/test_interplay.py tests/web/test_memory.py
# All tests, in parts that run at once: what drives browsers by the first command, all others by the second; they have
# their places by their length.
PARTS = "browsers: $(1) $(SPREAD) $(WAITING) $(OTHER_ENGINES:%=--ignore=%)" \
	"commands: nice -n 5 $(2) $(COMMANDS)" \
	"all else: nice -n 5 $(2) $(APART:%=--ignore=%) $(COMMANDS:%=--ignore=%)" \
	"statistics: nice -n 5 $(2) tests/features/statistics tests/engines" \
	"records: nice -n 5 $(2) tests/features/records tests/storage" \
	"other features: nice -n 5 $(2) tests/features --ignore=tests/features/statistics --ignore=tests/features/records" \
	"web m-z: nice -n 5 $(2) tests/web/test_[!a-l]*.py" $(3) \
	"web a-l: nice -n 5 $(2) tests/web/test_[a-l]*.py" \
	"html: nice -n 5 $(2) tests/html tests/identity"
SOURCES := env COOKIEGUARD_PURE=1
MEASURED := $(SOURCES) HYPOTHESIS_PROFILE=other $(BIN)/coverage run -m pytest -m 'not slow'
# What `make test` leaves out. It waits more than it computes.
REST := nice -n 5 env HYPOTHESIS_PROFILE=other $(PYTEST) --durations 10 -m slow
SLOW = "slow else: $(REST) $(APART:%=--ignore=%) $(FOR_RELEASE:%=--ignore=%)" \
	"slow features: $(REST) tests/features tests/engines tests/storage $(FOR_RELEASE:%=--ignore=%)" \
	"slow web: $(REST) tests/web tests/html tests/identity"

# Where this is set, each process of a test compiles all it imports, and each worker every test file: 10 s of CPU each.
export PYTHONDONTWRITEBYTECODE :=

ASKED := $(if $(filter 1,$(INSTALL)),--install)

.PHONY: help demo test test-all test-abroad check docs pictures bench wheel clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## a shop with three months of visitors, the ad network its tags report to, and the same shop unguarded
	$(BIN)/python -m demo_site --fill

test: $(VENV)/.compiled ## what a change must pass; installs Chromium, nginx, Varnish and GoAccess where it may (INSTALL=0: never)
	$(BIN)/python scripts/find_chromium.py $(ASKED)
	$(BIN)/python scripts/find_programs.py $(ASKED)
	$(BIN)/python scripts/at_once.py 6 $(call PARTS,$(QUICK),$(QUICK),"not compiled: nice -n 5 $(SOURCES) $(QUICK) $(BOTH)")

# Coverage is that of the Python sources by the tests of `make test` that need no browser: measured they take three times
# as long. What they leave out runs with the compiled modules.
# `make test` writes into memory (tests/conftest.py), this on a disk. Browsers wait most of their time: all runs at once.
test-all test-abroad: export TMPDIR ?= /tmp
test-all: export VECTOR_SEED ?= $(shell date +%F)
test-all: $(VENV)/.compiled $(VENV)/.clickhouse ## nearly every test (of tests/vectors the eighth of the day), the wheel, bounds, coverage
	$(BIN)/python scripts/find_chromium.py $(ASKED)
	$(BIN)/python scripts/find_programs.py --slow $(ASKED)
	@echo "the eighth of tests/vectors, and what chooses it: VECTOR_SEED=$$VECTOR_SEED"
	$(BIN)/coverage erase
	$(BIN)/python scripts/at_once.py 6 $(SLOW) \
		$(call PARTS,$(PYTEST) --durations 10,$(MEASURED)) \
		"built: $(BIN)/python scripts/check_wheel.py && $(BIN)/python scripts/check_bounds.py && nice -n 5 $(QUICK) $(BOTH) $(MORE)"
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# Elsewhere browser tests drive Debian's Chromium without windows of its own, where it is there; here the whole one.
test-abroad: export VECTORS := whole
test-abroad: $(VENV)/.compiled ## before a release: all vectors in every state and engine, a whole Chromium, shops of others, kills by the thousand
	$(BIN)/python scripts/find_chromium.py $(ASKED)
	$(BIN)/python scripts/find_programs.py --slow $(ASKED)
	$(BIN)/python scripts/at_once.py 3 $(ABROAD_AT_ONCE) "release: $(PYTEST) $(FOR_RELEASE)" \
		"survival: $(LONG) $(PYTEST) -m slow $(SURVIVAL)" \
		"chromium: CHROMIUM=\$$($(BIN)/python scripts/find_chromium.py) $(PYTEST) tests/browser tests/scan tests/vectors/test_vectors.py tests/web/test_renderer.py"

check: $(VENV)/.test ## format, lint, types, layers, generated files
	$(BIN)/ruff format --check . || { echo "run: $(BIN)/ruff format ."; exit 1; }
	$(BIN)/ruff check . || { echo "run: $(BIN)/ruff check --fix ."; exit 1; }
	$(BIN)/mypy
	$(BIN)/python scripts/check_layers.py
	$(BIN)/python scripts/config_reference.py --check
	$(BIN)/python scripts/check_vendors.py
	$(BIN)/python scripts/pack_scripts.py --check

docs: $(VENV)/.docs ## the documentation as a site in build/docs; a link that leads nowhere fails
	$(BIN)/python scripts/config_reference.py --check
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs build/docs
	@echo "open build/docs/index.html"

pictures: $(VENV)/.pictures ## the pictures of README.md and the docs, taken from the demo shop
	$(BIN)/python scripts/find_chromium.py $(ASKED)
	$(BIN)/python scripts/pictures.py

# BENCH="--pages DIR --write" measures on pages of your own and writes RESULTS.md.
bench: $(VENV)/.bench $(VENV)/.compiled ## the figures of RESULTS.md (BENCH="--pages DIR --write")
	$(BIN)/python benchmarks/results.py $(BENCH)

wheel: $(VENV)/.test ## build the wheel and try it in a clean environment
	$(BIN)/python scripts/check_wheel.py

clean: ## remove .venv and what was built
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cookieguard needs Python 3.11 or newer; this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -qq --upgrade "pip>=25.1"

# Without compiling: pip would be silent for the two minutes that takes, and the demo answers as well from the
# sources. `.built` compiles, and says how far it is.
$(VENV)/.demo: pyproject.toml | $(VENV)/bin/python
	COOKIEGUARD_PURE=1 $(BIN)/python -m pip install -e '.[demo]' 'Cython>=3.1' 'setuptools>=77'
	touch $@

$(VENV)/.bench: pyproject.toml | $(VENV)/bin/python
	COOKIEGUARD_PURE=1 $(BIN)/python -m pip install -qq -e '.[demo]' --group bench
	touch $@ $(VENV)/.demo

$(VENV)/.test: pyproject.toml | $(VENV)/bin/python
	COOKIEGUARD_PURE=1 $(BIN)/python -m pip install -qq -e '.[demo]' --group check --group test
	touch $@ $(VENV)/.demo

$(VENV)/.docs: pyproject.toml $(VENV)/.demo
	$(BIN)/python -m pip install -qq --group docs
	touch $@

$(VENV)/.pictures: pyproject.toml $(VENV)/.demo
	$(BIN)/python -m pip install -qq --group pictures
	touch $@

# 300 MB for one engine, so `make test-all` alone asks for it. Without it those tests are skipped, and say so.
$(VENV)/.clickhouse: pyproject.toml $(VENV)/.test
	$(BIN)/python -m pip install -qq --group clickhouse || echo "ClickHouse is NOT tested: chdb cannot be installed here"
	touch $@

# Where there is no compiler the sources run: slower, and the same bytes.
$(VENV)/.built: setup.py $(wildcard src/cookieguard/*/*.p* src/cookieguard/*/*/*.p*) $(VENV)/.demo
	$(BIN)/python setup.py --quiet build_ext --inplace
	touch $@

$(VENV)/.compiled: $(VENV)/.test $(VENV)/.built
	touch $@
