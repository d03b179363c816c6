# The tasks of this repository. `make` lists them.

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-full bench docs lint format capabilities clean

VENV := .venv
PYTHON := $(VENV)/bin/python
FULLY_TYPED := 99

help: ## list the tasks
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## install what is missing: Debian packages (as root or through sudo) and .venv
	@contrib/setup/setup.sh

demo: setup ## drive two real QEMU guests, and simulated hosts beside them, in under three minutes
	@PYTHONPATH=contrib/demo $(PYTHON) -m hvsdk_demo

test: setup ## everything that is checked before a change goes in
	@$(PYTHON) contrib/checks/run.py

test-full: ## the same, with the long matrices
	@contrib/setup/setup.sh --full
	@$(PYTHON) contrib/checks/run.py --full

bench: setup ## compare with the client libraries; BENCH=--json for one object a line
	@PYTHONPATH=contrib/bench $(PYTHON) -m hvsdk_bench $(BENCH)

docs: setup ## build docs/_build/html, warnings being errors
	@$(PYTHON) -m sphinx -W --keep-going -q -b html docs docs/_build/html

lint: setup ## ruff, mypy, import-linter, pyright
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(PYTHON) -m mypy
	$(VENV)/bin/lint-imports --no-cache
	$(PYTHON) contrib/checks/typed.py --at-least $(FULLY_TYPED) hvsdk

format: setup ## let ruff put the code in order
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

capabilities: setup ## make docs/capabilities-table.md anew, from what the backends answer
	$(PYTHON) contrib/checks/capabilities.py

clean: ## remove what the tasks made, .venv too
	rm -rf $(VENV) docs/_build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
