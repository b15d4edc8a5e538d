# Everything runs in .venv, which is made at the first use: by uv where it is installed, else by pip.
PYTHON ?= python3
ARGS ?=

BIN := .venv/bin
INSTALLED := .venv/.installed
NEEDED := --group test --group lint --group bench

.PHONY: help demo test lint bench environments

help:  ## show this
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' Makefile

demo: $(INSTALLED)  ## a django-q2 worker, edited while it works; to edit it yourself: ARGS=--interactive
	@$(BIN)/python docs/demo.py $(ARGS)

test: $(INSTALLED)  ## the tests; some of them: ARGS="-k NAME"
	$(BIN)/pytest -n 4 $(ARGS)

lint: $(INSTALLED)  ## style, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict

bench: $(INSTALLED)  ## measure reloader beside its peers; a short try: ARGS=--quick
	$(BIN)/python tests/benchmarks/run.py $(ARGS)
	$(BIN)/python docs/refresh.py

environments: $(INSTALLED)  ## heavy packages and runners, for those tests that are skipped without
	@for name in uv poetry pdm hatch packages; do \
		test -x .venv/environments/$$name/bin/python || $(BIN)/python -m venv .venv/environments/$$name; \
	done
	@for name in uv poetry pdm hatch; do \
		.venv/environments/$$name/bin/python -m pip install --quiet --disable-pip-version-check $$name; \
	done
	.venv/environments/packages/bin/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	.venv/environments/packages/bin/python -m pip install --quiet --disable-pip-version-check --group packages

$(INSTALLED): pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { \
		found=$$($(PYTHON) --version 2>&1); \
		echo "Python 3.10 or later is needed ($$found); name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; \
		exit 1; }
	@echo "installing into .venv"
	@set -e; \
	test -x $(BIN)/python || rm -rf .venv; \
	if command -v uv >/dev/null; then \
		test -x $(BIN)/python || uv venv --quiet --python "$(PYTHON)" .venv; \
		uv pip install --quiet --python $(BIN)/python $(NEEDED) --editable .; \
	else \
		test -x $(BIN)/python || $(PYTHON) -m venv .venv; \
		$(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check $(NEEDED) --editable .; \
	fi
	@touch $@
