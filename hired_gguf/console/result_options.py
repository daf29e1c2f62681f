"""The options ``--json``, ``--markdown`` and ``--chart``, and results in every form that they ask for."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from ..files import write_whole
from ..reporting import Document, Report, as_json, require_matplotlib
from . import option_types


def add_result_options(parser: argparse.ArgumentParser, json: str, chart: str) -> None:
    """Add the three. ``json`` says what that file holds, ``chart`` what is drawn."""
    add = parser.add_argument_group("results", "a report goes to standard output").add_argument
    add(
        "--json",
        type=option_types.json_target,
        metavar="FILE",
        help=f"also write the results as JSON, {json}; - writes them to standard output, without a report",
    )
    add("--markdown", type=option_types.new_file, metavar="FILE", help="also write the report as Markdown")
    add(
        "--chart", type=option_types.new_file, metavar="FILE.png", help=f"also draw {chart}; needs matplotlib"
    )


def check_results(args: argparse.Namespace) -> None:
    """Raise HiredError if a chart is wanted that cannot be drawn."""
    if args.chart:
        require_matplotlib()


def save_json(args: argparse.Namespace, document: Document, records: str) -> None:
    """Write the document if a file is wanted. Raises OSError."""
    if args.json not in (None, "-"):
        write_whole(args.json, as_json(document, records))


def write_results(
    args: argparse.Namespace,
    document: Document,
    records: str,
    report: Report,
    draw: Callable[[Document, Path], None],
) -> None:
    """Report in all the ways that are asked for; a chart only if there are records. Raises OSError."""
    save_json(args, document, records)
    print(as_json(document, records) if args.json == "-" else report.as_text() + "\n", end="")
    if args.markdown:
        write_whole(args.markdown, report.as_markdown())
    if args.chart and document[records]:
        draw(document, args.chart)
