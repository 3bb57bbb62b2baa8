# Thin wrappers: everything here is a command of dg, dbt or pytest. Data lives under $TOKENTRAIL_DATA (default ./data), which
# orchestration/settings.py reads: make itself takes a space for the end of a name.
SHELL := /bin/bash
export DBT_PROFILES_DIR := $(CURDIR)/dbt_project
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONPATH := $(CURDIR)

VENV := .venv/.complete
HOME_READY = DAGSTER_HOME="$$(python -m orchestration.home)" && export DAGSTER_HOME

.PHONY: demo run weekly backfill explain price-diff acknowledge incident test lint ui bench bench-alerts bench-budgets bench-faults

$(VENV): requirements.lock
	python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check -r requirements.lock
	touch $@

demo: $(VENV)  ## simulate 60 days of usage, run the daily job over them, show what it found
	@$(HOME_READY) && python -m demo --data "$${DAGSTER_HOME%/state/dagster}"
	$(MAKE) --no-print-directory run

run: $(VENV)  ## load what landed, price it, rebuild the dates that differ, check, publish
	@$(HOME_READY) && dg launch --job daily_attribution
	@python -m orchestration.report

WEEK ?=
weekly: $(VENV)  ## all that `run` does and the weekly report: WEEK=2026-W47, or the last complete week
	@$(HOME_READY) && dg launch --job weekly_recurrence --config-json '{"week": "$(WEEK)"}'

FROM ?=
TO ?=
FULL_REFRESH ?= false
backfill: $(VENV)  ## rebuild FROM=... TO=... (event dates), or everything with FULL_REFRESH=true
	@$(HOME_READY) && dg launch --job backfill --config-json '{"from": "$(FROM)", "to": "$(TO)", "full_refresh": $(FULL_REFRESH)}'

REQUEST ?=
explain: $(VENV)  ## the arithmetic of one request: REQUEST=<request id>
	@python -m pricing.explain "$(REQUEST)"

price-diff: $(VENV)  ## what changed overrides or a newer catalogue would move, before they are applied
	@python -m pricing.diff

INCIDENT ?=
acknowledge: $(VENV)  ## say that you have an incident in hand, so that it is not escalated: INCIDENT=<incident key>
	@python -m orchestration.notifications acknowledge "$(INCIDENT)"

DO ?= --help
incident: $(VENV)  ## write down what is done about an incident: DO="open --alert <alert_id>", DO="contain <incident>", ...
	@python -m orchestration.incidents $(DO)

ui: $(VENV)  ## Dagster's web UI, with its daemon for the schedule and the sensor
	@$(HOME_READY) && dg dev

test: $(VENV)
	pytest

LINT := data/state/lint
lint: $(VENV)
	ruff check . && ruff format --check .
	sqlfmt --check --quiet dbt_project docs/cookbook expectations/profiles
	mkdir -p $(LINT)
	DBT_TARGET_PATH="$(CURDIR)/$(LINT)/target" DBT_LOG_PATH="$(CURDIR)/$(LINT)" dbt parse --quiet --project-dir dbt_project
	DBT_PROJECT_DIR="$(CURDIR)/$(LINT)" dbt-bouncer --config-file dbt_project/dbt-bouncer.yml

bench: $(VENV)  ## throughput against a hand-written script, memory, the cost of one more day
	python -m benchmarks

bench-alerts: $(VENV)  ## alerts on simulated worlds with known incidents: recall, causes, false alarms
	python -m benchmarks.alerts

bench-budgets: $(VENV)  ## spend alerts on simulated budget periods: how early, and how often for nothing
	python -m benchmarks.budgets

bench-faults: $(VENV)  ## no space, I/O errors and kills at every kind of call of a run, and killed runs under a daemon
	python -m benchmarks.faults
	python -m benchmarks.faults.daemon
