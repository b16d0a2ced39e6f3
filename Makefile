# Two commands matter on a fresh machine: `make demo` and `make test`. Each installs what it lacks into .venv.
PYTHON ?= python3
UV = .venv/bin/uv
BIN = .venv/bin

.PHONY: demo serve test browser check format bench crash-table capabilities kills lock clean

demo: .venv/runtime
	$(BIN)/impresario demo

serve: .venv/runtime
	$(BIN)/impresario serve

# A file's tests stay together, because they may share a server. One process more than processors, because many wait. In
# the order of tests/conftest.py: xdist's own puts the files with the fewest tests last, and they are the longest.
test: .venv/dev browser
	$(BIN)/pytest -n $$(($$(nproc) + 1)) --dist loadfile --no-loadscope-reorder

# The browser tests drive Debian's Chromium.
browser:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	apt-get install -y -qq --no-install-recommends chromium fonts-liberation >/dev/null; } \
	|| { echo "The tests drive a browser: apt-get install chromium"; exit 1; }

check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# About ten minutes; `BENCH=--quick` takes two.
bench: .venv/dev
	$(BIN)/python -m benchmarks $(BENCH)

# About two minutes; writes docs/crash-matrix.md.
crash-table: .venv/dev
	$(BIN)/python -m tests.e2e.crash_table

# The README's table of vendors and what they can do, from the catalogue.
capabilities: .venv/dev
	$(BIN)/python -m tests.capability_table

# About half an hour; writes docs/kills.md. `KILLS=20` kills twenty times on each database instead of 200.
kills: .venv/dev
	KILLS=$(KILLS) $(BIN)/python -m tests.e2e.kills

lock: .venv/bin/uv
	$(UV) pip compile --upgrade --universal --generate-hashes --python-version 3.11 pyproject.toml -o requirements.lock -q
	$(UV) pip compile --upgrade --universal --generate-hashes --python-version 3.11 --group dev pyproject.toml -c requirements.lock -o requirements-dev.lock -q

clean:
	rm -rf .venv data

.venv/bin/uv:
	$(PYTHON) -m venv .venv || { echo "Python's venv module is missing: apt-get install python3-venv"; exit 1; }
	$(BIN)/pip install -q --disable-pip-version-check uv==0.13.8

# The development set holds the runtime set, so a full .venv is left alone by `make demo`.
.venv/runtime: .venv/bin/uv requirements.lock pyproject.toml
	if [ -e .venv/dev ]; then $(MAKE) --no-print-directory .venv/dev; \
	else $(UV) pip sync -q --python $(BIN)/python requirements.lock \
	&& $(UV) pip install -q --python $(BIN)/python --no-deps --editable .; fi
	touch $@

.venv/dev: .venv/bin/uv requirements-dev.lock pyproject.toml
	$(UV) pip sync -q --python $(BIN)/python requirements-dev.lock
	$(UV) pip install -q --python $(BIN)/python --no-deps --editable .
	touch $@
