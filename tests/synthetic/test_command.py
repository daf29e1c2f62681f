"""`python -m hired_gguf.synthetic.synthesize`: what the function does, with help that says what comes out."""

from __future__ import annotations

import subprocess
import sys

import pytest

from hired_gguf.synthetic.metadata import FILE_TYPES
from hired_gguf.synthetic.pair_files import pair_bytes
from hired_gguf.synthetic.shapes import SHAPES
from hired_gguf.synthetic.synthesize import main, show_progress, synthesize


def test_writes_what_the_function_writes_and_prints_the_paths(tmp_path, capsys):
    options = ["--quant", "q8_0", "--mmproj-quant", "q4_0", "--seed", "5", "--chat-template", "mistral"]
    main(["--shape", "tiny", "--out", str(tmp_path / "new"), *options])
    out, err = capsys.readouterr()
    expected = synthesize("tiny", tmp_path, "q8_0", 5, "mistral", mmproj_quant="q4_0")
    made = [tmp_path / "new" / path.name for path in expected]
    assert out.splitlines() == [str(path) for path in made]
    assert [path.read_bytes() for path in made] == [path.read_bytes() for path in expected]
    assert err == "text-tiny-q8_0.gguf 100%\nmmproj-tiny-q4_0.gguf 100%\n"


def test_help_has_the_size_of_every_shape(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = capsys.readouterr().out
    assert "  python -m hired_gguf.synthetic.synthesize --shape tiny --out" in text
    header, *rows = [line.split() for line in text.splitlines()[-1 - len(SHAPES) :]]
    assert rows == [[name, *(f"{pair_bytes(name, q) / 1e6:,.1f}" for q in header)] for name in SHAPES]
    assert header == list(FILE_TYPES)


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path, capsys):
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match="1"):
        main(["--shape", "tiny", "--out", str(tmp_path / "file")])
    err = capsys.readouterr().err
    assert err.startswith(f"error: cannot write to {tmp_path / 'file'}: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("wrong", [["--shape", "huge"], ["--quant", "q5_1"], ["--chat-template", "alpaca"]])
def test_wrong_names_are_wrong_usage(wrong, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--shape", "tiny", "--out", "anywhere", *wrong])
    assert f"argument {wrong[0]}: invalid choice: '{wrong[1]}'" in capsys.readouterr().err


def test_layers_cut_the_text_model_and_are_checked(tmp_path, capsys):
    main(["--shape", "tiny", "--layers", "1", "--out", str(tmp_path)])
    assert capsys.readouterr().out.splitlines()[0] == str(tmp_path / "text-tiny-1-layers-f32.gguf")
    with pytest.raises(SystemExit, match="2"):
        main(["--shape", "tiny", "--layers", "9", "--out", str(tmp_path)])
    assert "error: layers is 9; tiny allows 1 to 2" in capsys.readouterr().err


def test_progress_is_shown_step_by_step_on_a_terminal_only(capsys, monkeypatch):
    show_progress("a.gguf", 1, 4)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    show_progress("a.gguf", 1, 4)
    show_progress("a.gguf", 4, 4)
    assert capsys.readouterr().err == "\ra.gguf  25%\ra.gguf 100%\n"


def test_runs_as_a_module(tmp_path):
    """Without runpy's warning of a module that the package has imported already."""
    command = [sys.executable, "-m", "hired_gguf.synthetic.synthesize", "--shape", "tiny", "--out", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "text-tiny-f32.gguf 100%\nmmproj-tiny-f32.gguf 100%\n")
    assert done.stdout.splitlines() == ["text-tiny-f32.gguf", "mmproj-tiny-f32.gguf"]
