# `make run` and `make test` need only Python >= 3.11, Node >= 20 and make: they install the
# rest, pinned by hash, into .venv, .local/ministack-venv and node_modules. The stamps carry a
# checksum of what was installed, so a second start installs nothing.

SHELL := /bin/sh
.DEFAULT_GOAL := help

PORT ?= 8000

# Node 20 is enough for what runs here; jsii says at every start that it has reached its end.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20

# Without bytecode each of many Python processes compiles the same files again.
unexport PYTHONDONTWRITEBYTECODE

# The first interpreter that is new enough; PYTHON=... overrides it.
ifndef PYTHON
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
  if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
  then echo $$p; break; fi; done)
endif
PY_TAG := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)

checksum = $(firstword $(shell cat $(1) 2>/dev/null | cksum))

VENV := .venv
VENV_STAMP := $(VENV)/.installed-$(PY_TAG)-$(call checksum,requirements-dev.txt)
EMULATOR_VENV := .local/ministack-venv
EMULATOR_STAMP := $(EMULATOR_VENV)/.installed-$(PY_TAG)-$(call checksum,local/requirements-ministack.txt)
NPM_STAMP := node_modules/.installed-$(call checksum,package-lock.json)
UNLINKCTL := $(VENV)/bin/unlinkctl
STAMPS := $(VENV_STAMP) $(EMULATOR_STAMP) $(NPM_STAMP)

PIP_INSTALL := -m pip install -qq --disable-pip-version-check --require-hashes
# Resolves the locks; kept out of the project environment, which it makes.
LOCK_TOOL := uv==0.13.9
LOCK_VENV := .local/lock-venv
LOCK := $(LOCK_VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 \
  --generate-hashes --no-emit-index-url --no-header --no-config

.PHONY: help
help: ## Show this list.
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | expand -t 12

.PHONY: run
run: check-port $(STAMPS) $(UNLINKCTL) ## Start the whole stack on this machine and stay in the foreground (PORT=8000).
	@exec env PORT=$(PORT) $(VENV)/bin/python -m local.run

.PHONY: test
test: ## Everything that must pass: format, lint, types, all tests.
	@$(MAKE) --no-print-directory --jobs=3 $(OUTPUT_SYNC) style $(STAMPS)
	@$(MAKE) --no-print-directory --jobs=6 $(OUTPUT_SYNC) types without-stack e2e console-tests chaos-tests \
	  mutation-tests

.PHONY: lint
lint: style types ## Format check, lint, types.

.PHONY: style
style: $(VENV_STAMP)
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/lint-imports

.PHONY: types
types: $(VENV_STAMP) $(NPM_STAMP)
	$(NICE) node_modules/.bin/tsc --project console
	$(NICE) $(VENV)/bin/mypy

.PHONY: format
format: $(VENV_STAMP) ## Format and fix what can be fixed.
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

# Of two targets at a time, the output of each comes at its end, where `make` can do that.
OUTPUT_SYNC := $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)

# More than there are processors, because some tests wait.
WITHOUT_STACK := -n 3 --dist worksteal --ignore=tests/e2e --ignore=tests/console

.PHONY: unit
unit: $(STAMPS) ## The quick tests, for the inner loop: no deployed stack, nothing exhaustive.
	$(VENV)/bin/python -m pytest $(WITHOUT_STACK) -m "not e2e and not exhaustive"

.PHONY: exhaustive
exhaustive: $(STAMPS) ## Every call fails in every way, whole matrices, whole builds.
	$(VENV)/bin/python -m pytest $(WITHOUT_STACK) -m "exhaustive and not e2e"

# The tests of deployed stacks mostly wait. What computes takes the processor time that they leave.
NICE := nice

# `unit` and `exhaustive` in one run, which collects the tests once and keeps both workers busy.
.PHONY: without-stack
without-stack: $(STAMPS)
	$(NICE) $(VENV)/bin/python -m pytest $(WITHOUT_STACK) -m "not e2e"

# Chromium or Chrome for the tests of the console. Without one they are skipped, and say so; with
# CI set they fail.
.PHONY: browser
browser: $(VENV_STAMP)
	@$(VENV)/bin/python -m tests.support.browser

.PHONY: e2e
e2e: $(STAMPS) ## The tests over HTTP against the deployed stack.
	$(VENV)/bin/python -m pytest -m e2e tests/e2e $(foreach each,$(CHAOS_TESTS) $(MUTATION_TESTS),--ignore=$(each))

.PHONY: console-tests
console-tests: $(STAMPS) browser ## The tests of the console in a browser, on a stack of its own.
	$(VENV)/bin/python -m pytest -m e2e tests/console

CHAOS_TESTS := tests/e2e/test_chaos.py
MUTATION_TESTS := tests/e2e/test_mutations.py

# They wait for minutes, each on a separate stack.
.PHONY: chaos-tests
chaos-tests: $(STAMPS) ## A load under faults, which must keep every promise.
	$(VENV)/bin/python -m pytest -m e2e $(CHAOS_TESTS)

.PHONY: mutation-tests
mutation-tests: $(STAMPS) ## A run under faults without each safeguard, which must fail.
	$(VENV)/bin/python -m pytest -m e2e $(MUTATION_TESTS)

# On another port than `make run`, unless PORT is given.
.PHONY: chaos
chaos: $(STAMPS) ## Kill, throttle and repeat under load on a local stack, then check it (MINUTES=3 SEED=1).
	@exec env PORT=$(if $(filter file,$(origin PORT)),0,$(PORT)) MINUTES=$(MINUTES) SEED=$(SEED) \
	  $(VENV)/bin/python -m tests.chaos

.PHONY: openapi
openapi: $(VENV_STAMP) ## Write the OpenAPI document to .build/openapi.json, and docs/events.schema.json.
	@mkdir -p .build
	$(VENV)/bin/python -m functions.api.openapi .build/openapi.json
	$(VENV)/bin/python -m local.event_schema .build/openapi.json docs/events.schema.json

.PHONY: client
client: $(VENV_STAMP) ## Write the client's unlink_client/sync from its unlink_client/aio.
	$(VENV)/bin/python client/generate_sync.py

.PHONY: bench
bench: $(VENV_STAMP) $(EMULATOR_STAMP) ## The benchmarks of docs/performance.md, half an hour.
	$(VENV)/bin/python -m bench

.PHONY: aws-smoke
aws-smoke: $(STAMPS) ## Deploy a throw-away stage to your AWS account, check it, destroy it (YES=1).
	$(VENV)/bin/python -m tests.smoke $(if $(YES),--yes) $(if $(GRADUAL),--gradual) \
	  $(if $(WAIT_TTL),--wait-ttl $(WAIT_TTL)) $(foreach each,$(CONTEXT),--context $(each))

.PHONY: differential
differential: $(VENV_STAMP) ## What DynamoDB answers to each shape of call, on AWS_ENDPOINT_URL_DYNAMODB or AWS.
	$(VENV)/bin/python -m tests.differential

.PHONY: audit
audit: $(VENV_STAMP) ## Known vulnerabilities of the dependencies; asks the advisory services.
	$(PYTHON) -m venv .local/audit-venv
	.local/audit-venv/bin/python $(PIP_INSTALL) -r local/requirements-audit.txt
	for lock in requirements-dev.txt functions/requirements.txt \
	    local/requirements-ministack.txt local/requirements-audit.txt; do \
	  .local/audit-venv/bin/pip-audit --require-hashes --disable-pip -r $$lock || exit 1; done

.PHONY: lock
lock: check-python check-node ## Resolve requirements*.in and package.json again, with hashes.
	$(PYTHON) -m venv $(LOCK_VENV)
	$(LOCK_VENV)/bin/python -m pip install --quiet --disable-pip-version-check $(LOCK_TOOL)
	$(LOCK) functions/requirements.in -o functions/requirements.txt
	$(LOCK) requirements-dev.in -o requirements-dev.txt
	$(LOCK) local/requirements-ministack.in -o local/requirements-ministack.txt
	$(LOCK) local/requirements-audit.in -o local/requirements-audit.txt
	npm install --package-lock-only --loglevel=error
	$(PYTHON) local/lock_without_addresses.py

.PHONY: clean
clean: ## Remove what was installed and built; keep the sources.
	rm -rf $(VENV) .local .build cdk.out node_modules .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: check-port check-python check-node
# The run itself checks again; this one comes before a first run installs for minutes.
check-port: check-python
	@$(PYTHON) -c 'import socket, sys; sys.exit(not socket.socket().connect_ex(("127.0.0.1", $(PORT))))' \
	  2>/dev/null || { \
	  echo "Port $(PORT) is taken (or no port number). Choose another: PORT=8001 make run" >&2; exit 1; }

check-python:
	@if [ -z "$(PY_TAG)" ]; then \
	  echo "Python 3.11 or newer is needed, and none was found. Set PYTHON=/path/to/python3." >&2; \
	  exit 1; fi
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; $(PYTHON) is $(PY_TAG)." >&2; exit 1; }

check-node:
	@command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 || { \
	  echo "Node 20 or newer with npm is needed, and none was found." >&2; exit 1; }
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || { \
	  echo "Node 20 or newer is needed; this one is $$(node --version)." >&2; exit 1; }

# Order-only: checked before an install, and never a reason to install again.
$(VENV_STAMP): | check-python
	@echo "Installing the Python dependencies into $(VENV) (once; about a minute) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(VENV)/bin/python $(PIP_INSTALL) -r requirements-dev.txt
	@touch $@

# The command from its sources; everything that it needs is in $(VENV) already.
$(UNLINKCTL): client/pyproject.toml | $(VENV_STAMP)
	@$(VENV)/bin/python -m pip install -qq --disable-pip-version-check --no-deps --no-index \
	  --no-build-isolation --editable client
	@touch $@

$(EMULATOR_STAMP): | check-python
	@echo "Installing the local AWS emulator into $(EMULATOR_VENV) (once) ..."
	@mkdir -p .local
	@$(PYTHON) -m venv --clear $(EMULATOR_VENV)
	@$(EMULATOR_VENV)/bin/python $(PIP_INSTALL) -r local/requirements-ministack.txt
	@touch $@

$(NPM_STAMP): | check-python check-node
	@echo "Installing the CDK CLI and the console's packages into node_modules (once) ..."
	@npm ci --loglevel=error
	@rm -f node_modules/.installed-*
	@touch $@
