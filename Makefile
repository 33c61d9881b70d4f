# Everything here sets itself up: a virtual environment in .venv with the locked versions.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin

.PHONY: setup demo docs/demo.svg docs/author.svg docs/adding.md test check fuzz bench lock clean

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "gitreload needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Run: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { \
		echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	$(RUN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup  ## a real push over real HTTP becomes an imported course
	$(RUN)/python -m demo

docs/demo.svg: setup  ## the terminal's picture, from a real run
	$(RUN)/python -m demo.picture $@

docs/author.svg: setup  ## what an author sees, from a real run
	$(RUN)/python -m demo.picture $@ demo.author

docs/adding.md: setup  ## its transcript, from a real run
	$(RUN)/python -m demo.adding $@

test: setup
	$(RUN)/python -m pytest

check: setup
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports

bench: setup  ## side by side with the peers; needs Debian's wrk and webhook; BEFORE=REVISION too
	$(RUN)/python -m benchmarks $(if $(BEFORE),--before $(BEFORE))

MINUTES ?= 30
fuzz: setup  ## search for inputs that break a promise; sums up in tests/fuzzing/SUMMARY.md
	$(RUN)/python -m pip install --quiet --disable-pip-version-check -r tests/fuzzing/requirements.txt
	cd tests && ../$(RUN)/python -m fuzzing --minutes $(MINUTES)

lock:  ## renew requirements.lock from pyproject.toml (needs uv)
	uv pip compile --universal --group dev --no-emit-index-url --no-annotate --no-header --output-file requirements.lock --upgrade pyproject.toml

clean:
	rm -rf $(VENV) .demo .bench .pytest_cache .mypy_cache .ruff_cache .hypothesis
