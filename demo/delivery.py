"""How a day's calls reach the landing folder: late, twice, corrected, under another name, and sometimes broken."""

import json
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from demo import dialects, wire
from demo.traffic import ABSENT, ESTIMATE, PARTS, PROVIDER, cost_usd, day_attempts, of_endpoints, service_account
from demo.world import ENDPOINT, MODEL, SENDERS, UNKNOWN_MODELS, World, stream

LONGEST_LAG_DAYS = 7  # an attempt after midnight, five days late, delivered again the day after
LATE_LAGS = (1, 2, 3, 4, 5)
EPOCH = date(1970, 1, 1)
GATEWAY = SENDERS.index("gateway")
ROWS_PER_FILE = 250_000
FORMATS = ("jsonl", "jsonl.gz", "parquet", "csv", "mixed")
MIXED = {"app-us": "jsonl", "app-eu": "jsonl.gz", "workers": "parquet", "gateway": "jsonl", "late": "csv"}


def day_deliveries(world: World, day: date) -> pd.DataFrame:
    """Every delivery of the requests first tried on `day`, its arrival (days since 1970) and what it adds to the truth.

    `counts`: the first delivery of its attempt. `adds_input`, `adds_output`: what the kept delivery's inclusive tokens
    change by when this one arrives, so that sums over arrivals are right at every cut.
    """
    attempts = day_attempts(world, day)
    draw = stream(world.seed, "delivery", day.toordinal())
    add_shown_fields(world, day, attempts, draw)
    requests = int(attempts["request"].max()) + 1
    lags = draw.choice(LATE_LAGS, 2, replace=False)
    late = draw.random(requests) < 0.008
    lag = np.where(late, draw.choice(lags, requests), 0)[attempts["request"]]
    attempts["arrival"] = (attempts["event_day"] + lag).astype(np.int32)
    attempts["late"], attempts["again"], attempts["conflict"], attempts["counts"] = lag > 0, False, False, True
    for side in ("input", "output"):
        attempts[f"adds_{side}"] = np.maximum(attempts[side], 0).astype(np.int64)
    known = (attempts["usage"] == PROVIDER) & (attempts["error"] < 0) & (attempts["output"] >= 0)
    corrected = (draw.random(len(attempts)) < 0.003) & known.to_numpy()
    later = _corrections(attempts, corrected, draw)
    return pd.concat([attempts, later, _repeats(attempts[~corrected], draw)], ignore_index=True)


UNSENT = ("endpoint", "version", "user", "extra", "incident", "plain_input", "plain_output", "plain_model")


def by_arrival(deliveries: pd.DataFrame) -> list[tuple[int, pd.DataFrame]]:
    """Deliveries by arrival day, without what no sender knows; copies, so that a large day is freed once written."""
    sent = deliveries.drop(columns=[*UNSENT])
    arrival = sent["arrival"].to_numpy()
    return [(int(day), sent[arrival == day].copy()) for day in np.unique(arrival)]


def add_shown_fields(world: World, day: date, attempts: pd.DataFrame, draw) -> None:
    """What senders state and what they forget, the same for every try of a request."""
    request = attempts["request"].to_numpy()
    size = int(request.max()) + 1

    def happens(probability: float) -> np.ndarray:
        return (draw.random(size) < probability)[request]

    endpoint, user = attempts["endpoint"].to_numpy(), attempts["user"].to_numpy()
    tenant = world.user_tenant[user]
    retried = np.bincount(request)[request] > 1
    service = happens(0.15) & (endpoint == ENDPOINT["reports.weekly"])
    in_metadata, no_tenant = happens(0.01), happens(0.01) | service
    attempts["shown_endpoint"] = np.where(happens(0.004), ABSENT, endpoint)
    attempts["shown_feature"] = np.where(happens(0.03), ABSENT, endpoint)
    attempts["shown_version"] = np.where(happens(0.02), ABSENT, attempts["version"])
    attempts["shown_user"] = np.where(service, service_account(world), np.where(happens(0.03), ABSENT, user))
    attempts["shown_tenant"] = np.where(in_metadata | no_tenant, ABSENT, tenant)
    attempts["noted_tenant"] = np.where(in_metadata & ~no_tenant, tenant, ABSENT)
    attempts["sender"] = of_endpoints("sender")[endpoint].astype(np.int8)
    attempts["origin"] = np.int32(int(f"{day:%Y%m%d}"))
    attempts["attempt_stated"] = ~happens(0.03) | retried  # a sender that retries sends the number of the attempt
    attempts["id_stated"] = ~happens(0.02)
    key = (
        (np.uint64(day.toordinal()) << 40)
        | (request.astype(np.uint64) << 4)
        | attempts["attempt"].to_numpy().astype(np.uint64)
    )
    mixed = key * np.uint64(0x9E3779B97F4A7C15)  # odd factors and shifted xors are one to one: ids never collide
    attempts["call_key"] = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0xBF58476D1CE4E5B9)
    known = ~np.isin(attempts["model"], [MODEL[name] for name in UNKNOWN_MODELS]) & (attempts["input"].to_numpy() >= 0)
    states_cost = known & np.isin(attempts["sender"], (0, 2)) & happens(0.8)
    attempts["stated_cost"] = np.where(
        states_cost, cost_usd(attempts) * draw.normal(1, 0.01, len(attempts)).clip(0.9, 1.1), np.nan
    )


def _corrections(attempts: pd.DataFrame, corrected: np.ndarray, draw) -> pd.DataFrame:
    """Deliveries of one attempt that differ. Half: an estimate first, the provider's figures up to a day later (changes
    `attempts` in place). A quarter: an estimate after the provider's figures. A quarter: the provider corrects itself.
    """
    later = attempts[corrected].copy()
    later["counts"], later["conflict"], later["again"] = False, True, True
    kind = np.searchsorted([0.5, 0.75], draw.random(len(later)))
    later["arrival"] += np.where(kind == 0, draw.integers(0, 2, len(later)), 1).astype(np.int32)
    guess = {
        side: np.rint(later[side] * draw.uniform(0.7, 1.3, len(later))).astype(np.int64) + 1
        for side in ("input", "output")
    }
    first = later.index[kind == 0]
    for side in ("input", "output"):
        final = later[side].to_numpy()
        attempts.loc[first, [side, f"adds_{side}"]] = np.array([guess[side][kind == 0]] * 2).T
        longer = np.where(side == "output", final + 1 + final // 10, final)
        later[side] = np.select([kind == 0, kind == 1], [final, guess[side]], longer)
        later[f"adds_{side}"] = np.select([kind == 0, kind == 1], [final - guess[side], 0], longer - final)
    later["usage"] = np.where(kind == 1, ESTIMATE, PROVIDER).astype(np.int8)
    for column in PARTS:
        attempts.loc[first, column] = ABSENT
        later[column] = np.where(kind == 1, ABSENT, later[column])
    attempts.loc[first, "usage"] = ESTIMATE
    return later


def _repeats(attempts: pd.DataFrame, draw) -> pd.DataFrame:
    """The same event again, in the same file or the next day's; some more than once."""
    chosen = np.sort(draw.integers(0, len(attempts), draw.poisson(0.01 * len(attempts))))
    again = attempts.iloc[chosen].copy()
    again["arrival"] += draw.integers(0, 2, len(again)).astype(np.int32)
    again["again"], again["counts"] = True, False
    again[["adds_input", "adds_output"]] = 0
    return again


@dataclass
class Arrivals:
    """What arrived on one day: the files written, the broken lines in them, and additive counts by event date."""

    files: list[dict] = field(default_factory=list)
    broken: list[dict] = field(default_factory=list)
    counts: pd.DataFrame | None = None


@dataclass(frozen=True)
class Piece:
    """Rows [start, stop) of the arrival day's table: one landing file."""

    name: str
    extension: str
    start: int
    stop: int


@dataclass(frozen=True)
class Manner:
    """How senders write: the format of their files, and the dialect of their records."""

    formats: str
    dialect: str

    def folder(self, day: date) -> str:
        """The folder of the landing zone into which they write on a day."""
        return f"{dialects.SOURCES[self.dialect]}/dt={day}"


def land(
    database, world: World, day: date, landing: Path, manner: Manner, rows: pd.DataFrame, before: list[dict]
) -> Arrivals:
    """Writes dt=`day` from the deliveries that arrive on it; `before` names the files of the day before, for copies."""
    file_of = np.where(rows["late"] & ~rows["again"], len(SENDERS) + _age(day, rows), rows["sender"])
    rows = rows.assign(file=file_of).sort_values(["file", "again", "at"], kind="stable", ignore_index=True)
    arrivals = Arrivals(counts=_counts(day, rows))
    _write_files(database, world, landing, day, rows, manner, arrivals)
    _copy_a_file(world, day, landing, manner, arrivals, before)
    return arrivals


def _age(day: date, rows: pd.DataFrame) -> np.ndarray:
    """Days from the event date to the arrival day."""
    return (day - EPOCH).days - rows["event_day"].to_numpy()


def _counts(day: date, rows: pd.DataFrame) -> pd.DataFrame:
    """What the day's arrivals add, by event date, environment and data mode."""
    counted = rows["counts"]
    return (
        rows.assign(
            requests=counted & (rows["attempt"] == 1),
            attempts=counted,
            errors=counted & (rows["error"] >= 0),
            deliveries=1,
            conflicting_attempts=rows["conflict"],
            input_tokens=rows["adds_input"],
            output_tokens=rows["adds_output"],
        )
        .groupby(["event_day", "environment", "data_mode"])[[*COUNTS]]
        .sum()
        .reset_index()
        .assign(arrival_date=str(day))
    )


COUNTS = (
    "requests",
    "attempts",
    "errors",
    "deliveries",
    "conflicting_attempts",
    "input_tokens",
    "output_tokens",
)


def _pieces(day: date, file_of: np.ndarray, formats: str) -> list[Piece]:
    """Cuts the sorted rows into landing files: one or more for each sender, one for each date that comes late."""
    pieces = []
    codes, starts = np.unique(file_of, return_index=True)
    for code, start, stop in zip(codes, starts, [*starts[1:], len(file_of)], strict=True):
        sender = SENDERS[code] if code < len(SENDERS) else "late"
        name = sender if sender != "late" else f"late-{day - timedelta(days=int(code) - len(SENDERS)):%Y%m%d}"
        extension = MIXED[sender] if formats == "mixed" else formats
        if sender == "gateway" and extension in ("parquet", "csv"):
            extension = "jsonl"  # only text can carry broken lines
        for part, at in enumerate(range(int(start), int(stop), ROWS_PER_FILE), 1):
            part_name = name if part == 1 else f"{name}-{part}"
            pieces.append(Piece(part_name, extension, at, min(at + ROWS_PER_FILE, int(stop))))
    return pieces


def _write_files(
    database, world: World, landing: Path, day: date, rows: pd.DataFrame, manner: Manner, arrivals: Arrivals
) -> None:
    """Renders the rows a window at a time (many small files in one query, one large file in many) and writes the files."""
    pieces, parts, broken = _pieces(day, rows["file"].to_numpy(), manner.formats), [], []
    for start in range(0, len(rows), wire.ROWS_AT_ONCE):
        stop = min(start + wire.ROWS_AT_ONCE, len(rows))
        here = [piece for piece in pieces if piece.start < stop and piece.stop > start]
        text = (
            wire.lines(database, world, rows.iloc[start:stop])
            if any("jsonl" in piece.extension for piece in here)
            else None
        )
        for piece in here:
            first, last = max(piece.start, start), min(piece.stop, stop)
            if "jsonl" not in piece.extension:
                parts.append(wire.table(database, world, rows.iloc[first:last]))
            elif piece.name == "gateway" and first == piece.start and manner.dialect == "native":
                with_broken, broken = _with_broken_lines(world, day, text, first - start, last - start)
                parts += with_broken
            else:
                parts.append(text.between(first - start, last - start))
            if last == piece.stop:
                file = f"{manner.folder(day)}/{piece.name}.{piece.extension}"
                written = dialects.translated(manner.dialect, parts)
                wire.write(landing / file, wire.encoded(piece.extension, written))
                _note_file(arrivals, day, file, piece.stop - piece.start, broken)
                parts, broken = [], []


def _note_file(arrivals: Arrivals, day: date, file: str, events: int, broken: list[tuple[int, str]]) -> None:
    about = {"file": file, "arrival_date": str(day)}
    arrivals.files.append(about | {"events": events, "broken_lines": len(broken), "copy_of": None})
    arrivals.broken += [about | {"line_number": number, "reason_code": reason} for number, reason in broken]


def _changed(**fields):
    """A breakage that sets fields of the event; None removes one."""
    return lambda line: json.dumps(
        {key: value for key, value in {**json.loads(line), **fields}.items() if value is not None}
    )


# Reason code the loader should give, and what breaks the line.
BREAKAGES = (
    ("invalid_json", lambda line: line[: len(line) // 2]),
    ("not_an_object", lambda line: json.dumps([json.loads(line)["externalRequestId"]])),
    ("missing_field", _changed(model=None)),
    ("missing_field", _changed(externalRequestId=None)),
    ("negative_tokens", _changed(inputTokens=-3)),
    ("bad_timestamp", _changed(createdAt="yesterday at noon")),
    ("bad_status", _changed(status="ok")),
    ("parts_exceed_total", _changed(inputTokens=100, cacheReadTokens=4_000, totalTokens=None)),
)


def _with_broken_lines(world: World, day: date, text: wire.Lines, first: int, last: int) -> tuple[list, list]:
    """Lines first..last with a few broken ones among them, in parts; and line number (from 1) and reason code of each."""
    draw = stream(world.seed, "broken", day.toordinal())
    count = min(int(draw.poisson(1.5)) + int(draw.poisson(world.requests_per_day / 20_000)), last - first)
    count = 0 if draw.random() < 0.3 else count
    parts, labels, done = [], [], first
    for number, place in enumerate(sorted(draw.choice(last - first, count, replace=False).tolist()), 1):
        event = json.loads(bytes(text.between(first + place, first + place + 1)))
        event["externalRequestId"] = f"req-broken-{day:%Y%m%d}-{place}"
        event.pop("providerRequestId", None)
        reason, breakage = BREAKAGES[draw.integers(len(BREAKAGES))]
        parts += [text.between(done, first + place), breakage(json.dumps(event)).encode() + b"\n"]
        labels.append((place + number, reason))
        done = first + place
    return [*parts, text.between(done, last)], labels


def _copy_a_file(
    world: World, day: date, landing: Path, manner: Manner, arrivals: Arrivals, before: list[dict]
) -> None:
    """Now and then a sender uploads a whole file again under another name: the same bytes, the same or the next day."""
    draw = stream(world.seed, "copies", day.toordinal())
    happens, from_before, pick = draw.random() < 0.12, draw.random() < 0.5, draw.random()
    source = before if from_before and before else arrivals.files
    whole = [file for file in source if not file["broken_lines"] and file["copy_of"] is None]
    if not happens or not whole:
        return
    original = whole[int(pick * len(whole))]
    name, _, extension = original["file"].rsplit("/", 1)[1].partition(".")
    copy = f"{manner.folder(day)}/{name}-resent.{extension}"
    wire.write(landing / copy, [(landing / original["file"]).read_bytes()])
    arrivals.files.append(original | {"file": copy, "arrival_date": str(day), "copy_of": original["file"]})
