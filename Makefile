# Every target does the set-up that it needs; `make` alone says what there is.
PYTHON ?= python3
UV ?= uv
BIN := .venv/bin
MAKEFLAGS += --no-print-directory
# Two processes run the tests, one of them what waits: tests/support/workers.py. `.venv/bin/pytest FILE` is one process.
WORKERS ?= 2
# This share of the random examples of each property; `make test-long` has all of them.
EXAMPLES ?= 0.5

# Python itself would end by it, before anything of ours can leave it out.
unexport PYTHONHOME
# With it every process would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup setup-spark demo test test-fast test-long bench lint docs lock clean ready ready-cluster ready-long

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make .venv: Python packages, exact and checked; needs Python alone
	@$(PYTHON) scripts/setup.py

setup-spark: ## the same with what Spark needs besides: Java libraries, exact and checked; needs Java
	@$(PYTHON) scripts/setup.py --spark
	@$(BIN)/python scripts/class_archive.py

demo: ready ## the whole pipeline on the bundled simulator, then a report
	@$(BIN)/aqi demo

test: ready-cluster lint ## lint and all tests but the slow ones: what CI runs; needs Java
	$(BIN)/pytest -n $(WORKERS) -m "not slow" --examples $(EXAMPLES)

test-fast: ready ## the core and a few pipelines, without Java and servers: under a minute
	$(BIN)/pytest -n $(WORKERS) -m "not (spark or prefect or yarn or browser or planted or slow or costly) and (pipeline or not engine)" \
		--examples 0.1

test-long: ready-long lint ## lint and every test, slow ones too; needs Java
	$(BIN)/pytest

bench: ready ## whole commands against others that do the same work (ARGS='--only yardstick'); over an hour; needs Java
	@$(PYTHON) scripts/setup.py --quiet --spark
	@$(BIN)/python scripts/class_archive.py
	@$(BIN)/python scripts/bench.py $(ARGS)

lint: ready ## ruff, mypy (strict), the import contracts, and whether the pages that are made are what the code says
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python scripts/tables_page.py --check
	$(BIN)/python scripts/rooms.py --check

docs: ready ## remake the pages that are made: docs/TABLES.md, and the pictures of ARCHITECTURE.md
	$(BIN)/python scripts/tables_page.py
	$(BIN)/python scripts/rooms.py

lock: ## remake requirements.lock from requirements.in (needs uv; keeps the pins that still fit)
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --no-strip-extras --no-header --output-file requirements.lock requirements.in
	@sed -i '1i # The closure of requirements.in, exact and with hashes, for every Python from 3.11 on. Remake it: make lock' \
		requirements.lock

clean: ## remove caches and build leftovers (not .venv, not a warehouse)
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build *.egg-info
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

ready: # as setup, but silent where nothing is to be done
	@$(PYTHON) scripts/setup.py --quiet

ready-cluster: # as setup-spark, with the Hadoop of scripts/cluster.sh
	@$(PYTHON) scripts/setup.py --quiet --java hadoop
	@$(BIN)/python scripts/class_archive.py

ready-long: # as ready-cluster, with OpenLineage's listener for Spark, which a test compares with
	@$(PYTHON) scripts/setup.py --quiet --java hadoop --java listener
	@$(BIN)/python scripts/class_archive.py
