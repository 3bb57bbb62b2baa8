"""Names as clients and gateways write them: the same model at the same price, and never another model."""

import re
import time

import pytest
from genai_prices.data_snapshot import get_snapshot

from pricing.catalogue import resolve
from pricing.names import is_moving, is_same_model
from pricing.reference import price
from pricing.suggestions import suggest
from pricing.units import Usage
from tests.test_pricing_catalogue import NOON
from tests.test_whole_catalogue import REACHABLE

BEDROCK = "arn:aws:bedrock:us-east-1"


def found(provider: str, model: str) -> str | None:
    resolved = resolve(provider, model)
    return resolved and f"{resolved.provider.id}/{resolved.model.id}"


@pytest.mark.parametrize(
    ("provider", "model", "same_as"),
    [
        # resource paths of Google and Vertex
        ("google", "models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("gcp.gemini", "models/gemini-3.8-flash", "gemini-3.8-flash"),
        ("google", "publishers/google/models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("vertex_ai", "projects/p-1/locations/us-east5/publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("vertex_ai", "projects/p/locations/l/publishers/anthropic/models/claude-opus-5@20260723", "claude-opus-5"),
        ("litellm", "gemini/models/gemini-2.5-flash", "gemini/gemini-2.5-flash"),
        ("google", "v1beta/models/gemini-2.5-flash:streamGenerateContent", "gemini-2.5-flash"),
        ("google", "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("google", "google/models/gemini-2.5-flash", "gemini-2.5-flash"),
        ("vertex_ai", "gemini-2.5-flash@default", "gemini-2.5-flash"),
        # resource names of Bedrock
        ("bedrock", f"{BEDROCK}::foundation-model/anthropic.claude-opus-5", "anthropic.claude-opus-5"),
        ("aws", f"{BEDROCK}:123456789012:inference-profile/us.anthropic.claude-opus-5", "us.anthropic.claude-opus-5"),
        ("aws", f"{BEDROCK}:1:inference-profile/global.anthropic.claude-opus-5", "global.anthropic.claude-opus-5"),
        ("litellm", f"bedrock/{BEDROCK}::foundation-model/anthropic.claude-opus-5", "bedrock/anthropic.claude-opus-5"),
        ("litellm", "bedrock/converse/us.anthropic.claude-opus-5", "bedrock/us.anthropic.claude-opus-5"),
        ("litellm", "bedrock/us-west-2/anthropic.claude-opus-5", "bedrock/anthropic.claude-opus-5"),
        # the size of the context window
        ("anthropic", "claude-opus-5[1m]", "claude-opus-5"),
        ("anthropic", "claude-opus-5[1M]", "claude-opus-5"),
        ("anthropic", "claude-sonnet-5-20260901[1m]", "claude-sonnet-5-20260901"),
        ("litellm", "anthropic/claude-fable-5[200k]", "anthropic/claude-fable-5"),
        ("bedrock", "us.anthropic.claude-opus-5[1m]", "us.anthropic.claude-opus-5"),
        ("zai", "glm-5.2[1m]", "glm-5.2"),
        # how OpenRouter is to route the call
        ("openrouter", "anthropic/claude-sonnet-4.5:nitro", "anthropic/claude-sonnet-4.5"),
        ("openrouter", "anthropic/claude-sonnet-4.5:FLOOR", "anthropic/claude-sonnet-4.5"),
        ("openrouter", "moonshotai/kimi-k2-0905:exacto", "moonshotai/kimi-k2-0905"),
        ("litellm", "openrouter/openai/gpt-4o:nitro", "openrouter/openai/gpt-4o"),
        ("openrouter", "anthropic/claude-opus-5[1m]:floor", "anthropic/claude-opus-5"),
        ("openrouter", "anthropic/claude-3.7-sonnet:thinking", "anthropic/claude-3.7-sonnet"),  # listed as its name
    ],
)
def test_a_way_to_a_model_is_not_another_model(provider, model, same_as):
    assert found(provider, model) == found(provider, same_as) is not None
    usage = Usage(10_000, 1_000)
    assert price(usage, NOON, provider, model).cost_usd == price(usage, NOON, provider, same_as).cost_usd > 0


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openrouter", "openrouter/auto"),  # a router: which model answered is not in the name
        ("openrouter", "anthropic/claude-sonnet-4.5:extended"),  # at a price of its own, which the catalogue lacks
        ("openrouter", "openai/gpt-5:beta"),
        ("openrouter", "openai/gpt-5:thinking"),
        ("openai", "gpt-5:nitro"),  # nobody but OpenRouter has these
        ("ollama", "qwen3:free"),
        ("anthropic", "opus[1m]"),
        ("anthropic", "claude-opus-5[fast]"),
        ("bedrock", f"{BEDROCK}:1:custom-model/amazon.nova-lite-v1:0/abc"),  # trained, or paid by the hour
        ("bedrock", f"{BEDROCK}:1:provisioned-model/abc"),
        ("bedrock", f"{BEDROCK}:1:application-inference-profile/abc123"),
        ("google", "tunedModels/gemini-2.5-flash"),
        ("google", "projects/p/locations/l/endpoints/123"),
        ("vllm", "models/gemini-2.5-flash"),
        ("litellm", "/models/gemma-3-27b-it"),  # where a local server keeps its weights
        ("google", "models/gemini-1.5-flash-8b"),
    ],
)
def test_what_may_cost_something_else_stays_unknown(provider, model):
    assert found(provider, model) is None


@pytest.mark.parametrize(
    "name", ["openai/" * 2_000, " " * 20_000 + "[1m]", "[1m]" * 500, ":nitro" * 500, "arn:" * 500, "\ud800[1m]"]
)
def test_an_odd_name_is_looked_up_as_fast_as_another(name):
    began = time.monotonic()
    assert {found(provider, name) for provider in ("openai", "openrouter", "litellm", "aws", "google")} == {None}
    assert time.monotonic() - began < 2


def test_what_was_taken_off_is_reported():
    assert resolve("google", "models/gemini-2.5-flash").how == "path models/ taken off"
    assert resolve("anthropic", "claude-opus-5[1m]").how == "context window [1m] taken off"
    said = "prefix openrouter/ names the provider, suffix :nitro taken off"
    assert resolve("litellm", "openrouter/openai/gpt-4o:nitro").how == said


def test_a_search_that_is_charged_on_top_is_not_passed_over(usd):
    priced = price(Usage(10_000, 1_000), NOON, "openrouter", "anthropic/claude-sonnet-4.5:online")
    assert priced.cost_usd == usd(10_000, 3) + usd(1_000, 15)
    assert priced.row["missing_variant"] == "suffix=online"


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openrouter", "z-ai/glm-4.5-air:free"),
        ("openrouter", "nobody/ever-heard-of:free"),
        ("openrouter", "openrouter/free"),
        ("openrouter", "openrouter/z-ai/glm-4.5-air:free"),
        ("litellm", "openrouter/z-ai/glm-4.5-air:free"),
        ("litellm", "openrouter/openrouter/free"),
    ],
)
def test_free_is_free_whatever_the_model(provider, model):
    usage = Usage(10_000, 1_000, cache_read_tokens=500, reasoning_tokens=200, input_image_tokens=100)
    priced = price(usage, NOON, provider, model, processing="batch")
    assert (priced.cost_usd, priced.status, priced.row["missing_variant"]) == (0, "priced", None)


def test_what_is_taken_off_a_catalogue_name_leaves_its_model():
    """Over every model: a context window, and a path or suffix of its provider, change nothing."""
    moved = []
    for provider, name in REACHABLE:
        written = [f"{name}[1m]"]
        written += [f"models/{name}"] if provider == "google" and "/" not in name else []
        written += [f"{name}:nitro", f"{name}:floor"] if provider == "openrouter" and ":" not in name else []
        moved += [(provider, each) for each in written if found(provider, each) != found(provider, name)]
    assert moved == []


# ---- names that move ----


@pytest.mark.parametrize(
    ("name", "moves"),
    [
        ("gemini-flash-latest", True),
        ("mistral-large-latest", True),
        ("ministral-8b-latest", True),  # a size is not a version
        ("~anthropic/claude-opus-latest", True),
        ("chat-latest", True),
        ("claude-3-7-sonnet-latest", False),
        ("gpt-5-chat-latest", False),
        ("chatgpt-4o-latest", False),
        ("grok-4.5-latest", False),
        ("mistral-large-2512", False),
        ("latest-news-7", False),
        ("gpt-5", False),
    ],
)
def test_a_name_moves_when_it_says_latest_and_no_version(name, moves):
    assert is_moving(name) == moves


# ---- the override to paste ----


@pytest.mark.parametrize(
    ("name", "candidate", "same"),
    [
        ("gpt-4o-eu-prod", "gpt-4o", True),
        ("prod-gpt-4.1-nano-westeurope", "gpt-4.1-nano", True),
        ("claude-opus-4.5", "claude-opus-4-5", True),
        ("gemini-1.5-flash-8b", "gemini-flash-1.5-8b", True),
        ("claude-sonnet-5-20261001", "claude-sonnet-5", True),
        ("claude-opus-5[1m]", "claude-v1", False),
        ("claude-opus-5", "claude-opus-4-5", False),
        ("gpt-4o-mini", "gpt-4o", False),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4o-acme", "gpt-4o", False),
        ("deepseek-v4", "deepseek-v3", False),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", "claude-sonnet-4", True),
        ("mistral-large-2711", "mistral-large-2512", False),
        ("llama-3.1-70b", "llama-3.1-8b", False),
        ("eu-prod", "", False),
    ],
)
def test_the_same_model_agrees_in_family_version_size_and_edition(name, candidate, same):
    assert is_same_model(name, candidate) == same


def test_an_azure_deployment_is_not_what_another_gives_away():
    said = [str(each) for each in suggest("azure", "gpt-4o-eu-prod")]
    assert said[0] == "openai/gpt-4o (same model, another provider)"
    assert not any(each.startswith("github-copilot/") for each in said)


def numbers(name: str) -> set[str]:
    """Versions and sizes in a name, dates apart: an oracle of its own."""
    bare = re.sub(r"20\d{2}-?\d{2}-?\d{2}|\[1m\]|-v\d:\d$|@\w+$", "", name.lower().rpartition("/")[2])
    return set("".join(re.findall(r"\d+", bare)))


def test_what_is_offered_to_paste_agrees_over_the_whole_catalogue():
    wrong = []
    pairs = [(provider.id, model.id) for provider in get_snapshot().providers for model in provider.models]
    for place, (provider, model) in enumerate(pairs[::9]):
        mangled = f"{model}-{('eu-prod', 'acme', 'v9', 'zeta')[place % 4]}"
        for each in suggest(provider, mangled):
            if each.reason.startswith("same model") and not (
                numbers(each.model) <= numbers(mangled) and resolve(each.provider, each.model)
            ):
                wrong.append((provider, mangled, str(each)))
            if each.reason.startswith("same model") and place % 4:
                wrong.append((provider, mangled, str(each)))
    assert wrong == []
