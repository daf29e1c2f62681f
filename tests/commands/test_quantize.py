"""`hired-gguf quantize`: the new file, how far it is from its source, and what is refused."""

from __future__ import annotations

import json
from functools import partial

import pytest
from gguf_forge import good_mmproj
from golden_pair import FOLDER, MMPROJ, photo
from PIL import Image

from hired_gguf.commands.quantize import sound_pictures
from hired_gguf.model_files import quantize as quantizing


@pytest.fixture
def run(run):
    """Runs `hired-gguf quantize`."""
    return partial(run, "quantize")


def test_help(run):
    code, out, _ = run("--help")
    assert code == 0
    assert "examples:\n  hired-gguf quantize" in out
    assert "On a CPU with AVX-512 or AVX-VNNI it makes encoding" in out


def test_command(run, tmp_path):
    target = tmp_path / "out.gguf"
    code, out, err = run(MMPROJ, target, "--threads", "1")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == [str(MMPROJ), "F32", "1.9", "MiB"]
    assert lines[1].split() == [str(target), "Q8_0", "0.8", "MiB", "(39%)"]
    assert lines[3].split() == ["176", "rows", "of", "3", "pictures", "mean", "least"]
    assert [line[:23].strip() for line in lines[4:]] == [
        "cosine of the rows",
        "same tokens kept at 0.2",
        "same tokens kept at 0.1",
        "relative error",
    ]


def test_command_json(run, tmp_path):
    target = tmp_path / "out.gguf"
    code, out, err = run(
        MMPROJ, target, "--type", "f16", "--json", "--images", photo(), FOLDER, "--threads", 1
    )
    report = json.loads(out)
    assert (code, err) == (0, "")
    assert set(report) == {"source", "target", "left_as_f16", "seconds", "drift"}
    assert report["source"] == {"path": str(MMPROJ), "types": ["F32"], "bytes": MMPROJ.stat().st_size}
    assert report["target"] == {"path": str(target), "types": ["F16"], "bytes": target.stat().st_size}
    assert report["left_as_f16"] == []
    assert report["drift"]["pictures"] == 5
    assert report["drift"]["cosine_mean"] > 0.9999
    assert [kept["budget"] for kept in report["drift"]["kept"]] == [0.2, 0.1]


def test_no_check(run, tmp_path):
    code, out, _ = run(MMPROJ, tmp_path / "a.gguf", "--no-check", "--json")
    assert (code, json.loads(out)["drift"]) == (0, None)
    code, out, _ = run(MMPROJ, tmp_path / "b.gguf", "--no-check")
    assert (code, len(out.splitlines())) == (0, 2)


def test_it_says_what_a_source_has_lost_and_what_stays_f16(run, every_type, tmp_path):
    code, _, err = run(every_type["Q4_0"], tmp_path / "a.gguf", "--no-check")
    assert (code, err) == (
        0,
        "hired-gguf: Q4_0.gguf is Q4_0 already: the precision that it lost does not come back\n",
    )
    source = good_mmproj(X=24).write(tmp_path / "in.gguf")
    code, out, err = run(source, tmp_path / "b.gguf", "--no-check", "--json")
    assert (code, json.loads(out)["left_as_f16"]) == (0, ["mm.2.weight"])
    assert err == ("hired-gguf: left as F16, since blocks of Q8_0 do not divide their rows: mm.2.weight\n")


def test_usage_errors(run, tmp_path):
    there = tmp_path / "there.gguf"
    there.write_text("x")
    empty = tmp_path / "empty"
    empty.mkdir()
    out = tmp_path / "out.gguf"
    for words, text in (
        ((MMPROJ, out, "--type", "Q4_K"), "allowed: F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1"),
        ((MMPROJ, MMPROJ, "--force"), "is the source itself; give another name"),
        ((MMPROJ, there), "there.gguf is there already; --force replaces it"),
        ((MMPROJ, tmp_path / "no" / "out"), "is not there"),
        ((tmp_path / "none", out), "no such file"),
        ((MMPROJ, out, "--images", empty), "no pictures in "),
        ((MMPROJ, out, "--images", tmp_path / "none"), "no such file or folder"),
        ((MMPROJ, out, "--images", photo(), "--no-check"), "not allowed with argument"),
    ):
        code, printed, err = run(*words)
        assert (code, printed, err.count("\n")) == (2, "", 1), err
        assert text in err
    assert there.read_text() == "x"
    assert not out.exists()


def test_failures(run, tmp_path):
    out = tmp_path / "out.gguf"
    for words, text in (
        ((photo(), out), "PNG picture"),
        ((MMPROJ, out, "--images", MMPROJ), "mmproj-f32.gguf"),
    ):
        code, printed, err = run(*words)
        assert (code, printed, err.count("\n")) == (1, "", 1), err
        assert text in err
    assert not out.exists()


def test_ctrl_c(run, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(quantizing, "_convert", interrupt)
    assert run(MMPROJ, tmp_path / "out.gguf") == (130, "", "")
    assert not list(tmp_path.iterdir())


def test_pictures_of_a_folder_in_order(tmp_path):
    for name in ("b.png", "a.JPG", "notes.txt"):
        (tmp_path / name).write_text("x")
    for name in ("b.png", "a.JPG"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    assert sound_pictures([tmp_path]) == [str(tmp_path / name) for name in ("a.JPG", "b.png")]
