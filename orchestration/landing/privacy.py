"""What never enters the raw zone: bodies of prompts and completions and, with a secret, plain ids of tenants, users and keys."""

import hashlib
import hmac
import json
import re
from collections.abc import Callable

from orchestration.landing.text import tidy

KEPT_BYTES = 64 << 10  # how much of a line a reject keeps
# Keys (in any case) under which SDKs and gateways put prompts and completions. They are dropped wherever they are: next to the
# native fields, in metadata, and inside of its objects. `gen_ai.usage.*` and the like hold numbers and stay.
BODY_KEYS = [
    "messages",
    "prompt",
    "prompts",
    "completion",
    "completions",
    "choices",
    "content",
    "contents",
    "response",
    "responses",
    "body",
    "text",
    "response_?body",
    "request_?body",
    "input",
    "inputs",
    "output",
    "outputs",
    "system_?prompt",
    "system_?instructions?",
    "tools",
    "tool_?calls",
    "functions",
    "function_?call",
    "gen_ai\\.(?:[a-z_]+\\.)*(?:messages|content)",
    "gen_ai\\.system_instructions",
    "gen_ai\\.(?:prompt|completion|input|output)(?:\\..*)?",
    "gen_ai\\.tool\\.(?:definitions|call\\..*)",
    "llm\\.(?:prompts?|completions?|(?:input|output)_messages)(?:\\..*)?",
    "traceloop\\.entity\\.(?:input|output)",
]
BODY = "(?:" + "|".join(BODY_KEYS) + ")"
# Names of fields that hold an id of a tenant, of a user or of a provider's API key, ignoring case and everything but letters and
# digits (`User-ID`, `user_id` and `user.id` are one name): a noun alone, or any name that ends in a noun and what it is called by.
ID_NOUNS = ("tenant", "user", "customer", "account", "organi[sz]ation", "org", r"api[\W_]*key")
# The native fields that hold one. An account at the provider is not an id of a person, and an invoice names it as it is.
ID_FIELDS = ("tenantId", "userId", "apiKeyId")
NOUN = "(?:" + "|".join(ID_NOUNS) + ")s?"
ID_NAMES = rf"(?:end)?{NOUN}|uid|e?mail|emailaddress|.*{NOUN}(?:u?ids?|uuids?|guids?|names?|e?mails?)"
DROPPED = " [body dropped]"
WITHHELD = "[withheld: ids in a line that cannot be read cannot be hashed]"
WITHHELD_UNREAD = "[withheld: a line of this source may hold prompts]"
WITHHELD_BODY = "[withheld: the file has a column of prompts or completions]"

_is_body = re.compile(BODY, re.IGNORECASE).fullmatch
_is_id = re.compile(ID_NAMES).fullmatch
_first_body = re.compile(rf"""["']?(?<![\w.]){BODY}["']?\s*[:=]""", re.IGNORECASE).search


def is_body(key: str) -> bool:
    """Whether a field of this name holds a prompt or a completion."""
    return _is_body(key) is not None


def is_id(key: str) -> bool:
    """Whether a field of this name holds an id of a tenant, a user or an API key."""
    return _is_id(re.sub(r"[\W_]+", "", key).casefold()) is not None


def id_hasher(secret: str) -> Callable[[str], str]:
    """HMAC-SHA256 in hex under the secret; without one, ids stay as they are."""
    key = secret.encode()
    return (lambda text: hmac.new(key, text.encode(), hashlib.sha256).hexdigest()) if secret else (lambda text: text)


def hmac_pads(secret: str) -> tuple[bytes, bytes]:
    """The inner and outer key block of RFC 2104: sha256(outer || sha256(inner || message)) is the HMAC."""
    key = secret.encode()
    key = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    return bytes(byte ^ 0x36 for byte in key), bytes(byte ^ 0x5C for byte in key)


def needs_cleaning(secret: str) -> str:
    """The pattern (RE2, case ignored) of a JSON text that `cleaned` would change; seldom more than it would change."""
    ids = rf"|{'|'.join(ID_NOUNS)}|uid|mail|\\u00[2-7]" if secret else ""
    return rf'"{BODY}\\*"\s*:|NaN|Infinity|"tenantId.*"tenantId{ids}'


def cleaned(value, hash_id: Callable[[str], str]):
    """A JSON value without bodies at any depth, JSON inside of strings included; ids are passed through `hash_id`."""
    if isinstance(value, dict):
        return {
            key: hashed(item, hash_id) if is_id(key) else cleaned(item, hash_id)
            for key, item in value.items()
            if not is_body(key)
        }
    if isinstance(value, str) and value.lstrip().startswith(("{", "[", '"')):
        try:
            inside = json.loads(value, parse_constant=lambda _: None)
        except (ValueError, RecursionError):
            return value
        kept = cleaned(inside, hash_id)
        return value if kept == inside else json_text(kept)
    return [cleaned(item, hash_id) for item in value] if isinstance(value, list) else value


def hashed(value, hash_id: Callable[[str], str]):
    """The value under the name of an id: each of several is hashed alone, an object as a whole."""
    if isinstance(value, list):
        return [hashed(item, hash_id) for item in value]
    if value is None or value == "":
        return value
    text = tidy(value) if isinstance(value, str) else json_text(value)
    digest = hash_id(text)
    return value if digest == text else digest


def cleaned_text(text: str, hash_id: Callable[[str], str]) -> str:
    """`cleaned` for a JSON text; NaN and Infinity, which are not JSON, become null. Raises ValueError on broken JSON."""
    return json_text(cleaned(json.loads(text, parse_constant=lambda _: None), hash_id))


def json_text(value) -> str:
    """Compact JSON as DuckDB writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def kept_line(line: str, secret: str) -> str:
    """What a reject may keep of its line: no body, no plain id when there is a secret, at most 64 KiB."""
    try:
        kept = cleaned_text(line, id_hasher(secret))
    except (ValueError, RecursionError):
        if secret:
            return WITHHELD
        line = line[:KEPT_BYTES]
        found = _first_body(line)
        kept = line[: found.start()] + DROPPED if found else line
    # half a surrogate pair is not text: it stays the escape that the sender wrote
    return kept.encode(errors="backslashreplace")[:KEPT_BYTES].decode(errors="ignore")
