# Every target installs what it needs into .venv by itself.
PYTHON ?= python3
VENV := .venv
OLDEST := .venv-oldest
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.DEFAULT_GOAL := help
.PHONY: help search test oldest lint types bench clean

help: ## show this help
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(VENV)/.run: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing hwnas into $(VENV) (a few minutes the first time)"
	@# torch first, pinned: an open range may pick a build that is gigabytes larger.
	@$(INSTALL) torch
	@$(INSTALL) --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "installing the test and lint tools into $(VENV)"
	@$(INSTALL) --editable '.[dev]'
	@# The upstream packages our numbers are checked against; their own requirements are out of date.
	@$(INSTALL) --no-deps ofa dynast
	@touch $@

search: $(VENV)/.run ## search the default supernet under 20 ms on this machine's CPU
	$(BIN)/hwnas search --latency 20ms

test: $(VENV)/.dev ## run the whole test suite, two files at a time
	@# In the order of folders: the small files are last, so that no process is left with a long one.
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

$(OLDEST)/.run: pyproject.toml constraints.txt .ci/oldest.py
	@test -x $(OLDEST)/bin/python || $(PYTHON) -m venv $(OLDEST)
	@echo "installing the oldest versions that are allowed into $(OLDEST)"
	@$(PYTHON) .ci/oldest.py > $(OLDEST)/constraints.txt
	@$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check --constraint $(OLDEST)/constraints.txt torch
	@$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check --constraint $(OLDEST)/constraints.txt --editable '.[test]'
	@touch $@

oldest: $(OLDEST)/.run ## import everything and run the main job on the oldest versions that are allowed
	$(OLDEST)/bin/python -m pytest -W default tests/test_imports.py tests/e2e/test_search.py

lint: $(VENV)/.dev ## style, formatting, and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.dev ## strict type check
	$(BIN)/mypy

bench: $(VENV)/.dev ## the figures of BENCHMARKS.md
	$(BIN)/python -m benchmarks

clean: ## remove .venv, caches and build products
	rm -rf $(VENV) $(OLDEST) dist build .*_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
