"""What a benchmark says of the machine."""

from __future__ import annotations

import os

from hired_gguf.bench import machine
from hired_gguf.bench.measurement import peak_rss


def test_machine_tells_what_numbers_depend_on():
    facts = machine.machine(2)
    assert facts["threads"] == 2
    assert facts["processor"]
    assert 1 <= facts["cores"] <= os.cpu_count()
    assert facts["versions"]["llama-cpp-python"]
    assert peak_rss() > 2**20
    assert "busy (load 4.0 on 2 cores)" in machine.busy({"load": 4.0, "cores": 2})
    assert machine.busy({"load": None, "cores": 2}) == machine.busy({"load": 0.1, "cores": 2}) == ""
