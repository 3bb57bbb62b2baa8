"""The inbox over a publication: links answer and keep their filters, hostile values end in a sentence, publications change under it."""

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import duckdb
import pytest
from starlette.testclient import TestClient

from inbox import marts
from inbox.app import PAGES, POLICY, application
from inbox.filters import DIMENSIONS
from inbox.marts import Reader, UnreadableError
from inbox.pages import explore, requests
from inbox.pages.explore import TABLES
from orchestration.landing.load import load_new_files
from orchestration.landing.waiting import new_files
from tests import test_docs, test_explain
from tests.pages import HERE, crawled, inside, links, opened, query, text_of
from tests.pipeline import Pipeline, event
from tests.test_invoices import cost, costs_page, land_text

HOSTILE = "<script>alert(1)</script>"
STARTS = [
    "/inbox?environment=%2A&data_mode=%2A&status=all",
    "/budgets?environment=%2A",
    "/explore?by=tenant",
    "/requests",
]


def land(pipeline: Pipeline) -> None:
    """The alert of test_docs, the requests of test_explain, and a call of somebody who names things as an attacker would."""
    test_docs.land(pipeline)
    test_explain.land(pipeline)
    named = {"tenantId": HOSTILE, "userId": "=cmd()", "featureTag": "{{ 7*7 }}", "promptVersion": "' or 1=1 --"}
    pipeline.land("inbox.jsonl", [event('hostile "id" <b>', "2026-11-19T10:00:00Z", **named)])
    bill = [cost("1.25", line_item="gpt-4o-mini-2024-07-18, input"), cost("0.5", line_item=f"{HOSTILE}, whatever")]
    land_text(pipeline, "openai/main/dt=2026-11-05/costs_2026-10.json", costs_page({"2026-10-09": bill}))


@pytest.fixture(scope="module")
def client(published_calls):
    with opened(published_calls.settings) as client:
        yield client


def test_every_link_answers_and_keeps_its_filters_under_the_policy(client):
    pages = dict(crawled(client, STARTS, most=60, of_a_kind=1))
    assert {f"/{page}" for page in PAGES} <= {address.partition("?")[0] for address in pages}
    for address, text in pages.items():
        assert text.count("<h1") == 1, address
        assert HOSTILE not in text, address
        assert ' style="' not in text, address
        given = query(address)
        for link in links(text):
            assert link.startswith(("/", "#", "https://runbooks.example.com/")), f"{address} names {link}"
            if "?" not in link or link.startswith("/static"):
                continue
            kept = query(link)
            assert {"environment", "data_mode"} <= kept.keys(), f"{address} names {link}"
            if address.startswith(("/explore?from", "/requests?from")) and link.startswith(("/explore", "/request")):
                assert (kept["environment"], kept["data_mode"]) == (given["environment"], given["data_mode"])
            if address.startswith(("/explore?from", "/requests?from")) and link.startswith("/request"):
                assert (kept["from"], kept["to"]) == (given["from"], given["to"])


def test_every_answer_has_its_headers(client):
    for address in ("/inbox", "/alert?alert=x", "/nowhere", "/inbox?from=x", "/static/app.css", "/healthz"):
        headers = client.get(address).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
    assert "unsafe" not in POLICY


@pytest.mark.parametrize("page", PAGES)
def test_hostile_values_end_in_a_sentence(client, published_calls, page):
    """In all words at once, but one at a time in those that name what the page is about."""
    [(alert,)] = published_calls.ask("select alert_id from alerts limit 1")
    known = {"alert": alert, "id": "plain", "budget": "workspace-month"}
    others = [*DIMENSIONS, "environment", "data_mode", "by", "sort", "status", "q", "compare", "incident", "week"]
    others += ["month", "vendor", "account", "cell"]
    for value in (HOSTILE, "' or 1=1 --", "\0%s", "x" * 1000, "🙂\u202e,,|"):
        for words in ({**known, **dict.fromkeys(others, value)}, dict.fromkeys(known, value)):
            answer = client.get(f"/{page}", params=words)
            assert answer.status_code in (200, 404), f"{page} {value!r}: {answer.status_code}"
            assert HOSTILE not in answer.text
            assert answer.text.count("<h1") == 1
    assert client.get(f"/{page}", params={"tenant": "x" * 1025, "alert": alert}).status_code == 400
    assert "2026-11-21." in text_of(client.get(f"/{page}", params={"from": "11/21/2026"}).text)


def test_what_a_sentence_says_of_what_is_not_there(client, published_calls):
    [(alert,)] = published_calls.ask("select alert_id from alerts limit 1")
    assert f"alert={alert}" in client.get("/alert", params={"alert": alert[:6]}).text
    assert client.get("/alert", params={"alert": alert[:6]}).status_code == 404
    near = client.get("/explore", params={"tenant": "acmee"}).text
    assert "No call has the tenant acmee . Did you mean acme ?" in text_of(near)
    assert client.get("/request", params={"id": "plai"}).status_code == 404
    assert "/request?" in client.get("/request", params={"id": "plai"}).text


def test_a_host_that_is_not_ours_is_refused(client):
    answer = client.get("/inbox", headers={"host": "evil.example"})
    assert answer.status_code == 400
    assert "TOKENTRAIL_BASE_URL" in answer.text
    assert client.get("/inbox", headers={"host": "127.0.0.1:8080"}).status_code == 200
    assert client.post("/inbox").status_code == 405


def test_a_page_that_has_not_changed_is_not_sent_again(client):
    first = client.get("/inbox")
    again = client.get("/inbox", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.text) == (304, "")
    assert client.get("/inbox?status=all").headers["etag"] != first.headers["etag"]


def test_the_links_of_alerts_open_as_they_are(client, published_calls):
    rows = published_calls.ask("select drill_url, top_driver_value from alerts")
    assert rows
    for link, driver in rows:
        page = client.get(inside(link))
        assert page.status_code == 200
        assert driver.replace(" | ", " × ") in text_of(page.text)


def test_the_arithmetic_of_a_request_is_that_of_make_explain(client, published_calls):
    [(cost, day)] = published_calls.ask(
        "select sum(cost_usd), min(event_date) from fct_attempts where request_id = 'retried'"
    )
    page = text_of(client.get("/request", params={"id": "retried", "day": f"{day}"}).text)
    assert "Attempt 1 of 2" in page
    assert "It was retried: the cost of this attempt counts as retry cost." in page
    assert f"${cost:.6f} all attempts" in page


def test_the_bridge_of_a_bill_adds_up_and_shows_what_is_behind_it(client, published_calls):
    """Nobody made a call in October: 1.25 is billed and not captured, or not explained, and 0.50 has a label that no map knows."""
    page = client.get("/finance?month=2026-10").text
    shown = text_of(page)
    assert "Billed $1.75 where calls cost $0.00 : +$1.75 ." in shown
    assert "invoice_label_maps.csv" in shown
    assert HOSTILE not in page
    cells = [link for link in links(page) if "cell=" in link]
    assert len(cells) == 2
    assert all(query(link)["month"] == "2026-10" and query(link)["account"] == "main" for link in cells)
    behind = text_of(client.get(cells[0]).text)
    assert "invoices/openai/main/dt=2026-11-05/costs_2026-10.json" in behind.split("Behind")[1]
    table = client.get("/finance?month=2026-10&format=csv")
    lines = table.text.splitlines()
    assert lines[0].startswith('"# /finance?')
    assert len(lines) == 4
    assert client.get("/finance?month=2025-01").status_code == 404


def test_calls_with_one_error_code_are_one_click_from_the_list(client, published_calls):
    [(day,)] = published_calls.ask("select event_date from fct_attempts where error_code = 'overloaded'")
    address = f"/requests?from={day}&to={day + timedelta(days=1)}&error=overloaded"
    page = client.get(address).text
    assert "1 attempt" in text_of(page)
    assert "error code overloaded" in text_of(page)
    assert all(
        "error=overloaded" in link for link in links(page) if link.startswith("/requests?") and "sort=tokens" in link
    )
    assert len(client.get(f"{address}&format=csv").text.splitlines()) == 3


def test_a_file_of_calls_has_each_once_in_the_order_of_its_page(client, published_calls, monkeypatch):
    monkeypatch.setattr(requests, "TOGETHER", 2)  # so that it is read in several steps
    calls = published_calls.ask(
        "select request_id, try_number, cost_usd from fct_attempts where event_date between '2026-11-19' and '2026-11-20'"
    )
    attempts, priced = len(calls), sum(cost is not None for *_, cost in calls)
    assert 2 < priced < attempts
    files = {}
    for sort in requests.SORTS:
        address = f"/requests?from=2026-11-19&to=2026-11-21&environment=%2A&data_mode=%2A&sort={sort}&format=csv"
        files[sort] = list(csv.DictReader(client.get(address).text.splitlines()[1:]))
        found = sorted((row["request_id"], int(row["try_number"])) for row in files[sort])
        assert found == sorted((request, number) for request, number, _ in calls)
    costs = [row["cost_usd"] for row in files["cost"]]
    assert costs[priced:] == [""] * (attempts - priced)
    assert costs[:priced] == sorted(costs[:priced], key=Decimal, reverse=True)
    times = [row["occurred_at"] for row in files["latest"]]
    assert times == sorted(times, reverse=True)
    failed = [row["status"] != "success" for row in files["failed"]]
    assert any(failed)
    assert failed == sorted(failed, reverse=True)


def test_what_the_checks_found_is_served_under_a_policy_of_its_own(root):
    folder = root.publications / "20261123T120000000000Z" / "docs" / "data_docs"
    folder.mkdir(parents=True)
    (folder / "index.html").write_text("<h1>Checks</h1><script>1</script>")
    (folder / "secret.txt").write_text("x")
    with opened(root) as client:
        assert "/checks/index.html" in client.get("/health").text
        answer = client.get("/checks/index.html")
        assert (answer.status_code, "script-src 'sha256-" in answer.headers["content-security-policy"]) == (200, True)
        for name in ("secret.txt", "..%2f..%2fmarts.json", "x.html"):
            assert client.get(f"/checks/{name}").status_code == 404


def test_a_table_as_csv_says_what_it_is_of(client, published_calls):
    first, head, *rows = client.get("/explore?by=user&from=2026-11-19&to=2026-11-20&format=csv").text.splitlines()
    assert first.strip('"').startswith(
        "# /explore?from=2026-11-19&to=2026-11-20&environment=prod&data_mode=real&by=user "
    )
    assert head.startswith("user_id,cost_usd,")
    costs = published_calls.ask(
        "select user_id, cost_usd from cost_by_user_daily where event_date = '2026-11-19' and environment = 'prod'"
    )
    shown = {row.split(",")[0].lstrip("'"): Decimal(row.split(",")[1]) for row in rows}
    assert costs
    assert {user: shown[user] for user, _ in costs} == dict(costs)
    assert any(row.startswith("'=cmd()") for row in rows)


def test_every_table_of_explore_is_a_file_whose_figures_are_those_of_the_marts(client, published_calls):
    words = "from=2026-11-19&to=2026-11-20&environment=prod&data_mode=real"
    where = "environment = 'prod' and data_mode = 'real'"
    files = {}
    for table in TABLES:
        first, *lines = client.get(f"/explore?{words}&by=tenant&table={table}&format=csv").text.splitlines()
        assert f"# /explore?{words}&by=tenant&table={table} compared with " in first
        files[table] = list(csv.DictReader(lines))
    [(cost, attempts)] = published_calls.ask(
        f"select sum(cost_usd), count(*) from fct_attempts where event_date = '2026-11-19' and {where}"
    )
    assert sum(Decimal(row["cost_usd"]) for row in files["members"]) == cost
    [day] = [row for row in files["days"] if row["is_in_window"] == "True"]
    assert (day["event_date"], Decimal(day["cost_usd"]), int(day["attempts"])) == ("2026-11-19", cost, attempts)
    assert sum(Decimal(row["usd"]) for row in files["kinds"]) == cost
    assert sum(Decimal(row["usd"]) for row in files["hours"]) == cost
    assert sum(int(row["attempts"]) for row in files["hours"]) == attempts
    assert [row["share"] for row in files["curve"]][-1] == "1.0"
    page = client.get(f"/explore?{words}&by=tenant").text
    assert {table for table in TABLES if f"table={table}&amp;format=csv" in page} >= {
        "members",
        "days",
        "hours",
        "kinds",
    }


def test_what_the_tokens_of_a_user_cost_on_many_days_is_one_click_further(client, published_calls, monkeypatch):
    [(user, day)] = published_calls.ask(
        "select user_id, event_date from fct_attempts where cost_usd > 0 and environment = 'prod' and data_mode = 'real' "
        "and user_id <> '(unattributed)' order by cost_usd desc limit 1"
    )
    words = {"user": user, "from": day, "to": day + timedelta(days=1), "by": "endpoint"}
    whole = text_of(client.get("/explore", params=words).text)
    monkeypatch.setattr(explore, "KINDS_OF_CALLS", 0)
    page = client.get("/explore", params=words).text
    shown = text_of(page)
    assert "What each kind of token cost" in shown
    assert whole.split("By token kind")[0] == shown.split("By token kind")[0]
    [asked] = [link for link in links(page) if link.endswith("#kinds")]
    assert text_of(client.get(asked).text) == whole
    assert "What each kind" not in client.get("/explore?by=endpoint").text


def test_every_table_of_a_page_is_a_file_that_names_its_filters(client, published_calls):
    [(alert,)] = published_calls.ask("select alert_id from alerts limit 1")
    found = set()
    for address in (
        "/inbox",
        f"/alert?alert={alert}",
        "/budgets",
        "/budget?budget=workspace-month",
        "/pricing",
        "/weekly",
        "/health",
    ):
        for link in links(client.get(address).text):
            if query(link).get("format") == "csv":
                file = client.get(link)
                assert (file.status_code, file.headers["content-type"]) == (200, "text/csv; charset=utf-8"), link
                assert file.text.strip('"').startswith(f"# {link.removesuffix('&format=csv')}; dollars are USD")
                assert HOSTILE not in link
                found.add((link.partition("?")[0], query(link)["table"]))
    assert {("/inbox", "alerts"), ("/alert", "drivers"), ("/budget", "changes"), ("/health", "days")} <= found


@pytest.mark.parametrize(
    "dates",
    [
        *("from=2000-01-01", "to=2000-01-01", "from=2199-12-31", "to=2200-01-01", "from=2000-01-01&to=2200-01-01"),
        "from=2026-11-19&to=2026-11-20&baseline_from=2000-01-01&baseline_to=2200-01-01",
    ],
)
def test_the_links_of_the_earliest_and_the_latest_dates_answer(client, dates):
    for page in ("explore", "requests"):
        shown = client.get(f"/{page}?{dates}")
        assert shown.status_code == 200, shown.text
        steps = [link for link in links(shown.text) if link.startswith((f"/{page}?", "/alert"))]
        assert {client.get(link).status_code for link in steps[:12]} <= {200}


def test_broken_headers_are_refused(client):
    assert client.get("/inbox", headers={"host": "["}).status_code == 400
    for headers in ({"origin": "http://["}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}, {}):
        assert client.post("/incident", data={"step": "open"}, headers=headers).status_code == 403


def test_a_name_that_nobody_has_is_answered_with_the_nearest(client):
    shown = text_of(client.get("/explore?tenant=acmee&from=2026-11-19&to=2026-11-20").text)
    assert "No call has the tenant acmee" in shown
    assert "Did you mean acme" in shown


@pytest.fixture
def root(published_calls, tmp_path):
    """A data root of its own with the world's publication, which may be broken."""
    settings = replace(published_calls.settings, data=tmp_path / "data")
    publish(settings, published_calls.settings.published_marts, "20261123T120000000000Z")
    return settings


def publish(settings, marts_file, name: str) -> None:
    folder = settings.publications / name
    folder.mkdir(parents=True)
    shutil.copyfile(marts_file, folder / "tokentrail.duckdb")
    (folder / "marts.json").write_text(json.dumps({"published_at": "2026-11-23T12:00:00+00:00"}))
    point(settings, name)


def point(settings, name: str) -> None:
    new = settings.data / "new-link"
    new.symlink_to(f"publications/{name}")
    os.replace(new, settings.published)


def test_a_new_publication_is_seen_at_the_next_request_and_the_former_is_let_go(root):
    with opened(root) as client:
        assert "Data as of 23 Nov 12:00 UTC" in text_of(client.get("/inbox").text)
        publish(root, root.published_marts, "20261124T120000000000Z")
        with duckdb.connect(str(root.published_marts.resolve())) as connection:
            connection.execute(
                "update marts.publication set as_of = ?", [datetime(2026, 11, 24, 12, tzinfo=UTC).replace(tzinfo=None)]
            )
        page = client.get("/inbox")
        assert "Data as of 24 Nov 12:00 UTC" in text_of(page.text)
        assert json.loads(client.get("/healthz").text)["publication"] == "20261124T120000000000Z"
        held = [
            os.readlink(f"/proc/self/fd/{fd}")
            for fd in os.listdir("/proc/self/fd")
            if os.path.exists(f"/proc/self/fd/{fd}")
        ]
        assert [path for path in held if path.startswith(str(root.data))] == [str(root.published_marts.resolve())]


@pytest.mark.parametrize("how", ["broken", "empty", "not marts", "missing", "link gone"])
def test_the_last_good_publication_is_kept_and_the_page_says_so(root, how):
    with opened(root) as client:
        assert client.get("/inbox").status_code == 200
        publish(root, root.published_marts, "20261124T120000000000Z")
        file = root.published_marts.resolve()
        if how == "link gone":
            root.published.unlink()
        elif how == "missing":
            file.unlink()
        elif how == "not marts":
            file.unlink()
            duckdb.connect(str(file)).close()
        else:
            file.write_bytes(b"" if how == "empty" else b"no database" * 1000)
        page = client.get("/inbox")
        assert page.status_code == 200
        assert "The newest publication cannot be read." in page.text
        assert str(root.data) not in page.text
        assert json.loads(client.get("/healthz").text)["is_stale"]
        publish(root, root.publications / "20261123T120000000000Z" / "tokentrail.duckdb", "20261125T120000000000Z")
        assert "cannot be read" not in client.get("/inbox").text


def test_before_the_first_publication_there_is_a_sentence_that_says_what_to_do(root):
    root.published.unlink()
    with opened(root) as client:
        page = client.get("/inbox")
        assert page.status_code == 503
        assert "Nothing is published yet: `make run` publishes" in page.text
        assert client.get("/healthz").status_code == 503
        point(root, "20261123T120000000000Z")
        assert client.get("/inbox").status_code == 200


def post(client, address, **said):
    return client.post(address, data={"by": "kim"} | said, headers={"origin": HERE}, follow_redirects=False)


def test_an_incident_is_opened_and_written_on_by_forms_and_shown_at_once(root):
    with opened(root) as client:
        [(alert,)] = client_rows(root, "select alert_id from marts.alerts limit 1")
        assert "Nobody has opened an incident" in text_of(client.get(f"/incident?alert={alert}").text)
        opening = post(client, "/incident", step="open", alert=alert, event="e1")
        assert opening.status_code == 303
        page = client.get(opening.headers["location"])
        assert "1 event landed and will be in the marts after the next run" in text_of(page.text)
        incident = query(opening.headers["location"])["incident"]
        again = post(client, "/incident", step="open", alert=alert, event="e2")
        assert query(again.headers["location"])["incident"] == incident
        for _ in range(2):  # a double click
            post(client, "/incident", step="contain", incident=incident, containmentAction=HOSTILE, event="e3")
        page = client.get(f"/incident?incident={incident}")
        assert HOSTILE not in page.text
        assert text_of(page.text).count("containment applied by kim") == 1
        assert "is contained" in page.text
        assert len(list((root.data / "landing" / "incidents").rglob("*.jsonl"))) == 2
        assert HOSTILE in "".join(path.read_text() for path in (root.data / "landing" / "incidents").rglob("*.jsonl"))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"step": "close"}, "It still lacks:"),
        ({"step": "confirm", "spikeType": "nonsense"}, "is not a spike type"),
        ({"step": "owner", "owner": ""}, "owner is empty"),
        ({"step": "contain", "containmentAction": "x", "by": " "}, "Say who you are"),
        ({"step": "note", "note": "x" * 4001}, "more than 4,000 characters"),
        ({"step": "delete"}, "is not a step"),
        ({"step": "plan", "reason": "", "until": "2026-12-01"}, "Say why it is planned"),
        ({"step": "plan", "reason": "launch", "until": "soon"}, "is not a day"),
        ({"step": "acknowledge"}, "No message has the topic"),
    ],
)
def test_a_form_that_cannot_be_taken_is_shown_again_with_a_sentence(root, said, words):
    with opened(root) as client:
        [(alert,)] = client_rows(root, "select alert_id from marts.alerts limit 1")
        post(client, "/incident", step="open", alert=alert)
        page = client.get(f"/incident?alert={alert}").text
        incident = page.partition('name="incident" value="')[2].partition('"')[0]
        answer = post(client, "/incident", **{"incident": incident, "alert": alert} | said)
        assert answer.status_code == 400
        assert words in text_of(answer.text)
        assert len(list((root.data / "landing" / "incidents").rglob("*.jsonl"))) == 1


def test_nothing_is_written_where_the_setting_is_off(root):
    with opened(replace(root, inbox_writes=False)) as client:
        [(alert,)] = client_rows(root, "select alert_id from marts.alerts limit 1")
        assert 'method="post"' not in client.get(f"/incident?alert={alert}").text
        answer = post(client, "/incident", step="open", alert=alert)
        assert answer.status_code == 403
        assert "TOKENTRAIL_INBOX_WRITES" in answer.text
        assert not (root.data / "landing").exists()


def test_who_logged_in_is_the_author_whatever_the_form_says(root):
    behind = replace(root, inbox_login="proxy", inbox_proxies="127.0.0.1", inbox_writers="kim@example.com")
    with TestClient(application(behind), base_url=HERE, client=("127.0.0.1", 50000)) as client:
        client.headers["x-forwarded-email"] = "kim@example.com"
        [(alert,)] = client_rows(root, "select alert_id from marts.alerts limit 1")
        assert 'name="by"' not in client.get(f"/incident?alert={alert}").text
        assert post(client, "/incident", step="open", alert=alert, by="somebody else").status_code == 303
        assert "opened by kim@example.com" in text_of(client.get(f"/incident?alert={alert}").text)


def test_a_plan_is_written_and_shown_at_once(root):
    with opened(root) as client:
        [(alert,)] = client_rows(root, "select alert_id from marts.alerts limit 1")
        answer = post(
            client, "/incident", step="plan", alert=alert, reason="the new model is wanted", until="2026-12-01"
        )
        assert answer.status_code == 303
        assert "planned until 2026-12-01 by kim: the new model is wanted" in text_of(
            client.get(answer.headers["location"]).text
        )


@pytest.mark.parametrize(
    "headers", [{}, {"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site", "origin": HERE}]
)
def test_a_form_of_another_site_is_refused(root, headers):
    with opened(root) as client:
        answer = client.post("/incident", data={"step": "open", "alert": "x", "by": "kim"}, headers=headers)
        assert answer.status_code == 403
        assert not (root.data / "landing").exists()


def client_rows(settings, sql):
    with duckdb.connect(str(settings.published_marts.resolve()), read_only=True) as connection:
        return connection.execute(sql).fetchall()


LEAN = """
import sys
from starlette.testclient import TestClient
from inbox.__main__ import keep_pandas_out
keep_pandas_out()
from inbox.app import application
from orchestration.settings import from_environment
with TestClient(application(from_environment()), base_url="http://localhost") as client:
    for page in sys.argv[1:]:
        address, _, said = page.partition(" ")
        form = {"content": said, "headers": {"origin": "http://localhost"}} if said else {}
        answer = client.request("POST" if said else "GET", address, **form)  # a form leads to the page that shows it
        assert answer.status_code == 200, answer.text
heavy = {"numpy", "pandas", "pyarrow", "great_expectations", "dagster", "dbt"}
sys.exit(", ".join(sorted(name for name in heavy if sys.modules.get(name))) or 0)
"""


def in_a_fresh_process(settings, *pages: str):
    """Reads the pages, each an address, or one and a form to send there; says which large libraries were imported."""
    named = {"TOKENTRAIL_DATA": str(settings.data), "TOKENTRAIL_TEAM": str(settings.team)}
    done = subprocess.run(
        [sys.executable, "-c", LEAN, *pages], env=os.environ | named, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


def test_pages_that_only_read_bring_no_large_library(published_calls):
    settings = published_calls.settings
    [(request,)] = client_rows(settings, "select request_id from marts.fct_attempts where cost_usd > 0 limit 1")
    pages = ["/inbox", "/explore?by=user", "/requests", f"/request?id={request}", "/search?q=a", "/finance", "/health"]
    assert in_a_fresh_process(settings, *pages) == (0, "")


def test_an_incident_is_opened_shown_and_written_on_without_what_loading_needs(root):
    [(alert,)] = client_rows(root, "select alert_id from marts.alerts limit 1")
    assert in_a_fresh_process(root, f"/incident by=kim&alert={alert}&step=open") == (0, "")
    [landed] = (root.data / "landing" / "incidents").rglob("*.jsonl")
    assert load_new_files(root, "incidents").rows_loaded == 1
    incident = json.loads(landed.read_text())["incidentId"]
    forms = (f"incident={incident}&step=note&note=seen", f"alert={alert}&step=plan&reason=launch&until=2026-12-01")
    pages = (f"/alert?alert={alert}", f"/incident?incident={incident}", f"/incident?incident={incident}&format=md")
    assert in_a_fresh_process(root, *(f"/incident by=kim&{form}" for form in forms), *pages) == (0, "")
    assert len(new_files(root, "incidents")) == 2


def test_a_query_that_runs_away_is_stopped_with_a_sentence(root, monkeypatch):
    monkeypatch.setattr(marts, "SECONDS", 0.2)
    with Reader(root).reading() as reading, pytest.raises(UnreadableError, match="Choose fewer days"):
        reading.rows("select count(*) from range(1000000000000) where range % 7 = 3")


def test_nothing_but_publications_can_be_read(root, tmp_path):
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with Reader(root).reading() as reading, pytest.raises(duckdb.PermissionException):
        reading.rows(f"select * from read_csv('{tmp_path / 'secret.csv'}')")
