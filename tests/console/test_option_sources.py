"""Options from the command line, the environment and a TOML file: which wins, and what is told of a slip."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from golden_pair import MMPROJ, TEXT, photo
from paths import ROOT

from hired_gguf import HiredError, TokenBudget
from hired_gguf.bench.pair import Files, StandIn
from hired_gguf.cli import build_parser, main
from hired_gguf.commands import bench
from hired_gguf.console import option_sources
from hired_gguf.console.option_table import SHARED
from hired_gguf.console.terminal import StatusLine

COFFEE = str(photo("coffee"))
ASK = ("ask", COFFEE, "q")
DOCUMENT = (ROOT / "docs" / "options.md").read_text()


@pytest.fixture
def write(tmp_path):
    """Writes a file of options; its path."""

    def writer(text, name="hired-gguf.toml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return str(path)

    return writer


def filled(*argv):
    args = build_parser().parse_args(argv)
    option_sources.fill(args)
    return args


def refused(capsys, *argv):
    """The one line that a wrong option gives."""
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


# Precedence


def test_defaults_are_those_of_the_package():
    args = filled(*ASK)
    assert {name: getattr(args, option.dest) for name, option in SHARED.items()} == {
        **{"model": None, "mmproj": None, "n-ctx": 4096, "gpu-layers": -1, "threads": None},
        **{"device": "auto", "flash-attention": "auto"},
        **dict.fromkeys(("budget", "tokens", "policy", "alpha", "allocation", "selection", "newlines")),
        **{"system": None, "template": None, "max-tokens": 256, "temperature": 0.0, "seed": None},
        **{"allow-http": False, "max-pixels": 100_000_000},
    }
    assert set(args.origins.values()) == {"default"}


def test_a_nearer_policy_is_not_undone_by_a_farther_alpha(write, monkeypatch):
    file = write('alpha = 0.3\nbudget = 0.4\nallocation = "uniform"')
    assert filled(*ASK, "--config", file).token_budget == TokenBudget(0.4, alpha=0.3, allocation="uniform")
    monkeypatch.setenv("HIRED_GGUF_POLICY", "official")
    assert filled(*ASK, "--config", file).token_budget == TokenBudget.of(0.4, policy="official")
    near = filled(*ASK, "--config", file, "--tokens", "9", "--alpha", "1")
    assert near.token_budget == TokenBudget.of(9, policy="official", alpha=1.0)


def test_budget_and_tokens_together_are_wrong_usage(capsys):
    said = refused(capsys, *ASK, "--budget", "0.2", "--tokens", "9")
    assert "budget and tokens are both given" in said


def test_help_names_the_defaults():
    for option in SHARED.values():
        told = option.help.rpartition("(default: ")[2].removesuffix(")")
        if option.default not in (None, False):
            assert told == str(option.default)


def test_the_command_line_wins_then_the_environment_then_the_file(write, monkeypatch):
    path = write('budget = 0.4\nn-ctx = 2000\nalpha = 0.4\nallocation = "uniform"\n')
    monkeypatch.setenv("HIRED_GGUF_BUDGET", "0.3")
    monkeypatch.setenv("HIRED_GGUF_ALPHA", "0.3")
    args = filled(*ASK, "--config", path, "--budget", "0.1")
    assert (args.budget, args.alpha, args.n_ctx, args.allocation, args.max_tokens) == (
        *(0.1, 0.3, 2000, "uniform"),
        256,
    )
    assert args.origins == {
        **dict.fromkeys(SHARED, "default"),
        **{"budget": "command line", "alpha": "HIRED_GGUF_ALPHA", "n-ctx": path, "allocation": path},
    }


@pytest.mark.parametrize(
    ("key", "toml", "value"),
    [
        ("budget", "640", 640),
        ("budget", "1", 1),
        ("budget", "1.0", 1.0),
        ("alpha", "1", 1.0),
        ("gpu-layers", "-1", -1),
        ("threads", "2", 2),
        ("device", '"cpu"', "cpu"),
        ("flash-attention", '"off"', "off"),
        ("template", '"mistral"', "mistral"),
        ("system", "'Be brief: a \"word\".'", 'Be brief: a "word".'),
        ("temperature", "0.7", 0.7),
        ("seed", "7", 7),
        ("allow-http", "true", True),
        ("allow-http", "false", False),
        ("model", f"'{TEXT}'", TEXT),
    ],
)
def test_a_value_is_the_same_from_anywhere(write, monkeypatch, key, toml, value):
    option = SHARED[key]
    from_file = getattr(filled(*ASK, "--config", write(f"{key} = {toml}")), option.dest)
    monkeypatch.setenv(option.variable, toml.strip("'\""))
    from_environment = getattr(filled(*ASK), option.dest)
    for got in (from_file, from_environment):
        assert (got, type(got)) == (value, type(value))


@pytest.mark.parametrize(("text", "value"), [("1", True), ("Yes", True), ("off", False), ("0", False)])
def test_words_for_yes_and_no(monkeypatch, text, value):
    monkeypatch.setenv("HIRED_GGUF_ALLOW_HTTP", text)
    assert filled(*ASK).allow_http is value


def test_the_command_line_turns_off_what_the_file_turns_on(write):
    path = write("allow-http = true")
    assert filled(*ASK, "--config", path, "--no-allow-http").allow_http is False
    assert filled(*ASK, "--config", path).allow_http is True


def test_an_empty_variable_is_none(monkeypatch):
    monkeypatch.setenv("HIRED_GGUF_BUDGET", "")
    monkeypatch.setenv("HIRED_GGUF_CONFIG", "")
    assert filled(*ASK).token_budget == TokenBudget()


def test_options_that_a_command_lacks_do_not_bother_it(write):
    args = filled("bench", "--config", write("budget = 7.5\nthreads = 3"))
    assert args.threads == 3
    assert not hasattr(args, "budget")


def test_an_answer_comes_with_the_options_of_the_file(write, capsys, tmp_path):
    for path in (TEXT, MMPROJ):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    path = write(
        f"model = '{TEXT.name}'\nmmproj = '{MMPROJ.name}'\nbudget = 20\nmax-tokens = 3\nthreads = 1\n"
    )
    assert main([*ASK, "--config", path, "--json"]) == 0
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert err == ""
    assert (answer["budget"], answer["visual_tokens"], answer["completion_tokens"]) == (20, 20, 3)
    assert answer["model"] == str(tmp_path / TEXT.name)  # beside the file of options


# Which file


def test_the_variable_names_the_file_unless_the_command_line_does(write, monkeypatch):
    monkeypatch.setenv("HIRED_GGUF_CONFIG", write("budget = 0.3", "a.toml"))
    assert filled(*ASK).budget == 0.3
    assert filled(*ASK, "--config", write("budget = 0.4", "b.toml")).budget == 0.4


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="XDG")
def test_the_users_own_file_is_found(tmp_path, monkeypatch, write):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = write("budget = 0.3", "hired-gguf/hired-gguf.toml")
    args = filled(*ASK)
    assert (args.budget, args.origins["budget"]) == (0.3, path)


def test_a_file_from_windows_is_read(tmp_path):
    path = tmp_path / "a.toml"
    path.write_bytes(b"\xef\xbb\xbfbudget = 0.3\r\n")
    assert filled(*ASK, "--config", str(path)).budget == 0.3


# Errors


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("bugdet = 1", "{path}: 'bugdet' is no option; did you mean 'budget'?"),
        ("n_ctx = 1", "{path}: 'n_ctx' is no option; did you mean 'n-ctx'?"),
        ("Max_Tokens = 1", "{path}: 'Max_Tokens' is no option; did you mean 'max-tokens'?"),
        ("[model]\npath = 'x'", "{path}: model is {'path': 'x'}; allowed: a text in quotes"),
        ("zzz = 1", "{path}: 'zzz' is no option; allowed: model, mmproj, n-ctx,"),
        ("budget = '0.2'", "{path}: budget is '0.2'; allowed: a number"),
        ("budget = 1.5", "{path}: budget: '1.5' is neither a fraction above 0 and up to 1.0, nor"),
        ("threads = 2.0", "{path}: threads is 2.0; allowed: a whole number"),
        ("threads = true", "{path}: threads is true; allowed: a whole number"),
        ("threads = 0", "{path}: threads: '0' is not a whole number from 1 to 512"),
        ("temperature = inf", "{path}: temperature: 'inf' is not a number of at least 0"),
        ("allow-http = 1", "{path}: allow-http is 1; allowed: true or false"),
        ("allocation = 'fair'", "{path}: allocation: 'fair' is none of hired, official, uniform"),
        ("template = ['vicuna']", "{path}: template is ['vicuna']; allowed: a text in quotes"),
        ("device = 'CUDA9'", "{path}: device: there is no device 'CUDA9'; allowed: auto, cpu"),
        ("model = 'none.gguf'", "{path}: model: no such file: '{folder}/none.gguf'"),
        ("budget 0.2", "{path} is no TOML file: "),
        ("budget = 0.2\nbudget = 0.3", "{path} is no TOML file: "),
    ],
)
def test_a_wrong_file_is_told(write, capsys, text, told):
    path = write(text)
    expected = told.replace("{path}", path).replace("{folder}", str(Path(path).parent))
    assert refused(capsys, *ASK, "--config", path).startswith(f"hired-gguf: error: {expected}")


def test_other_encodings_are_told(tmp_path, capsys):
    path = tmp_path / "a.toml"
    path.write_bytes("system = 'gr\xfc\xdfe'".encode("latin-1"))
    assert "is no TOML file: 'utf-8'" in refused(capsys, *ASK, "--config", str(path))


def test_a_file_that_was_asked_for_must_be_there(capsys, monkeypatch, tmp_path):
    assert "no such file of options: 'none.toml'" in refused(capsys, *ASK, "--config", "none.toml")
    assert "cannot be read" in refused(capsys, *ASK, "--config", str(tmp_path))
    monkeypatch.setenv("HIRED_GGUF_CONFIG", "gone.toml")
    assert "no such file of options: 'gone.toml'" in refused(capsys, *ASK)


def test_ones_own_file_need_not_be_readable(run, monkeypatch, tmp_path):
    """Someone else's HOME, as in a container or under sudo; a file in a folder's place."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "hired-gguf").write_text("a file")
    path = tmp_path / "hired-gguf" / "hired-gguf.toml"
    _, out, err = run("doctor", "--json")
    assert f"hired-gguf: going on without the file of options '{path}': Not a directory\n" in err
    settings = json.loads(out)["settings"]
    assert (settings["config_file"], settings["config_file_there"]) == (str(path), False)
    monkeypatch.setenv("HIRED_GGUF_CONFIG", str(path))
    assert "cannot be read: Not a directory" in run("doctor")[1]


def test_a_user_without_a_home_has_no_file(run, monkeypatch):
    monkeypatch.setattr(option_sources, "user_folder", user_folder_of_nobody)
    _, out, _ = run("doctor")
    assert "  file  (no home folder) (not there)\n" in out
    assert "HIRED_GGUF_CONFIG" not in out


def user_folder_of_nobody(kind):
    raise HiredError("this user has no home folder")


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("BUDGET", "half", "HIRED_GGUF_BUDGET: 'half' is neither a fraction"),
        ("N_CTX", "4k", "HIRED_GGUF_N_CTX: '4k' is not a whole number from 1 to 1048576"),
        ("ALLOW_HTTP", "maybe", "HIRED_GGUF_ALLOW_HTTP: 'maybe' is neither true nor false"),
        ("NEWLINES", "some", "HIRED_GGUF_NEWLINES: 'some' is none of auto, keep, drop"),
        ("MODEL", "none.gguf", "HIRED_GGUF_MODEL: no such file: 'none.gguf'"),
    ],
)
def test_a_wrong_variable_is_told(monkeypatch, capsys, name, text, told):
    monkeypatch.setenv(f"HIRED_GGUF_{name}", text)
    assert f"error: {told}" in refused(capsys, *ASK)
    option = SHARED[name.lower().replace("_", "-")]
    if option.kinds != (bool,) and not option.is_path:
        monkeypatch.delenv(f"HIRED_GGUF_{name}")
        assert filled(*ASK).origins[option.name] == "default"


# Commands with a model of their own


def test_quick_bench_minds_only_a_model_of_the_command_line(write, monkeypatch, capsys):
    path = write(f"model = '{TEXT}'\nmmproj = '{MMPROJ}'")
    small = Files({}, MMPROJ)
    monkeypatch.setattr(StandIn, "pair", lambda self, _: small)
    given = bench.files_of(filled("bench", "--config", path), 1, StatusLine())
    assert list(given.texts.values()) == [TEXT]
    assert given.mmproj == MMPROJ
    assert bench.files_of(filled("bench", "--quick", "--config", path), 1, StatusLine()) is small
    told = refused(capsys, "bench", "--quick", "--config", path, "--mmproj", str(MMPROJ))
    assert "--quick measures random weights of its own" in told


# doctor


def test_doctor_shows_what_is_in_effect(write, monkeypatch, capsys):
    monkeypatch.setenv("HIRED_GGUF_BUDGET", "0.3")
    path = write("budget = 0.4\nn-ctx = 2000")
    main(["doctor", "--config", path, "--json"])
    facts = json.loads(capsys.readouterr().out)["settings"]
    assert facts == {
        "config_file": path,
        "config_file_there": True,
        "options": {
            "n-ctx": {"value": 2000, "origin": path},
            "budget": {"value": 0.3, "origin": "HIRED_GGUF_BUDGET"},
        },
    }
    main(["doctor", "--config", path])
    out = capsys.readouterr().out
    assert re.search(rf"file +{re.escape(path)}\n", out)
    assert re.search(r"budget +0.3, from HIRED_GGUF_BUDGET\n", out)


def test_doctor_finds_slips(write, monkeypatch, capsys):
    monkeypatch.setenv("HIRED_GGUF_BUGDET", "0.3")
    monkeypatch.setenv("HIRED_GGUF_ALPHA", "3")
    assert main(["doctor", "--config", write("threads = 0"), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    told = [problem["what"] for problem in report["problems"]]
    assert any("threads: '0' is not a whole number" in text for text in told)
    assert any("HIRED_GGUF_ALPHA: '3' is not a number from 0 to 1" in text for text in told)
    assert any("HIRED_GGUF_BUGDET" in advice["what"] for advice in report["advice"])
    assert main(["doctor", "--config", write("thread = 1")]) == 1
    assert "did you mean 'threads'?" in " ".join(capsys.readouterr().out.split())


# The document


def test_the_document_has_every_option():
    lines = [line for line in DOCUMENT.splitlines() if line.startswith("| `")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    told = {row[0].strip("`"): row[1:] for row in rows}
    for option in SHARED.values():
        variable, example, default = told.pop(option.name)[:3]
        assert variable == f"`{option.variable}`"
        assert example.strip("`").startswith(f"{option.name} = ")
        if option.default is not None:
            assert default == ("no" if option.default is False else str(option.default))
    assert set(told) <= option_sources.OTHER_VARIABLES


def test_the_example_of_the_document_is_a_file(write, capsys):
    (example,) = re.findall(r"^```toml\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    file = option_sources.read_config(write(example))
    for name in file.values:
        if not SHARED[name].is_path:
            option_sources.look_up(SHARED[name], file)
