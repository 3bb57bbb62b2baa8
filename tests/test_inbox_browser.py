"""The inbox in a browser: stories of people on call, over a served publication. `make test-browser` installs what they need, and CI
does where it has a browser.

One Chromium and one server for all; skipped with a sentence where the browser or Playwright is not there, or does not start.
"""

import importlib.util
import os
import shutil
import threading
import time
from dataclasses import replace

import pytest
import uvicorn

from inbox.app import application
from tests.pages import inside, query
from tests.pipeline import WITHOUT_TESTS, Pipeline
from tests.test_inbox import land  # noqa: F401 - its alert is what these stories are about

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"))), None
)
LACKING = [
    *(["Chromium (apt install chromium)"] if CHROMIUM is None else []),
    *(name for name in ("playwright", "axe_playwright_python") if importlib.util.find_spec(name) is None),
]
pytestmark = pytest.mark.skipif(
    bool(LACKING), reason=f"Stories in a browser need {', '.join(LACKING)}: `make test-browser` installs the packages."
)
# What runs after an incident was written: its own marts, and no test of dbt.
INCIDENTS = (*WITHOUT_TESTS, "--select", "+path:models/marts/incidents", "catalog", "publication")
FILTERS = ("from", "to", "baseline_from", "baseline_to", "environment", "data_mode", "endpoint", "model", "alert")


@pytest.fixture(scope="module")
def world(published_calls, tmp_path_factory):
    """A copy of the world, because a story writes into it and runs the pipeline."""
    data = tmp_path_factory.mktemp("browser") / "data"
    shutil.copytree(published_calls.settings.data, data, symlinks=True)
    settings = replace(published_calls.settings, data=data, base_url="http://localhost:8080")
    return Pipeline(settings)


@pytest.fixture(scope="module")
def address(world):
    """Where the inbox answers."""
    server = uvicorn.Server(uvicorn.Config(application(world.settings), port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://localhost:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import Error, sync_playwright

    as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        try:
            # containers give shared memory of 64 MB, which a page may exceed
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*as_root, "--disable-dev-shm-usage"])
        except Error as error:
            pytest.skip(f"{CHROMIUM} does not start here: {error.message.splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture
def opens(chromium, address):
    """Opens a page of the inbox in a browser of its own; what the browser complains of fails the story."""
    contexts, complaints = [], []

    def open_(path: str = "/inbox", **context):
        contexts.append(
            chromium.new_context(base_url=address, **{"viewport": {"width": 1280, "height": 900}} | context)
        )
        page = contexts[-1].new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda said: complaints.append(said.text) if _is_trouble(said) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


def _is_trouble(said) -> bool:
    return said.type == "error" and "status of 404" not in said.text  # a page that is not there is one of the stories


@pytest.fixture(scope="module")
def link(world):
    """The link of the message about the alert, without its host, and the alert."""
    [(drill_url, alert, driver)] = world.ask("select drill_url, alert_id, top_driver_value from alerts")
    return inside(drill_url), alert, driver


def kept(before: str, after: str) -> None:
    """A step keeps every filter that it does not narrow."""
    given, now = query(before), query(after)
    assert {word: now.get(word) for word in FILTERS if word in given} == {
        word: given[word] for word in FILTERS if word in given
    }


def test_from_a_message_to_the_view_of_the_driver_and_back(opens, link):
    path, _, driver = link
    page = opens(path)
    page.click("a.button.primary")
    assert page.url.partition("?")[0].endswith("/explore")
    kept(path, page.url)
    assert driver.split(" | ")[-1] in page.locator("table.members tbody tr").first.inner_text()
    page.go_back()
    assert inside(page.url) == path
    page.go_forward()
    kept(path, page.url)


def test_without_javascript_every_step_is_there(opens, link):
    _, alert, driver = link
    page = opens("/inbox?status=all", java_script_enabled=False)
    page.click("ol.inbox a.row")
    assert query(page.url)["alert"] == alert
    before = page.url
    page.click("a.button.primary")
    kept(before, page.url)
    page.click("table.members tbody a")
    assert query(page.url)["alert"] == alert
    page.fill("#find", driver.split(" | ")[-1])
    page.press("#find", "Enter")
    assert page.url.partition("?")[0].endswith("/search")
    assert driver.split(" | ")[-1] in page.inner_text("main")


def test_by_keyboard_alone(opens, link):
    _, alert, _ = link
    page = opens("/inbox?status=all")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/alert?*")
    assert query(page.url)["alert"] == alert
    page.keyboard.press("n")
    page.wait_for_url("**/explore?*")
    page.keyboard.press("u")
    page.wait_for_url("**/alert?*")
    page.keyboard.press("/")
    page.keyboard.type("acme")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?*")
    assert query(page.url)["q"] == "acme"


def test_on_a_phone_the_first_thing_to_do_is_near_the_top_and_nothing_runs_off_the_side(opens, link):
    path, _, _ = link
    page = opens(path, viewport={"width": 390, "height": 844})
    assert page.locator("a.button.primary").bounding_box()["y"] < 2 * 844
    for step in ("a.button.primary", "table.members tbody a"):
        page.click(step)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), page.url
    for other in ("/inbox?status=all", "/budgets", "/health", f"/incident?alert={link[1]}"):
        page.goto(other)
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), other


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(opens, link, world, scheme):
    from axe_playwright_python.sync_playwright import Axe

    path, alert, _ = link
    [(request, day)] = world.ask("select request_id, event_date from fct_attempts where request_id = 'retried' limit 1")
    pages = [
        "/inbox?status=all",
        path,
        f"/explore{path[path.index('?') :]}&by=user",
        "/explore?by=tenant",
        "/requests",
        f"/request?id={request}&day={day}",
        f"/incident?alert={alert}",
        "/budgets",
        "/budget?budget=workspace-month",
        *(f"/{name}" for name in ("weekly", "pricing", "finance", "health", "search?q=acmee", "nowhere")),
    ]
    page = opens(color_scheme=scheme, bypass_csp=True)  # axe is a script that the page does not allow
    found = {}
    for each in pages:
        page.goto(each)
        page.evaluate("document.querySelectorAll('details').forEach((node) => { node.open = true; })")
        told = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})
        if told.response["violations"]:
            found[each] = [(one["id"], one["nodes"][0]["html"][:200]) for one in told.response["violations"]]
    assert found == {}


def test_what_is_written_is_shown_at_once_and_is_in_the_marts_after_the_next_run(opens, link, world):
    path, alert, _ = link
    page = opens(path)
    page.click("text=Open an incident")
    page.fill("form.step >> nth=0 >> input[name=by]", "kim")
    page.click("button:has-text('Open an incident')")
    page.wait_for_url("**/incident?*incident=*")
    incident = query(page.url)["incident"]
    assert "opened by kim" in page.inner_text("main")
    assert "waiting for a run" in page.inner_text("main")
    page.goto(path)
    assert incident in page.inner_text("section.first")
    world.run(*INCIDENTS)
    assert world.ask("select incident_id, alert_id from incidents where alert_id = ?", alert) == [(incident, alert)]
    page.goto(f"/incident?incident={incident}")
    assert "waiting for a run" not in page.inner_text("main")
