#!/usr/bin/env python3
"""Draws the table of `cargo bench -p server` as one SVG, with the codec's own script: a panel for each workload.

    cargo bench -p server | tee server/benches/results.md
    python3 server/benches/plot.py server/benches/results.md > server/benches/results.svg
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "resp" / "benches"))
sys.dont_write_bytecode = True
import plot  # noqa: E402

CLASSES = {"resp-server": "ours"}


def main():
    panels = {}
    for workload, _, server, microseconds in plot.rows(open(sys.argv[1], encoding="utf-8").read()):
        panels.setdefault(workload, []).append((server, microseconds, CLASSES.get(server, "other")))
    note = "Shorter is faster: processor time of the server, its network stack included."
    units = [(workload, "µs per request", bars) for workload, bars in panels.items()]
    plot.draw(units, "Processor time of redis-server and of resp-server", note)


main()
