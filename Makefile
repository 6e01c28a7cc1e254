# Everything a person or CI does with Nightlake. `make help` lists it; no target needs another step by hand.
PYTHON ?= python3
STAGE ?= local
PIPELINE ?= sales
# The night of `make run`: a day of the sample where the pipeline has one, else the day that the schedule would take.
SAMPLE_sales := 2017-06-12
SAMPLE_activity := 2013-07-01
SAMPLE_orders := 2021-11-21
SAMPLE_music := 2026-02-28
# Each export of orders that lands starts a run, for which the night of `make run` waits: one is enough.
DAYS_orders := 1
# Its API is at the end of one day at a time.
DAYS_music := 1
DATE ?= $(SAMPLE_$(PIPELINE))
BIN := .venv/bin
SHELL := /bin/bash
# Node 20 works; jsii's banner about its age would bury what matters.
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20
# Every command imports what pip has not compiled: once is enough, also where the caller's environment says otherwise.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup installed up run deploy test pytest bench bench-api lint format docs down clean lock synth

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

setup: .venv/bin/python  ## .venv, node_modules and the Lambda layer, all pinned
	@$(MAKE) --no-print-directory --jobs=2 installed

installed: .venv/.installed node_modules/.installed .build/layer/.built
	@:

.venv/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else f"Nightlake needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is {v[0]}.{v[1]}. Call: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "$(PYTHON) cannot make a virtual environment; on Debian: apt-get install python3-venv" >&2; exit 1; }

.venv/.installed: requirements.txt pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

node_modules/.installed: package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js 22 (20 or later works), https://nodejs.org" >&2; exit 1; }
	@node -e 'if (+process.versions.node.split(".")[0] < 20) { console.error("Nightlake needs Node.js 20 or later, and node is " + process.version + ": install Node.js 22."); process.exit(1) }'
	npm ci --silent --no-audit --no-fund
	@touch $@

# It needs nothing that is installed, so it is built while .venv is filled.
.build/layer/.built: requirements-lambda.txt infra/layer.py node_modules/.installed | .venv/bin/python
	PYTHONPATH=lambdas $(BIN)/python -m infra.layer
	@touch $@

up: setup  ## start the local AWS
	$(BIN)/nightlake up

run: deploy  ## local AWS, deploy, two days of the sample, and a night of PIPELINE=sales, activity, orders or music (DATE=...)
ifneq ($(SAMPLE_$(PIPELINE)),)
	@$(BIN)/nightlake seed $(PIPELINE) --from $(DATE) --days $(or $(DAYS_$(PIPELINE)),2)
else
	-@$(BIN)/nightlake seed $(PIPELINE) $(if $(DATE),--from $(DATE))
endif
	$(BIN)/nightlake run $(PIPELINE) $(if $(DATE),--date $(DATE))

deploy: setup  ## deploy STAGE=local (starts the local AWS), dev or prod
	@if [ "$(STAGE)" = local ]; then $(BIN)/nightlake up; fi
	$(BIN)/nightlake deploy --stage $(STAGE)

synth: setup  ## the templates of STAGE, offline, nag clean
	npx cdk synth --quiet -c stage=$(STAGE)

test: setup  ## lint, and beside it every test; starts local AWSs of its own
	@$(MAKE) --no-print-directory --jobs=2 lint pytest

pytest: setup
	$(BIN)/python -m pytest -n 2 --dist loadgroup --durations 25 --durations-min 5

bench: setup  ## conversion beside five others and a network card; a table beside COPY; the local Athena beside plain DuckDB
	$(BIN)/python benchmarks/convert.py
	$(BIN)/python benchmarks/card.py
	$(BIN)/python benchmarks/postgres.py
	$(BIN)/python benchmarks/athena_scan.py

bench-api: setup  ## questions to the API beside a warm DuckDB, in time and requests; table and plot in docs/
	$(BIN)/python benchmarks/api.py --write
	$(BIN)/python docs/generate.py

lint: setup  ## ruff, mypy strict, nightlake check
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/nightlake check

format: setup  ## ruff's formatting and safe fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup  ## write what is generated from code and contracts anew: parts of docs/, sql/*/tables, statemachines/rendered
	$(BIN)/python sql/generate.py
	$(BIN)/python statemachines/generate.py
	$(BIN)/python docs/generate.py

down:  ## stop the local AWS
	@if [ -x $(BIN)/nightlake ]; then $(BIN)/nightlake down; fi

clean: down  ## stop it and delete everything that was made here
	rm -rf .venv node_modules .build .nightlake cdk.out .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info

lock: setup  ## compile requirements*.in to pinned requirements*.txt (needs the tool uv)
	uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url --no-emit-find-links requirements.in -o requirements.txt
	uv pip compile --quiet --python-version 3.13 --python-platform aarch64-manylinux_2_28 --no-header --no-annotate --no-emit-index-url --no-emit-find-links -c requirements.txt requirements-lambda.in -o requirements-lambda.txt
	uv pip compile --quiet --python-version 3.13 --python-platform aarch64-manylinux_2_28 --no-header --no-annotate --no-emit-index-url --no-emit-find-links -c requirements.txt requirements-tokens.in -o requirements-tokens.txt
