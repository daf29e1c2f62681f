"""The stand-in model of a benchmark without files."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from hired_gguf.bench import pair
from hired_gguf.errors import HiredError, NativeError


def test_stand_in_is_not_begun_where_it_could_not_run_or_fit(monkeypatch, tmp_path):
    monkeypatch.setattr(pair.amx_crash, "crash", lambda: "SIGSEGV")
    with pytest.raises(NativeError, match=r"7B stand-in is quantised.*SIGSEGV"):
        pair.stand_in(False, 0, print)
    monkeypatch.setattr(pair.amx_crash, "crash", lambda: None)
    monkeypatch.setattr(pair.shutil, "disk_usage", lambda _: SimpleNamespace(free=10**9))
    with pytest.raises(HiredError, match=r"1\.0 GB free and the stand-in model needs 4\.5"):
        pair.stand_in(False, 0, print)


def test_stand_in_is_announced_and_made_once(monkeypatch):
    made, said = [], []
    monkeypatch.setattr(pair, "cached_pair", lambda *what: made.append(what) or ("text", "mmproj"))
    assert pair.stand_in(True, 0, said.append) == ("text", "mmproj")
    assert (made[0][0], made[0][2]) == ("small", "f16")
    assert "75 MB" in said[0]
