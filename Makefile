# Each target does its own set-up: nothing has to be installed by hand but Python 3.11 or newer and make.
# The first run makes .venv (about a minute); later runs see by its stamp that there is nothing to do.

PYTHON ?= python3
ARGS ?=
# Most tests wait: for pods, for Airflow. Three at a time keep two cores busy; a file's tests stay with one worker.
TOGETHER ?= -n 3 --dist loadfile --no-loadscope-reorder

VENV := .venv
BIN := $(VENV)/bin
WANTED := $(shell { $(PYTHON) --version; cat constraints.txt pyproject.toml; } 2>/dev/null | sha256sum | cut -c1-16)
READY := $(VENV)/.ready-$(WANTED)

.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench docs stack-up stack-down constraints clean

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

demo: $(READY) ## From a bare machine to a release that went out and one that was taken back; ARGS=--once ends by itself
	$(BIN)/python -m tests.demo $(ARGS)

test: $(READY) ## Every test, on the real stack, three at a time; ARGS goes to pytest
	$(BIN)/python -m pytest -q $(TOGETHER) $(ARGS)

lint: $(READY) ## Style, types, import contracts, and the docs in strict mode
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(MAKE) --no-print-directory docs

format: $(READY) ## Let ruff lay the code out
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## Speed and cost, as a table and as build/bench/*.json
	$(BIN)/python -m benchmarks $(ARGS)

docs: $(READY) ## build/docs/index.html; a warning is an error
	$(BIN)/python -m sphinx -q -W --keep-going -n -b html -d build/doctrees docs build/docs

stack-up: $(READY) ## Cluster, gateway, registry, Docker engine and Prometheus, to look around or to test against
	$(BIN)/python -m tests.stack up

stack-down: $(READY) ## Stop the stack and undo what it changed on the machine
	$(BIN)/python -m tests.stack down

constraints: $(VENV)/.uv ## Resolve the dependencies anew and pin them with their hashes
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--upgrade --group dev --group docs pyproject.toml --output-file $(VENV)/constraints.new
	{ head -2 constraints.txt; cat $(VENV)/constraints.new; } > $(VENV)/constraints.txt
	mv $(VENV)/constraints.txt constraints.txt

clean: ## Remove what was made here; the stack is left alone, stack-down stops it
	rm -rf build dist $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(VENV)/.uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check uv
	touch $@

# Byte code is compiled at once: Airflow's own programs start three times as fast with it.
$(READY): $(VENV)/.uv
	@echo "setting up $(VENV): about a minute, once per change of constraints.txt"
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --compile-bytecode --require-hashes constraints.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	rm -f $(VENV)/.ready-*
	touch $@
