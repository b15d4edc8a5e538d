# Everything runs in .venv, which is made at the first use: by uv where it is installed, else by pip.
PYTHON ?= python3
ARGS ?=

BIN := .venv/bin
INSTALLED := .venv/.installed
NEEDED := --group test --group lint --group bench

.PHONY: help demo test test-quick coverage coverage-deciding workers schedules fronts lint bench queues node-fronts environments torch

help:  ## show this
	@sed -n 's/^\([a-z-]*\):.*## /make \1\t/p' Makefile

demo: $(INSTALLED)  ## a django-q2 worker, edited while it works; to edit it yourself: ARGS=--interactive
	@$(BIN)/python docs/demo.py $(ARGS)

test: $(INSTALLED) queues node-fronts  ## the tests; some of them: ARGS="-k NAME"
	$(BIN)/pytest -n 6 --dist worksteal $(ARGS)

test-quick: $(INSTALLED) node-fronts  ## the tests without those that drive real task queues
	$(BIN)/pytest -n 6 --dist worksteal -m "not integration" $(ARGS)

# The tests of the parts, and of the command as a user runs it. While it is measured all is slower, and a worker of
# another user cannot write what was measured of it: a few of these tests fail then. It is make test that judges.
MEASURED := $(filter-out tests/benchmarks tests/integration tests/warm,$(patsubst %/,%,$(wildcard tests/*/)))

coverage: $(INSTALLED) coverage-deciding  ## the lines and branches that the tests run, but for guards and workers that are forked
	rm -f .coverage/data*
	-RELOADER_TEST_SLOWDOWN=3 $(BIN)/coverage run -m pytest -n 6 --dist worksteal --quiet $(MEASURED) $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --sort=cover

coverage-deciding: $(INSTALLED)  ## what is decided must be tested, every line and branch, without the help of chance
	rm -f .coverage/deciding*
	$(BIN)/coverage run --data-file=.coverage/deciding --source=reloader/deciding -m pytest --quiet -p no:xdist \
		tests/deciding --ignore tests/deciding/test_simulation.py
	$(BIN)/coverage combine --quiet --data-file=.coverage/deciding
	$(BIN)/coverage report --data-file=.coverage/deciding --fail-under=100

workers: $(INSTALLED) queues  ## reload every task queue and scheduler 20 times: the tables of the README and docs/workers.md
	PYTHONPATH=tests $(BIN)/python tests/integration/stream.py $(ARGS)
	PYTHONPATH=tests $(BIN)/python tests/integration/schedules.py
	$(BIN)/python docs/refresh.py

schedules: $(INSTALLED) queues  ## reload everything that fires by time 20 times: the table of docs/workers.md
	PYTHONPATH=tests $(BIN)/python tests/integration/schedules.py $(ARGS)
	$(BIN)/python docs/refresh.py

fronts: $(INSTALLED) node-fronts  ## run a worker behind shells, runners and managers: the table in docs/concepts/stopping.md
	rm -f docs/fronts.json
	RELOADER_FRONTS=$(CURDIR)/docs/fronts.json $(BIN)/pytest -n 6 tests/cli/test_fronts.py $(ARGS); \
		status=$$?; rm -f docs/fronts.json.lock; exit $$status
	$(BIN)/python docs/refresh.py

lint: $(INSTALLED)  ## style, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy --strict

bench: $(INSTALLED) queues  ## measure reloader beside its peers; a short try: ARGS=--quick
	$(BIN)/python tests/benchmarks/run.py $(ARGS)
	$(BIN)/python docs/refresh.py

RUNNERS := uv poetry pdm hatch
ENVIRONMENTS := $(patsubst %,.venv/environments/%/.installed,packages $(RUNNERS))

environments: $(ENVIRONMENTS)  ## heavy packages and runners, for those tests that are skipped without

torch: .venv/environments/torch/.installed  ## torch, which takes some 5 GB, for the one test that is skipped without

.venv/environments/packages/.installed .venv/environments/torch/.installed: pyproject.toml | $(INSTALLED)
	$(call install,$(@D),--group $(notdir $(@D)))

.venv/environments/%/.installed: | $(INSTALLED)
	$(call install,.venv/environments/$*,$*)

$(INSTALLED): pyproject.toml
	$(call install,.venv,$(NEEDED) --editable .)

# The queues that the integration tests drive: most get along with each other, two need older libraries.
queues: .venv-queues/.installed .venv-older/.installed $(if $(shell command -v npm),.node-queues/.installed)

.venv-queues/.installed: pyproject.toml
	$(call install,.venv-queues,--group queues)

.venv-older/.installed: pyproject.toml
	$(call install,.venv-older,--group older)

# The process managers of Node that are tried in front of a worker.
node-fronts: $(if $(shell command -v npm),.node-fronts/.installed)

.node-queues/.installed: tests/integration/projects/bullmq/package.json
.node-fronts/.installed: tests/cli/fronts/package.json
.node-queues/.installed .node-fronts/.installed:
	@echo "installing into $(@D)"
	@mkdir -p $(@D) && cp $< $(@D)/
	@cd $(@D) && npm install --silent --no-audit --no-fund --no-package-lock
	@touch $@

# Make the environment $(1) and install $(2) into it.
define install
	@test -x $(1)/bin/python || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { \
		found=$$($(PYTHON) --version 2>&1); \
		echo "Python 3.10 or later is needed ($$found); name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; \
		exit 1; }
	@echo "installing into $(1)"
	@set -e; \
	test -x $(1)/bin/python || rm -rf $(1); \
	if command -v uv >/dev/null; then \
		test -x $(1)/bin/python || uv venv --quiet --python "$(PYTHON)" $(1); \
		uv pip install --quiet --compile-bytecode --python $(1)/bin/python $(2); \
	else \
		test -x $(1)/bin/python || $(PYTHON) -m venv $(1); \
		$(1)/bin/python -m pip --version >/dev/null 2>&1 || $(1)/bin/python -m ensurepip >/dev/null; \
		$(1)/bin/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'; \
		$(1)/bin/python -m pip install --quiet --disable-pip-version-check $(2); \
	fi
	@touch $@
endef
