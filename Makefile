# Thin wrappers: everything here is a command of dg, dbt or pytest. Data lives under $TOKENTRAIL_DATA (default ./data), which
# orchestration/settings.py reads, because make itself would end a name at a space.
SHELL := /bin/bash
export DBT_PROFILES_DIR := $(CURDIR)/dbt_project
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONPATH := $(CURDIR)
# Python keeps the bytecode of what it imported. Images of containers often say otherwise, and then each command compiles
# Dagster, dbt and Great Expectations anew: 10 seconds of CPU time in a run.
unexport PYTHONDONTWRITEBYTECODE

VENV := environment
# What is typed after `make` is taken literally ($(value): make expands nothing in it) and passed on in the environment,
# so that no shell reads it: an id may hold `, $, quotes and spaces.
ARGUMENTS := WEEK FROM TO FULL_REFRESH REQUEST TOPIC DO FILE SOURCE ALL LINE ITEM REASON INCIDENT ALERT DIALECT
$(foreach name,$(ARGUMENTS),$(eval override $(name) := $$(value $(name))))
export $(ARGUMENTS)
MAKEOVERRIDES :=
# Whatever else was typed is a slip of the finger, which would run the command without it.
UNKNOWN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(filter-out TOKENTRAIL_% PYTHONPATH,$(name))))
$(if $(strip $(UNKNOWN)),$(error $(strip $(UNKNOWN)): no such argument. There are $(ARGUMENTS), and settings (TOKENTRAIL_...)))

HOME_READY = DAGSTER_HOME="$$(python -m orchestration.commands.home)" && export DAGSTER_HOME

.DEFAULT_GOAL := help
.PHONY: $(VENV) help coverage init demo run inbox report weekly backfill check-events explain reload price-diff acknowledge incident postmortem set-aside take-back test test-browser test-emitters test-fast generate lint lint-types lint-dbt lint-sql lint-python ui bench bench-alerts bench-budgets bench-faults bench-inbox bench-silence

$(VENV):
	@.ci/environment

help:  ## what can be typed after `make`
	@awk -F ':[^#]*## ' '/^[a-z][a-z-]*:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

init: $(VENV)  ## begin your team folder (budgets, channels, owners ...); FROM=<older checkout> moves what was edited there
	@python -m orchestration.commands.init

demo: $(VENV)  ## simulate 60 days of usage, run the daily job over them, show what it found; DIALECT=litellm or otlp: as a gateway's log or a tracer's spans
	@export TOKENTRAIL_TEAM="$${TOKENTRAIL_TEAM:-demo/team}" && $(HOME_READY) && { \
		python -m orchestration.dbt & \
		python -m demo --data "$${DAGSTER_HOME%/state/dagster}" --dialect "$${DIALECT:-native}"; status=$$?; wait; exit $$status; }
	@# the morning after its last day: seen from today, its senders would be silent
	@TOKENTRAIL_AS_OF="$${TOKENTRAIL_AS_OF:-2026-11-23T07:00:00Z}" $(MAKE) --no-print-directory run

run: $(VENV)  ## load what landed, price it, rebuild the dates that differ, check, publish; ends with one screen; nothing, if nothing is new
	@python -m orchestration.commands.launch run

inbox: $(VENV)  ## the pages from an alert to its cause, at http://localhost:8080: alerts, drivers, costs by anything, requests
	@python -m inbox

report: $(VENV)  ## the tables behind that screen: totals, alerts, budgets, rejects, cost by endpoint, tenant and user, unpriced models
	@python -m orchestration.commands.report

check-events: $(VENV)  ## what a load would make of a file, and what it would cost, without loading it: FILE=any/path.jsonl [SOURCE=litellm or invoices/openai]
	@python -m orchestration.commands.check_events

weekly: $(VENV)  ## all that `run` does and the weekly report: WEEK=2026-W47, or the last complete week
	@python -m orchestration.commands.launch weekly

backfill: $(VENV)  ## rebuild FROM=... TO=... (event dates), or everything with FULL_REFRESH=true
	@python -m orchestration.commands.launch backfill

explain: $(VENV)  ## the arithmetic of one request: REQUEST=<request id>
	@python -m orchestration.commands.explain

reload: $(VENV)  ## load a landed file again: FILE=events/dt=2026-11-22/x.jsonl
	@python -m orchestration.commands.reload

price-diff: $(VENV)  ## what changed overrides or a newer catalogue would change, before they are applied
	@python -m orchestration.commands.price_diff

acknowledge: $(VENV)  ## confirm that you are working on the topic of a message, which ends its escalation: TOPIC=<topic>
	@python -m orchestration.commands.outbox acknowledge

set-aside: $(VENV)  ## publish without a line that stops a run: FILE=events/dt=.../x.jsonl LINE=412 REASON="..."
	@python -m orchestration.commands.set_aside set-aside

take-back: $(VENV)  ## count a line again that was set aside: FILE=... LINE=...
	@python -m orchestration.commands.set_aside take-back

incident: $(VENV)  ## what is done about an incident: asks, or DO=list, DO="open <alert_id>", DO=contain, DO="mute <alert_id>", ...
	@python -m orchestration.commands.incident

postmortem: $(VENV)  ## the postmortem note of an incident or an alert: INCIDENT=<incident_id> or ALERT=<alert_id>
	@python -m orchestration.commands.postmortem

ui: $(VENV)  ## Dagster's web UI; with TOKENTRAIL_SCHEDULES=on before it, schedules and the sensor for new files run too
	@$(HOME_READY) && dg dev

test: $(VENV)  ## every test, on real dbt, Dagster and DuckDB
	pytest

test-fast: $(VENV)  ## the tests that build no data root, in under two minutes
	pytest -m "not slow"

test-browser: $(VENV)  ## the stories of the inbox in Chromium, with the packages they need (160 MB, installed when first asked for)
	@pip install --quiet --disable-pip-version-check --no-deps -r tests/browser.lock
	pytest -n 0 tests/test_inbox_browser.py

EMITTERS := data/state/emitters
$(EMITTERS)/.complete: tests/emitters.lock | $(VENV)
	@rm -rf $(EMITTERS)
	@pip install --quiet --disable-pip-version-check --no-deps --target $(EMITTERS) -r tests/emitters.lock
	@touch $@

test-emitters: $(EMITTERS)/.complete  ## what real instrumentations of SDKs write, against what a local provider billed (60 MB, apart from .venv)
	pytest -n 0 tests/test_emitters.py

coverage: $(VENV)  ## every test, and the lines of Python that none of them runs
	pytest --cov

generate: $(VENV)  ## macros, columns and docs that follow from the list of token kinds (pricing/units.py)
	@python -m orchestration.commands.generate

LINT := data/state/lint
lint: $(VENV)  ## ruff, mypy, sqlfmt, dbt parse and dbt-bouncer, over the whole project, two at a time
	@$(MAKE) --no-print-directory --keep-going --jobs 2 lint-types lint-dbt lint-sql lint-python

lint-types: $(VENV)  ## mypy alone
	mypy

lint-dbt: $(VENV)  ## dbt parse and dbt-bouncer alone
	mkdir -p $(LINT)
	DBT_TARGET_PATH="$(CURDIR)/$(LINT)/target" DBT_LOG_PATH="$(CURDIR)/$(LINT)" dbt parse --quiet --project-dir dbt_project
	DBT_PROJECT_DIR="$(CURDIR)/$(LINT)" dbt-bouncer --config-file dbt_project/dbt-bouncer.yml

lint-sql: $(VENV)  ## sqlfmt alone
	sqlfmt --check --quiet dbt_project docs/cookbook expectations/profiles

lint-python: $(VENV)  ## ruff alone: what it finds, and the format
	ruff check . && ruff format --check .

bench: $(VENV)  ## throughput against a hand-written script, memory, and the cost of one more day
	python -m benchmarks

bench-alerts: $(VENV)  ## alerts on simulated worlds with known incidents: recall, causes, false alarms
	python -m benchmarks.alerts

bench-budgets: $(VENV)  ## spend alerts on simulated budget periods: how early, and how often in error
	python -m benchmarks.budgets

bench-silence: $(VENV)  ## silent senders among simulated ones: how soon, and how often in error
	python -m benchmarks.silence

bench-inbox: $(VENV)  ## the pages of the inbox at 5 million attempts, multiplied from the data root: CPU and waiting for each, memory, start
	python -m benchmarks.inbox

bench-faults: $(VENV)  ## no space, I/O errors and kills at every kind of call of a run, and killed runs under a daemon
	python -m benchmarks.faults
	python -m benchmarks.faults.daemon
