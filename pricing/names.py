"""What a reported model name says: which parts of it name a route to the model, and which name the model.

Clients and gateways write more than the model into its name: the path of a resource (`models/gemini-2.5-flash`, a Bedrock
ARN), the size of the context window (`claude-opus-5[1m]`), how OpenRouter is to route the call (`:nitro`), who bills it
(`gemini/gemini-2.5-pro`). `forms` takes these off one by one. Each rule holds for who writes it that way and for nobody
else, and nothing is guessed: what is left must be a name that the catalogue knows.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

# Why a price is approximate: what the name meant at the time is not recorded.
MOVING_NAME = "moving_name"

ROUTER = "openrouter"
# Ask for another host of the same model at its list price; the models API of OpenRouter does not list them apart.
# https://openrouter.ai/docs/guides/routing/model-variants/overview (2026-11-28). `:thinking`, `:extended`, `:batch` and
# `:beta` are models of their own there, at prices of their own: they are known when the catalogue lists them.
SAME_MODEL_SUFFIXES = frozenset({"nitro", "floor", "exacto"})
# The same model, and a search that is charged on top of its tokens.
CHARGED_SUFFIXES = frozenset({"online"})
FREE_SUFFIX = ":free"
FREE_ROUTERS = frozenset({"openrouter/free", "free"})

MOST_PARTS = (
    6  # no sender writes more of them, and a name of a thousand prefixes takes no longer to look up than another
)

_CONTEXT_WINDOW = re.compile(r"\[\d+[km]\]$", re.IGNORECASE)
_ARN = re.compile(r"arn:aws[a-z-]*:bedrock:[^:/]*:[^:/]*:(?P<kind>[a-z-]+)/", re.IGNORECASE)
# What a Bedrock ARN calls a model of the list; a custom or provisioned one is billed otherwise.
_LISTED_ARNS = frozenset({"foundation-model", "inference-profile"})
# Google's own clients and Vertex; a local server keeps its weights under /models, which begins otherwise.
_RESOURCE = re.compile(
    r"(?:(?:https?:)?//[^/]+/)?(?:v\d\w*/)?(?:projects/[^/]+/locations/[^/]+/)?"
    r"(?P<publisher>publishers/[^/]+/)?models/(?=[^/]+$)",
    re.IGNORECASE,
)
# What is asked of the model, and which of its stable versions.
_GOOGLES_ENDING = re.compile(
    r":(?:stream)?(?:generate|raw|embed|batchEmbed|count)?(?:Content|Contents|Predict|Tokens)$|:predict$|@(?:default|\d{3})$",
    re.IGNORECASE,
)
# LiteLLM: which Bedrock API, and in which region
_ROUTE = re.compile(r"(?:converse|converse_like|invoke|[a-z]{2}(?:-[a-z]+)+-\d)/", re.IGNORECASE)


class Form(NamedTuple):
    """A provider and a name to look up, a phrase for each part taken off, and what was asked for by such a part."""

    provider: str
    name: str
    taken_off: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()

    @property
    def how(self) -> str:
        """For people: 'as reported', or what was taken off the reported name."""
        return ", ".join(self.taken_off) or "as reported"


def forms(provider: str, model: str, provider_id: Callable[[str], str | None], says_nothing: bool) -> Iterator[Form]:
    """The name as reported, then with one part more taken off at each step, until no rule finds any.

    `provider_id` gives the catalogue's id of a provider name; where the sender `says_nothing` of who billed the call, the
    prefix or path of the model does.
    """
    form: Form | None = Form(provider, model.strip())
    while form is not None and len(form.taken_off) <= MOST_PARTS:
        # no name of the catalogue ends with a context window, and its clauses do not expect one
        if not _is_unlisted_arn(form.name) and not _CONTEXT_WINDOW.search(form.name):
            yield form
        form = _shorter(form, provider_id, says_nothing)


def _shorter(form: Form, provider_id: Callable[[str], str | None], says_nothing: bool) -> Form | None:
    if window := _CONTEXT_WINDOW.search(form.name):
        return _without(form, form.name[: window.start()].rstrip(), f"context window {window.group()} taken off")
    billed_by = provider_id(form.provider)
    name, _, suffix = form.name.rpartition(":")
    if billed_by == ROUTER and name and suffix.lower() in SAME_MODEL_SUFFIXES | CHARGED_SUFFIXES:
        asked = (f"suffix={suffix.lower()}",) if suffix.lower() in CHARGED_SUFFIXES else ()
        return _without(form, name, f"suffix :{suffix} taken off", asked=asked)
    if arn := _ARN.match(form.name):
        is_listed = not _is_unlisted_arn(form.name) and (billed_by == "aws" or says_nothing)
        return _without(form, form.name[arn.end() :], "ARN taken off", provider="aws") if is_listed else None
    is_nobodys = says_nothing and billed_by is None
    resource = _RESOURCE.match(form.name)
    if resource and (billed_by == "google" or (is_nobodys and _is_googles(resource, form.name))):
        return _without(form, form.name[resource.end() :], f"path {resource.group()} taken off", provider="google")
    if (ending := _GOOGLES_ENDING.search(form.name)) and billed_by == "google":
        return _without(form, form.name[: ending.start()], f"ending {ending.group()} taken off")
    if (route := _ROUTE.match(form.name)) and billed_by == "aws":
        return _without(form, form.name[route.end() :], f"route {route.group()} taken off")
    prefix, slash, rest = form.name.partition("/")
    routed_to = provider_id(prefix) if slash and rest else None
    if routed_to is None:
        return None
    if is_nobodys:
        return _without(form, rest, f"prefix {prefix}/ names the provider", provider=routed_to)
    return _without(form, rest, f"prefix {prefix}/ taken off")


def _without(form: Form, name: str, phrase: str, provider: str | None = None, asked: tuple[str, ...] = ()) -> Form:
    return Form(provider or form.provider, name, (*form.taken_off, phrase), (*form.asked, *asked))


def _is_googles(resource: re.Match[str], name: str) -> bool:
    return bool(resource["publisher"]) or name[resource.end() :].lower().startswith("gemini")


def _is_unlisted_arn(name: str) -> bool:
    arn = _ARN.match(name)
    return arn is not None and arn["kind"].lower() not in _LISTED_ARNS


def is_free_of_charge(provider_id: str | None, name: str) -> bool:
    """Whether OpenRouter charges nothing for it, whatever model answers: its `:free` variants and its free router."""
    return provider_id == ROUTER and (name.lower().endswith(FREE_SUFFIX) or name.lower() in FREE_ROUTERS)


# ---- which model a name means ----

# A name that moves with time says `latest` and no version: `claude-3-7-sonnet-latest` is the newest snapshot of one
# version, and versions keep their price.
_LATEST = "latest"
_DATE = re.compile(r"(?<!\d)20\d{2}-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01])(?!\d)")
_REVISION = re.compile(r"-v\d+:\d+$|(?<=20\d{6})-v\d+$|@\w+$")
_VENDOR = re.compile(r"^(?:[a-z][a-z-]*\.)+(?=[a-z])")  # us.anthropic.
_WORD = re.compile(r"[a-z]+\d*[a-z]*|\d+(?:\.\d+)*[a-z]*")
# Says where a deployment runs, not which model it is.
_PLACE = re.compile(
    r"apac|asia|au|australia|central|ci|datazone|deploy|deployment|dev|emea|eu|europe|france|germany|global|gov|india|japan"
    r"|jp|preprod|prod|production|qa|region|regional|staging|stg|sweden|switzerland|test|uk|us|usgov"
    r"|(north|south|east|west|central)(us|europe|central)?"
)


def is_moving(name: str) -> bool:
    """Whether a name means whatever model is the latest, by the name alone: `mistral-large-latest`."""
    words = _words_of(name)
    return _LATEST in words and not any(_is_version(word) for word in words)


def is_same_model(name: str, candidate: str) -> bool:
    """Whether two names agree in family, version, size and edition; dates and what only names a place set apart."""
    ours, theirs = _identity(name), _identity(candidate)
    return bool(theirs) and theirs <= ours and all(_PLACE.fullmatch(word) for word in ours - theirs)


def _identity(name: str) -> frozenset[str]:
    return frozenset(_words_of(_VENDOR.sub("", _REVISION.sub("", name.strip().lower().rpartition("/")[2]))))


def _words_of(name: str) -> list[str]:
    """Words of a name without vendor, context window, routing suffix and date: a version is one word, 4-5 being 4.5."""
    name = _CONTEXT_WINDOW.sub("", name.strip().lower()).rpartition("/")[2]
    stem, _, suffix = name.rpartition(":")
    if stem and suffix in SAME_MODEL_SUFFIXES | CHARGED_SUFFIXES:
        name = stem
    name = _DATE.sub("", name)
    name = re.sub(r"(?<![\w.])(\d{1,2})[-p](\d{1,2})(?![\w.])", r"\1.\2", name)
    return _WORD.findall(name)


def _is_version(word: str) -> bool:
    """A word with a number that is not a size: 5, 4.5, 4o, 2512, qwen3; not 8b."""
    return any(letter.isdigit() for letter in word) and not re.fullmatch(r"\d+(?:\.\d+)?[bmk]", word)
