"""Models with random weights: made once, in the user's cache folder, whole whatever happens."""

from __future__ import annotations

import subprocess
import sys

import pytest

import hired_gguf
from hired_gguf.errors import HiredError
from hired_gguf.synthetic.cache import cached_pair


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def test_makes_a_pair_that_belongs_together(cache):
    text, mmproj = cached_pair("tiny", cache, "f32")
    assert {text.parent, mmproj.parent} == {cache}
    assert hired_gguf.read_mmproj(mmproj).text_width == 128
    assert sorted(p.name for p in cache.iterdir()) == ["mmproj-tiny-f32.gguf", "text-tiny-f32.gguf"]


def test_is_made_once(cache):
    first = cached_pair("tiny", cache, "f32")
    before = [path.stat() for path in first]
    assert cached_pair("tiny", cache, "f32") == first
    assert [path.stat() for path in first] == before


def test_is_made_again_if_a_file_is_gone(cache):
    text, mmproj = cached_pair("tiny", cache, "f32")
    before = text.read_bytes()
    text.unlink()
    assert cached_pair("tiny", cache, "f32") == (text, mmproj)
    assert text.read_bytes() == before


@pytest.mark.slow
def test_processes_at_once_do_not_disturb_each_other(cache):
    code = "import sys, pathlib; from hired_gguf.synthetic.cache import cached_pair; "
    code += "print(*[p.stat().st_size for p in cached_pair('tiny', pathlib.Path(sys.argv[1]), 'f32')])"
    command = [sys.executable, "-c", code, str(cache)]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]
    sizes = {run.communicate()[0] for run in runs}
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert len(sizes) == 1
    assert len(list(cache.iterdir())) == 2


def test_models_of_fewer_layers_share_the_mmproj(cache):
    whole, mmproj = cached_pair("small", cache, "q8_0")
    before = mmproj.stat()
    cut, same = cached_pair("small", cache, "q8_0", layers=2)
    assert (cut.name, same) == ("text-small-2-layers-q8_0.gguf", mmproj)
    assert mmproj.stat() == before
    assert cut.stat().st_size < whole.stat().st_size / 2


def test_a_failure_names_folder_and_reason(cache):
    cache.write_text("a file where the folder should be")
    with pytest.raises(HiredError, match=r"cannot make a model .* in .*cache: .*File exists"):
        cached_pair("tiny", cache, "f32")
