# The commands of this project. `make` alone lists them.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Processes that run the tests, side by side.
WORKERS ?= 2

.DEFAULT_GOAL := help

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.runtime: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("this project needs Python 3.11 or later; set PYTHON=python3.x" if sys.version_info < (3, 11) else 0)'
	@test -x $(BIN)/python || { echo "making $(VENV) …"; $(PYTHON) -m venv $(VENV); }
	@echo "installing the gateway into $(VENV) (some 20 s the first time) …"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.txt
	@echo "installing what the tests need into $(VENV) …"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

.PHONY: install
install: $(VENV)/.runtime ## make .venv with the command .venv/bin/gateway

.PHONY: run
run: $(VENV)/.runtime ## start the gateway with embedded defaults and the sandbox
	@$(BIN)/gateway run --sandbox

.PHONY: demo
demo: $(VENV)/.runtime ## play one complaint from the first SMS to its closing, told in the terminal
	@$(BIN)/gateway demo

.PHONY: services
services: $(VENV)/.dev ## fetch the real parts the tests use (Kannel, Kafka), where the machine allows it
	@$(BIN)/python -m tests.services

.PHONY: test
test: $(VENV)/.dev services ## set up and run the whole test suite
	@$(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal $(ARGS)

.PHONY: screenshots
screenshots: $(VENV)/.dev services ## take the pictures in docs/images anew, with a browser
	@SCREENSHOTS=docs/images $(BIN)/pytest tests/browser/test_pictures.py $(ARGS)

.PHONY: lint
lint: $(VENV)/.dev ## style and import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

.PHONY: types
types: $(VENV)/.dev ## mypy, strict
	@$(BIN)/mypy

.PHONY: docs
docs: $(VENV)/.dev ## write docs/ that are generated from the code (schemas, settings, metrics)
	@$(BIN)/python -m gateway.reference

.PHONY: bench
bench: $(VENV)/.dev services ## run the benchmarks and print their tables
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: soak
soak: $(VENV)/.dev services ## kill and starve everything under load for SECONDS (180), then balance the books
	@$(BIN)/python -m benchmarks.soak --seconds $(or $(SECONDS),180) $(ARGS)

.PHONY: crash
crash: $(VENV)/.dev services ## kill the gateway at its every step; MATRIX=full: on every way in and backend (a quarter of an hour)
	@CRASH_MATRIX=$(MATRIX) $(BIN)/pytest tests/crash --numprocesses $(WORKERS) --dist worksteal $(ARGS)

.PHONY: lock
lock: ## compile the pinned requirements again (needs uv)
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate pyproject.toml --group build -o requirements.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt

.PHONY: clean
clean: ## remove .venv and everything that was built or run here
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis var tests/kafka/target
