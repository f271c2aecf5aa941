# Each target first makes sure that .venv is complete (scripts/bootstrap), so a fresh clone needs no other step.
.PHONY: help run test quick check bench

PYTHON := .venv/bin/python
PLUGIN_TABLE := 'tools/must_use/tests/test_table.py::test_with_the_mypy_of_this_environment[last plugin]'
# For the tests that make environments of their own.
export UV := $(CURDIR)/scripts/uv
# Many short processes are started: without compiled files each would compile what it imports.
export PYTHONDONTWRITEBYTECODE :=

help:
	@echo "make run    the whole platform on this machine   (options: make run ARGS='--help')"
	@echo "make test   all tests                            (options: make test ARGS='-k sessions')"
	@echo "make quick  the tests that need no service      (under a minute)"
	@echo "make check  lint, format, types, import contracts, architecture"
	@echo "make bench  speed and memory of both services"

run:
	@scripts/bootstrap --model
	@$(PYTHON) -m devstack $(ARGS)

test:
	@scripts/bootstrap --model
	$(PYTHON) -m pytest -n 2 --dist loadfile $(ARGS)

quick:
	@scripts/bootstrap
	$(PYTHON) -m pytest -n 2 --dist worksteal tests/unit tests/test_architecture.py $(PLUGIN_TABLE) $(ARGS)

check:
	@scripts/bootstrap
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m mypy
	.venv/bin/lint-imports
	$(PYTHON) -m pytest tests/test_architecture.py

bench:
	@scripts/bootstrap --model
	$(PYTHON) -m tests.bench $(ARGS)
