# A new machine needs only Python 3.11 or 3.12, make and a C compiler; no root.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/ready

.PHONY: setup run test test-slow check bench results faithful predictive taggers pautomac anomalies domains translation speech choice external mips numbers real-languages explain ui readme tutorial docs screenshots audit scaling \
  architecture settings \
  demo-schedule demo-dask demo-ray

setup: $(READY)

# Both files decide what is installed; the stamp is written last, so an interrupted set-up starts again.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] not in [(3, 11), (3, 12)])' || \
	  { echo "lisor needs Python 3.11 or 3.12, found $$($(PYTHON) --version 2>&1); run: make setup PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[aeon,baselines,dev,docs,onnx,transformers]'
	@touch $(READY)

run: setup
	@$(BIN)/lisor run quickstart

ui: setup
	@$(BIN)/lisor ui

test: setup
	@$(BIN)/python -m pytest -m "not slow"

test-slow: setup
	@$(BIN)/python -m pytest -m slow

# Writes into README.md what the quickstart prints.
readme: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m docs.update_readme

# Writes into docs/tutorial.md what its blocks print.
tutorial: setup
	@$(BIN)/python -m docs.write_tutorial

# Draws docs/architecture.md from the imports and lists the files from their docstrings.
architecture: setup
	@$(BIN)/python -m docs.write_architecture

# Writes docs/settings.md and configs/schema.json from the settings' models.
settings: setup
	@$(BIN)/python -m docs.write_settings

# The site of the documentation, in site/; a warning is an error. The variable hides an advertisement of the theme.
docs: setup
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Writes the pictures of pages in docs/images/ from a run of the quickstart; needs Chromium.
screenshots: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m docs.take_screenshots

# Known vulnerabilities of installed packages, by pip-audit, which asks a database over the internet.
audit: setup
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt 'pip-audit>=2.9'
	@$(BIN)/pip-audit --skip-editable

# Writes docs/results.md from a run of configs/paper.yaml; IMDB=path/to/imdb.parquet adds real reviews.
results: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m docs.write_results $(IMDB)

# Writes docs/faithful.md; IMDB=path/to/imdb.parquet and TREC=path/to/trec.parquet add those texts.
faithful: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m docs.write_faithful "$(IMDB)" "$(TREC)"

# Writes docs/predictive.md.
predictive: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m docs.write_predictive

# Writes docs/taggers.md from TAGS=path/to/tags.parquet and VECTORS=path/to/glove.txt.gz.
taggers: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m docs.write_taggers "$(TAGS)" "$(VECTORS)"

# Writes docs/domains.md; LOGS=path/to/events.parquet and HEARTBEATS=path/to/beats.parquet add those domains.
domains: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m docs.write_domains "$(LOGS)" "$(HEARTBEATS)"

# Writes docs/translation.md from a run of configs/translation.yaml.
translation: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m docs.write_translation

# Writes docs/speech.md from runs of configs/speech.yaml; DIGITS=path/to/digits.parquet.
speech: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m docs.write_speech "$(DIGITS)"

# Writes docs/pautomac.md from PAUTOMAC=path/to/strings.parquet and MODELS=path/to/models.json.
pautomac: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m docs.write_pautomac "$(PAUTOMAC)" "$(MODELS)"

# Writes docs/anomalies.md from LOGS=path/to/events.parquet and HEARTBEATS=path/to/beats.parquet.
anomalies: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m docs.write_anomalies "$(LOGS)" "$(HEARTBEATS)"

# Writes docs/choice.md from runs of configs/tomita.yaml and configs/faithful.yaml.
choice: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m docs.write_choice

# Trains the modules of tests/networks/external/, reads them, and writes docs/external.md; installs an extra.
external: setup
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[transformers]'
	@$(BIN)/python -m docs.write_external

# Trains five networks on each finite-state task of MIPS, reads them, and writes docs/mips.md.
mips: setup
	@$(BIN)/python -m docs.write_mips

# Writes docs/numbers.md from a run of configs/forecast.yaml.
numbers: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m docs.write_numbers

# Trains networks on regular languages over numbers, reads them, and writes docs/real_languages.md.
real-languages: setup
	@$(BIN)/python -m docs.write_real_languages

# Writes docs/explain.md from runs of configs/sentiment.yaml; VECTORS=path/to/glove.txt.gz adds networks with these vectors.
explain: setup
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m docs.write_explain $(VECTORS)

# Measures everything in most of an hour, and writes docs/benchmarks.md; with the results of `python -m benchmarks.device
# benchmarks/device.json` on a machine with a GPU, if that file is there.
bench: setup
	@$(BIN)/python -m benchmarks --json benchmarks/rows.json
	@$(BIN)/python -m benchmarks.growth benchmarks/growth.json
	@$(BIN)/python -m benchmarks.random_languages benchmarks/languages.json
	@$(BIN)/python -m docs.write_benchmarks $(addprefix benchmarks/,rows.json growth.json languages.json) $(wildcard benchmarks/device.json)

# Starts a server, a worker and a run on a schedule, and stops them again.
demo-schedule: setup
	@$(BIN)/python -m demos.schedule

# The same run on threads and on a cluster of this machine, compared; installs its extra.
demo-dask: setup
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dask]'
	@$(BIN)/python -m demos.cluster dask

demo-ray: setup
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[ray]'
	@$(BIN)/python -m demos.cluster ray

# Measures tasks and runs on each runner; writes the tables of docs/scaling.md.
scaling: setup
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dask,ray]'
	@$(BIN)/python -m demos.cost docs/scaling.md

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
