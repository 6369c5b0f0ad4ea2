# Every target works in .venv of this checkout; `make install` makes it.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
SPECS := $(sort $(wildcard specs/*.yaml))
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

.PHONY: help install rehearse test lint types stale templates scan campaign scenarios soak bench generate lock clean
.DEFAULT_GOAL := help

help: ## Show the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

install: $(STAMP) ## Make .venv with everything pinned

$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("paymig needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Say which: make PYTHON=python3.12 ...")'
	@echo "==> making .venv with $$($(PYTHON) --version)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "==> installing the pinned packages (about a minute)"
	@$(PIP) install --require-hashes -r requirements.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@echo "==> fetching the PostgreSQL driver for the Lambda layer"
	@$(BIN)/python -m compiler.driver
	@touch $@

rehearse: $(STAMP) ## Run the whole migration on this machine: embedded AWS, real PostgreSQL
	@$(BIN)/paymig rehearse specs/payments.yaml

test: $(STAMP) ## Run all tests
	@echo "==> running the tests"
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder
	@echo "==> all tests passed"

lint: $(STAMP) ## Check style
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP) ## Check types with mypy and pyright
	@$(BIN)/mypy
	@$(BIN)/pyright --warnings

templates: $(STAMP) ## Run cfn-lint over every example spec, compiled
	@for spec in $(SPECS); do $(BIN)/paymig compile $$spec -o build/$$(basename $$spec .yaml) --lint || exit 1; done

stale: $(STAMP) ## Fail when a generated file is out of date
	@$(BIN)/python -m schemas.freeze --check
	@$(BIN)/python -m schemas.json_schema --check
	@$(BIN)/python -m schemas.reference --check
	@$(BIN)/python -m schemas.formats.pages --check
	@$(BIN)/python -m compiler.plan.provider_schemas --check
	@$(BIN)/python -m compiler.exceptions --check

generate: $(STAMP) ## Rewrite the generated files: JSON Schema, reference, golden templates, printed diagnostics
	@$(BIN)/python -m schemas.freeze
	@$(BIN)/python -m schemas.json_schema
	@$(BIN)/python -m schemas.reference
	@$(BIN)/python -m schemas.formats.pages
	@$(BIN)/python -m compiler.plan.provider_schemas
	@$(BIN)/python -m compiler.exceptions
	@$(BIN)/python -m tests.golden
	@$(BIN)/python -m tests.diagnostics

scan: $(STAMP) ## Run all security scanners over the compiled examples (installs them; needs node and npm)
	@$(BIN)/python -m tests.scan

campaign: $(STAMP) ## End every command at every AWS call in every way, and try 1,000 generated specs (hours)
	@$(BIN)/pytest -s tests/paymig/test_failures_of_aws.py -m campaign 2>/dev/null
	@HYPOTHESIS_PROFILE=campaign $(BIN)/pytest tests/runtime_lambdas/comparison/test_properties.py
	@HYPOTHESIS_PROFILE=campaign $(BIN)/pytest -s tests/runtime_lambdas/test_moves.py tests/runtime_lambdas/switchover/test_crashes.py tests/paymig/test_killed_commands.py
	@HYPOTHESIS_PROFILE=campaign $(BIN)/pytest tests/compiler/test_properties.py tests/compiler/test_plan.py tests/paymig/test_plan.py -k "any_spec_against or any_deploy or sound or order or cause"
	@$(BIN)/python -m tests.scan --generated 1000

scenarios: $(STAMP) ## Rehearse every scenario of tests/scenarios (about a quarter of an hour)
	@$(BIN)/pytest tests/paymig/test_scenarios.py -k "scenario_ends"

soak: $(STAMP) ## Rehearse twenty times with random faults, the seeds printed
	@$(BIN)/pytest tests/paymig/test_scenarios.py -m campaign -k "random_faults"

bench: $(STAMP) ## Measure the figures that the documentation claims
	@$(BIN)/python benchmarks/compile.py
	@$(BIN)/python benchmarks/compare.py
	@$(BIN)/python benchmarks/growth.py
	@$(BIN)/python benchmarks/traffic.py 2>/dev/null
	@$(BIN)/python benchmarks/switchover.py

lock: ## Refresh requirements.txt from pyproject.toml
	@$(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv
	@.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate --all-extras --no-emit-package paymig pyproject.toml -o requirements.txt
	@.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate tests/scan/requirements.in -o tests/scan/requirements.txt
	@rm -r .venv-lock

clean: ## Remove .venv and everything that was built
	@rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
