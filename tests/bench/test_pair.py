"""The stand-in models of a benchmark without files."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from hired_gguf.bench import disk, pair
from hired_gguf.bench.pair import Files, StandIn, given
from hired_gguf.errors import HiredError, InputError, NativeError

QUICK, LARGE = StandIn(quick=True, layers=None, gpu_layers=0), StandIn(quick=False, layers=None, gpu_layers=0)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HIRED_GGUF_CACHE", str(tmp_path))
    return tmp_path


def test_given_files_are_called_by_their_type(tiny):
    assert given(*tiny) == Files({"f32": tiny[0]}, tiny[1])


def test_a_stand_in_is_not_begun_where_it_could_not_run_or_fit(monkeypatch, cache):
    monkeypatch.setattr(pair.amx_crash, "crash", lambda: "SIGSEGV")
    for make in (lambda: LARGE.pair(print), lambda: QUICK.types(["q4_0"], 1, print, print)):
        with pytest.raises(NativeError, match=r"stand-in is quantised.*SIGSEGV"):
            make()
    monkeypatch.setattr(pair.amx_crash, "crash", lambda: None)
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: SimpleNamespace(free=10**9))
    with pytest.raises(HiredError, match=r"1\.0 GB free and the stand-in model needs 4\.5"):
        LARGE.pair(print)
    with pytest.raises(HiredError, match=r"1\.0 GB free and the stand-in model needs 18\.\d"):
        LARGE.types(["q4_0"], 1, print, print)
    assert list(cache.iterdir()) == []


def test_a_stand_in_is_announced_and_made_once(cache):
    said = []
    files = QUICK.pair(said.append)
    assert list(files.texts) == ["f16"]
    assert files.mmproj.parent.parent == cache
    assert len(said) == 1
    assert "making a pair with random weights, 71 MB, in" in said[0]
    assert QUICK.pair(said.append) == files
    assert len(said) == 1


def test_a_stand_in_may_have_fewer_layers(cache):
    files = StandIn(quick=True, layers=1, gpu_layers=0).pair(print)
    assert files.texts["f16"].name == "text-small-1-layers-f16.gguf"
    with pytest.raises(InputError, match="layers is 9; small allows 1 to 8"):
        StandIn(quick=True, layers=9, gpu_layers=0).pair(print)
    assert (QUICK.whole, LARGE.whole) == (8, 32)
