"""One list of token kinds: what is generated from it is in its files, and nothing else names a kind that the list lacks."""

from jinja2 import Environment

from orchestration.commands.generate import BLOCK, BLOCKS, FILES, generated
from orchestration.landing.fields import TOKENS, camel_case, snake_case
from orchestration.settings import PROJECT
from pricing.units import COUNTS, LEAVES


def test_what_follows_from_the_list_of_token_kinds_is_in_its_files():
    differ = [path.name for path, text in generated(PROJECT).items() if path.read_text() != text]
    assert differ == [], "LEAVES in pricing/units.py changed: run `make generate`."


def test_every_block_is_in_a_file():
    texts = [(PROJECT / name).read_text() for name in FILES]
    assert {found["name"] for text in texts for found in BLOCK.finditer(text)} == set(BLOCKS)


def test_the_macros_can_be_read_and_have_the_kinds_in_their_published_order():
    macros = (PROJECT / "dbt_project" / "macros" / "core" / "token_kinds.sql").read_text()
    returned = []
    module = Environment(autoescape=False).from_string(macros, {"return": returned.append}).module
    module.token_kinds()
    module.token_counts()
    kinds, counts = returned
    assert [(kind["name"], kind["quantity"]) for kind in kinds] == [(leaf.name, leaf.quantity) for leaf in LEAVES]
    assert [kind["name"] for kind in kinds if kind["count"] is None] == ["billed_requests"]
    assert [count["name"] for count in counts] == list(COUNTS)


def test_a_field_and_its_column_are_two_spellings_of_one_name():
    assert [snake_case(name) for name in TOKENS] == list(COUNTS)
    assert [camel_case(column) for column in COUNTS] == TOKENS
    assert camel_case("cache_write_30m_tokens") == "cacheWrite30mTokens"
    assert snake_case("cacheWrite30mTokens") == "cache_write_30m_tokens"
