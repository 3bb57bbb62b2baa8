"""What a page of the inbox costs, over the publication of a data root: `python -m benchmarks.inbox` (TOKENTRAIL_DATA names the root).

CPU time per view holds on a busy machine too; the other columns want a quiet one. The views are those of the alert with the largest
delta, and of all calls.
"""

import statistics
import threading
import time
from collections.abc import Iterator
from resource import RUSAGE_SELF, getrusage
from urllib.parse import urlsplit

from starlette.testclient import TestClient

from inbox.app import application
from inbox.filters import parsed
from inbox.marts import Reader
from orchestration.settings import Settings, from_environment

VIEWS, READERS, EACH = 15, 20, 5
ALERT = "select drill_url from alerts order by environment <> 'prod', window_delta_usd desc limit 1"
REQUEST = "select request_id, event_date from fct_attempts where event_date = (select max(event_date) from fct_attempts) limit 1"


def main() -> None:
    """Prints one line for each page, then what twenty readers at once wait for, and the memory."""
    settings = from_environment()
    with TestClient(application(settings), base_url="http://localhost") as client:
        addresses = dict(_addresses(settings))
        print(f"{'page':28} {'CPU ms':>7} {'p50 ms':>7} {'p95 ms':>7} {'KiB':>5}")
        for name, address in addresses.items():
            _print_page(client, name, address)
        waits = _together(client, [addresses[name] for name in ("inbox", "alert", "explore by endpoint", "requests")])
    print(f"{READERS} readers at once: p50 {_share(waits, 0.5):.0f} ms, p95 {_share(waits, 0.95):.0f} ms")
    print(f"peak memory {getrusage(RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, of which the client is a part")


def _addresses(settings: Settings) -> Iterator[tuple[str, str]]:
    with Reader(settings).reading() as marts:
        link, request = marts.row(ALERT), marts.row(REQUEST)
    filters, _ = parsed(urlsplit(link["drill_url"]).query) if link else parsed("")
    yield "inbox", "/inbox?status=all"
    yield "alert", filters.address("alert")
    for by in ("endpoint", "prompt_version", "tenant", "user"):
        yield f"alert's {by}", filters.address("explore", by=by)
    for by in ("endpoint", "tenant", "user"):
        yield f"explore by {by}", f"/explore?by={by}"
    if filters.endpoint:
        endpoint = filters.travelling.about({"endpoint": filters.endpoint})
        yield "users of an endpoint", endpoint.address("explore", by="user")
    yield "requests", "/requests"
    yield "requests of the alert", filters.address("requests")
    if request:
        yield "request", filters.address("request", id=request["request_id"], day=request["event_date"])
    for page in ("budgets", "weekly", "pricing", "health"):
        yield page, f"/{page}"
    yield "incident", filters.address("incident")


def _print_page(client: TestClient, name: str, address: str) -> None:
    client.get(address)
    cpu, waits, size = [], [], 0
    for _ in range(VIEWS):
        used, started = time.process_time(), time.perf_counter()
        answer = client.get(address)
        cpu.append((time.process_time() - used) * 1000)
        waits.append((time.perf_counter() - started) * 1000)
        size = len(answer.content)
        if answer.status_code != 200:
            raise SystemExit(f"{address} answered {answer.status_code}: {answer.text[:200]}")
    columns = (statistics.median(cpu), _share(waits, 0.5), _share(waits, 0.95), size / 1024)
    print(f"{name:28} {columns[0]:7.0f} {columns[1]:7.0f} {columns[2]:7.0f} {columns[3]:5.0f}")


def _together(client: TestClient, addresses: list[str]) -> list[float]:
    waits: list[float] = []

    def read() -> None:
        for number in range(EACH):
            started = time.perf_counter()
            client.get(addresses[number % len(addresses)])
            waits.append((time.perf_counter() - started) * 1000)

    threads = [threading.Thread(target=read) for _ in range(READERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return waits


def _share(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


if __name__ == "__main__":
    main()
