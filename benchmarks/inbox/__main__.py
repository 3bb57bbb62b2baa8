"""What a page of the inbox costs at five million attempts: python -m benchmarks.inbox [--attempts N] [--data ROOT] [--keep DIR].

The history is the marts of a data root, such as the demo's, many times over, published as a run publishes. CPU time per view holds on
a busy machine too; the other columns want a quiet one. The views are those of the alert with the largest delta, and of all calls.
"""

import argparse
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.inbox.history import changed, multiplied, published, size
from benchmarks.inbox.server import Server
from inbox.filters import parsed
from inbox.marts import Reader
from orchestration.settings import Settings, from_environment

READERS, EACH, THINKING = 20, 15, 1.0  # people at once, pages of each, seconds between two of them at most
LIMITS = {"inbox": 100, "alert": 100}  # milliseconds that the server may take, p95
LIMIT = 200
ALERT = "select drill_url from alerts order by environment <> 'prod', window_delta_usd desc limit 1"
REQUEST = "select request_id, event_date from fct_attempts where event_date = (select max(event_date) from fct_attempts) limit 1"
TENANT = "select tenant_id from dim_tenants where tenant_id <> '(unattributed)' order by real_attempts desc, tenant_id limit 1"
USER = "select user_id from cost_by_user_daily where user_id <> '(unattributed)' group by 1 order by sum(attempts) desc, 1 limit 1"
BUDGET = "select budget_id from budget_status order by period_end - period_start desc, budget_id limit 1"


def main() -> int:
    """Makes the history, publishes it, and prints what its pages cost."""
    options = _options()
    settings = from_environment()
    settings = replace(settings, data=(options.data or settings.data).resolve())
    with tempfile.TemporaryDirectory() as scratch:
        large = replace(settings, data=(options.keep or Path(scratch) / "data").resolve())
        if options.attempts:
            if not large.published_marts.exists():
                _make(settings, large, options.attempts)
            settings = large
        _say(f"{settings.published_marts}: {size(settings.published_marts)[0]:,.0f} MB; load {os.getloadavg()[0]:.1f}")
        _measure(settings, options.views)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inbox", description=__doc__)
    parser.add_argument("--attempts", type=int, default=5_000_000, help="at least so many; 0: the data root as it is")
    parser.add_argument("--data", type=Path, help="a data root that was run (default: TOKENTRAIL_DATA)")
    parser.add_argument("--keep", type=Path, help="where the history is kept, and found again (default: it is deleted)")
    parser.add_argument("--views", type=int, default=20, help="of each page (default: 20)")
    return parser.parse_args()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _make(small: Settings, large: Settings, attempts: int) -> None:
    made = multiplied(small, large, attempts)
    for what, days in (("whole", 0), ("three days", 3)):
        changed(large, days)
        timed = published(large, what)
        megabytes, free = size(large.published_marts)
        _say(f"{made:,} attempts published, {what} new: {timed}, {megabytes:,.0f} MB, {free:.0%} free")


def _measure(settings: Settings, views: int) -> None:
    addresses = dict(_addresses(settings))
    with Server(settings) as server:
        _say(
            f"start to the first page: {server.started:,.0f} ms, {server.cpu():,.0f} ms CPU; "
            f"memory then {server.memory():,.0f} MB"
        )
        _say("| page | CPU ms | first ms | p50 ms | p95 ms | at most | KiB |\n|---|--:|--:|--:|--:|--:|--:|")
        for name, address in addresses.items():
            _say(_page(server, name, address, views))
        _say(f"memory {server.memory():,.0f} MB, at most {server.memory('VmHWM'):,.0f} MB")
        began = time.perf_counter()
        waits = _together(server, list(addresses.values()))
        rate = len(waits) / (time.perf_counter() - began)
        _say(
            f"{READERS} people at once, up to {THINKING} s between two pages: {len(waits)} of {READERS * EACH} pages "
            f"answered, {rate:.1f} a second; they wait "
            f"p50 {_share(waits, 0.5):,.0f} ms, p95 {_share(waits, 0.95):,.0f} ms; memory at most {server.memory('VmHWM'):,.0f} MB"
        )


def _page(server: Server, name: str, address: str, views: int) -> str:
    first = server.view(address).took  # what is kept in memory from then on is read here
    used = server.cpu()
    answers = [server.view(address) for _ in range(views)]
    cpu = (server.cpu() - used) / views
    took = [answer.took for answer in answers]
    limit, last = LIMITS.get(name, LIMIT), statistics.median(answer.size for answer in answers) / 1024
    return f"| {name} | {cpu:.0f} | {first:.0f} | {_share(took, 0.5):.0f} | {_share(took, 0.95):.0f} | {limit} | {last:.0f} |"


def _addresses(settings: Settings) -> Iterator[tuple[str, str]]:
    with Reader(settings).reading() as marts:
        link, request, tenant = marts.row(ALERT), marts.row(REQUEST), marts.row(TENANT)
        user, budget = marts.row(USER), marts.row(BUDGET)
    filters, _ = parsed(urlsplit(link["drill_url"]).query) if link else parsed("")
    yield "inbox", "/inbox?status=all"
    yield "alert", filters.address("alert")
    for by in ("endpoint", "prompt_version", "tenant", "user"):
        yield f"alert's {by}", filters.address("explore", by=by)
    for by in ("endpoint", "tenant", "user", "model"):
        yield f"explore by {by}, a week", f"/explore?by={by}"
    week = parsed("")[0]
    endpoint = {"endpoint": filters.endpoint or "(unattributed)"}
    if tenant and user:
        of_tenant = {"tenant": tenant["tenant_id"]}
        yield "users of an endpoint, a week", week.about(endpoint).address("explore", by="user")
        yield "models of a tenant, a week", week.about(of_tenant).address("explore", by="model")
        yield "endpoint x tenant by user, a week", week.about(endpoint | of_tenant).address("explore", by="user")
        yield "a user's endpoints, a week", week.about({"user": user["user_id"]}).address("explore", by="endpoint")
    yield "requests, a week", "/requests"
    yield "requests of the alert", filters.address("requests")
    yield "requests of an endpoint, a week, failed first", week.about(endpoint).address("requests", sort="failed")
    if request:
        yield "request", filters.address("request", id=request["request_id"], day=request["event_date"])
        yield "request, without its day", f"/request?id={request['request_id']}"
        yield "search for a request", f"/search?q={request['request_id']}"
    yield "search for a name", "/search?q=suport"
    if budget:
        yield "budget", f"/budget?budget={budget['budget_id']}"
    for page in ("budgets", "weekly", "pricing", "finance", "health"):
        yield page, f"/{page}"
    yield "incident", filters.address("incident")


def _together(server: Server, addresses: list[str]) -> list[float]:
    """What each of many people waits for each of their pages."""
    waits: list[float] = []

    def read(reader: int) -> None:
        chance = random.Random(reader)  # noqa: S311 - the same pauses in every run
        for number in range(EACH):
            time.sleep(chance.random() * THINKING)
            waits.append(server.view(addresses[(reader + number) % len(addresses)]).waited)

    threads = [threading.Thread(target=read, args=(reader,)) for reader in range(READERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return waits


def _share(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


if __name__ == "__main__":
    sys.exit(main())
