# Everything a developer does. `make demo` and `make test` work on a bare machine with Python 3.11.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PORT   ?= 8080
export PORT

.PHONY: help setup demo test test-all check bench proto clean

help:            ## show this
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.ready  ## virtual environment with the locked dependencies

$(VENV)/.ready: requirements/lock.txt requirements/install.py requirements/bytecode.py pyproject.toml
	$(PYTHON) requirements/install.py $(VENV)
	@touch $@

demo: setup      ## phantom films → two collections → answers → map → UI on PORT (HEADLESS=1: do the job and exit)
	$(BIN)/hilum demo --data demo-data --port $(PORT) $(if $(filter 1,$(HEADLESS)),--headless)

test: setup      ## the tests
	$(BIN)/python -m pytest -m "not slow" -q

test-all: setup  ## the tests with their heavy variants
	$(BIN)/python -m pytest -q

check: setup     ## style, types, walls
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

bench: setup     ## ratios against a peer or a limit, side by side in one run
	$(BIN)/python -m pip install -q -r requirements/bench.txt
	$(BIN)/python -m benchmarks

proto: setup     ## regenerate client/hilum/v1 from proto/
	$(BIN)/python proto/generate.py

clean:           ## remove what the demo wrote
	rm -rf demo-data
