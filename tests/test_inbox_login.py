"""Who gets in: a real provider on loopback with good and bad tokens, a proxy, addresses to listen at. No marts are needed to be refused."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.cookies import SimpleCookie

import httpx2
import pytest
from joserfc.jwk import RSAKey
from starlette.testclient import TestClient

from inbox import oidc
from inbox.app import application
from inbox.login import checked, listening, local
from orchestration.settings import PROJECT, from_environment
from tests.openid import CLIENT_ID, CLIENT_SECRET, provided
from tests.pages import HERE, text_of

SESSION_SECRET = "0123456789abcdef" * 2
GOT_IN, LEFT_OUT = 503, (401, 403)  # nothing is published here, which only those hear who may read
READ_ONLY = "lets you read only"


@pytest.fixture(scope="module")
def running():
    with provided() as provider:
        yield provider


@pytest.fixture
def provider(running):
    running.reset()
    return running


@pytest.fixture
def settings(tmp_path, provider):
    return from_environment(
        {
            "TOKENTRAIL_DATA": str(tmp_path / "data"),
            "TOKENTRAIL_INBOX_LOGIN": "oidc",
            "TOKENTRAIL_INBOX_OIDC_ISSUER": provider.issuer,
            "TOKENTRAIL_INBOX_OIDC_CLIENT_ID": CLIENT_ID,
            "TOKENTRAIL_INBOX_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "TOKENTRAIL_INBOX_SESSION_SECRET": SESSION_SECRET,
            "TOKENTRAIL_INBOX_READERS": "@example.com, group:oncall",
            "TOKENTRAIL_INBOX_WRITERS": "kim@example.com, group:oncall",
        }
    )


@contextmanager
def browser(settings, **named) -> Iterator[TestClient]:
    with TestClient(application(settings), base_url=HERE, follow_redirects=False, **named) as client:
        yield client


def callback_of(client: TestClient, address: str = "/inbox") -> str:
    """From a page to the provider; where the provider sends the browser back to."""
    first = client.get(address)
    assert (first.status_code, first.headers["location"].partition("?")[0]) == (303, "/login")
    to_provider = client.get(first.headers["location"])
    assert to_provider.status_code == 302
    return httpx2.get(to_provider.headers["location"]).headers["location"]


def enters(client: TestClient) -> httpx2.Response:
    return client.get(callback_of(client))


def test_a_reader_comes_back_to_the_page_that_was_asked_for(settings):
    address = "/explore?by=tenant&environment=prod&data_mode=real&tenant=a%26b"
    with browser(settings) as client:
        back = client.get(callback_of(client, address))
        assert (back.status_code, back.headers["location"]) == (303, address)
        assert client.get(address).status_code == GOT_IN
        assert client.post("/logout").headers["location"] == "/logged-out"
        assert client.get("/logged-out").status_code == 200
        assert client.get(address).status_code == 303


def test_the_cookie_is_signed_and_kept_from_scripts_and_other_sites(settings):
    with browser(settings) as client:
        [(name, cookie)] = SimpleCookie(enters(client).headers["set-cookie"]).items()
        assert (name, cookie["httponly"], cookie["samesite"]) == ("tokentrail", True, "lax")
        assert int(cookie["max-age"]) == 8 * 3600
        client.cookies.clear()
        client.cookies.set("tokentrail", ("A" if cookie.value[0] != "A" else "B") + cookie.value[1:])
        assert client.get("/inbox").status_code == 303
    with browser(replace(settings, base_url="https://cost.example.com")) as client:
        client.base_url = "https://cost.example.com"
        cookie = client.get("/login?next=/inbox").headers["set-cookie"]
        assert cookie.startswith("__Host-tokentrail=")
        assert "secure" in cookie.lower()


def test_a_login_ends_after_its_hours(settings, monkeypatch):
    with browser(settings) as client:
        callback = callback_of(client)
        monkeypatch.setattr(oidc, "HOURS", -1 / 3600)
        assert client.get(callback).status_code == 303
        assert client.get("/inbox").status_code == 303


@pytest.mark.parametrize(
    "wrong",
    [
        {"exp": 1_600_000_000},
        {"exp": None},
        {"aud": "another"},
        {"aud": None},
        {"aud": ["inbox", "another"], "azp": "another"},
        {"iss": "https://evil.example"},
        {"nonce": "of another login"},
        {"nonce": None},
        {"sub": None},
    ],
    ids=str,
)
def test_a_token_that_does_not_hold_lets_nobody_in(settings, provider, wrong):
    provider.claims |= wrong
    with browser(settings) as client:
        answer = enters(client)
        assert answer.status_code == 401
        assert "The provider's answer was not accepted" in text_of(answer.text)
        assert client.get("/inbox").status_code == 303


@pytest.mark.parametrize("how", ["another's key", "unknown key", "client secret", "unsigned", "no token"])
def test_a_token_that_the_provider_did_not_sign_lets_nobody_in(settings, provider, how):
    if how in ("another's key", "unknown key"):
        kid = "own" if how == "another's key" else "other"
        provider.key, provider.header = RSAKey.generate_key(2048, {"kid": kid}), {"alg": "RS256", "kid": kid}
    elif how == "no token":
        provider.sends_token = False
    else:
        provider.header = {"alg": "HS256" if how == "client secret" else "none"}
    with browser(settings) as client:
        assert enters(client).status_code == 401
        assert client.get("/inbox").status_code == 303


def test_an_answer_to_another_browser_or_given_twice_lets_nobody_in(settings):
    with browser(settings) as one, browser(settings) as other:
        callback = callback_of(one)
        assert other.get(callback).status_code == 401
        callback_of(other)
        assert other.get(callback).status_code == 401
        assert other.get("/login/callback?code=x").status_code == 401
        assert other.get("/login/callback?error=access_denied").status_code == 401
        assert other.get("/inbox").status_code == 303
    with browser(settings) as client:
        callback = callback_of(client)
        assert client.get(callback).status_code == 303
        assert client.get(callback).status_code == 401


@pytest.mark.parametrize(
    ("claims", "reads", "writes"),
    [
        ({}, True, True),
        ({"email": "Kim@Example.com"}, True, True),
        ({"email": "lee@example.com"}, True, False),
        ({"email": "kim@example.com.evil.example"}, False, False),
        ({"email_verified": False}, False, False),
        ({"email_verified": None}, False, False),
        ({"email_verified": "true"}, False, False),
        ({"email": "kim@other.example", "groups": ["x", "oncall"]}, True, True),
        ({"email": None, "groups": ["OnCall"]}, True, True),
        ({"email": "kim@other.example", "groups": ["oncall-not"]}, False, False),
        ({"email": "kim@other.example", "groups": "oncall"}, False, False),
    ],
)
def test_the_settings_say_who_reads_and_who_writes(settings, provider, claims, reads, writes):
    provider.claims |= claims
    with browser(settings) as client:
        assert enters(client).status_code == 303
        page = client.get("/inbox")
        assert page.status_code == (GOT_IN if reads else 403)
        answer = client.post("/incident", data={"step": "open", "alert": "x"}, headers={"origin": HERE})
        assert answer.status_code == (GOT_IN if writes else 403)
        assert (READ_ONLY in answer.text) is (reads and not writes)
        assert (
            client.post("/incident", data={"step": "open"}, headers={"origin": "https://x.example"}).status_code == 403
        )


def test_a_form_without_a_login_writes_nothing_and_is_not_sent_on(settings):
    with browser(settings) as client:
        answer = client.post("/incident", data={"step": "open"}, headers={"origin": HERE})
        assert (answer.status_code, "load the page and send it again" in text_of(answer.text)) == (401, True)


def test_without_a_login_only_what_says_nothing_is_answered(settings):
    with browser(settings) as client:
        assert client.get("/static/app.css").status_code == 200
        assert client.get("/healthz").status_code == 503
        for address in ("/", "/inbox", "/weekly/x.html", "/explore?format=csv", "/nowhere"):
            assert client.get(address).headers["location"].startswith("/login?next="), address


@pytest.mark.parametrize(
    "away", ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/x", "x", "", "/login"]
)
def test_a_login_never_leads_away(away):
    assert local(away) == "/inbox"


def test_a_provider_that_does_not_answer_or_is_another_is_a_sentence(settings, provider):
    provider.metadata = {"issuer": "https://evil.example"}
    for changed in (settings, replace(settings, inbox_oidc_issuer="http://127.0.0.1:9")):
        with browser(changed) as client:
            answer = client.get("/login")
            assert (answer.status_code, "does not answer as one" in text_of(answer.text)) == (502, True)


def test_nothing_secret_is_logged_or_shown(settings, provider, caplog):
    caplog.set_level(logging.INFO)
    provider.claims |= {"aud": "another"}
    with browser(settings) as client:
        callback = callback_of(client)
        answer = client.get(callback)
    said = caplog.text + answer.text + repr(settings)
    for hidden in (SESSION_SECRET, CLIENT_SECRET, callback.partition("code=")[2].partition("&")[0]):
        assert hidden not in said.replace(callback, "")  # the client of this test logs what it asks for
    assert "A login was refused: InvalidClaimError" in caplog.text


@contextmanager
def behind_proxy(settings, peer="127.0.0.1", **changes) -> Iterator[TestClient]:
    with browser(replace(settings, inbox_login="proxy", **changes), client=(peer, 50000)) as client:
        yield client


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("127.0.0.1", [("x-forwarded-email", "kim@example.com")], GOT_IN),
        ("127.0.0.1", [("x-forwarded-email", "kim@other.example")], 403),
        ("127.0.0.1", [], 401),
        ("127.0.0.1", [("x-forwarded-email", "")], 401),
        ("127.0.0.1", [("x-forwarded-email", "evil@example.com"), ("x-forwarded-email", "kim@other.example")], 401),
        ("::ffff:127.0.0.1", [("x-forwarded-email", "kim@example.com")], GOT_IN),
        ("10.0.0.9", [("x-forwarded-email", "kim@example.com")], 401),
        ("10.0.0.9", [("x-forwarded-email", "kim@example.com"), ("x-forwarded-for", "127.0.0.1")], 401),
        ("127.0.0.1", [("x-forwarded-email", "kim@other.example"), ("x-forwarded-groups", "oncall")], 403),
    ],
)
def test_a_proxy_is_believed_and_nobody_else(settings, peer, headers, status):
    with behind_proxy(settings, peer) as client:
        assert client.get("/inbox", headers=headers).status_code == status


def test_groups_of_a_proxy_count_where_their_header_is_named(settings):
    headers = {"x-forwarded-email": "kim@other.example", "x-forwarded-groups": "x,oncall"}
    with behind_proxy(settings, inbox_proxy_groups_header="X-Forwarded-Groups") as client:
        assert client.get("/inbox", headers=headers).status_code == GOT_IN


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"INBOX_LISTEN": "0.0.0.0:8080"}, "without a login"),
        ({"INBOX_LISTEN": "[::]:8080"}, "without a login"),
        ({"INBOX_LISTEN": "10.0.0.1"}, "an address of this machine and a port"),
        ({"INBOX_LISTEN": "example.com:80"}, "an address of this machine and a port"),
        ({"INBOX_LOGIN": "yes"}, "none, oidc, proxy"),
        ({"INBOX_LOGIN": "oidc"}, "TOKENTRAIL_INBOX_OIDC_ISSUER, TOKENTRAIL_INBOX_OIDC_CLIENT_ID"),
        ({"INBOX_LOGIN": "proxy", "INBOX_PROXIES": "0.0.0.0/0"}, "cannot be all addresses"),
        ({"INBOX_LOGIN": "proxy", "INBOX_PROXIES": ","}, "write the addresses of the proxy"),
        ({"INBOX_LOGIN": "proxy", "INBOX_PROXY_HEADER": "a b"}, "is not the name of a header"),
        ({"INBOX_READERS": "kim"}, "with commas between"),
    ],
)
def test_what_would_be_open_to_all_does_not_start(tmp_path, changes, words):
    given = {f"TOKENTRAIL_{name}": text for name, text in changes.items()} | {"TOKENTRAIL_DATA": str(tmp_path)}
    with pytest.raises(ValueError, match=words):
        listening(checked(from_environment(given)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"inbox_session_secret": "short"}, "fewer than 32 characters"),
        ({"inbox_session_secret": "file:/nowhere/at/all"}, "names a file that cannot be read"),
        ({"inbox_readers": ""}, "TOKENTRAIL_INBOX_READERS"),
        ({"inbox_oidc_issuer": "http://login.example.com"}, "begins with https://"),
        ({"base_url": "http://cost.example.com"}, "begins with https://"),
    ],
)
def test_a_login_that_would_not_be_safe_does_not_start(settings, changes, words):
    with pytest.raises(ValueError, match=words):
        checked(replace(settings, **changes))


def test_secrets_may_be_in_files_and_with_a_login_others_may_ask(settings, tmp_path):
    (tmp_path / "key").write_text(f"{SESSION_SECRET}\n")
    (tmp_path / "given").write_text(CLIENT_SECRET)
    of_files = replace(
        settings,
        inbox_session_secret=f"file:{tmp_path / 'key'}",
        inbox_oidc_client_secret=f"file:{tmp_path / 'given'}",
        inbox_listen="0.0.0.0:8080",
    )
    assert listening(checked(of_files)) == ("0.0.0.0", 8080)
    with browser(of_files) as client:
        assert enters(client).status_code == 303
        assert client.get("/inbox").status_code == GOT_IN


def test_the_command_ends_with_the_sentence(tmp_path):
    said = {"TOKENTRAIL_DATA": str(tmp_path), "TOKENTRAIL_INBOX_LISTEN": "0.0.0.0:0", "PYTHONPATH": str(PROJECT)}
    ended = subprocess.run([sys.executable, "-m", "inbox"], env=said, capture_output=True, text=True, cwd=PROJECT)
    assert (ended.returncode, "Traceback" in ended.stderr) == (2, False)
    assert "without a login" in ended.stderr
