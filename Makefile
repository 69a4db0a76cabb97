# Everything a fresh machine needs is Python 3.11, make and a C compiler; no root.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/ready

.PHONY: setup run test test-slow check bench results faithful domains choice ui readme demo-schedule

setup: $(READY)

# Both files decide what is installed; the stamp is written last, so a broken set-up is begun again.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] not in [(3, 11), (3, 12)])' || \
	  { echo "lisor needs Python 3.11 or 3.12, found $$($(PYTHON) --version 2>&1); say: make setup PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[aeon,baselines,dev,onnx]'
	@touch $(READY)

run: setup
	@$(BIN)/lisor run quickstart

ui: setup
	@$(BIN)/lisor ui

test: setup
	@$(BIN)/python -m pytest -m "not slow"

test-slow: setup
	@$(BIN)/python -m pytest -m slow -n 0

# Writes into README.md what the quickstart prints.
readme: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python docs/update_readme.py

# Writes docs/results.md from a run of configs/paper.yaml; IMDB=path/to/imdb.parquet adds real reviews.
results: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python docs/write_results.py $(IMDB)

# Writes docs/faithful.md from runs of configs/faithful.yaml.
faithful: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python docs/write_faithful.py

# Writes docs/domains.md; LOGS=path/to/events.parquet and HEARTBEATS=path/to/beats.parquet add those domains.
domains: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python docs/write_domains.py "$(LOGS)" "$(HEARTBEATS)"

# Writes docs/choice.md from runs of configs/tomita.yaml and configs/faithful.yaml.
choice: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python docs/write_choice.py

# Measures everything, most of an hour, and writes docs/benchmarks.md.
bench: setup
	@$(BIN)/python -m benchmarks --json benchmarks/rows.json
	@$(BIN)/python -m benchmarks.growth benchmarks/growth.json
	@$(BIN)/python docs/write_benchmarks.py benchmarks/rows.json benchmarks/growth.json

# From nothing to a run that a schedule starts, everything stopped again.
demo-schedule: setup
	@$(BIN)/python -m demos.schedule

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
