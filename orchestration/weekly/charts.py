"""The charts, drawn by Vega-Lite into SVG: no browser, no network. Colours are the page's own variables, so they follow light and dark.

Each is drawn twice, for a screen or paper and for a telephone: an SVG that is merely scaled down has labels nobody can read.
"""

import re
from decimal import Decimal
from html import escape

from orchestration.wording import change, short_usd, usd

VEGA_LITE = "6.4"
WIDE, NARROW = "wide", "narrow"
INK, MUTED, LINE = "currentColor", "var(--muted)", "var(--line)"
ACCENT, PALE, UP, DOWN = "var(--accent)", "var(--accent-pale)", "var(--up)", "var(--down)"
TRUNCATE_ABOVE = Decimal("0.6")  # of the highest bar: effects that small cannot be seen next to whole bars

Spec = dict[str, object]
Bar = tuple[str, str]  # label and amount
PerhapsUnknown = tuple[str, str | None]


def columns(bars: list[PerhapsUnknown], says: str, before: list[str | None] | None = None) -> str:
    """Bars side by side with their amounts above; the last one emphasised, or all of them before paler ones of another time."""
    values = [
        {
            "label": label,
            "amount": float(amount) if amount is not None else 0,
            "before": float(earlier) if earlier is not None else None,
            "text": short_usd(amount) if amount is not None else "–",
            "colour": ACCENT if before or place == len(bars) - 1 else PALE,
            "weight": "bold" if not before and place == len(bars) - 1 else "normal",
        }
        for place, ((label, amount), earlier) in enumerate(zip(bars, before or [None] * len(bars), strict=True))
    ]
    x = {"field": "label", "type": "ordinal", "sort": None, "axis": _axis()}
    y = {"type": "quantitative", "axis": None, "stack": None}  # stacked bars are clipped, by ids that count up
    texts = {"y": y | {"field": "amount"}, "text": {"field": "text"}}  # on its own bar, also before a higher one
    layers = [
        *([{"mark": {"type": "bar", "color": PALE}, "encoding": {"y": y | {"field": "before"}}}] if before else []),
        {
            "mark": {"type": "bar"} | ({"width": {"band": 0.5}} if before else {}),
            "encoding": {"y": y | {"field": "amount"}, "color": _colour()},
        },
        *[
            {
                "mark": {"type": "text", "dy": -8, "fontSize": 11, "fontWeight": weight},
                "transform": [{"filter": f"datum.weight == '{weight}'"}],
                "encoding": texts,
            }
            for weight in ("normal", "bold")
        ],
    ]
    return _drawn(
        says,
        {
            width: {"width": size, "height": 190, "encoding": {"x": x}, "layer": layers, "data": {"values": values}}
            for width, size in ((WIDE, 500), (NARROW, 350))
        },
    )


def bridge(first: Bar, effects: list[Bar], last: Bar, says: str) -> tuple[str, str | None]:
    """From one total to the next by its effects; also where the axis begins, when that is not zero."""
    steps: list[tuple[str, Decimal, Decimal, str]] = []
    level = Decimal(first[1])
    for label, amount in effects:
        steps.append((label, level, level + Decimal(amount), change(amount)))
        level += Decimal(amount)
    lowest = min(Decimal(first[1]), Decimal(last[1]), *(min(start, end) for _, start, end, _ in steps))
    highest = max(Decimal(first[1]), Decimal(last[1]), *(max(start, end) for _, start, end, _ in steps))
    base = min(lowest, Decimal(0))
    if lowest > highest * TRUNCATE_ABOVE:
        base = _round_below(lowest - (highest - lowest))
    bars = [
        (first[0], base, Decimal(first[1]), usd(first[1]), PALE),
        *((label, start, end, text, UP if end > start else DOWN) for label, start, end, text in steps),
        (last[0], base, Decimal(last[1]), usd(last[1]), ACCENT),
    ]
    values: list[Spec] = [
        {
            "label": label,
            "start": float(start),
            "end": float(end),
            "text": text,
            "colour": colour,
            "top": float(max(start, end)),
            "next": bars[min(place + 1, len(bars) - 1)][0],
        }
        for place, (label, start, end, text, colour) in enumerate(bars)
    ]
    svg = _drawn(says, {WIDE: _bridge(values, base, highest), NARROW: _bridge_lying(values, base, highest)})
    return svg, usd(base) if base > 0 else None


def _bridge(values: list[Spec], base: Decimal, highest: Decimal) -> Spec:
    scale = {"domain": [float(base), float(highest)], "zero": False, "nice": False}
    y = {"type": "quantitative", "axis": None, "scale": scale}
    x = {"field": "label", "type": "ordinal", "sort": None, "axis": _axis(), "scale": {"padding": 0.28}}
    return {
        "width": 1010,
        "height": 230,
        "data": {"values": values},
        "encoding": {"x": x},
        "layer": [
            {
                "mark": {"type": "rule", "color": MUTED, "strokeDash": [2, 3]},
                "transform": [{"filter": "datum.label != datum.next"}],
                "encoding": {"y": y | {"field": "end"}, "x2": {"field": "next"}},
            },
            {
                "mark": {"type": "bar"},
                "encoding": {"y": y | {"field": "start"}, "y2": {"field": "end"}, "color": _colour()},
            },
            {
                "mark": {"type": "text", "dy": -9, "fontSize": 12.5},
                "encoding": {"y": y | {"field": "top"}, "text": {"field": "text"}},
            },
        ],
    }


def _bridge_lying(values: list[Spec], base: Decimal, highest: Decimal) -> Spec:
    room = float(highest) + float(highest - base) * 0.55  # for the labels next to the bars
    x = {"type": "quantitative", "axis": None, "scale": {"domain": [float(base), room], "zero": False, "nice": False}}
    y = {"field": "label", "type": "ordinal", "sort": None, "axis": _axis(), "scale": {"padding": 0.28}}
    return {
        "width": 275,
        "height": 230,
        "data": {"values": values},
        "encoding": {"y": y},
        "layer": [
            {
                "mark": {"type": "bar"},
                "encoding": {"x": x | {"field": "start"}, "x2": {"field": "end"}, "color": _colour()},
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 6, "fontSize": 12},
                "encoding": {"x": x | {"field": "top"}, "text": {"field": "text"}},
            },
        ],
    }


def _round_below(amount: Decimal) -> Decimal:
    """A round number not above an amount: two digits."""
    if amount <= 0:
        return Decimal(0)
    step = Decimal(10) ** (amount.adjusted() - 1)
    return amount // step * step


def _axis() -> Spec:
    return {"title": None, "ticks": False, "labelAngle": 0, "labelPadding": 6, "domainColor": LINE, "labelLimit": 110}


def _colour() -> Spec:
    return {"field": "colour", "type": "nominal", "scale": None}


def _drawn(says: str, specs: dict[str, Spec]) -> str:
    return "".join(_svg(spec, width, says) for width, spec in specs.items())


def _svg(spec: Spec, width: str, says: str) -> str:
    import vl_convert  # 84 MB of it: only when something is drawn

    config = {
        "aria": False,
        "background": None,
        "font": "sans-serif",
        "view": {"stroke": None},
        "text": {"color": INK},
        "axis": {"labelColor": INK, "labelFontSize": 12, "grid": False},
    }
    svg = vl_convert.vegalite_to_svg(
        spec | {"config": config, "padding": 2}, vl_version=VEGA_LITE, allowed_base_urls=[]
    )
    svg = re.sub(r'^<svg xmlns=\S+ xmlns:xlink=\S+ version="1.1" class="marks"', f'<svg class="chart {width}"', svg)
    return svg.replace(">", f' role="img" aria-label="{escape(says)}">', 1)
