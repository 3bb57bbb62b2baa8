"""Problems with the days on which they showed and the incidents on them, put where detection and landing put them; and what
`weekly_recurrence` says of them, once by dbt and once by the definitions in plain Python."""

import hashlib
import random
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb

from demo import TEAM as DEMO_TEAM
from orchestration.dbt import run_dbt
from orchestration.settings import Settings, from_environment
from orchestration.team.tables import write_team_tables
from tests.parsed import keep, lend

AS_OF = "2027-02-10T12:00:00"
FIRST, LAST = date(2026, 10, 1), date(2027, 2, 9)
WEEK = timedelta(days=7)
MODELS = [
    *("stg_endpoint_owners", "stg_containment_map", "stg_environment_map"),
    *("int_weeks", "int_problem_weeks", "int_problem_names", "int_regressions", "int_recurrence"),
    *("int_next_incidents", "int_weekly_recurrence", "weekly_recurrence"),
    *("int_incident_events", "int_incidents", "int_incident_weeks", "int_incident_closures"),
    *("incident_days", "int_incident_shares", "int_incident_costs", "int_runbooks"),
    *("int_incident_records", "incidents", "incident_events", "int_weekly_incidents", "weekly_incidents"),
]
EVENT_FIELDS = (
    *("event_id", "alert_id", "problem_id", "environment", "data_mode", "spike_type", "title", "note"),
    *("endpoint_tag", "prompt_version", "tenant_id", "user_id", "model", "owner", "channel"),
    *("containment_action", "root_cause", "guardrail", "runbook_url", "escalation_channel", "reason"),
)


@dataclass
class Problem:
    """One problem: alerts as lists of the days on which they showed (a dollar a day unless said), and incident events."""

    name: str
    alerts: list[list[str]] = field(default_factory=list)
    events: list[tuple] = field(default_factory=list)  # (incident, type, instant, fields)
    usd: dict[str, str] = field(default_factory=dict)
    severities: dict[str, str] = field(default_factory=dict)  # of an alert, by its first day
    muted: bool = False
    endpoint: str = "chat.reply"
    calls: list[tuple] = field(default_factory=list)  # (instant, dollars) of what drives it
    started_at: str | None = None  # since when its first alert was above what is usual

    @property
    def problem_id(self) -> str:
        return f"fp {self.name}"

    @property
    def days(self) -> list[date]:
        return sorted(date.fromisoformat(day) for alert in self.alerts for day in alert)

    @property
    def onsets(self) -> list[date]:
        return [date.fromisoformat(alert[0]) for alert in self.alerts]

    def dollars(self, day: date) -> Decimal:
        return Decimal(self.usd.get(str(day), "1"))


def happened(kind: str, at: str, incident: str = "inc", **fields: str) -> tuple:
    """An incident event of a problem."""
    return (incident, kind, at, fields)


def closed_with_guardrail(opened: str, closed: str, incident: str = "inc") -> list[tuple]:
    """An incident that was opened, contained, given a guardrail and closed."""
    return [
        happened("opened", opened, incident),
        happened("containment_applied", opened, incident, containment_action="stopped it"),
        happened("guardrail_added", closed, incident, guardrail="a limit"),
        happened("closed", closed, incident),
    ]


def recurrence(root: Path, problems: list[Problem]) -> Settings:
    """Builds the weekly models over the problems."""
    settings = from_environment(
        {"TOKENTRAIL_DATA": str(root), "TOKENTRAIL_TEAM": str(DEMO_TEAM), "TOKENTRAIL_AS_OF": AS_OF}
    )
    write_team_tables(settings)
    (settings.state / "spill").mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(settings.warehouse)) as connection:
        connection.begin()  # each row on its own would be a write to the disk
        _provide(connection, problems)
        connection.commit()
    lend(settings)
    run_dbt(settings, "build", "--quiet", "--exclude-resource-type", "unit_test", "--select", *MODELS)
    keep(settings)
    return settings


def ask(settings: Settings, sql: str) -> list[tuple]:
    """Rows of the warehouse's marts."""
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        connection.execute("set schema = 'marts'")
        return connection.execute(sql).fetchall()


def _provide(connection: duckdb.DuckDBPyConnection, problems: list[Problem]) -> None:
    for schema in ("intermediate", "staging", "marts"):
        connection.execute(f"create schema {schema}")
    connection.execute(
        f"create table intermediate.attempt_days as select cast(day as date) as event_date, '' as input_fingerprint "
        f"from generate_series(date '{FIRST}', date '{LAST}', interval 1 day) as days(day)"
    )
    connection.execute(
        """create table intermediate.int_alerts (alert_id varchar, problem_id varchar, environment varchar, data_mode varchar,
        spike_type varchar, anchor_dimension varchar, anchor varchar, onset_date date, is_muted boolean, unpriced_attempts bigint,
        driver_endpoint_tag varchar, main_endpoint_tag varchar)"""
    )
    connection.execute(
        "create table intermediate.int_alert_rows (alert_id varchar, severity varchar, drill_url varchar)"
    )
    connection.execute(
        """create table intermediate.int_alert_episode_days (event_date date, environment varchar, data_mode varchar,
        spike_type varchar, anchor varchar, onset_date date, round integer, excess_usd decimal(38, 12))"""
    )
    connection.execute("create table intermediate.int_alert_starts (alert_id varchar, started_at timestamp)")
    connection.execute("create table intermediate.int_alert_plans (alert_id varchar, plan_id varchar, kind varchar)")
    segment = "endpoint_tag varchar, prompt_version varchar, tenant_id varchar, user_id varchar, model varchar"
    day_scope = "event_date date, environment varchar, data_mode varchar"
    connection.execute(
        f"create table intermediate.int_problem_drivers ({day_scope}, round integer, rank integer, {segment})"
    )
    connection.execute(
        f"create table marts.fct_attempts ({day_scope}, {segment}, occurred_at timestamp, cost_usd decimal(38, 12))"
    )
    connection.execute("create table intermediate.alert_signal_days as from intermediate.attempt_days")
    connection.execute(
        f"""create table staging.stg_incident_events (incident_id varchar, event_type varchar, occurred_at timestamp,
        started_at timestamp, actor varchar, content_hash varchar, line_number bigint,
        {", ".join(f"{name} varchar" for name in EVENT_FIELDS)})"""
    )
    connection.execute(
        """create table intermediate.int_arrivals (source varchar, content_hash varchar, landing_file varchar, arrival_date date)"""
    )
    for problem in problems:
        for alert in problem.alerts:
            parts = ("prod", "real", "retry", problem.name)
            alert_id = hashlib.md5("|".join([*parts, alert[0]]).encode()).hexdigest()[:16]
            connection.execute(
                "insert into intermediate.int_alerts values (?, ?, 'prod', 'real', 'retry', 'endpoint', ?, ?, ?, 0, ?, null)",
                [alert_id, problem.problem_id, problem.name, alert[0], problem.muted, problem.endpoint],
            )
            connection.execute(
                "insert into intermediate.int_alert_rows values (?, ?, ?)",
                [alert_id, problem.severities.get(alert[0], "info"), f"http://inbox/alert?alert={alert_id}"],
            )
            if problem.started_at and alert is problem.alerts[0]:
                connection.execute(
                    "insert into intermediate.int_alert_starts values (?, ?)", [alert_id, problem.started_at]
                )
            for day in alert:
                connection.execute(
                    "insert into intermediate.int_alert_episode_days values (?, ?, ?, ?, ?, ?, 1, ?)",
                    [day, *parts, alert[0], problem.dollars(date.fromisoformat(day))],
                )
                connection.execute(
                    "insert into intermediate.int_problem_drivers values (?, 'prod', 'real', 1, 1, ?, null, null, null, null)",
                    [day, problem.name],
                )
        for at, dollars in problem.calls:
            connection.execute(
                "insert into marts.fct_attempts values (?, 'prod', 'real', ?, 'v1', 'acme', 'u-1', 'gpt', ?, ?)",
                [at[:10], problem.name, at, dollars],
            )
        for line, (incident, kind, at, fields) in enumerate(problem.events, start=1):
            _provide_event(connection, problem, line, f"{incident} {problem.name}", kind, at, dict(fields))


def _provide_event(connection, problem: Problem, line: int, incident: str, kind: str, at: str, fields: dict) -> None:
    if kind == "opened":
        fields = {
            "problem_id": problem.problem_id,
            "environment": "prod",
            "data_mode": "real",
            "spike_type": "retry",
        } | fields
    content_hash = f"{incident} {line:06}"  # in the order of the lines
    connection.execute(
        "insert into intermediate.int_arrivals values ('incidents', ?, ?, ?)",
        [content_hash, f"incidents/{problem.name}.jsonl", fields.pop("arrived", at[:10])],
    )
    row = {
        "incident_id": incident,
        "event_type": kind,
        "occurred_at": at,
        "actor": "ana",
        "content_hash": content_hash,
        "line_number": line,
        **fields,
    }
    marks = ", ".join("?" for _ in row)
    connection.execute(
        f"insert into staging.stg_incident_events ({', '.join(row)}) values ({marks})", list(row.values())
    )


# --- the definitions, in plain Python --------------------------------------------------------------------------------


def monday(day: date) -> date:
    """The first day of an ISO week."""
    year, week, _ = day.isocalendar()
    return date.fromisocalendar(year, week, 1)


def guarded_spans(problem: Problem) -> list[tuple[datetime, datetime]]:
    """From when until when its incidents were closed with a guardrail, by what has happened."""
    spans = []
    for incident in sorted({event[0] for event in problem.events}):
        events = sorted(
            ((datetime.fromisoformat(at), kind) for which, kind, at, _ in problem.events if which == incident),
            key=lambda event: (event[0], {"opened": 0, "closed": 2}.get(event[1], 1)),
        )
        events = [event for event in events if event[0] <= datetime.fromisoformat(AS_OF)]
        guards = [at for at, kind in events if kind == "guardrail_added"]
        turns = [(at, kind) for at, kind in events if kind in ("closed", "reopened")]
        for number, (at, kind) in enumerate(turns):
            ends = turns[number + 1][0] if number + 1 < len(turns) else datetime.max  # noqa: DTZ901
            if kind == "closed" and guards and (begins := max(at, guards[0])) < ends:
                spans.append((begins, ends))
    return spans


@dataclass
class Record:
    """What is known of an incident at an instant."""

    name: str
    opened: datetime
    closed: datetime | None = None
    is_contained: bool = False
    done: dict[str, str] = field(default_factory=dict)  # event type -> what it gave

    @property
    def status(self) -> str:
        return "closed" if self.closed else "contained" if self.is_contained else "open"

    @property
    def hardening(self) -> list[str]:
        """What its hardening checklist lacks."""
        asked = {
            "root cause and exact containment step": ("root_cause_found", "containment_applied"),
            "manual action turned into a rule": ("guardrail_added", "containment_applied"),
            "runbook owner and escalation channel updated": ("runbook_updated",),
            "weekly review done": ("weekly_review_done",),
        }
        return [words for words, events in asked.items() if not set(events) <= self.done.keys()]


def life_of(problem: Problem) -> list[tuple[datetime, str, str, dict]]:
    """(instant, incident, type, fields) of its events, in the order in which they count."""
    order = {"opened": 0, "closed": 2}
    events = [(datetime.fromisoformat(at), which, kind, dict(fields)) for which, kind, at, fields in problem.events]
    return sorted(
        (event for event in events if event[0] <= datetime.fromisoformat(AS_OF)),
        key=lambda event: (event[0], order.get(event[2], 1)),
    )


def records(problem: Problem, end: datetime) -> dict[str, Record]:
    """Its incidents as of an instant."""
    known: dict[str, Record] = {}
    for at, which, kind, fields in life_of(problem):
        if at >= end:
            break
        if kind == "opened":
            known[which] = Record(f"{which} {problem.name}", at)
            continue
        record = known[which]
        record.done[kind] = next(iter(fields.values()), "")
        record.closed = at if kind == "closed" else None if kind == "reopened" else record.closed
        if kind in ("reopened", "containment_applied"):
            record.is_contained = kind == "containment_applied"
    return known


def failure(problem: Problem, onsets: list[datetime]) -> tuple[str, str] | None:
    """The incident that was closed with a guardrail when an alert of a week began, and the rule of then; the one closed last."""
    closed = []
    for incident in sorted({event[0] for event in problem.events}):
        alone = Problem(problem.name, events=[event for event in problem.events if event[0] == incident])
        spans = [(span, onset) for span in guarded_spans(alone) for onset in onsets]
        closed += [(begin, incident, onset) for (begin, until), onset in spans if begin <= onset < until]
    if not closed:
        return None
    _, incident, onset = max(closed)
    rules = [
        fields["guardrail"]
        for at, which, kind, fields in life_of(problem)
        if which == incident and kind == "guardrail_added" and at <= onset
    ]
    return f"{incident} {problem.name}", rules[-1]


CONTAINMENT = "Add back-off and open the circuit breaker"  # what the map says of retries
RULE = (
    "A retry budget in the client: at most two tries with exponential back-off, and a circuit breaker on the error rate"
)


def to_do(
    problem: Problem, end: datetime, onset: date, last_seen: date, has_days: bool, failed: tuple[str, str] | None
) -> tuple:
    """(incident, its status, next action) as of a week's end, from the list in docs/incidents.md."""
    own = list(records(problem, end).values())
    handled = [each for each in own if each.closed and each.closed.date() >= onset]
    unfinished = [each for each in own if not each.closed]
    if unfinished:
        which = max(unfinished, key=lambda each: each.opened)
    elif failed and not handled:
        which = next(each for each in own if each.name == failed[0])
    else:
        which = max(own, key=lambda each: each.closed, default=None)
    rule = f" ({failed[1]})" if failed else ""
    if which is None:
        return None, None, f"Open an incident. {CONTAINMENT}" if has_days else f"While it is quiet, make a rule: {RULE}"
    changed = any(kind == "guardrail_added" and at < end and at.date() >= onset for at, _, kind, _ in life_of(problem))
    action = None
    if failed and which.closed and not handled:
        action = f"The guardrail did not hold: reopen {which.name} and change it{rule}"
    elif has_days and which.closed and handled and last_seen > which.closed.date():
        action = f"It went on after {which.name} was closed on {which.closed.date()}: reopen it"
    elif has_days and which.closed and not handled:
        action = f"Open an incident. {CONTAINMENT}"
    elif which.status == "open":
        action = f"Contain it: {CONTAINMENT}"
    elif failed and which.status == "contained" and not changed:
        action = f"The guardrail of {failed[0]} did not hold: change it before {which.name} is closed{rule}"
    elif "guardrail_added" not in which.done:
        action = f"Turn the manual step into a rule: {RULE}"
    elif which.hardening:
        action = f"Still missing: {'; '.join(which.hardening)}"
    elif which.status == "contained":
        action = f"Close {which.name}"
    return which.name, which.status, action


def expected(problem: Problem) -> list[tuple]:
    """(iso week, status, occurrences, days, dollars, weeks since, consecutive, in 8 weeks, the incident that failed and its rule,
    incident, its status, next action) from its first week on."""
    rows, status_when_seen, consecutive, failed = [], None, 0, None
    if not problem.days or problem.muted:
        return rows
    week, seen_before = monday(problem.days[0]), None
    while week <= monday(date.fromisoformat(AS_OF[:10])):
        end = datetime.combine(week + WEEK, datetime.min.time())
        days = [day for day in problem.days if week <= day < week + WEEK]
        onsets = [day for day in problem.onsets if week <= day < week + WEEK]
        if onsets:
            failed = failure(problem, [datetime.combine(day, datetime.min.time()) for day in onsets])
            status_when_seen = "regressed" if failed else "new" if seen_before is None else "recurring"
        consecutive = consecutive + 1 if days else 0
        status = status_when_seen
        last = max(day for day in problem.days if day < week + WEEK)
        if not days:
            held = any(begin < end <= until and begin.date() >= last for begin, until in guarded_spans(problem))
            is_open = any(not each.closed for each in records(problem, end).values())
            status = "resolved" if held and not is_open else "quiet"
        year, number, _ = week.isocalendar()
        recent = sum(week - 7 * WEEK <= onset < week + WEEK for onset in problem.onsets)
        since = None if seen_before is None else (week - seen_before).days // 7
        dollars = sum((problem.dollars(day) for day in days), Decimal(0))
        onset = max(day for day in problem.onsets if day < week + WEEK)
        rows.append(
            (
                *(f"{year}-W{number:02}", status, len(onsets), len(days), dollars, since, consecutive, recent),
                *(failed or (None, None)),
                *to_do(problem, end, onset, last, bool(days), failed),
            )
        )
        seen_before = week if days else seen_before
        week += WEEK
    return rows


def drawn_problem(number: int) -> Problem:
    """A problem that shows now and then, for one to seven days, with incidents of every fate."""
    dice = random.Random(number)
    problem = Problem(f"drawn-{number}")
    day = FIRST + timedelta(days=dice.randrange(40))
    while day < LAST - timedelta(days=10):
        length = dice.choice([1, 1, 2, 3, 7])
        alert = [str(day + timedelta(days=each)) for each in range(length)]
        problem.alerts.append(alert)
        problem.usd |= {each: f"{dice.uniform(0.01, 90):.6f}" for each in alert}
        last = datetime.combine(day + timedelta(days=length), datetime.min.time()) - timedelta(hours=1)
        if dice.random() < 0.5:
            problem.events += _drawn_life(dice, last, f"inc-{len(problem.alerts)}")
        day += timedelta(days=length + dice.choice([4, 5, 7, 9, 14, 30]))
    return problem


def _drawn_life(dice: random.Random, start: datetime, incident: str) -> list[tuple]:
    hours = sorted(dice.sample(range(1, 400), 5))
    at = [(start + timedelta(hours=hour)).isoformat() for hour in hours]
    life = [happened("opened", start.isoformat(), incident)]
    if dice.random() < 0.7:
        life.append(happened("guardrail_added", dice.choice(at[:4]), incident, guardrail=f"limit {dice.random():.3f}"))
    if dice.random() < 0.8:
        life.append(happened("closed", at[1], incident))
        if dice.random() < 0.4:
            life.append(happened("reopened", at[2], incident))
            if dice.random() < 0.5:
                life.append(happened("closed", at[4], incident))
    if dice.random() < 0.6:
        life.append(happened("containment_applied", at[0], incident, containment_action="stopped it"))
        if dice.random() < 0.5:
            hardened = {"root_cause_found": "root_cause", "runbook_updated": "owner", "weekly_review_done": "note"}
            life += [happened(kind, at[3], incident, **{name: "done"}) for kind, name in hardened.items()]
    dice.shuffle(life)
    return life
