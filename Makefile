# One recipe for people, hooks and CI. Each target sets up what it needs; `make` alone lists them.
PYTHON ?= python3
SECONDS ?= 60
COMPARE ?=
TORCH_BACKEND ?=
# One more than cores: much of the suite waits for servers.
WORKERS ?= $(shell echo $$(( $$(nproc) + 1 )))
VENV := .venv
BIN := $(VENV)/bin
UV := VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv
STAMP := $(VENV)/.installed
UVFLAGS := $(if $(TORCH_BACKEND),--torch-backend=$(TORCH_BACKEND),)

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-cluster test-s3 check check-deploy format lock docs acceptance scaling gpu-check clean

help:
	@echo "make demo [SECONDS=60] [COMPARE=random]   see it work: servers, cameras, alerts, and a proof"
	@echo "make test [PYTEST_ARGS=...] [WORKERS=N]   unit, contract, golden and end-to-end tests on real servers"
	@echo "make test-cluster                         several nodes of Ray on this machine: one dies, one joins, some come with the load"
	@echo "make test-s3                              weights and evidence on a real S3 server, which go builds once (minutes)"
	@echo "make check                                lint, format, types, import rules, lock and docs up to date"
	@echo "make check-deploy                         part of it: chart and alerts, by helm, kubeconform and promtool (go builds them)"
	@echo "make format                               let ruff repair what it can"
	@echo "make acceptance                           does it do what it is for? half an hour; writes docs/acceptance.md"
	@echo "make scaling                              what limits 100 to 10,000 cameras? a quarter of an hour; writes docs/scaling.md"
	@echo "make gpu-check                            parity and pictures/s on a GPU; fails where there is none"
	@echo "make docs                                 write docs/configuration.md from the configuration structs"
	@echo "make setup | lock | clean                 .venv from the lock; the lock from pyproject.toml; remove what runs leave"
	@echo "make ... TORCH_BACKEND=cpu|auto           hand uv's own option on, where PyTorch's index can be reached"

setup: $(STAMP)

$(BIN)/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet "uv>=0.9"

$(STAMP): requirements.lock | $(BIN)/uv
	$(UV) pip sync --quiet $(UVFLAGS) requirements.lock
	@touch $@

requirements.lock: ;

lock: | $(BIN)/uv
	$(UV) pip compile --quiet --all-extras --generate-hashes --custom-compile-command "make lock" pyproject.toml -o requirements.lock

demo: $(STAMP)
	$(BIN)/python main.py demo --seconds $(SECONDS) $(if $(COMPARE),--compare $(COMPARE),)

test: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder -m "not cluster" $(PYTEST_ARGS)

test-cluster: $(STAMP)
	$(BIN)/python -m pytest -m cluster $(PYTEST_ARGS)

test-s3: $(STAMP)
	$(BIN)/python -m tests.servers.s3
	$(BIN)/python -m pytest -m s3 $(PYTEST_ARGS)

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/codespell
	@mkdir -p .cache && cp requirements.lock .cache/requirements.lock
	$(UV) pip compile --quiet --all-extras --generate-hashes --custom-compile-command "make lock" pyproject.toml -o .cache/requirements.lock
	cmp requirements.lock .cache/requirements.lock || { echo "requirements.lock is not what pyproject.toml asks for: run 'make lock'"; exit 1; }
	$(BIN)/python main.py docs --check
	$(BIN)/python deploy/check.py

check-deploy: $(STAMP)
	$(BIN)/python deploy/check.py

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)
	$(BIN)/python main.py docs

acceptance: $(STAMP)
	$(BIN)/python -m tests.bench.acceptance

scaling: $(STAMP)
	$(BIN)/python -m tests.bench.scale

gpu-check: $(STAMP)
	$(BIN)/python main.py gpu-check

clean:
	rm -rf out state .pytest_cache .ruff_cache .import_linter_cache
