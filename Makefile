# EnlevoHub Datacenter. `make help` lists the commands.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
PYTHON := $(VENV)/bin/python
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PYTHONPATH := $(CURDIR)/src
INVENTORY ?= inventories/lab
LAB := $(PYTHON) -m enlevohub_lab --inventory $(INVENTORY)

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/ready: requirements/dev.txt
	@requirements/install.sh $(VENV) requirements/dev.txt
	@touch $@

.PHONY: lab
lab: $(VENV)/ready ## Build the datacenter out of containers on this machine and run site.yml on it
	@$(LAB) up

.PHONY: lab-down
lab-down: $(VENV)/ready ## Remove all that `make lab` made, and nothing else
	@$(LAB) down

.PHONY: lab-host
lab-host: $(VENV)/ready ## One more blank server in the lab: make lab-host NAME=app4
	@$(LAB) host "$(NAME)"

.PHONY: status
status: $(VENV)/ready ## The state of the lab: leader, standby, pools, etcd
	@$(LAB) status

.PHONY: base
base: $(VENV)/ready ## Make the base image of all containers on this machine
	@$(LAB) base

.PHONY: images
images: base ## The images of files/compose.yaml on this machine: API, SPA, PostgreSQL
	@for name in api frontend postgres; do \
	    docker build --tag "enlevohub/$$name:latest" --build-arg BASE_IMAGE=enlevohub/base:trixie "files/$$name"; \
	done

.PHONY: secrets
secrets: $(VENV)/ready ## Make the secrets of an environment once: make secrets ENV=datacenter
	@$(PYTHON) -m enlevohub_secrets --environment "$(ENV)"

.PHONY: lint
lint: $(VENV)/ready ## ansible-lint, yamllint, ruff, mypy, hadolint, shellcheck
	@tests/lint.sh

.PHONY: test-fast
test-fast: $(VENV)/ready ## The tests that need no container, in seconds
	@$(PYTHON) -m pytest -q

.PHONY: test
test: $(VENV)/ready ## All tests: lint, fast, API, SPA, and the whole datacenter in Docker
	@tests/run.sh

.PHONY: bench
bench: $(VENV)/ready ## Times of the lab's playbooks as a table and as JSON
	@$(PYTHON) -m enlevohub_bench --inventory $(INVENTORY)

.PHONY: drill-release
drill-release: $(VENV)/ready ## Releases and faults under load on the lab, with what the users notice
	@$(PYTHON) -m enlevohub_drill --inventory $(INVENTORY)

.PHONY: bench-api
bench-api: $(VENV)/ready ## The API beside two Node.js services: rates, CPU, latencies, scaling; as a table and as JSON
	@bench/run.sh
