# `make` lists the targets. The two a newcomer needs are `make serve` and `make test`.
.DEFAULT_GOAL := help
SHELL := /bin/sh

BIN   := .venv/bin
STAMP := .venv/.installed

.PHONY: help serve test lint types docs cover bench fault fuzz lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

serve: $(STAMP) ## run a node with a demo brand; says where to go and as whom
	@$(BIN)/talkwire serve --demo --data data

test: $(STAMP) ## everything CI runs: lint, types, import contracts, all tests but the bench
	@scripts/install-test-deps
	@$(MAKE) --no-print-directory lint types
	$(BIN)/pytest tests

lint: $(STAMP) ## ruff (rules and format) and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

types: $(STAMP) ## mypy, strict
	$(BIN)/mypy

docs: $(STAMP) ## make the pages that come from tables, and run the examples in the others
	$(BIN)/python scripts/make_docs.py
	@scripts/install-test-deps
	$(BIN)/pytest tests/docs

cover: $(STAMP) ## branch coverage of what must be covered wholly: rules, models, the wire, peer
	$(BIN)/coverage run -m pytest -q tests/unit tests/protocol
	$(BIN)/coverage report --fail-under=100 \
	    --include='src/talkwire/*/rules.py,src/talkwire/*/model.py,src/talkwire/protocol/*,src/talkwire/gateway/peer.py'

bench: $(STAMP) ## the figures of docs/benchmarks.md, on this machine
	PYTHONPATH=tests $(BIN)/python -m bench

fault: $(STAMP) ## the long form of the fault tests: 200 kills instead of 20
	@scripts/install-test-deps
	TALKWIRE_FAULT_ROUNDS=200 $(BIN)/pytest tests/fault

fuzz: $(STAMP) ## the readers of bytes from outside, for long: FUZZ_SECONDS=300 each, then each property test for as long at most
	PYTHONPATH=tests $(BIN)/python -m fuzz --seconds $${FUZZ_SECONDS:-300}
	FUZZ_SECONDS=$${FUZZ_SECONDS:-300} $(BIN)/pytest tests -m hypothesis --hypothesis-profile=fuzz

lock: $(STAMP) ## write requirements/*.txt anew from requirements/*.in
	@scripts/lock-requirements

clean: ## remove what tools leave behind (never data/)
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage htmlcov build dist
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment: made from the locked requirements, every file checked against its hash.
$(STAMP): requirements/dev.txt requirements/runtime.in pyproject.toml scripts/install-venv
	@scripts/install-venv .venv
	@touch $@
