# One command a habit. `make` alone prints them.

PYTHON ?= python3
PIP_INSTALL ?= .venv/bin/python -m pip install --disable-pip-version-check --quiet
BIN = .venv/bin
PROMPT ?= a red apple

.PHONY: help install demo run format check test bench lock

help: ## print this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: .venv/.installed ## make .venv with everything the other commands need

.venv/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP_INSTALL) --constraint constraints.txt --editable '.[api,worker,keeper,local,training,bench,dev]'
	touch $@

demo: .venv/.installed ## one prompt through the whole line; PROMPT="..." chooses it
	@$(BIN)/tessera demo "$(PROMPT)"

run: .venv/.installed ## the same stack, kept running
	@$(BIN)/tessera up

format: .venv/.installed ## mend what can be mended by itself
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

check: .venv/.installed ## ruff, mypy --strict, import rules, generated files, deployment lint
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python deploy/check.py

test: .venv/.installed ## the whole suite, on real Valkey and S3 servers
	$(BIN)/pytest -n 2 --dist loadgroup

bench: .venv/.installed ## the CPU benchmarks: a table, and JSON under bench/results/
	$(BIN)/python -m bench

lock: .venv/.installed ## write constraints.txt from what is installed
	$(BIN)/python -m pip freeze --exclude-editable | sed -E 's/\+[a-z0-9.]+$$//' | grep -v ' @ ' | sort -f > constraints.txt
