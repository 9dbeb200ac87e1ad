# Short verbs. `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help lint test

help:
	@echo "make test   everything that must pass"
	@echo "make lint   ruff, mypy, import rules"

lint:
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy . && $(BIN)/lint-imports

test:
	@tests/run.sh
