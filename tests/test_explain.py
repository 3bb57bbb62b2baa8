"""What `make explain` prints adds up to what was booked, and says in words what was applied."""

import re
from decimal import Decimal

import pytest

from orchestration.commands.explain import UnknownRequestError, attempts_of, explain, lines_of, main, reading
from orchestration.warehouse import open_marts
from tests.pipeline import Pipeline, event


def land(pipeline: Pipeline) -> None:
    """One request for each thing that there is to say."""
    rich = {"inputTokens": 18_114, "cacheReadTokens": 17_817, "cacheWriteTokens": 211, "outputTokens": 500}
    events = [
        event("plain", **rich, reasoningTokens=120, webSearches=2, costUsd=0.05),
        event("plain", environment="staging"),
        event("retried", attempt=1, status="error", errorCode="overloaded"),
        event("retried", "2026-11-20T10:00:05Z", attempt=2),
        event("nobody-knows", provider="selfhosted", model="acme-internal-7b [bold]x"),
        event("nothing-reported", inputTokens=None, outputTokens=None),
        event("batch", provider="mistral", model="mistral-large-2411", processing="batch"),
        event("moved", "2026-08-01T10:00:00Z", provider="google", model="gemini-flash-latest"),
        event("meant", "2026-06-10T10:00:00Z", provider="google", model="gemini-flash-latest"),
        event("searched", provider="perplexity", model="sonar-pro"),
        event("tool-tokens", usage={"input_tool_tokens": 40}),
    ]
    pipeline.land("explain.jsonl", events)


def explained(pipeline: Pipeline, request: str) -> str:
    with open_marts(pipeline.settings) as marts:
        return explain(marts, request)


def test_the_lines_of_every_priced_attempt_sum_to_its_cost(published_calls):
    requests = {request for (request,) in published_calls.ask("select request_id from fct_attempts")}
    with open_marts(published_calls.settings) as marts:
        priced = [a for request in requests for a in attempts_of(reading(marts), request) if a["cost_usd"] is not None]
    assert len(priced) >= 5
    for attempt in priced:
        assert sum(line.cost_usd for line in lines_of(attempt)) == attempt["cost_usd"], attempt["request_id"]


def test_the_printed_products_sum_to_the_printed_total(published_calls):
    text = explained(published_calls, "retried")
    rows = re.findall(r"^ +(\w+) +([\d,.]+) +([\d,.]+) +per 1M +([\d,.]+)$", text, re.MULTILINE)
    totals = [Decimal(total) for total in re.findall(r"^ +cost_usd +([\d.]+)$", text, re.MULTILINE)]
    products = [Decimal(used.replace(",", "")) * Decimal(price) / 1_000_000 for _, used, price, _ in rows]
    assert [name for name, *_ in rows][:2] == ["uncached_input", "text_output"]
    assert products == [Decimal(cost) for *_, cost in rows]
    assert sum(products) == sum(totals) == Decimal("0.012")


def test_it_says_what_was_reported_and_under_which_price(published_calls):
    text = explained(published_calls, "plain")
    assert (
        "input 18,114 (of it 17,817 read from cache and 211 written to cache), output 500 (of it 120 reasoning)" in text
    )
    assert "Priced as claude-sonnet-4-5" in text
    assert "source genai-prices" in text
    assert "priced at their parent's rate: reasoning." in text
    assert "The sender's own figure is 0.05 USD" in text
    assert "Request plain (prod, real, events)" in text
    assert "Request plain (staging, real, events)" in text


def test_a_retry_says_that_it_was_tried_again(published_calls):
    text = explained(published_calls, "retried")
    assert "2 attempts, cost 0.012 USD" in text
    assert "error (overloaded)" in text
    assert text.count("It was retried") == 1


def test_an_unknown_model_says_where_to_look(published_calls):
    text = explained(published_calls, "nobody-knows")
    assert "cost not known" in text
    assert "selfhosted/acme-internal-7b [bold]x has no price for uncached_input, text_output" in " ".join(text.split())
    assert "unpriced_models" in text


def test_no_usage_is_reported(published_calls):
    assert "No usage was reported for it" in explained(published_calls, "nothing-reported")


def test_a_missing_variant_is_reported(published_calls):
    attempt = published_calls.ask("select missing_variant from fct_attempts where request_id = 'batch'")
    assert attempt == [("processing=batch",)]
    assert (
        "Approximate: it requested processing=batch, which has no price of its own: the standard rate was applied."
        in explained(published_calls, "batch")
    )


def test_what_makes_a_cost_approximate_is_reported(published_calls):
    assert (
        "Approximate: what gemini-flash-latest meant at that time is not recorded, so it is priced as the model that it means today."
        in " ".join(explained(published_calls, "moved").split())
    )
    no_reason = (
        "Approximate: its price depends on search_context_size, which was not reported: the catalogue's was used."
    )
    assert no_reason in explained(published_calls, "searched")
    assert "Approximate" not in explained(published_calls, "meant") + explained(published_calls, "plain")


def test_a_correction_is_named_with_its_source(published_calls):
    text = " ".join(explained(published_calls, "meant").split())
    assert "Priced as gemini-3.5-flash (standard rate)" in text
    assert "pricing/corrections/google.yml alias 3 (https://ai.google.dev/gemini-api/docs/changelog" in text


def test_an_unknown_id_is_a_sentence_with_the_nearest(published_calls, monkeypatch, capsys):
    with pytest.raises(UnknownRequestError, match=r"has the request id retrie\. Did you mean retried\?"):
        explained(published_calls, "retrie")
    monkeypatch.setenv("TOKENTRAIL_DATA", str(published_calls.settings.data))
    assert main(["nothing like it"]) == 2
    assert "Look for it in fct_requests" in capsys.readouterr().err
    assert main(["retried"]) == 0
    monkeypatch.setenv("TOKENTRAIL_DATA", str(published_calls.settings.data / "elsewhere"))
    assert main(["retried"]) == 2
