"""Data Docs: Great Expectations' page of each suite's latest result under an index that says what was found.

The pages stand alone: the template of Great Expectations loads styles, scripts and a logo from seven outside hosts
(jsdelivr, cdnjs, jquery, bootstrapcdn, unpkg, amazonaws and a newsletter link), which a closed network would wait for.
All of that is taken out and one small style sheet is put in. Its index lists results by script, so it is replaced.
"""

import html
import re
from typing import Any

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2430; background: #fff; max-width: 68rem; margin: 0 auto;
  padding: 1rem; }
a { color: #1d5fa8; }
i { font-style: normal; }
h1 { font-size: 1.5rem; }
h2, h4, h5 { font-size: 1.1rem; margin: 1.2rem 0 .3rem; }
h6 { font-size: 1rem; margin: .6rem 0 .2rem; }
table { border-collapse: collapse; margin: .4rem 0; }
td, th { border: 1px solid #d5d9e0; padding: .25rem .6rem; text-align: left; vertical-align: top; font-size: .9rem;
  overflow-wrap: anywhere; }
th { background: #f3f5f8; overflow-wrap: normal; }
section, .ge-section { border-top: 1px solid #d5d9e0; padding: .4rem 0 .8rem; }
.passed, .text-success { color: #1a7a3c; }
.warning, .text-warning { color: #8a5a00; }
.error, .text-danger { color: #b3261e; }
i.text-success::before { content: "\\2713"; }
i.text-danger::before, i.text-warning::before { content: "\\2717"; }
.scroll { overflow-x: auto; }
ol.breadcrumb, ul.nav { list-style: none; padding: 0; display: flex; gap: .3rem 1rem; flex-wrap: wrap; }
"""
VERDICTS = {"none": "passed", "warning": "warning", "error": "error"}


def standalone(page: str, definition: dict[str, Any], severity: str) -> str:
    """A page of Great Expectations that needs nothing from outside, says what was found, and links to the files of this site."""
    suite, title, about = (html.escape(definition[key]) for key in ("suite", "title", "about"))
    page = re.sub(r"<script\b.*?</script>", "", page, flags=re.DOTALL | re.IGNORECASE)
    page = re.sub(r"<style\b.*?</style>", "", page, flags=re.DOTALL | re.IGNORECASE)
    page = re.sub(r"<link\b[^>]*>|<img\b[^>]*>", "", page, flags=re.IGNORECASE)
    # the filter buttons and the folded details work by script, and the footer asks for a newsletter subscription
    actions = r'<div class="card mb-3">\s*<div class="card-header p-2">\s*<strong>Actions</strong>'
    page = re.sub(actions + r'.*?(?=<div class="card d-md-block)', "", page, flags=re.DOTALL)
    page = re.sub(r'<a data-toggle="collapse".*?</a>', "", page, flags=re.DOTALL)
    page = re.sub(r"<[^<>]*>[^<>]*<a href=\"https://greatexpectations\.io/newsletter.*?</p>", "", page, flags=re.DOTALL)
    page = re.sub(r'href="(?:\.\./)+index\.html"', 'href="index.html"', page)
    page = re.sub(r"<title>.*?</title>", f"<title>{title}</title>", page, count=1, flags=re.DOTALL)
    page = re.sub(r'<ol class="ge-breadcrumbs.*?</ol>', '<a href="index.html">Data quality</a>', page, flags=re.DOTALL)
    heading = (
        f'<h1>{title}: {_verdict(severity)}</h1>\n<p>{about}</p>\n<p><a href="{suite}.json">The suite as a file</a></p>'
    )
    page = re.sub(r"<h4>Expectation Validation Result</h4>.*?</p>", lambda _: heading, page, flags=re.DOTALL)
    page = page.replace("Table-Level Expectations", "Several columns, or the whole table")
    return page.replace("</head>", f"<style>{STYLE}</style>\n</head>", 1)


def index_page(states: dict[str, dict[str, Any]]) -> str:
    """The site's front page: each suite with its verdict, its sentences and the failing rows."""
    sections = "\n".join(_section(suite, state) for suite, state in states.items())
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Data quality of the LLM cost warehouse</title>
<style>{STYLE}</style>
</head>
<body>
<h1>Data quality of the LLM cost warehouse</h1>
{sections}
</body>
</html>
"""


def _section(suite: str, state: dict[str, Any]) -> str:
    outcome = state["outcome"]
    sentences = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in outcome["sentences"])
    return f"""<section>
<h2>{html.escape(state["title"])}: {_verdict(outcome["severity"])}</h2>
<p>{html.escape(state["about"])}</p>
<ul>{sentences or "<li>Every expectation is met.</li>"}</ul>
{_table(state["failing"])}
<p>{outcome["rows"]:,} rows judged as of {state["as_of"]}, unchanged since.
<a href="{suite}.html">Every expectation</a> · <a href="{suite}.json">the suite</a></p>
</section>"""


def _verdict(severity: str) -> str:
    return f'<span class="{VERDICTS[severity]}">{VERDICTS[severity]}</span>'


def _table(failing: list[list[str]]) -> str:
    if len(failing) < 2:
        return ""
    named = [[column.replace("_", " ") for column in failing[0]], *failing[1:]]
    head, *rows = ("".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row) for tag, row in _tagged(named))
    return f'<div class="scroll"><table><tr>{head}</tr>{"".join(f"<tr>{row}</tr>" for row in rows)}</table></div>'


def _tagged(rows: list[list[str]]) -> list[tuple[str, list[str]]]:
    return [("th" if at == 0 else "td", row) for at, row in enumerate(rows)]
