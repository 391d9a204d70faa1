# Two commands are enough: `make serve` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HOST ?= 127.0.0.1
PORT ?= 8000

.DEFAULT_GOAL := help

.PHONY: help
help:  ## List the commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- set-up: done by the commands that need it

$(BIN)/python:
	@echo "creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -c 'import sys; sys.exit("whybounce needs Python 3.11 or newer; run: make PYTHON=python3.11 ...") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock requirements-dev.lock pyproject.toml | $(BIN)/python
	@test -e $(VENV)/.dev || { echo "installing what the service needs (about a minute)"; \
	  $(BIN)/python -m pip install --require-hashes --progress-bar off -q -r requirements.lock; }
	@touch $@

$(VENV)/.dev: requirements.lock requirements-dev.lock pyproject.toml | $(BIN)/python
	@echo "installing what the tests need (a few minutes)"
	@$(BIN)/python -m pip install --require-hashes --progress-bar off -q -r requirements-dev.lock
	@$(BIN)/python -m pip install --no-deps --no-build-isolation --progress-bar off -q -e .
	@touch $@ $(VENV)/.runtime

# ---- the two commands

.PHONY: serve
serve: $(VENV)/.runtime  ## Set up and start the service on HOST:PORT
	@$(BIN)/python -m whybounce serve --host $(HOST) --port $(PORT)

.PHONY: test
test: $(VENV)/.dev  ## Set up and run the tests
	@$(BIN)/python -m pytest $(ARGS)

# ---- for people who change whybounce

.PHONY: check
check: lint types cover wheel  ## Everything that CI runs

.PHONY: lint
lint: $(VENV)/.dev  ## Check style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/python -m whybounce.data.lint

.PHONY: format
format: $(VENV)/.dev  ## Format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

.PHONY: types
types: $(VENV)/.dev  ## Check types with mypy and pyright
	@$(BIN)/mypy
	@$(BIN)/mypy tests --exclude tests/bench
	@$(BIN)/mypy --explicit-package-bases tests/bench
	@$(BIN)/pyright

.PHONY: cover
cover: $(VENV)/.dev  ## Run the tests with branch coverage
	@$(BIN)/python -m pytest --cov --cov-report=term $(ARGS)

.PHONY: wheel
wheel: $(VENV)/.dev  ## Build the wheel and try it in an empty environment
	@$(BIN)/python tests/wheel_in_empty_environment.py

.PHONY: train
train: $(VENV)/.dev  ## Train the shipped model again (about four minutes)
	@$(BIN)/python -m whybounce train --bare --out model/artifact

.PHONY: evaluate
evaluate: $(VENV)/.dev  ## Measure the shipped model: make evaluate DATA=bounces.jsonl
	@test -n "$(DATA)" || { echo "name the labelled data: make evaluate DATA=bounces.jsonl"; exit 2; }
	@$(BIN)/python -m whybounce evaluate $(DATA)

.PHONY: bench
bench: $(VENV)/.dev  ## Measure speed and memory (two minutes; needs wrk and curl)
	@$(BIN)/python -m tests.bench

.PHONY: fuzz
fuzz: $(VENV)/.dev  ## Fuzz what reads untrusted input: make fuzz ARGS="postfix --seconds 60"
	@$(BIN)/python -m tests.fuzz $(ARGS)

.PHONY: docs
docs: $(VENV)/.dev  ## Write the generated parts of the README and the dataset card
	@$(BIN)/python -m whybounce.data.card --write
	@$(BIN)/python tests/readme_parts.py --write

.PHONY: lock
lock: $(VENV)/.dev  ## Pin the dependencies again
	@$(BIN)/python -m uv pip compile pyproject.toml --extra all --generate-hashes --universal --python-version 3.11 \
	  --no-header --no-annotate --no-emit-index-url --no-strip-extras -q -o requirements.lock
	@$(BIN)/python -m uv pip compile pyproject.toml --extra all --group dev --generate-hashes --universal --python-version 3.11 \
	  --no-header --no-annotate --no-emit-index-url --no-strip-extras -q -c requirements.lock -o requirements-dev.lock

.PHONY: audit
audit: $(VENV)/.dev  ## Look for known vulnerabilities in the pinned dependencies
	@$(BIN)/python tests/audit.py requirements.lock

.PHONY: clean
clean:  ## Remove everything that was built
	@rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
