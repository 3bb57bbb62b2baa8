"""What really happened, for tests and benchmarks: DIR/demo_truth.json, by arrival day, so that a world can grow."""

import json
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from demo import incidents, oncall, problems
from demo.delivery import COUNTS, EPOCH, Arrivals
from demo.traffic import DATA_MODES, ENVIRONMENTS, cost_usd
from demo.world import ENDPOINTS, World, live_version
from orchestration.storage import write_whole

VERSION = 3  # of the simulator: another number means other files for the same arguments
ROWS = {
    "files": "arrival_date",
    "broken": "arrival_date",
    "by_arrival": "arrival_date",
    "incident_days": "date",
    "oncall": "arrival_date",
    "bills": "arrival_date",
}


def new(world: World, formats: str, dialect: str, opening: date) -> dict:
    """A truth without days. `world` is what must be equal for a run to extend it."""
    about = {"simulator": VERSION, "seed": world.seed, "requests_per_day": world.requests_per_day}
    about |= {"format": formats, "dialect": dialect, "opening": str(opening), "until": None}
    return {"world": about} | {name: [] for name in ROWS}


def read(path: Path) -> dict | None:
    """The truth file of an existing world, if any."""
    return json.loads(path.read_text()) if path.exists() else None


def add_arrivals(truth: dict, day: date, arrivals: Arrivals) -> None:
    """Puts in what arrived on a day, instead of what an earlier run said about the same day."""
    for name in ("files", "broken", "by_arrival"):
        truth[name] = [row for row in truth[name] if row["arrival_date"] != str(day)]
    rows = arrivals.counts.to_dict("records")
    for row in rows:
        row["event_date"] = str(EPOCH + timedelta(days=row.pop("event_day")))
        row["environment"], row["data_mode"] = ENVIRONMENTS[row["environment"]], DATA_MODES[row["data_mode"]]
    truth["by_arrival"] += [
        {key: value if isinstance(value, str) else int(value) for key, value in row.items()} for row in rows
    ]
    truth["files"] += arrivals.files
    truth["broken"] += arrivals.broken


def add_incidents(truth: dict, world: World, day: date, calls: pd.DataFrame) -> None:
    """Puts in what incidents changed among the calls of a day's requests, each call once however often delivered."""
    truth["incident_days"] = [row for row in truth["incident_days"] if row["date"] != str(day)]
    if not incidents.active(world, day):
        return
    hit = calls[calls["incident"] >= 0]
    actual, plain = cost_usd(hit), cost_usd(hit, plain=True)
    for code, incident in incidents.active(world, day):
        own = (hit["incident"] == code).to_numpy()
        rows = hit[own]
        tokens = (
            rows[["input", "output"]].clip(lower=0).to_numpy().sum()
            - rows[["plain_input", "plain_output"]].to_numpy().sum()
        )
        truth["incident_days"].append(
            {
                "incident": incident.name,
                "date": str(day),
                "requests": int((rows["attempt"] == 1).sum()),
                "extra_requests": int((rows["extra"] & (rows["attempt"] == 1)).sum()),
                "extra_attempts": int((rows["attempt"] > 1).sum()),
                "moved_requests": int(((rows["model"] != rows["plain_model"]) & (rows["attempt"] == 1)).sum()),
                "extra_tokens": int(tokens),
                "extra_cost_usd": round(float(actual[own].sum() - plain[own].sum()), 2),
                "day_cost_usd": round(float(cost_usd(calls).sum()), 2),
            }
        )


def add_oncall(truth: dict, day: date, files: list[dict]) -> None:
    """Puts in which incident events arrived on a day."""
    truth["oncall"] = [row for row in truth["oncall"] if row["arrival_date"] != str(day)] + files


def add_bills(truth: dict, day: date, rows: list[dict]) -> None:
    """Puts in what each cause adds to the bills that became final on a day."""
    truth["bills"] = [row for row in truth["bills"] if row["arrival_date"] != str(day)] + rows


def finish(truth: dict, world: World, until: date) -> dict:
    """Adds what follows from the days: totals, days, incidents and ordinary deploys in the range."""
    truth["world"]["until"] = str(until)
    for name, key in ROWS.items():
        truth[name].sort(key=lambda row, key=key: row[key])  # days written again take their old place
    opening = date.fromisoformat(truth["world"]["opening"])
    by_arrival = pd.DataFrame(truth["by_arrival"])
    by_day = by_arrival.groupby(["event_date", "environment", "data_mode"])[[*COUNTS]].sum().reset_index()
    reasons = pd.Series([row["reason_code"] for row in truth["broken"]], dtype=object).value_counts().sort_index()
    files = pd.DataFrame(truth["files"])
    totals = {name: int(by_day[name].sum()) for name in COUNTS}
    totals["duplicate_deliveries"] = totals["deliveries"] - totals["attempts"]
    totals["files"], totals["copied_files"] = len(files), int(files["copy_of"].notna().sum())
    totals["copied_lines"] = int(files.loc[files["copy_of"].notna(), "events"].sum())
    totals["broken_lines"] = int(reasons.sum())
    totals["broken_by_reason"] = {str(reason): int(count) for reason, count in reasons.items()}
    totals["lines"] = totals["deliveries"] + totals["copied_lines"] + totals["broken_lines"]
    found = _incidents(truth, world, opening, until)
    closures = oncall.closures(world, opening, until)
    return {
        "world": truth["world"],
        "totals": totals,
        "incidents": found,
        "recurrence": problems.recurrence(found, truth["incident_days"], closures, until),
        "deploys": _deploys(world, opening, until),
        "by_day": by_day.to_dict("records"),
        **{name: truth[name] for name in ROWS},
    }


def _incidents(truth: dict, world: World, opening: date, until: date) -> list[dict]:
    """The incidents of the range in the order in which they began, each with its days summed."""
    days = pd.DataFrame(truth["incident_days"], columns=["incident", "date", *EXTRAS, "day_cost_usd"])
    sums = days.groupby("incident")[[*EXTRAS]].sum()
    described, firsts = [], {}
    seasons = range(incidents.season_of(opening), incidents.season_of(until) + 1)
    there = [each for season in seasons for each in incidents.occurrences(world, season) if each.name in sums.index]
    for incident in sorted(there, key=lambda incident: incident.start):
        extra = {name: sums.loc[incident.name, name].item() for name in EXTRAS}
        extra["extra_cost_usd"] = round(extra["extra_cost_usd"], 2)
        problem = problems.problem_of(world, incident)
        mark = problems.problem_id(problem)
        described.append(
            incidents.describe(world, incident)
            | {"problem": problem, "problem_id": mark, "repeats": firsts.get(mark)}
            | extra
            | {"weeks": problems.weeks_of([row for row in truth["incident_days"] if row["incident"] == incident.name])}
        )
        firsts.setdefault(mark, incident.name)
    return described


EXTRAS = ("requests", "extra_requests", "extra_attempts", "moved_requests", "extra_tokens", "extra_cost_usd")


def _deploys(world: World, opening: date, until: date) -> list[dict]:
    """Ordinary deploys in the range: benign, so nothing should be alerted for them."""
    found = []
    for code, endpoint in enumerate(ENDPOINTS):
        for day in pd.date_range(opening, until).date:
            version = live_version(world.seed, code, day)
            if version.day == day:
                found.append(
                    {"date": str(day), "hour": version.hour, "endpoint": endpoint.name, "prompt_version": version.label}
                )
    return sorted(found, key=lambda row: (row["date"], row["endpoint"]))


def write(path: Path, truth: dict) -> None:
    """One line for each row of a list: readable, and a diff shows days."""
    parts = []
    for key, value in truth.items():
        rows = ",\n  ".join(json.dumps(row) for row in value) if isinstance(value, list) else None
        parts.append(f' "{key}": ' + (json.dumps(value) if rows is None else f"[\n  {rows}\n ]" if rows else "[]"))
    write_whole(path, "{\n" + ",\n".join(parts) + "\n}\n")
