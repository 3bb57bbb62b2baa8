# Thin wrappers: everything here is a command of dg, dbt or pytest. Data lives under $TOKENTRAIL_DATA (default ./data).
SHELL := /bin/bash
export TOKENTRAIL_DATA := $(abspath $(or $(TOKENTRAIL_DATA),$(CURDIR)/data))
export DAGSTER_HOME := $(TOKENTRAIL_DATA)/state/dagster
export DBT_PROFILES_DIR := $(CURDIR)/dbt_project
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONPATH := $(CURDIR)

VENV := .venv/.complete
HOME_READY = mkdir -p $(DAGSTER_HOME) && cp orchestration/dagster.yaml $(DAGSTER_HOME)/

.PHONY: demo run weekly backfill explain price-diff acknowledge incident set-aside take-back test lint ui bench bench-alerts bench-budgets

$(VENV): requirements.lock
	python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check -r requirements.lock
	touch $@

demo: $(VENV)  ## simulate 60 days of usage, run the daily job over them, show what it found
	python -m demo --data $(TOKENTRAIL_DATA)
	$(MAKE) --no-print-directory run

run: $(VENV)  ## load what landed, price it, rebuild the dates that differ, check, publish
	@$(HOME_READY)
	dg launch --job daily_attribution
	@python -m orchestration.report

WEEK ?=
weekly: $(VENV)  ## all that `run` does and the weekly report: WEEK=2026-W47, or the last complete week
	@$(HOME_READY)
	dg launch --job weekly_recurrence --config-json '{"week": "$(WEEK)"}'

FROM ?=
TO ?=
FULL_REFRESH ?= false
backfill: $(VENV)  ## rebuild FROM=... TO=... (event dates), or everything with FULL_REFRESH=true
	@$(HOME_READY)
	dg launch --job backfill --config-json '{"from": "$(FROM)", "to": "$(TO)", "full_refresh": $(FULL_REFRESH)}'

REQUEST ?=
explain: $(VENV)  ## the arithmetic of one request: REQUEST=<request id>
	@python -m pricing.explain "$(REQUEST)"

price-diff: $(VENV)  ## what changed overrides or a newer catalogue would move, before they are applied
	@python -m pricing.diff

INCIDENT ?=
acknowledge: $(VENV)  ## say that you have an incident in hand, so that it is not escalated: INCIDENT=<incident key>
	@python -m orchestration.notifications acknowledge "$(INCIDENT)"

# What a person writes reaches the command through the environment: the shell never reads it as code.
FILE ?=
LINE ?=
ITEM ?=
REASON ?=
set-aside take-back: export SET_ASIDE_FILE = $(value FILE)
set-aside take-back: export SET_ASIDE_LINE = $(value LINE)
set-aside take-back: export SET_ASIDE_ITEM = $(value ITEM)
set-aside take-back: export SET_ASIDE_REASON = $(value REASON)
SAY = python -m orchestration.set_aside $@ --file="$$SET_ASIDE_FILE" --line="$$SET_ASIDE_LINE" --item="$$SET_ASIDE_ITEM" --reason="$$SET_ASIDE_REASON"
set-aside: $(VENV)  ## publish without a line that stops a run: FILE=events/dt=.../x.jsonl LINE=412 REASON="..."
	@$(SAY)

take-back: $(VENV)  ## count a line again that was set aside: FILE=... LINE=...
	@$(SAY)

DO ?= --help
incident: $(VENV)  ## write down what is done about an incident: DO="open --alert <alert_id>", DO="contain <incident>", ...
	@python -m orchestration.incidents $(DO)

ui: $(VENV)  ## Dagster's web UI, with its daemon for the schedule and the sensor
	@$(HOME_READY)
	dg dev

test: $(VENV)
	pytest

lint: $(VENV)
	ruff check . && ruff format --check .
	sqlfmt --check --quiet dbt_project docs/cookbook expectations/profiles
	mkdir -p $(TOKENTRAIL_DATA)/state/lint
	DBT_TARGET_PATH=$(TOKENTRAIL_DATA)/state/lint/target DBT_LOG_PATH=$(TOKENTRAIL_DATA)/state/lint dbt parse --quiet --project-dir dbt_project
	DBT_PROJECT_DIR=$(TOKENTRAIL_DATA)/state/lint dbt-bouncer --config-file dbt_project/dbt-bouncer.yml

bench: $(VENV)  ## throughput against a hand-written script, memory, the cost of one more day
	python -m benchmarks

bench-alerts: $(VENV)  ## alerts on simulated worlds with known incidents: recall, causes, false alarms
	python -m benchmarks.alerts

bench-budgets: $(VENV)  ## spend alerts on simulated budget periods: how early, and how often for nothing
	python -m benchmarks.budgets
