# Everything a developer or a CI machine does. Needed beforehand: Python 3.11 or newer with venv, and make.
# `make` alone lists the targets; ARGS="…" is passed on to the command that a target runs.

PYTHON ?= python3
# Many tests wait, for a server that starts or a time that passes: one worker more than processors uses that.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')
CRASHES ?= 5000
ARGS ?=

BIN := .venv/bin
UV := $(BIN)/uv
INSTALLED := .venv/.installed
NODE_MODULES := tests/node/node_modules/.package-lock.json

# One lock serves every platform and Python; nothing in it names an index, a machine or a path.
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --annotation-style line $(if $(UPGRADE),--upgrade)

export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
# The tests start many processes, and one without byte-code compiles everything anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup run test chaos check lint format types layers docs-current docs bench lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

setup: $(INSTALLED) $(NODE_MODULES)  ## make .venv and the Node packages that the tests use, as locked

run: $(INSTALLED)  ## start the server
	$(BIN)/eunoe server $(ARGS)

# A worker has neighbouring tests, so that few start the same servers, and takes others' when it is idle:
# what is longest, the processes of tests/cli to tests/crash, comes first.
test: setup  ## run the whole test suite, on SQLite and PostgreSQL
	$(BIN)/pytest -n $(WORKERS) --dist worksteal $(ARGS)

chaos: setup  ## have the server fail in very many cases (CRASHES), and look whether anything is lost
	EUNOE_CRASHES=$(CRASHES) $(BIN)/pytest tests/crash/test_faults.py -s -o faulthandler_timeout=0 $(ARGS)

check: lint types layers docs-current  ## run every check that is not a test

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(INSTALLED)
	$(BIN)/pyright

layers: $(INSTALLED)
	$(BIN)/lint-imports

docs-current: $(INSTALLED)
	$(BIN)/python tools/docs.py --check

format: $(INSTALLED)  ## format the code and apply the safe fixes
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

docs: $(INSTALLED)  ## write the generated pages of docs/ anew
	$(BIN)/python tools/docs.py

bench: $(INSTALLED)  ## measure; prints the rows of docs/benchmarks.md
	$(BIN)/python -m bench $(ARGS)

lock: $(UV)  ## write locks/ anew after a change of pyproject.toml; UPGRADE=1 takes newer versions
	$(LOCK) --group bootstrap --output-file locks/uv.txt
	$(LOCK) --all-extras --group dev --output-file locks/dev.txt pyproject.toml
	$(LOCK) --no-annotate --constraint locks/dev.txt --output-file locks/server.txt pyproject.toml

clean:  ## remove everything that is not source
	rm -rf .venv tests/node/node_modules dist build .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Eunoe needs Python 3.11 or newer, and '$(PYTHON)' is not; name one: make setup PYTHON=python3.13" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' cannot make virtual environments; install its venv package (Debian: python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement locks/uv.txt

$(INSTALLED): pyproject.toml locks/uv.txt locks/dev.txt | $(UV)
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r locks/uv.txt -r locks/dev.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(NODE_MODULES): tests/node/package.json tests/node/package-lock.json $(INSTALLED)
	$(BIN)/python -m tests.node.runtime ci
	@touch $@
