"""Tables and documents, as commands report them."""

from __future__ import annotations

import json

from hired_gguf.reporting import Table, as_json


def test_tables_for_terminals_and_documents():
    table = Table("Title", ("", "first token"), (("stock", "1.0"), ("budget 0.2", "12.5")))
    assert (
        table.as_text()
        == "Title\n              first token\n  stock               1.0\n  budget 0.2         12.5"
    )
    assert table.as_markdown() == (
        "**Title**\n\n|  | first token |\n| --- | ---: |\n| stock | 1.0 |\n| budget 0.2 | 12.5 |"
    )


def test_a_table_without_a_title_is_not_indented():
    assert Table("", ("grid", "n"), (("56 x 112", "48"),)).as_text() == "grid       n\n56 x 112  48"


def test_a_document_has_a_line_a_record():
    document = {"runs": [{"a": 1}, {"a": [2]}], "name": "Größe", "file": "\udcff.gguf"}
    text = as_json(document, "runs")
    assert json.loads(text) == document
    assert text.encode().decode().splitlines()[-5:] == [' "runs": [', '{"a": 1},', '{"a": [2]}', "]", "}"]
    assert "Größe" in text
    assert json.loads(as_json({"runs": [], "n": 1}, "runs")) == {"runs": [], "n": 1}
