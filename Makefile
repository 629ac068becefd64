# make demo = the main job; make test = the tests; make check = everything CI asks.
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.ready
PYTHON ?= python3
WORKERS ?= auto
SEEDS ?= 2000
EXAMPLES ?= 500
SEED ?= 1

.PHONY: help setup demo test check fmt proto bench fuzz sim country clean
help:
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

setup: $(STAMP) ## virtual environment with everything pinned

$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "tiersync needs Python 3.11 or newer; this is $$($(PYTHON) -V). Set PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python has no venv module. On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: $(STAMP) ## five real nodes on loopback: the main job
	$(VENV)/bin/tiersync demo

test: $(STAMP) ## all tests
	$(PY) -m pytest -n $(WORKERS) tests

check: $(STAMP) ## format, lint, types, import rules, generated code, tests
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(PY) tests/tools/generated.py --check
	$(PY) -m pytest -n $(WORKERS) tests

fmt: $(STAMP) ## mend what can be mended
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

proto: $(STAMP) ## regenerate protobuf code, vectors, texts, the pages of the command line, of the datasets and of the API
	$(PY) tests/tools/generated.py
	$(PY) tests/tools/vectors.py
	$(PY) tests/tools/texts.py
	$(PY) tests/tools/clidocs.py
	$(PY) tests/tools/datasetdocs.py
	$(PY) -m tests.tools.flowdocs
	$(PY) tests/tools/openapi.py

bench: $(STAMP) ## measurements beside PostgreSQL
	$(PY) -m bench

fuzz: $(STAMP) ## the HTTP API from its own description, with many examples (EXAMPLES=500)
	FUZZ_EXAMPLES=$(EXAMPLES) $(PY) -m pytest tests/integration/test_http_fuzz.py

sim: $(STAMP) ## the long sweep of simulated seeds (SEEDS=2000)
	$(PY) -m pytest -n $(WORKERS) tests/sim --seeds $(SEEDS)

country: $(STAMP) ## 366 simulated nodes work on 1,000 tasks for 30 days (SEED=1, COUNTRY="--replay --json")
	$(PY) -m tests.tools.country --seed $(SEED) $(COUNTRY)

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
