#!/usr/bin/env python3
"""Draws the table of `cargo bench -p resp` as one SVG: for each workload the floor, this crate and the best of others.

    cargo bench -p resp | tee resp/benches/results.md
    python3 resp/benches/plot.py resp/benches/results.md > resp/benches/results.svg

One panel for each workload, since their units differ. Bars are in proportion, but for those of more than 20 times the
floor, which are cut and show a gap. Of each crate the fastest way is shown, its name beside the bar.
"""

import sys
from html import escape

# Titles, the workloads as the benchmark names them, and the contestants that are left out of the panel.
PANELS = [
    ("Pipelined SET requests", "SET requests", ["visiting"]),
    ("…as borrowed frames", "SET requests as frames", []),
    ("…as owned frames", "SET requests as owned frames", []),
    ("Pipelined +OK replies", "+OK replies", ["not iterated", "shared", "owned", "bytes"]),
    ("Array of 10,000 bulk strings", "array of 10,000", []),
    ("Map of 1,000 pairs", "map of 1,000", []),
    ("Array of 10 MB in 16 KiB pieces", "10 MB array in pieces", ["one piece", "160 bytes"]),
    ("Encoding a SET request", "encode a SET request", []),
]
CRATES = ["floor:", "resp ", "redis-protocol ", "redis ", "resp-rs", "rustis ", "hiredis "]

WIDTH, COLUMNS = 880, 2
PANEL_WIDTH, BAR, GAP, HEAD = WIDTH // COLUMNS, 14, 6, 34
LABEL, VALUE, MARGIN = 160, 52, 12
# Times the floor.
CUT = 20

STYLE = """
  text { font: 12px system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 13px }
  .unit, .value { fill: #57606a }
  .floor { fill: #afb8c1 } .ours { fill: #1f883d } .other { fill: #6e9fd8 }
  .ours-label { font-weight: 600 }
  .page { fill: #ffffff } .cut { stroke: #ffffff; stroke-width: 4 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .unit, .value { fill: #9198a1 }
    .page { fill: #0d1117 } .cut { stroke: #0d1117 }
    .floor { fill: #656c76 } .ours { fill: #3fb950 } .other { fill: #4f7fb8 }
  }
"""


def rows(text):
    """The table's rows: workload, unit, contestant, nanoseconds."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) >= 3 and ", per " in cells[0]:
            workload, unit = cells[0].rsplit(", per ", 1)
            yield workload, unit, cells[1], float(cells[2])


def fastest_of_each(table, workload, omitted):
    """The unit, and the fastest contestant of each crate, the floor and this crate first, then by time."""
    found, unit = {}, ""
    for name, per, contestant, ns in table:
        left_out = any(word in contestant for word in omitted) and not contestant.startswith("floor:")
        if name != workload or left_out:
            continue
        unit = per
        crate = next(crate for crate in CRATES if f"{contestant} ".startswith(crate))
        if crate not in found or ns < found[crate][1]:
            found[crate] = (contestant, ns)
    first = [found.pop(crate) + (kind,) for crate, kind in (("floor:", "floor"), ("resp ", "ours")) if crate in found]
    others = sorted(found.values(), key=lambda entry: entry[1])
    return unit, first + [entry + ("other",) for entry in others]


def figure(ns):
    return f"{ns:.2f}" if ns < 1 else f"{ns:.1f}" if ns < 100 else f"{ns:,.0f}"


def panel(x, y, title, unit, bars):
    """One panel's elements, its left upper corner at (x, y)."""
    room = PANEL_WIDTH - LABEL - VALUE - 2 * MARGIN
    most = min(max(ns for _, ns, _ in bars), CUT * bars[0][1])
    yield f'<text class="title" x="{x + MARGIN}" y="{y + 18}">{escape(title)}<tspan class="unit" font-weight="400" dx="6">{escape(unit)}</tspan></text>'
    for index, (name, ns, kind) in enumerate(bars):
        top = y + HEAD - 4 + index * (BAR + GAP)
        left, width = x + MARGIN + LABEL, min(ns / most, 1) * room
        bold = " ours-label" if kind == "ours" else ""
        yield f'<text class="label{bold}" text-anchor="end" x="{left - 8}" y="{top + 11}">{escape(short(name))}</text>'
        yield f'<rect class="{kind}" x="{left}" y="{top}" width="{width:.1f}" height="{BAR}" rx="2"/>'
        if ns > most:
            yield f'<path class="cut" d="M{left + room - 22} {top + BAR + 1}l5 -{BAR + 2}"/>'
        yield f'<text class="value" x="{left + width + 6:.1f}" y="{top + 11}">{figure(ns)}</text>'


def short(name):
    """A contestant's name without what the panel's title says."""
    return name.split(": ")[0].split(",")[0].replace(" RESP2", "").replace(" RESP3", "").replace(" (C)", "")


def draw(panels, title, note):
    """Prints the SVG of panels: for each its title, its unit, and bars of a name, a figure and a class."""
    parts, y = [], 8
    for start in range(0, len(panels), COLUMNS):
        line = panels[start : start + COLUMNS]
        for column, (name, unit, bars) in enumerate(line):
            parts += panel(column * PANEL_WIDTH, y, name, unit, bars)
        y += HEAD + max(len(bars) for _, _, bars in line) * (BAR + GAP) + 10
    parts.append(f'<text class="unit" x="{MARGIN}" y="{y + 8}">{note}</text>')
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 20}" width="{WIDTH}" role="img">')
    print(f"<title>{title}</title><style>{STYLE}</style>")
    # Its own page, since a viewer may follow the system's colours on a page that doesn't.
    print('<rect class="page" width="100%" height="100%" rx="6"/>')
    print("\n".join(parts))
    print("</svg>")


def main():
    table = list(rows(open(sys.argv[1], encoding="utf-8").read()))
    panels = []
    for title, workload, omitted in PANELS:
        unit, bars = fastest_of_each(table, workload, omitted)
        if bars:
            panels.append((title, f"ns per {unit}", bars))
    note = "Shorter is faster. Floor: a scan that only finds where each element ends, or a copy of elements already encoded."
    draw(panels, "Nanoseconds of the resp crate and of other codecs", note)


if __name__ == "__main__":
    main()
