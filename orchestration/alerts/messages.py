"""The words of an alert: a first line that says it all on a locked phone, then what to do, then why. And the same for machines.

Every name in them is whatever a sender wrote, so each goes through for_chat or for_title.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from orchestration.alerts.facts import Alert
from orchestration.alerts.ledger import BEGINS, OVER, Line
from orchestration.notifications import Event
from orchestration.plain import for_chat, for_title
from orchestration.team.notifications import SEVERITIES, NotificationChannel
from orchestration.wording import CENT, change, listed, many, percent, usd

ONCALL, DIGEST = "oncall", "everyone"  # shipped channels: at once, and once a day
DOLLARS = {"observed", "delta_usd", "total_excess_usd"}  # columns of alerts
MANY_TIMES = Decimal(20)  # the usual: more says nothing that the dollars do not say
LISTED = 10  # alerts of a message about many: what a phone shows without scrolling far
EFFECTS = 4  # of a message: those that are a twentieth of the delta or more
# What a spike type looks like to whoever runs the endpoint; a driver that names the model of a price_mix is in it.
WORDS = {
    "volume": "more requests at {where}",
    "token": "more tokens per call at {where}",
    "input": "longer prompts at {where}",
    "output": "longer answers at {where}",
    "cache": "lost cache hits at {where}",
    "deploy": "costly version {version} at {where}",
    "abuse": "heavy use of {where} by user {user}",
    "concentration": "heavy use of {where} by tenant {tenant}",
    "retry": "retries at {where}",
    "price_mix": "expensive model {model} at {where}",
    "unknown_model": "no price for model {model}",
}
FIRST_WORD = {
    "back": "Back",
    "worsened": "Worse",
    "confirmed": "Confirmed",
    "changed": "Changed",
    "closed": "Over",
    "withdrawn": "Withdrawn",
}
WHY_CLOSED = {
    "quiet": "No sign of it on 3 complete days.",
    "level_shift": "It has lasted for 7 days in a row: this is the new level, and later days are compared with it.",
    "data_ended": "Its sender is silent: 3 days without data are over, not 3 quiet days.",
    "muted": "A rule mutes it from now on.",
    "planned": "It is marked as planned.",
}
WHY_WITHDRAWN = {
    "later_hours": "It was announced while its day was open. With the hours since then, it does not stand out any more.",
    "late_data": "Calls of that day arrived late or were withdrawn, and it does not stand out any more.",
    "rules": "The calls are the same: prices, rules, settings or its past are others, and it does not stand out any more.",
}


def event(lines: list[Line], of_topic: list[Line], channels: Mapping[str, NotificationChannel]) -> Event:
    """The message of the lines of one run and topic; `of_topic` are all lines of the topic."""
    ends, first = any(line["ends"] for line in lines), lines[0]
    worst = max((line["alert"]["severity"] for line in lines), key=SEVERITIES.index)
    is_past = first["kind"] == "past"
    is_one = len(lines) == 1 and not first["topic"].startswith(("alert/storm-", "alert/past"))
    title, body = _about_one(first) if is_one else _about_past(lines) if is_past else _about_many(lines, of_topic)
    return Event(
        event_key=first["event_key"],
        topic=first["topic"],
        kind="alert",
        severity="info" if ends or is_past else worst,
        title=for_title(title),
        body=body,
        drill_url=first["alert"]["drill_url"] if is_one else "",
        occurred_at=min(_begins(line["alert"]) for line in lines),
        channels=tuple(dict.fromkeys(name for line in lines for name in _channels(line, channels))),
        follows=all(line["kind"] not in {*BEGINS, "past"} for line in lines),
        ends=ends,
        alerts=tuple(for_machines(line) for line in lines),
    )


def _channels(line: Line, channels: Mapping[str, NotificationChannel]) -> Iterator[str]:
    """Critical: the owner's channel, else on-call. Warning: the owner's channel, as its row says. All: the daily digest."""
    alert = line["alert"]
    owners = alert["escalation_channel"] if alert["escalation_channel"] in channels else None
    if line["kind"] != "past":
        if owners:
            yield owners
        elif alert["severity"] == "critical" or line["kind"] not in BEGINS:
            yield ONCALL
    yield DIGEST


def _about_one(line: Line) -> tuple[str, str]:
    alert, kind = line["alert"], line["kind"]
    is_over = kind in {"closed", "withdrawn"}
    parts = [
        *_what_changed(line),
        *(() if is_over else (_dollars(alert), _error(alert))),
        *(_what_to_do(line) if kind in {*BEGINS, "changed"} else ()),
    ]
    return f"{_opening(line)}: {headline(line)}", "\n".join(filter(None, parts))


def _opening(line: Line) -> str:
    if line["kind"] in {"worsened", "back"}:
        return f"{FIRST_WORD[line['kind']]}, {line['alert']['severity']}"
    return FIRST_WORD.get(line["kind"], line["alert"]["severity"].capitalize())


def headline(line: Line) -> str:
    """What, where, since when and how much, without severity: `retries at agent.act since 12 Nov 09:00 UTC, $8.76 instead of $4.02`."""
    alert = line["alert"]
    place = "" if alert["environment"] == "prod" else f" in {alert['environment']}"
    mode = "" if alert["data_mode"] == "real" else f" ({alert['data_mode']} data)"
    if line["kind"] in {"closed", "past"}:
        return f"{what(line)}{place}{mode}, {_days(alert)}, {change(alert['total_excess_usd'])}"
    return f"{what(line)}{place}{mode} {_since(alert)}, {_instead(alert)}"


def what(line: Line) -> str:
    """The kind of rise and its place, in words."""
    alert, driver = line["alert"], line["driver"]
    spike = alert["spike_type"] if alert["spike_type"] != "token" else alert["token_direction"] or "token"
    named = _named(alert)
    found = {
        "where": alert["endpoint_tag"] or alert["scope_value"],
        "version": named.get("prompt_version") or (driver and driver["prompt_version"]) or "",
        "user": named.get("user") or (driver and driver["user_id"]) or "",
        "tenant": named.get("tenant") or (driver and driver["tenant_id"]) or "",
        "model": named.get("model") or (driver and driver["model"]) or "",
    }
    return " ".join(WORDS.get(spike, f"{spike} at {{where}}").format(**found).split())


def _named(alert: Alert) -> dict[str, str]:
    """The parts of the driver by dimension."""
    return dict(zip(alert["top_driver_dimension"].split(" x "), alert["top_driver_value"].split(" | "), strict=False))


def _instead(alert: Alert) -> str:
    usual = Decimal(alert["observed"]) - Decimal(alert["delta_usd"])
    about = "about " if alert["spike_type"] == "unknown_model" else ""
    so_far = " so far" if alert["is_provisional"] else ""
    instead = "nothing" if usual <= 0 else "almost nothing" if usual < CENT else usd(usual)
    return f"{about}{usd(alert['observed'])}{so_far} instead of {instead}"


def _since(alert: Alert) -> str:
    return f"since {_hour(alert['started_at'])}" if alert["started_at"] else f"on {_date(alert['alert_date'])}"


def _hour(text: str) -> str:
    at = datetime.fromisoformat(text)
    return f"{at.day} {at:%b %H:%M} UTC"


def _date(text: str) -> str:
    day = date.fromisoformat(text)
    return f"{day.day} {day:%b}"


def _days(alert: Alert) -> str:
    first, last = _date(alert["alert_date"]), _date(alert["last_date"])
    if first == last:
        return first
    return f"{first.split()[0] if first.split()[1] == last.split()[1] else first} to {last}"


def _dollars(alert: Alert) -> str:
    """What it cost more on its first day, or on the open day so far, and what it has come to."""
    usual = Decimal(alert["observed"]) - Decimal(alert["delta_usd"])
    times = Decimal(alert["observed"]) / usual if usual >= CENT else MANY_TIMES
    so_far = " so far" if alert["is_provisional"] else ""
    first = f"**{change(alert['delta_usd'])}**{so_far} on {_date(alert['alert_date'])}"
    first += f", {times:.1f} times the usual." if times < MANY_TIMES else "."
    whole = f" {change(alert['total_excess_usd'])} in {many(alert['days'], 'day')}." if alert["days"] > 1 else ""
    is_estimate = alert["delta_is_understated"] and alert["spike_type"] != "unknown_model"
    missing = " Calls without a price are in it by estimate." if is_estimate else ""
    return first + whole + missing


def _error(alert: Alert) -> str | None:
    """What failing calls answered, where success fell."""
    if not alert["top_error_code"]:
        return None
    status = f" {alert['top_http_status']}" if alert["top_http_status"] else ""
    share = f", {percent(alert['top_error_share'])} of failed calls" if alert["top_error_share"] else ""
    return f"Failing: **{for_chat(alert['top_error_code'])}{status}**{share}."


def _what_to_do(line: Line) -> Iterator[str]:
    alert = line["alert"]
    if alert["containment_action"]:
        yield f"Do first: **{for_chat(alert['containment_action'])}**."
    if any(part not in what(line) for part in _named(alert).values()):
        yield f"Driver: {for_chat(_driver(alert))}."
    if effects := _effects(line):
        yield f"Why: {effects}."
    who = [for_chat(name) for name in (alert["owner"], alert["escalation_channel"]) if name]
    yield f"Owner: {', '.join(who)}." if who else "Owner: nobody is named in endpoint_owners.csv."
    if alert["runbook_url"]:
        yield f"Runbook: {alert['runbook_url']}"
    yield f"Acknowledge: make acknowledge TOPIC={line['topic']}"
    yield f'Incident: make incident DO="open --alert {alert["alert_id"]}"'


def _driver(alert: Alert) -> str:
    return ", ".join(f"{dimension.replace('_', ' ')} {value}" for dimension, value in _named(alert).items())


def _effects(line: Line) -> str:
    """Dollars by effect, the largest first; small ones are left out."""
    least = max(abs(Decimal(line["alert"]["delta_usd"])) / 20, CENT)
    shown = [f"{name} {change(amount)}" for name, amount in line["effects"].items() if abs(Decimal(amount)) >= least]
    return ", ".join(shown[:EFFECTS])


def _what_changed(line: Line) -> Iterator[str]:
    """What was announced before, and why that no longer holds."""
    alert, before = line["alert"], line["before"]
    if line["kind"] == "closed":
        yield WHY_CLOSED.get(alert["close_reason"] or alert["status"], "It is over.")
    if line["kind"] == "withdrawn":
        yield WHY_WITHDRAWN[line["reason"] or "rules"]
    if line["kind"] == "confirmed":
        yield "The day is complete."
    if not before or not line["before_at"]:
        return
    at = _hour(line["before_at"])
    if line["kind"] == "back":
        was = "Announced as over" if before["status"] in OVER else "Withdrawn"
        yield f"{was} {at}, and stands out again."
    if line["kind"] in {"worsened", "changed"}:
        yield (
            f"Announced {at} as {before['severity']} {before['spike_type']}, "
            f"{for_chat(_driver(before))}, {change(before['delta_usd'])}."
        )


def _about_many(lines: list[Line], of_topic: list[Line]) -> tuple[str, str]:
    """Alerts of one cause, or of one night: the largest first."""
    largest = sorted(lines, key=lambda line: -Decimal(line["alert"]["delta_usd"]))
    counts = Counter(line["kind"] for line in lines)
    if any(line["ends"] for line in lines):
        everything = {line["alert_id"] for line in of_topic}
        return f"Over: all {len(everything)} alerts, {_spikes(of_topic)}", _list(largest)
    worst = max((line["alert"]["severity"] for line in lines), key=SEVERITIES.index).capitalize()
    total = sum((Decimal(line["alert"]["delta_usd"]) for line in lines), Decimal(0))
    news = BEGINS & counts.keys()
    opening = worst if news else listed([f"{count} {kind}" for kind, count in counts.items()]).capitalize()
    parts = [
        _error(largest[0]["alert"]) if len({line["cause"] for line in lines}) == 1 else None,
        _list(largest),
        f"Do first: **{for_chat(action)}**."
        if news and (action := largest[0]["alert"]["containment_action"])
        else None,
        f"Acknowledge: make acknowledge TOPIC={lines[0]['topic']}" if news else None,
    ]
    first = min((line["alert"] for line in lines), key=_begins)
    title = f"{opening}: {many(len(lines), 'alert')}, {_spikes(lines)}, {change(total)} {_since(first)}"
    return title, "\n".join(filter(None, parts))


def _about_past(lines: list[Line]) -> tuple[str, str]:
    """What was over before anybody could be notified."""
    days = sorted(line["alert"]["alert_date"] for line in lines)
    total = sum((Decimal(line["alert"]["total_excess_usd"]) for line in lines), Decimal(0))
    largest = sorted(lines, key=lambda line: -Decimal(line["alert"]["total_excess_usd"]))
    title = f"{many(len(lines), 'past alert')} of {_date(days[0])} to {_date(days[-1])}, {change(total)}, all over"
    return title, f"Found in data that came late, or before alerts were announced.\n{_list(largest)}"


def _list(lines: list[Line]) -> str:
    shown = [f"- {for_chat(headline(line))}" for line in lines[:LISTED]]
    if len(lines) > LISTED:
        shown.append(f"- and {len(lines) - LISTED} more in marts.alerts")
    return "\n".join(shown)


def _spikes(lines: list[Line]) -> str:
    return listed([spike for spike, _ in Counter(line["alert"]["spike_type"] for line in lines).most_common()])


def _begins(alert: Alert) -> datetime:
    return datetime.fromisoformat(alert["started_at"] or alert["alert_date"]).replace(tzinfo=UTC)


def for_machines(line: Line) -> dict[str, Any]:
    """An alert as a webhook gets it: what was announced, by the columns of alerts; dollars are text in all their digits."""
    alert = line["alert"]
    driver = {name: value for name, value in (line["driver"] or {}).items() if name != "alert_id"}
    return {
        "change": line["kind"],
        "reason": line["reason"],
        **alert,
        **_plain({name: amount for name, amount in alert.items() if name in DOLLARS}),
        "driver": driver,
        "effects_usd": _plain(line["effects"]),
    }


def _plain(dollars: Mapping[str, Any]) -> dict[str, str]:
    """Without an exponent, which a zero with twelve digits would have."""
    return {name: f"{Decimal(amount):f}" for name, amount in dollars.items()}
