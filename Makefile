# Needs only make and Python 3.11, 3.12 or 3.13; everything else goes into $(VENV).
#   make demo        set up and open the demo with the model that ships
#   make test        set up and run the tests
# Another place for the environment: make test VENV=/somewhere/else

VENV ?= .venv
BIN = $(VENV)/bin
LOCK = requirements-dev.txt
FITS = import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3 python; do \
	$$name -c '$(FITS)' 2>/dev/null && echo $$name && break; done)

.PHONY: install check test demo bench robustness lock sbom clean

install: $(VENV)/.dev

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Files in the order of their names: by the number of their tests, long ones with few tests would be last and alone.
test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

demo: $(VENV)/.app
	$(BIN)/python app.py

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/decoding.py --lines 100 --single 50 --repeats 1 --lines-of-memory-test 2000

# The slow tests whole, where `make test` runs them at reduced size.
robustness: $(VENV)/.dev
	SEQ2SEQ_FULL=1 $(BIN)/python -m pytest -m "slow or whole"

# The newest release of everything, for all systems and Pythons of ours, and what they make of the page of licences.
lock: $(VENV)/.dev
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --upgrade --generate-hashes \
		--annotation-style line --custom-compile-command 'make lock' --quiet --output-file $(LOCK)
	$(MAKE) install
	$(BIN)/python tests/dependencies.py >docs/dependencies.md.new
	mv docs/dependencies.md.new docs/dependencies.md

# The packages, and a bill of what they need as CycloneDX: alone, and with the extras EXTRAS.
EXTRAS ?= all
sbom: $(VENV)/.dev
	rm -rf dist
	$(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python
	$(MAKE) dist/base.cdx.json dist/$(EXTRAS).cdx.json

dist/%.cdx.json:
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python build/sbom
	$(BIN)/uv pip install --quiet --python build/sbom --constraint $(LOCK) "$$(echo dist/*.whl)[$(subst base,,$*)]"
	version=$$(build/sbom/bin/python -c 'import seq2seq; print(seq2seq.__version__)') && \
		sed "s/^dynamic = .*/version = \"$$version\"/" pyproject.toml >build/pyproject.toml
	$(BIN)/cyclonedx-py environment --pyproject build/pyproject.toml --output-reproducible --spec-version 1.6 -o $@ build/sbom

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 must be installed. Received: none on the PATH" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -f $@; exit 1; }

# The demo needs no TensorFlow; the tests need everything, the demo's packages included.
$(VENV)/.app: pyproject.toml | $(BIN)/python
	test -e $(VENV)/.dev || $(BIN)/python -m pip install -e '.[app]'
	touch $@

# What the lock names, by its checksums and as wheels: nothing is built but the package itself, with the setuptools of the lock.
$(VENV)/.dev: pyproject.toml $(LOCK) | $(BIN)/python
	$(BIN)/python -m pip install --require-hashes --only-binary :all: -r $(LOCK)
	$(BIN)/python -m pip install --no-build-isolation --no-deps -e .
	touch $@
