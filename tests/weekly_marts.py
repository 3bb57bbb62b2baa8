"""Marts of a made-up company in one ISO week: three environments, eight problems, three incidents, twelve findings.

The tables have the columns of the weekly marts that the report reads. A test changes rows before it writes them.
"""

# ruff: noqa: E501 - rows read best on one line
from collections.abc import Callable
from copy import deepcopy
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb

from orchestration.weekly.figures import iso_week, week_start

WEEK = "2026-W47"
USD = "decimal(38, 12)"
Row = dict[str, object]
Marts = dict[str, list[Row]]

COLUMNS = {
    "weekly_summary": f"""
        iso_week varchar, week_start date, week_end date, is_complete boolean, environment varchar, data_mode varchar,
        days_with_usage bigint, requests bigint, attempts bigint, spend_usd {USD}, previous_spend_usd {USD}, change_usd {USD},
        change_ratio double, volume_usd {USD}, mix_usd {USD}, retry_usd {USD}, token_usd {USD}, price_usd {USD}, top_drivers varchar,
        alerts bigint, critical_alerts bigint, new_problems bigint, recurring_problems bigint, regressed_problems bigint,
        problem_cost_usd {USD}, incidents_opened bigint, incidents_closed bigint, open_incidents bigint, budget_states varchar,
        budgets_exceeded bigint, unpriced_attempts bigint, unpriced_share double, exposure_usd {USD}, estimated_cost_usd {USD},
        estimated_share double, reported_cost_usd {USD}, duplicate_deliveries bigint, conflicting_deliveries bigint,
        missing_usage_attempts bigint, narrative varchar, continued_problems bigint, silent_days bigint, is_understated boolean""",
    "weekly_findings": f"""
        iso_week varchar, week_start date, environment varchar, data_mode varchar, rank integer, kind varchar, severity varchar,
        amount_usd {USD}, sentence varchar""",
    "weekly_drivers": f"""
        iso_week varchar, week_start date, environment varchar, data_mode varchar, dimension varchar, rank integer, member varchar,
        spend_usd {USD}, previous_spend_usd {USD}, change_usd {USD}, share_of_spend double""",
    "weekly_recurrence": f"""
        iso_week varchar, week_start date, is_complete boolean, problem_id varchar, problem varchar, environment varchar,
        data_mode varchar, spike_type varchar, driver_dimension varchar, driver_value varchar, endpoint_tag varchar, status varchar,
        occurrences bigint, days bigint, cost_impact_usd {USD}, is_understated boolean, first_seen_date date, last_seen_date date,
        weeks_since_last_seen bigint, consecutive_weeks bigint, occurrences_8_weeks bigint, total_occurrences bigint,
        total_cost_impact_usd {USD}, owner varchar, runbook_url varchar, escalation_channel varchar, incident_id varchar,
        incident_status varchar, guardrail varchar, next_action varchar, alert_ids varchar, severity varchar, drill_url varchar,
        failed_incident_id varchar, failed_guardrail varchar""",
    "weekly_incidents": """
        iso_week varchar, week_start date, incident_id varchar, problem_id varchar, environment varchar, data_mode varchar,
        title varchar, problem varchar, status varchar, spike_type varchar, started_at timestamp, opened_at timestamp,
        assigned_at timestamp, contained_at timestamp, closed_at timestamp, times_reopened bigint, minutes_to_assign bigint,
        minutes_to_contain bigint, minutes_to_resolve bigint, owner varchar, channel varchar, containment_action varchar,
        root_cause varchar, endpoint_tag varchar, tenant_id varchar, prompt_version varchar, guardrail varchar,
        execution_missing varchar, hardening_missing varchar, events bigint""",
    "cost_by_endpoint_daily": f"""
        event_date date, environment varchar, data_mode varchar, endpoint_tag varchar, cost_usd {USD}""",
}
EFFECTS = ("volume_usd", "mix_usd", "retry_usd", "token_usd", "price_usd")


def build(root: Path, marts: Marts) -> Path:
    """Write the marts into a new warehouse."""
    path = root / "warehouse.duckdb"
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema marts")
        for table, columns in COLUMNS.items():
            connection.execute(f"create table marts.{table} ({columns})")
            rows = marts.get(table, [])
            names = list(dict.fromkeys(name for row in rows for name in row))
            marks = ", ".join([f"({', '.join('?' * len(names))})"] * len(rows))
            if rows:  # in one statement: each is planned anew
                values = [row.get(name) for row in rows for name in names]
                connection.execute(f"insert into marts.{table} ({', '.join(names)}) values {marks}", values)
    return path


def changed(marts: Marts, table: str, where: Callable[[Row], bool], **values: object) -> Marts:
    """The same marts with other values in some rows."""
    copy = deepcopy(marts)
    rows = [row for row in copy[table] if where(row)]
    assert rows, f"no row of {table} to change"
    for row in rows:
        row |= values
    return copy


def made_up_week(week: str = WEEK) -> Marts:
    """Eight weeks up to one in which spend rose, a guardrail did not hold, and a model without a price appeared."""
    monday = week_start(week)
    marts: Marts = {table: [] for table in COLUMNS}
    _spend(marts, monday)
    _findings(marts, monday)
    _drivers(marts, monday)
    _problems(marts, monday)
    _incidents(marts, monday)
    return marts


def summary(monday: date, environment: str, spend: str | None, **values: object) -> Row:
    """A row of weekly_summary; what is not given did not happen."""
    counts = (
        "requests", "attempts", "alerts", "critical_alerts", "new_problems", "recurring_problems", "regressed_problems",
        "incidents_opened", "incidents_closed", "open_incidents", "budgets_exceeded", "unpriced_attempts",
        "duplicate_deliveries", "conflicting_deliveries", "missing_usage_attempts", "continued_problems", "silent_days",
    )  # fmt: skip
    row = dict.fromkeys(counts, 0) | of_week(monday, environment)
    row |= {"week_end": monday + timedelta(days=7), "is_complete": True, "days_with_usage": 7, "spend_usd": usd(spend)}
    row |= dict.fromkeys(("problem_cost_usd", "exposure_usd", "estimated_cost_usd", "reported_cost_usd"), usd("0"))
    return row | {"unpriced_share": 0.0, "estimated_share": 0.0, "is_understated": False} | values


def of_week(monday: date, environment: str) -> Row:
    return {"iso_week": iso_week(monday), "week_start": monday, "environment": environment, "data_mode": "real"}


def usd(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def compared(spend: str, previous: str, effects: tuple[str, ...]) -> Row:
    """A week against the one before; the effects must add up to the change."""
    change = Decimal(spend) - Decimal(previous)
    assert sum(map(Decimal, effects)) == change, change - sum(map(Decimal, effects))
    row = {
        "previous_spend_usd": Decimal(previous),
        "change_usd": change,
        "change_ratio": float(change / Decimal(previous)),
    }
    return row | {name: Decimal(effect) for name, effect in zip(EFFECTS, effects, strict=True)}


PROD = ("9812.402118733401", "9954.118220940012", "10377.905512048800", "10120.440091127455", "10790.661203417788",
        "11240.018834402210", "11468.372910554120", "13942.617305120884")  # fmt: skip
SHAPE = ("0.162", "0.171", "0.168", "0.174", "0.165", "0.081", "0.079")  # of a week, by day


def _spend(marts: Marts, monday: date) -> None:
    for ago, spend in zip(range(7, 0, -1), PROD, strict=False):
        marts["weekly_summary"].append(summary(monday - timedelta(weeks=ago), "prod", spend))
    marts["weekly_summary"] += [
        summary(
            monday, "prod", PROD[-1], requests=1_842_310, attempts=1_961_448, alerts=9, critical_alerts=3, new_problems=2,
            recurring_problems=2, regressed_problems=1, problem_cost_usd=usd("2186.410027118804"), incidents_opened=2,
            incidents_closed=1, open_incidents=2,
            budget_states="assistant-month: spend_alert since Wed 18 Nov, 81 % used; workspace-month: warning since Thu 19 Nov",
            budgets_exceeded=0, unpriced_attempts=18_204, unpriced_share=0.009281, exposure_usd=usd("212.884010000000"),
            estimated_cost_usd=usd("418.273310445120"), estimated_share=0.030000, reported_cost_usd=usd("13610.118200000000"),
            duplicate_deliveries=3_412, conflicting_deliveries=7, missing_usage_attempts=412,
            **compared(PROD[-1], PROD[-2], ("641.205118830021", "-118.440920013377", "702.118403381009", "1388.902814463377",
                                            "-139.541022094266")),
        ),
        summary(
            monday, "staging", "884.120044819003", requests=91_204, attempts=94_871, alerts=2, new_problems=0,
            recurring_problems=1, problem_cost_usd=usd("96.104477000000"), duplicate_deliveries=118,
            **compared("884.120044819003", "902.337190204411", ("-40.118203330000", "12.004400118833", "18.992200114411",
                                                                "-9.095542288652", "0.000000000000")),
        ),
        summary(
            monday, "dev", "61.402200118900", requests=5_120, attempts=5_388, alerts=1, new_problems=0, recurring_problems=0,
            unpriced_attempts=1_102, unpriced_share=0.204500, exposure_usd=usd("9.311000000000"), days_with_usage=5,
        ),
    ]  # fmt: skip
    for weeks_ago, spend in ((1, PROD[-2]), (0, PROD[-1])):
        start, left = monday - timedelta(weeks=weeks_ago), Decimal(spend)
        for ahead, share in enumerate(SHAPE):
            cost = (Decimal(spend) * Decimal(share)).quantize(Decimal(1).scaleb(-12)) if ahead < 6 else left
            left -= cost
            day = {"event_date": start + timedelta(days=ahead), "environment": "prod", "data_mode": "real"}
            marts["cost_by_endpoint_daily"] += [
                day | {"endpoint_tag": "agent.act", "cost_usd": cost - 1},
                day | {"endpoint_tag": "chat.answer", "cost_usd": Decimal(1)},
            ]
    for environment, spend in (("staging", "884.120044819003"), ("dev", "61.402200118900")):
        day = {"event_date": monday, "environment": environment, "data_mode": "real", "endpoint_tag": "agent.act"}
        marts["cost_by_endpoint_daily"].append(day | {"cost_usd": Decimal(spend)})


FINDINGS = {
    "prod": [
        ("spend", "warning", "2474.244394566764", "Spend rose by 21.6 %, the largest rise in 8 weeks."),
        ("effect", "warning", "1388.902814463377", "Tokens explain 56 % of the rise: agent.act answers are 38 % longer since prompt version v14."),
        ("effect", "info", "702.118403381009", "Retries cost $702.12 more: agent.act was tried 1.31 times per request, 1.08 the week before."),
        ("driver", "info", "1604.882100118804", "Tenant acme-industrial is behind 65 % of the rise."),
        ("regressed", "critical", "1122.340118220044", "Retry at agent.act came back although incident INC-2031 was closed with a guardrail on 26 October."),
        ("recurring", "warning", "488.120033118800", "Token at chat.answer recurred for the third week in a row; it has no guardrail."),
        ("new", "warning", "404.118820044100", "Abuse by user u-88213 (tenant northwind) is new: 41 times its usual spend in 6 hours."),
        ("incident", "warning", None, "Incident INC-2040 is open for 3 days and has no permanent guardrail."),
        ("budget", "warning", None, "Budget assistant-month: spend alert since 2026-11-18, $8,100.00 of $10,000.00."),
        ("unpriced", "warning", "212.884010000000", "18,204 calls of vertex/gemini-3-flash-lite have no price; they may have cost $120 to $340."),
    ],
    "staging": [("recurring", "info", "96.104477000000", "Volume at eval.nightly recurred: the nightly evaluation ran twice on Tuesday.")],
    "dev": [("unpriced", "warning", "9.311000000000", "20.5 % of calls have no price: selfhosted/acme-internal-7b is not in the pricing map.")],
}  # fmt: skip


def _findings(marts: Marts, monday: date) -> None:
    for environment, found in FINDINGS.items():
        marts["weekly_findings"] += [
            of_week(monday, environment)
            | {"rank": rank, "kind": kind, "severity": severity, "amount_usd": usd(amount), "sentence": sentence}
            for rank, (kind, severity, amount, sentence) in enumerate(found, start=1)
        ]


DRIVERS = {
    "endpoint": [("agent.act", "6210.40", "1604.88"), ("chat.answer", "3902.11", "688.20"), ("search.rewrite", "1420.75", "-210.02"),
                 ("ingest.embed", "911.30", "155.91"), ("mail.summarise", "804.22", "-42.87")],
    "prompt_version": [("agent.act v14", "4120.99", "4120.99"), ("agent.act v13", "2089.41", "-2516.11"),
                       ("chat.answer v7", "3902.11", "688.20"), ("search.rewrite v3", "1420.75", "-210.02"), ("mail.summarise v2", "804.22", "-42.87")],
    "tenant": [("acme-industrial", "4410.18", "1604.91"), ("northwind", "2204.57", "512.44"), ("contoso", "1880.20", "201.10"),
               ("fabrikam", "1212.90", "-88.14"), ("(unattributed)", "402.11", "37.70")],
    "user": [("u-88213", "512.90", "500.41"), ("svc-agent-eu", "3120.07", "488.20"), ("svc-agent-us", "1988.44", "301.87"),
             ("u-10442", "88.10", "-61.20"), ("u-70911", "74.66", "55.13")],
    "model": [("anthropic/claude-sonnet-4-5", "7120.30", "1810.22"), ("openai/gpt-5", "4011.42", "520.11"), ("openai/gpt-5-mini", "1502.12", "144.30"),
              ("google/gemini-2.5-flash", "680.90", "-51.10"), ("openai/text-embedding-3-large", "410.88", "22.67")],
}  # fmt: skip


def _drivers(marts: Marts, monday: date) -> None:
    for dimension, members in DRIVERS.items():
        for rank, (member, spend, change) in enumerate(members, start=1):
            amounts = {"spend_usd": Decimal(spend), "change_usd": Decimal(change)}
            amounts |= {
                "previous_spend_usd": Decimal(spend) - Decimal(change),
                "share_of_spend": float(spend) / 13942.617,
            }
            named = {"dimension": dimension, "rank": rank, "member": member}
            marts["weekly_drivers"].append(of_week(monday, "prod") | named | amounts)
    for dimension, member in (("endpoint", "eval.nightly"), ("tenant", "internal")):
        marts["weekly_drivers"].append(
            of_week(monday, "staging")
            | {
                "dimension": dimension,
                "rank": 1,
                "member": member,
                "spend_usd": Decimal("402.88"),
                "share_of_spend": 0.4557,
            }
            | {"previous_spend_usd": Decimal("306.78"), "change_usd": Decimal("96.10")}
        )


# problem_id: problem, environment, spike type, driver, statuses of the weeks (as R, c, n, q, s), alerts, cost, owner, guardrail, next action, incident
PROBLEMS = {
    "f1": ("retry at agent.act", "prod", "retry", ("endpoint", "agent.act"), " n q s s s s R", 3, "1122.340118220044", "team-agents",
           "circuit breaker after 3 tries", "Find out why the circuit breaker did not open, then reopen incident INC-2031.", ("INC-2031", "open")),
    "f2": ("token at chat.answer", "prod", "token", ("prompt_version", "chat.answer v7"), "   n q c c c", 2, "488.120033118800", "team-chat",
           None, "Cap max_output_tokens on chat.answer and keep it as a policy.", (None, None)),
    "f3": ("abuse by u-88213", "prod", "abuse", ("user", "u-88213"), "       n", 2, "404.118820044100", "trust-and-safety",
           None, "Limit the user to 5,000 calls a day; investigate the key.", ("INC-2040", "contained")),
    "f4": ("unknown model gemini-3-flash-lite", "prod", "unknown_model", ("model", "vertex/gemini-3-flash-lite"), "       n", 1, None,
           None, None, "Add a price to prices/ before the month is reconciled.", (None, None)),
    "f5": ("concentration at tenant acme-industrial", "prod", "concentration", ("tenant", "acme-industrial"), "  n q q c q c", 1,
           "171.831055735860", "team-agents", "tenant limit 600 USD a day", "Nothing: the limit held after 4 hours.", ("INC-2038", "closed")),
    "f6": ("volume at eval.nightly", "staging", "volume", ("endpoint", "eval.nightly"), "n q c q c q q c", 2, "96.104477000000", "team-quality",
           None, "Make the evaluation refuse to start twice.", (None, None)),
    "f7": ("deploy at search.rewrite", "prod", "deploy", ("prompt_version", "search.rewrite v3"), "    n q q q", 0, "0", "team-search",
           None, "Add a canary to prompt releases of search.rewrite.", (None, None)),
    "f8": ("price_mix at mail.summarise", "prod", "price_mix", ("model", "openai/gpt-5"), "n c s s s s s s", 0, "0", "team-mail",
           "model pinned in the router", "Nothing.", ("INC-2019", "closed")),
}  # fmt: skip
SEVERITIES = {"f1": "critical", "f3": "info"}  # of the alerts; the others are warnings
STATUS = {"R": "regressed", "c": "recurring", "n": "new", "q": "quiet", "s": "resolved"}


def _problems(marts: Marts, monday: date) -> None:
    for problem_id, fields in PROBLEMS.items():
        problem, environment, spike, driver, history, alerts, cost, owner, guardrail, action, incident = fields
        letters = history.split() if " " in history.strip() else [history.strip()]
        first = 8 - len(letters)
        seen = [place for place, letter in enumerate(letters, start=first) if letter in "Rcn"]
        for place, letter in enumerate(letters, start=first):
            start, is_active = monday - timedelta(weeks=7 - place), letter in "Rcn"
            occurrences = (alerts if place == 7 else 1 + place % 2) if is_active else 0
            marts["weekly_recurrence"].append(
                of_week(start, environment)
                | {
                    "is_complete": True, "problem_id": problem_id, "problem": problem, "spike_type": spike,
                    "driver_dimension": driver[0], "driver_value": driver[1], "status": STATUS[letter], "occurrences": occurrences,
                    "days": min(occurrences, 7), "cost_impact_usd": usd(cost if place == 7 or cost is None else "120.5"),
                    "is_understated": cost is None, "first_seen_date": monday - timedelta(weeks=7 - seen[0]) + timedelta(days=1),
                    "last_seen_date": start, "weeks_since_last_seen": 0 if is_active else 1,
                    "consecutive_weeks": 3 if problem_id == "f2" else 1, "occurrences_8_weeks": 2 * len(seen) + alerts,
                    "total_occurrences": 2 * len(seen) + alerts,
                    "total_cost_impact_usd": None if cost is None else Decimal(cost) + 240, "owner": owner,
                    "runbook_url": "https://runbooks.example.com/agent-act" if owner == "team-agents" else None,
                    "escalation_channel": f"#{owner}" if owner else None, "incident_id": incident[0],
                    "incident_status": incident[1], "guardrail": guardrail, "next_action": action, "alert_ids": "a1, a2",
                    "severity": SEVERITIES.get(problem_id, "warning") if is_active else None,
                    "drill_url": f"http://localhost:8080/alert?alert={problem_id}",
                    "failed_incident_id": incident[0] if letter == "R" else None, "failed_guardrail": guardrail if letter == "R" else None,
                }
            )  # fmt: skip


def _incidents(marts: Marts, monday: date) -> None:
    def at(days: int, hours: int, minutes: int = 0) -> datetime:
        return datetime.combine(monday, datetime.min.time()) + timedelta(days=days, hours=hours, minutes=minutes)

    marts["weekly_incidents"] = [
        of_week(monday, "prod") | row
        for row in (
            {
                "incident_id": "INC-2040", "problem_id": "f3", "title": "One user of northwind calls 41 times as often",
                "problem": "abuse by u-88213", "status": "contained", "spike_type": "abuse", "opened_at": at(3, 9, 5),
                "assigned_at": at(3, 9, 17), "contained_at": at(3, 11, 20), "times_reopened": 0, "minutes_to_assign": 12,
                "minutes_to_contain": 135, "owner": "trust-and-safety", "channel": "#inc-2040",
                "containment_action": "key of the user blocked", "tenant_id": "northwind",
                "execution_missing": "scope documented; one permanent guardrail",
                "hardening_missing": "root cause; manual action turned into a rule; runbook updated",
            },
            {
                "incident_id": "INC-2031", "problem_id": "f1", "title": "Retries at agent.act", "problem": "retry at agent.act",
                "status": "open", "spike_type": "retry", "opened_at": at(-21, 14, 40), "assigned_at": at(-21, 15, 2),
                "contained_at": at(-21, 16, 31), "times_reopened": 1, "minutes_to_assign": 22, "minutes_to_contain": 111,
                "owner": "team-agents", "channel": "#inc-2031", "containment_action": "back-off and circuit breaker",
                "guardrail": "circuit breaker after 3 tries", "root_cause": "the vendor's 529 was retried without a pause",
                "hardening_missing": "runbook owner and escalation channel updated",
            },
            {
                "incident_id": "INC-2038", "problem_id": "f5", "title": "acme-industrial above its share",
                "problem": "concentration at tenant acme-industrial", "status": "closed", "spike_type": "concentration",
                "opened_at": at(1, 7, 50), "assigned_at": at(1, 8, 1), "contained_at": at(1, 11, 58), "closed_at": at(4, 16, 0),
                "times_reopened": 0, "minutes_to_assign": 11, "minutes_to_contain": 248, "minutes_to_resolve": 4810,
                "owner": "team-agents", "channel": "#inc-2038", "containment_action": "tenant limited",
                "root_cause": "a batch import ran through the interactive endpoint", "guardrail": "tenant limit 600 USD a day",
            },
        )
    ]  # fmt: skip
