# Needs make and Python >= 3.11 (another one than python3: make up PYTHON=python3.13). Everything else is installed into .venv.
PYTHON ?= python3
ARGS ?=
SECONDS ?= 60
BIN := .venv/bin
# Each process has servers of its own (about 1 GB). Kafka's optimising compiler would pay off later than these live.
PARALLEL := --maxprocesses 6 --dist loadfile
UV_COMPILE := $(BIN)/uv pip compile --no-config --quiet --universal --generate-hashes --no-emit-index-url --no-header $(UPGRADE)

.DEFAULT_GOAL := help
.PHONY: help up test compose-test alerts check web documents bench faults bugs security lock sbom clean install-embedded \
	install-dev install-security

help: ## Print this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-12s %s\n' "$$name" "$$text"; done

up: ## Install what is missing and run the whole clinic here (ARGS="--port 8001 --data DIR --no-seed")
	@$(PYTHON) ops/install.py embedded && exec $(BIN)/clinic up --with-parent $(ARGS)

# The fault run is alone, as it measures how soon the clinic works again. Status 5: ARGS chose other tests.
test: check ## check, and all the tests that need the real stack (ARGS for pytest)
	JAVA_TOOL_OPTIONS=-XX:TieredStopAtLevel=1 $(BIN)/pytest tests --ignore=tests/unit --ignore=tests/faults/test_faults.py --ignore=tests/compose --ignore=tests/alerts -n auto $(PARALLEL) $(ARGS)
	$(BIN)/pytest tests/faults/test_faults.py $(ARGS) || [ $$? = 5 ]

compose-test: install-dev ## Start docker-compose.yml, break it, back it up, upgrade it: needs a Docker engine
	$(BIN)/pytest tests/compose -x -v $(ARGS)

alerts: install-dev ## Bring each alert about on running services, and let promtool judge: needs Go, which builds it
	$(BIN)/pytest tests/alerts $(ARGS)

check: install-dev ## Lint, format, types, layers and the unit tests; under a minute, no network
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest tests/unit -q -n logical $(PARALLEL)

web: install-dev ## Build the pages: web/ into ingress/pages/built/ (Node comes from PyPI)
	@$(BIN)/python -m ops.web

documents: install-dev ## Write docs/API.md, docs/DATA_MODEL.md and the Postman collection anew
	$(BIN)/python -m ops.documents

bench: install-dev ## Measure the running stack
	$(BIN)/python -m benchmarks $(ARGS)

faults: install-dev ## Break everything for 1,000 s, all faults (ARGS="--seconds 60 --seed N --faults kill-worker")
	$(BIN)/python -m tests.faults $(ARGS)

bugs: install-dev ## Seed defects into copies of the source; the checker has to find each (ARGS="--list")
	$(BIN)/python -m tests.faults.bugs $(ARGS)

# Status 5: ARGS chose other tests.
security: install-dev install-security ## Fuzz every body, header and parser, for SECONDS=60 each: under an hour (ARGS for pytest)
	$(BIN)/python -m tests.fuzzing --seconds $(SECONDS)
	$(BIN)/pytest tests/fuzzing tests/unit/fuzzing tests/http/login/test_mail_codes.py -n logical $(PARALLEL) \
		--fuzz-seconds $(SECONDS) $(ARGS) || [ $$? = 5 ]

lock: install-dev ## Resolve all dependencies anew into locks/ (UPGRADE=--upgrade for newer ones)
	$(UV_COMPILE) pyproject.toml --all-extras --group dev -o locks/dev.lock
	echo hatchling | $(UV_COMPILE) pyproject.toml - -c locks/dev.lock -o locks/server.lock
	echo hatchling | $(UV_COMPILE) pyproject.toml --extra embedded - -c locks/dev.lock -o locks/embedded.lock
	echo hatchling | $(UV_COMPILE) pyproject.toml --extra load - -c locks/dev.lock -o locks/load.lock
	$(UV_COMPILE) --group security -o locks/security.lock
	echo uv==0.13.9 | $(UV_COMPILE) - -o locks/bootstrap.lock
	$(BIN)/python -c "from ops.embedded import jars; jars.main()" --lock

sbom: install-dev ## Write what a server and the pages are made of to sbom/ (CycloneDX)
	@mkdir -p sbom
	PYTHONWARNINGS=ignore $(BIN)/uv tool run --quiet --from cyclonedx-bom==7.5.0 cyclonedx-py requirements locks/server.lock \
		--pyproject pyproject.toml --output-reproducible --output-file sbom/server.cdx.json
	$(BIN)/python -c "from ops.web import npm; npm('sbom', '--sbom-format=cyclonedx', '--package-lock-only')" > sbom/pages.cdx.json

clean: ## Remove .venv and all caches; the data folder .clinic stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

install-embedded install-dev install-security: install-%:
	@$(PYTHON) ops/install.py $*
