"""Tables for terminals and for documents."""

from __future__ import annotations

from hired_gguf.reporting import Table


def test_tables_for_terminals_and_documents():
    table = Table("Title", ("", "first token"), (("stock", "1.0"), ("budget 0.2", "12.5")))
    assert (
        table.as_text()
        == "Title\n              first token\n  stock               1.0\n  budget 0.2         12.5"
    )
    assert table.as_markdown() == (
        "**Title**\n\n|  | first token |\n| --- | ---: |\n| stock | 1.0 |\n| budget 0.2 | 12.5 |"
    )
