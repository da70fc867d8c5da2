# bonescan: two commands do everything on a fresh machine with Python 3.11 or later
#   make demo    installs, reads a real and a simulated bone scan, says where the reports are
#   make test    what must hold before a change is taken
#   make long    the tests that take long: browsers, killed servers, every command of the docs; CI runs them too
# Without make (Windows): see README.md.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV ?= .venv
BIN = $(VENV)/bin
DEMO ?= demo-output

.PHONY: demo test long check style types layers tests docs bench format clean help
.DEFAULT_GOAL := help

help:
	@sed -n 's/^#  *\(make .*\)/  \1/p' Makefile
	@echo "  make check   the same as make test; its parts: style types layers tests docs"
	@echo "  make format  puts the code into the house style"
	@echo "  make bench   measures speed and accuracy"
	@echo "  make clean   removes what make made"

demo: $(VENV)/demo-installed
	@mkdir -p $(DEMO)
	@echo "1 of 2: a real scan (NM1)"
	@$(BIN)/bonescan demo -o $(DEMO)
	@echo "2 of 2: a simulated scan, with a known lesion"
	@$(BIN)/bonescan simulate single_metastasis -o $(DEMO)/simulated-study
	@$(BIN)/bonescan read $(DEMO)/simulated-study -o $(DEMO)/simulated
	@echo "Open these in a browser:"
	@echo "  $(DEMO)/real/report.html"
	@echo "  $(DEMO)/simulated/report.html"

test: check
	@echo "All checks passed."

check: style types layers tests docs

style: $(VENV)/dev-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev-installed
	$(BIN)/mypy

layers: $(VENV)/dev-installed
	$(BIN)/lint-imports --no-logo

# Doctests run with the tests: pytest collects src too.
tests: $(VENV)/dev-installed
	$(BIN)/python -m pytest -m "not long" -n auto --dist loadfile --cov --cov-report=term

long: $(VENV)/dev-installed
	$(BIN)/python -m pytest -m long -n auto --dist loadfile tests

docs: $(VENV)/dev-installed
	$(BIN)/zensical build --clean --strict

bench: $(VENV)/dev-installed
	$(BIN)/python bench/startup.py
	$(BIN)/python bench/read_speed.py
	$(BIN)/python bench/projector.py
	$(BIN)/python bench/transport.py
	$(BIN)/python bench/acquisition.py
	$(BIN)/python bench/cohort_speed.py

format: $(VENV)/dev-installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/pyvenv.cfg:
	@test -n "$(PYTHON)" || { echo "bonescan needs Python 3.11 or later; none was found. See https://www.python.org/downloads/"; exit 1; }
	@echo "Making $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python's venv module did not work; on Debian or Ubuntu: apt install python3-venv"; exit 1; }

$(VENV)/demo-installed: $(VENV)/pyvenv.cfg pyproject.toml
	@echo "Installing bonescan (about a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo]'
	@touch $@

$(VENV)/dev-installed: $(VENV)/pyvenv.cfg pyproject.toml
	@echo "Installing bonescan and its tools (about two minutes)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/demo-installed

clean:
	rm -rf $(VENV) $(DEMO) site .cache .coverage .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
