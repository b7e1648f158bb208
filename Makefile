# minicloud: what a person types. Each target prepares what it needs by itself.
SHELL := /bin/sh
.DEFAULT_GOAL := help

HOSTS ?= 3
LAB ?= mc
SUBNET ?= 10.77.0.0/24
LISTEN ?= 127.0.0.1:8080
STATE ?= .minicloud

export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help prepare demo test test-fast lint lab-up lab-down serve down bench clean openapi

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

prepare: ## Install what this machine lacks and make .venv
	@scripts/prepare

demo: prepare ## Three real hosts, the service, a VM created, listed and live-migrated; left running
	@scripts/demo

test: prepare ## Everything: linters, unit, service, real libvirtd, the lab end to end
	@scripts/test

test-fast: prepare ## What runs in under two minutes, without the lab and PostgreSQL
	@scripts/test fast

lint: prepare ## ruff, mypy, import-linter, ansible-lint, ansible-test sanity
	@scripts/lint

lab-up: prepare ## Lab hosts on this machine (HOSTS=3, LAB=mc, SUBNET=10.77.0.0/24)
	@ansible-playbook playbooks/lab_up.yml -e lab_hosts=$(HOSTS) -e lab_name=$(LAB) -e lab_subnet=$(SUBNET)

lab-down: prepare ## Take the lab away (LAB=mc)
	@ansible-playbook playbooks/lab_down.yml -e lab_name=$(LAB) -e lab_subnet=$(SUBNET)

serve: prepare ## The service in the foreground (LISTEN=127.0.0.1:8080, STATE=.minicloud)
	@minicloud serve --init --state-dir $(STATE) --listen $(LISTEN)

down: ## Stop the service and take the lab away
	@scripts/down

bench: prepare ## Measure, print and write docs/benchmarks.md
	@scripts/bench

openapi: prepare ## Write docs/openapi.json from the code
	@scripts/openapi

clean: down ## Also remove the environment and what was built (the lab's cache stays)
	@rm -rf .venv .build .lab .minicloud .ansible .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info
