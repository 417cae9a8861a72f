"""A comparison as one HTML page that needs nothing from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape

from backpack.compare.comparison import Comparison, Round
from backpack.compare.plots import measures, plot
from backpack.compare.words import COLUMNS, about, cells, notes, title
from backpack.wording import one_line

__all__ = ["page"]

# The colours are the reader's: light on dark, or dark on light.
_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Backpack: a comparison</title>
<style>
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: right; vertical-align: bottom; }
th { font-weight: 600; }
tr { border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
tr > :first-child { text-align: left; min-width: 9rem; overflow-wrap: anywhere; }
.bound, .note { opacity: .75; }
.scroll { overflow-x: auto; }
figure { margin: 1rem 0; }
img { width: 100%; max-width: 52rem; height: auto; }
code { overflow-wrap: anywhere; }
</style>
</head>
<body>
"""


def page(comparison: Comparison, command: str) -> str:
    """Return a page with the tables and the plots; all that is not ours is escaped.

    Args:
        comparison: What to show.
        command: What was called to make it.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    return (
        _HEAD + "".join(f"{part}\n" for part in _parts(comparison, command)) + "</body>\n</html>\n"
    )


def _parts(comparison: Comparison, command: str) -> Iterator[str]:
    yield "<h1>Backpack: a comparison</h1>"
    yield f"<p>{escape(about(comparison))}</p>"
    yield f"<p>Made by <code>{escape(one_line(command, longest=1_000))}</code></p>"
    if comparison.survey.error is not None:
        yield f"<p>✘ The trace cannot be read further: {escape(comparison.survey.error)}</p>"
    for measure in measures(comparison):
        drawn = base64.b64encode(plot(comparison, measure).encode()).decode()
        text = f"{measure.label.capitalize()}; the numbers stand in the tables"
        yield f'<figure><img alt="{escape(text)}" src="data:image/svg+xml;base64,{drawn}"></figure>'
    for each in comparison.rounds:
        yield f"<h2>{escape(title(each))}</h2>"
        yield from _table(each, comparison)
        yield from _notes(each, comparison)


def _table(each: Round, comparison: Comparison) -> Iterator[str]:
    yield '<div class="scroll"><table>'
    headings = "".join(f'<th scope="col">{escape(column.long)}</th>' for column in COLUMNS)
    yield f'<thead><tr><th scope="col">contender</th>{headings}</tr></thead>'
    yield "<tbody>"
    for row in each.rows:
        kind = ' class="bound"' if row.is_bound else ""
        data = "".join(f"<td>{escape(cell)}</td>" for cell in cells(row, comparison))
        yield f'<tr{kind}><th scope="row">{escape(one_line(row.name))}</th>{data}</tr>'
    yield "</tbody></table></div>"


def _notes(each: Round, comparison: Comparison) -> Iterator[str]:
    yield "<ul>"
    for note in notes(each, comparison):
        kind, mark = ("", "✘ ") if note.is_failure else (' class="note"', "")
        yield f"<li{kind}>{mark}{escape(one_line(note.name))}: {escape(note.text)}</li>"
    yield "</ul>"
