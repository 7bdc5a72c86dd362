# Needs only make and Python 3.11, 3.12 or 3.13; everything else goes into $(VENV).
#   make demo        set up and open the demo with the model that ships
#   make test        set up and run the tests
# Another place for the environment: make test VENV=/somewhere/else

VENV ?= .venv
BIN = $(VENV)/bin
FITS = import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3 python; do \
	$$name -c '$(FITS)' 2>/dev/null && echo $$name && break; done)

.PHONY: install check test demo bench robustness clean

install: $(VENV)/.dev

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile

demo: $(VENV)/.app
	$(BIN)/python app.py

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/decoding.py --lines 100 --single 50 --repeats 1 --lines-of-memory-test 2000

# The slow tests whole, where `make test` runs them at reduced size.
robustness: $(VENV)/.dev
	SEQ2SEQ_FULL=1 $(BIN)/python -m pytest -m slow

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 must be installed. Received: none on the PATH" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The demo needs no TensorFlow; the tests need everything, the demo's packages included.
$(VENV)/.app: pyproject.toml | $(BIN)/python
	test -e $(VENV)/.dev || $(BIN)/python -m pip install -e '.[app]'
	touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install -e '.[dev]'
	touch $@
