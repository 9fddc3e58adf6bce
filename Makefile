# Every target sets up the environment first; `make repro` and `make test` are all a fresh machine needs.

PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --no-deps
STAMP := .venv/.installed
SIDE_BY_SIDE := --numprocesses=logical --maxprocesses=8
# Slow tests that bear others beside them: they measure no time, share no network and count no processes of the machine.
# In this order, the longest first.
TOGETHER := $(addprefix tests/,test_real_frames.py test_whole_on_own_data.py test_whole.py pipeline/ablation dsn \
	test_isolation.py test_registry_page.py test_tutorial.py stages \
	$(addprefix pipeline/,export inference release report tracking))

# Nothing phones home: DVC, Ray and MLflow each have their own switch. Activating the environment sets them too.
SWITCHES := DVC_NO_ANALYTICS RAY_USAGE_STATS_ENABLED MLFLOW_DISABLE_TELEMETRY
export DVC_NO_ANALYTICS := 1
export RAY_USAGE_STATS_ENABLED := 0
export MLFLOW_DISABLE_TELEMETRY := true

.DEFAULT_GOAL := help
.PHONY: help setup repro ablate cluster-up cluster-down test test-slow check format docs lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 14

setup: $(STAMP)  ## create .venv with the exact pinned packages, once

# xtcocotools' wheel is built for NumPy 1, so it is built here, against the pinned NumPy, after what builds it.
$(STAMP): requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit("got Python %d.%d, wanted 3.11 to 3.13: set PYTHON=python3.11" % v)'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	grep -E '^(cython|numpy|setuptools)==' requirements.lock > .venv/build.lock
	$(UV) -r .venv/build.lock
	$(UV) --no-build-isolation-package xtcocotools --no-binary xtcocotools -r requirements.lock
	printf 'export %s\n' $(foreach name,$(SWITCHES),$(name)=$($(name))) >> $(BIN)/activate
	@touch $@

repro: $(STAMP)  ## draw the data, train, register, evaluate, promote and report: the whole DAG
	$(BIN)/python -m pipeline doctor --quiet
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pipeline cluster run dvc repro

ablate: $(STAMP)  ## train and stress every network of ablate/params.yaml, and write one table; goes on where it was
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pipeline cluster run dvc repro --keep-going ablate/dvc.yaml

cluster-up: $(STAMP)  ## start a Ray that the commands to come share
	$(BIN)/python -m pipeline cluster up

cluster-down: $(STAMP)  ## end it
	$(BIN)/python -m pipeline cluster down

test: $(STAMP)  ## the fast tests
	$(BIN)/python -m pytest -m "not slow" $(SIDE_BY_SIDE)

test-slow: $(STAMP)  ## the slow tests: real Ray clusters, the whole DAG, real frames
	$(BIN)/python -m pytest -m slow $(TOGETHER) $(SIDE_BY_SIDE) --dist=loadfile --no-loadscope-reorder
	$(BIN)/python -m pytest -m slow $(addprefix --ignore=,$(TOGETHER))

check: $(STAMP)  ## lint, format, types and import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(STAMP)  ## put the code into its one format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(STAMP)  ## docs/ as a site in site/, to open from the disk
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

lock: $(STAMP)  ## resolve pyproject.toml anew: names and versions for every platform, nothing else
	$(BIN)/uv pip compile --quiet --universal --no-header --no-annotate --no-emit-index-url --upgrade \
		pyproject.toml --group dev --output-file requirements.lock

clean:  ## remove the environment, the tools' caches and Ray's runs; data and models stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .cache .ray build dist site
