# Needs make and Python >= 3.11 (another one than python3: make up PYTHON=python3.13). Everything else is installed into .venv.
PYTHON ?= python3
ARGS ?=
BIN := .venv/bin
UV_COMPILE := $(BIN)/uv pip compile --no-config --quiet --universal --generate-hashes --no-emit-index-url --no-header $(UPGRADE)

.DEFAULT_GOAL := help
.PHONY: help up test check bench faults bugs lock clean install-embedded install-dev

help: ## Print this list
	@sed -n 's/^\([a-z]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-8s %s\n' "$$name" "$$text"; done

up: ## Install what is missing and run the whole clinic here (ARGS="--port 8001 --data DIR --no-seed")
	@$(PYTHON) ops/install.py embedded && exec $(BIN)/clinic up --with-parent $(ARGS)

test: check ## check, and all the tests that need the real stack (ARGS for pytest)
	$(BIN)/pytest tests --ignore=tests/unit $(ARGS)

check: install-dev ## Lint, format, types, layers and the unit tests; under a minute, no network
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest tests/unit -q

bench: install-dev ## Measure the running stack
	$(BIN)/python -m benchmarks $(ARGS)

faults: install-dev ## Break everything for 1,000 s, all faults (ARGS="--seconds 60 --seed N --faults kill-worker")
	$(BIN)/python -m tests.faults $(ARGS)

bugs: install-dev ## Seed defects into copies of the source; the checker has to find each (ARGS="--list")
	$(BIN)/python -m tests.faults.bugs $(ARGS)

lock: install-dev ## Resolve all dependencies anew into locks/ (UPGRADE=--upgrade for newer ones)
	$(UV_COMPILE) pyproject.toml --all-extras --group dev -o locks/dev.lock
	$(UV_COMPILE) pyproject.toml -c locks/dev.lock -o locks/server.lock
	echo hatchling | $(UV_COMPILE) pyproject.toml --extra embedded - -c locks/dev.lock -o locks/embedded.lock
	echo uv==0.13.9 | $(UV_COMPILE) - -o locks/bootstrap.lock
	$(BIN)/python -c "from ops.embedded import jars; jars.main()" --lock

clean: ## Remove .venv and all caches; the data folder .clinic stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

install-embedded install-dev: install-%:
	@$(PYTHON) ops/install.py $*
