"""Drawings of selections: which pixels are bright, where patches lie, what is counted; the command, too."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from golden_pair import MMPROJ, TEXT, photo
from PIL import Image

from hired_gguf import LLAVA_NEXT_PINPOINTS, ImageError, InputError, LlavaNext, overlay, select_tokens
from hired_gguf.cli import main
from hired_gguf.explain.comparison import draw_comparison
from hired_gguf.explain.counts import count_table, partition_counts
from hired_gguf.explain.labels import band_regions, picture_regions
from hired_gguf.explain.overlay import as_png, notes, title
from hired_gguf.explain.panel_pictures import PANEL, canvas_picture, full_picture
from hired_gguf.explain.panels import kept_panels, what_allotted, what_chose, what_stays
from hired_gguf.explain.shade import strengths

COFFEE = str(photo("coffee"))
# One thread each: waiting threads spin in ggml, which is slow where something else runs too.
VISION = ("--mmproj", str(MMPROJ), "--threads", "1")
PAIR = ("--model", str(TEXT), *VISION)
SHORT = (*PAIR, "--max-tokens", "4")
GRIDS = [  # (height, width) of a picture, at tiles of 56 pixels
    *((112, 112), (56, 112), (112, 56), (168, 56), (56, 168)),
    *((80, 112), (112, 75), (60, 100), (100, 57), (160, 47), (37, 150), (400, 5), (3, 900)),
]


def bright(size_hw, seed=0):
    """A picture that nobody could take for a dimmed one."""
    noise = np.random.default_rng(seed).integers(150, 256, (*size_hw, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def selection_of(size_hw, tile=56, pinpoints=None, seed=0, **options):
    """From random attention, with as many partitions as the size makes."""
    if pinpoints is None:
        pinpoints = [(h * tile // 336, w * tile // 336) for h, w in LLAVA_NEXT_PINPOINTS]
    rng = np.random.default_rng(seed)
    for partitions in (1, 3, 4, 5):
        attention = rng.random((2, partitions, 2, (tile // 14) ** 2), np.float32)
        try:
            return select_tokens(*attention, size_hw, pinpoints, tile=tile, **options)
        except InputError:
            continue
    raise AssertionError(size_hw)


def patch_box(tiling, partition, token, size):
    """Where a patch of a partition lies on a panel of that (width, height): left, top, right, bottom."""
    row, column = divmod(token, tiling.side)
    rows = columns = tiling.side
    if partition:
        rows, columns = (n * tiling.side for n in tiling.grid)
        tile_row, tile_column = divmod(partition - 1, tiling.grid[1])
        row, column = row + tile_row * tiling.side, column + tile_column * tiling.side
    width, height = size
    edges = [
        (column, columns, width),
        (column + 1, columns, width),
        (row, rows, height),
        (row + 1, rows, height),
    ]
    left, right, top, bottom = (-(-i * length // n) for i, n, length in edges)  # pixels whose patch it is
    return left, top, right, bottom


def check_patches(selection, picture):
    """Every patch of the panels is what the selection says of it."""
    tiling = selection.tiling
    panels = kept_panels(selection, picture)
    bases = [full_picture(picture, tiling), canvas_picture(picture, tiling)][: len(panels)]
    seen = np.zeros_like(selection.mask)
    for partition, token in np.ndindex(selection.mask.shape):
        panel, base = (images[min(1, partition)] for images in (panels, bases))
        box = patch_box(tiling, partition, token, panel.size)
        drawn, original = (np.asarray(image.crop(box), int) for image in (panel, base))
        if selection.packed[partition, token]:
            seen[partition, token] = np.array_equal(drawn, original)
            continue
        inside = drawn[1:-1, 1:-1]  # a line around its neighbours may be at its edge
        if selection.padding[partition, token]:
            assert len(np.unique(inside.reshape(-1, 3), axis=0)) <= 1
        else:
            assert (inside <= 120).all()
            assert (inside.sum() < original[1:-1, 1:-1].sum()) or not original[1:-1, 1:-1].any()
    np.testing.assert_array_equal(seen, selection.packed)


# Pixels


@pytest.mark.parametrize("size_hw", GRIDS)
def test_kept_patches_are_bright_and_dropped_ones_dim(size_hw):
    check_patches(selection_of(size_hw, budget=0.3), bright(size_hw))


@pytest.mark.parametrize("allocation", ["hired", "official", "uniform"])
@pytest.mark.parametrize("budget", [1, 0.25, 1.0])
def test_any_allocation_and_budget(allocation, budget):
    selection = selection_of((70, 110), budget=budget, allocation=allocation)
    check_patches(selection, bright((70, 110)))


@pytest.mark.parametrize("size_hw", [(480, 640), (336, 1008)])
def test_tiles_of_the_real_size(size_hw):
    check_patches(selection_of(size_hw, tile=336), bright(size_hw))


@pytest.mark.parametrize("size_hw", [(56, 56), (40, 120)])
def test_a_single_partition(size_hw):
    selection = selection_of(size_hw, pinpoints=[], budget=5)
    assert len(kept_panels(selection, bright(size_hw))) == 1
    assert overlay(selection, bright(size_hw)).mode == "RGB"
    assert [count.kept for count in partition_counts(selection)] == [5]


def test_a_real_selection(encoder):
    encoding = encoder.encode(photo("astronaut"), features=False)
    lighter = encoding.picture.point(lambda value: 150 + value * 105 // 255)
    check_patches(encoding.select(0.2), lighter)


# Geometry


@pytest.mark.parametrize("size_hw", GRIDS)
def test_panels_have_the_proportions_of_what_they_show(size_hw):
    tiling = selection_of(size_hw).tiling
    canvas, full = canvas_picture(bright(size_hw), tiling), full_picture(bright(size_hw), tiling)
    (rows, columns), edge = tiling.grid, canvas.width // (tiling.grid[1] * tiling.side)
    assert canvas.size == (columns * tiling.side * edge, rows * tiling.side * edge)
    assert PANEL * 0.9 < max(canvas.size) <= PANEL
    height, width = size_hw
    ratio = min(3.0, max(1 / 3, width / height))
    assert max(full.size) == PANEL
    assert full.width / full.height == pytest.approx(ratio, rel=0.01)


@pytest.mark.parametrize("size_hw", GRIDS)
def test_the_picture_lies_on_the_canvas_as_in_the_tiling(size_hw):
    tiling = selection_of(size_hw).tiling
    canvas = canvas_picture(Image.new("RGB", size_hw[::-1], "white"), tiling)
    scale = canvas.width / tiling.canvas_hw[1]
    (top, left), (height, width) = tiling.offset_yx, tiling.fitted_hw
    expected = np.array([left, top, left + width, top + height]) * scale
    np.testing.assert_allclose(canvas.getbbox(), expected, atol=1.0 + scale / 2)


@pytest.mark.parametrize("size_hw", GRIDS[:10])
def test_regions_of_the_tiles_cover_the_full_image(size_hw):
    tiling = selection_of(size_hw).tiling
    regions = picture_regions(tiling, [str(i) for i in range(tiling.partitions - 1)])
    area = sum((r.right - r.left) * (r.bottom - r.top) for r in regions)
    assert area == pytest.approx(1)
    assert band_regions(["a", "b"])[1].top == 0.5


# Numbers


@pytest.mark.parametrize("allocation", ["hired", "official", "uniform"])
def test_counts_are_those_of_the_selection(allocation):
    selection = selection_of((70, 110), allocation=allocation, budget=0.4)
    counts = partition_counts(selection)
    assert [count.allotted for count in counts] == selection.counts.tolist()
    assert sum(count.kept for count in counts) == selection.visual_tokens
    if allocation != "official":
        assert [count.kept for count in counts] == selection.counts.tolist()
        assert [count.patches for count in counts] == selection.tiling.capacities
    assert count_table(selection)[-1][-1] == str(selection.visual_tokens)


def test_official_budget_that_padding_uses_up_shows():
    selection = selection_of((480, 640), tile=336, allocation="official")
    counts = partition_counts(selection)
    assert all(count.kept <= count.allotted for count in counts)
    assert sum(count.kept for count in counts) < sum(count.allotted for count in counts)


def test_words_of_a_drawing():
    selection = selection_of((112, 112), budget=0.25)
    assert title(selection) == (
        "20 of 88 visual tokens stay (budget 0.25, allocation hired; full image and 2 x 2 tiles)"
    )
    assert "88 tokens are 80 patches and 8 newline rows, of which 0 stay" in notes(selection)
    assert "swaps the grid's rows and columns" in notes(selection_of((56, 112), allocation="official"))
    assert "swaps" not in notes(selection_of((112, 112), allocation="official")) + notes(selection)
    everything = selection_of((112, 112), budget=1.0)
    assert "of which 8 stay" in notes(everything)


def test_attention_is_what_the_selection_was_made_from(encoder):
    encoding = encoder.encode(photo("rocket"), features=False)
    selection = encoding.select(0.3)
    for mean, heads in (
        (selection.attention_first, encoding.attention_first),
        (selection.attention_last, encoding.attention_last),
    ):
        np.testing.assert_allclose(mean, heads[:, :, 1:].mean(axis=1), rtol=1e-5)
    for attention, kept, padding in zip(
        selection.attention_last, selection.packed, selection.padding, strict=True
    ):
        assert not (kept & padding).any()
        others = attention[~kept & ~padding]
        assert not kept.any() or not others.size or attention[kept].min() >= others.max()


def test_strengths_rise_with_attention_up_to_one():
    attention = np.random.default_rng(0).random((3, 64))
    padding = np.zeros_like(attention, bool)
    padding[1, :32] = padding[2] = True
    shown = strengths(attention, padding)
    for row, values in zip(shown[:2], attention, strict=False):
        assert (np.diff(row[np.argsort(values)]) >= 0).all()
        assert row.max() == 1
    assert not shown[2].any()
    assert not strengths(np.zeros((1, 4)), np.zeros((1, 4), bool)).any()


# The whole drawing


@pytest.mark.parametrize("allocation", ["hired", "official", "uniform"])
@pytest.mark.parametrize("size_hw", [(112, 112), (37, 150), (160, 47)])
def test_a_drawing_shows_its_panels_as_they_are(size_hw, allocation):
    picture, selection = bright(size_hw), selection_of(size_hw, allocation=allocation)
    drawing = np.asarray(overlay(selection, picture, caption="Question: what?\nAnswer: that"))
    panels = [what_allotted(selection, picture), *what_chose(selection, picture)]
    for panel in [*panels, *what_stays(selection, picture)]:
        assert contains(drawing, np.asarray(panel))


def contains(page, panel):
    """Whether the panel is in the page, pixel by pixel. A row through its middle is looked for first."""
    height, width = panel.shape[:2]
    middle = panel[height // 2].tobytes()
    for y in range(page.shape[0] - height + 1):
        x = page[y + height // 2].tobytes().find(middle)
        while x >= 0:
            if x % 3 == 0 and np.array_equal(page[y : y + height, x // 3 : x // 3 + width], panel):
                return True
            x = page[y + height // 2].tobytes().find(middle, x + 1)
    return False


def test_a_caption_makes_the_drawing_taller_and_long_words_no_wider():
    selection, picture = selection_of((56, 112)), bright((56, 112))
    plain, told = (overlay(selection, picture, text) for text in ("", "word " * 80 + "x" * 500))
    assert told.width == plain.width
    assert told.height > plain.height + 100


def test_a_comparison_has_a_column_for_each():
    picture = bright((80, 112))
    chosen = [selection_of((80, 112), allocation=name) for name in ("hired", "official", "uniform")]
    drawing = draw_comparison(chosen, picture, "Question: what?", ["Answer: a", "Answer: b", "Answer: c"])
    for selection in chosen:
        for panel in what_stays(selection, picture):
            assert contains(np.asarray(drawing), np.asarray(panel))
    assert draw_comparison(chosen[:2], picture).width < drawing.width
    with pytest.raises(InputError, match="nothing to compare"):
        draw_comparison([], picture)


# From Python


def test_the_selection_of_an_answer_takes_the_picture(llm):
    answer = llm.ask(COFFEE, "What is it?", max_tokens=1)
    assert overlay(answer.selections[0], COFFEE).mode == "RGB"


def test_errors_of_an_overlay():
    selection = selection_of((56, 112))
    with pytest.raises(InputError, match=r"is 112 x 56 .* the selection was made for 56 x 112"):
        overlay(selection, bright((112, 56)))
    with pytest.raises(ImageError, match="no such file"):
        overlay(selection, "none.png")


# The command


@pytest.fixture
def run(capsys, tmp_path, monkeypatch):
    """Run a command in a folder of its own; its exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def runner(*argv):
        code = main(argv)
        return code, *capsys.readouterr()

    return runner


def same_picture(path, expected):
    with Image.open(path) as drawn:
        assert drawn.format == "PNG"
        np.testing.assert_array_equal(np.asarray(drawn), np.asarray(expected))


def test_explain_needs_the_mmproj_alone(run, encoder):
    code, out, err = run("explain", COFFEE, *VISION, "--budget", "20")
    selection = encoder.encode(COFFEE, features=False).select(20)
    assert (code, err) == (0, "")
    same_picture("coffee-overlay.png", overlay(selection, COFFEE))
    lines = out.splitlines()
    assert lines[0] == "hired: 20 of 66 visual tokens"
    assert [tuple(line.split()) for line in lines[-4:-2]] == [
        ("tile", "3", "12", *[str(selection.counts[3])] * 2),
        ("together", "56", "20", "20"),
    ]
    assert lines[-1] == "drawn in coffee-overlay.png"


def test_explain_draws_again_over_its_own_drawing(run):
    for _ in range(2):
        assert run("explain", COFFEE, *VISION, "--out", "a.png")[0] == 0
    assert os.listdir() == ["a.png"]


def test_explain_json(run, encoder):
    code, out, err = run("explain", COFFEE, *VISION, "--budget", "0.5", "--json", "-")
    report = json.loads(out)
    encoding = encoder.encode(COFFEE, features=False)
    selection = encoding.select(0.5)
    assert (code, err) == (0, "")
    assert set(report) == {
        *("image", "model", "mmproj", "overlay", "question", "tiling", "attention", "selections")
    }
    assert (report["model"], report["question"], report["overlay"]) == (None, None, "coffee-overlay.png")
    assert report["tiling"] == {
        "image_size_hw": [240, 90],
        "grid": [3, 1],
        "canvas_hw": [168, 56],
        "fitted_hw": [150, 56],
        "offset_yx": [9, 0],
        **{"tile": 56, "patch": 14, "side": 4, "partitions": 4, "tokens": 16, "unpad": True},
    }
    np.testing.assert_allclose(report["attention"]["first_layer"], selection.attention_first, rtol=1e-5)
    np.testing.assert_allclose(report["attention"]["last_layer"], selection.attention_last, rtol=1e-5)
    (chosen,) = report["selections"]
    assert chosen["kept_ids"] == selection.order.tolist()
    assert chosen["visual_tokens"] == selection.visual_tokens == len(chosen["kept_ids"])
    assert (chosen["budget"], chosen["alpha"], chosen["allocation"]) == (0.5, 0.5, "hired")
    for number, partition in enumerate(chosen["partitions"]):
        assert partition["allotted"] == selection.counts[number]
        assert partition["kept"] == sum(i // 16 == number for i in chosen["kept_ids"])
    assert [partition["name"] for partition in chosen["partitions"]][:2] == ["full image", "tile 1"]


def test_explain_with_a_question_answers_it(run):
    with LlavaNext(TEXT, MMPROJ, n_threads=1, budget=0.3) as llm:
        expected = llm.ask(COFFEE, "What is it?", max_tokens=4).text
        (selection,) = llm.handler.last_run.selections
    argv = ("explain", COFFEE, "--question", "What is it?", *SHORT, "--budget", "0.3", "--json", "facts.json")
    code, out, err = run(*argv, "--out", "asked.png")
    report = json.loads(Path("facts.json").read_text())
    assert (code, err) == (0, "")
    assert report["selections"][0]["answer"] == expected
    assert (report["question"], report["model"]) == ("What is it?", str(TEXT))
    assert f"  answer: {expected}" in out
    same_picture(
        "asked.png", overlay(selection, COFFEE, caption=f"Question: What is it?\nAnswer: {expected}")
    )


def test_explain_compares_allocations(run, encodings):
    argv = (
        "explain",
        COFFEE,
        "--question",
        "q",
        *SHORT,
        "--compare",
        "hired,official,uniform",
        "--json",
        "-",
    )
    code, out, _ = run(*argv)
    report = json.loads(out)
    assert code == 0
    assert len(encodings) == 1
    assert [each["allocation"] for each in report["selections"]] == ["hired", "official", "uniform"]
    answers = []
    with LlavaNext(TEXT, MMPROJ, n_threads=1) as llm:
        for each in report["selections"]:
            answers.append(llm.ask(COFFEE, "q", max_tokens=4, allocation=each["allocation"]).text)
        chosen = [each["answer"] for each in report["selections"]]
    assert chosen == answers
    assert Path("coffee-overlay.png").is_file()


def test_explain_reads_a_picture_from_standard_input(run, monkeypatch):
    data = io.TextIOWrapper(io.BytesIO(Path(COFFEE).read_bytes()))
    monkeypatch.setattr(sys, "stdin", data)
    assert run("explain", "-", *VISION)[1].endswith("drawn in overlay.png\n")


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        ((), "required: IMAGE"),
        ((COFFEE, "--compare", "hired"), "'hired' is not two or more of hired, official, uniform"),
        ((COFFEE, "--compare", "hired,fair"), "'hired,fair' is not two or more of"),
        ((COFFEE, "--compare", "hired,hired"), "'hired,hired' is not two or more of"),
        ((COFFEE, "--out", "a.jpg"), "'a.jpg' does not end in .png"),
        ((COFFEE, "--out", "no/a.png"), "'no/a.png' cannot be written there"),
        ((COFFEE, "--json", "no/a.json"), "'no/a.json' cannot be written there"),
        (("mine.png", "--out", "./mine.png"), "'mine.png' is the picture itself: name another file"),
        (("mine.png", "--json", "mine.png"), "'mine.png' is the picture itself: name another file"),
        ((COFFEE, "--json", "a.png", "--out", "a.png"), "'a.png' is named for the drawing and for the num"),
        ((COFFEE, "--model", str(TEXT)), "--model is given but --mmproj is not"),
        ((COFFEE, "--question", "q", *VISION), "--mmproj is given but --model is not"),
        ((COFFEE, *PAIR, "--budget", "9999"), "9999 tokens exceed the 64 there are"),
        (("https://example.org/a.png", *PAIR), "give --allow-http"),
    ],
)
def test_explain_usage_errors(run, argv, text):
    Path("mine.png").write_bytes(Path(COFFEE).read_bytes())
    code, out, err = run("explain", *argv)
    assert (code, out) == (2, "")
    assert text in err
    assert err.count("\n") == 1
    assert os.listdir() == ["mine.png"]
    assert Path("mine.png").read_bytes() == Path(COFFEE).read_bytes()


def test_explain_other_errors(run):
    assert "no such file" in run("explain", "none.png", *PAIR)[2]
    code, _, err = run("explain", COFFEE, "--mmproj", str(TEXT))
    assert code == 1
    assert "this is a language model" in err
    assert not os.listdir()


# /explain in a chat


@pytest.fixture
def chat(run, monkeypatch):
    def talk(lines, *argv):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join(lines).encode())))
        return run("chat", *argv, *SHORT)

    return talk


def test_chat_explains_the_last_answer(chat):
    code, out, err = chat(["What is it?", "/explain", "/budget 20", "And now?", "/explain"], COFFEE)
    lines = out.removesuffix("\n").split("\n")
    assert (code, err) == (0, "")
    assert lines[1::2] == ["drawn in overlay-1.png", "drawn in overlay-2.png"]
    with LlavaNext(TEXT, MMPROJ, n_threads=1) as llm:
        talk = llm.chat(max_tokens=4)
        turns = [("What is it?", COFFEE, 0.2), ("And now?", None, 20)]
        for number, (question, image, budget) in enumerate(turns, 1):
            answer = talk.send(question, image, budget=budget).text
            assert answer == lines[2 * number - 2]
            (selection,) = llm.handler.last_run.selections
            caption = f"Question: {question}\nAnswer: {answer}"
            same_picture(f"overlay-{number}.png", overlay(selection, COFFEE, caption=caption))


def test_chat_explains_each_of_the_latest_pictures(chat):
    rocket, chelsea = str(photo("rocket")), str(photo("chelsea"))
    code, out, _ = chat(["q", f"/image {rocket}", f"/image {chelsea}", "q", "/explain"], COFFEE)
    assert code == 0
    assert out.endswith("drawn in overlay-1.png\ndrawn in overlay-2.png\n")
    with LlavaNext(TEXT, MMPROJ, n_threads=1) as llm:
        talk = llm.chat(max_tokens=4)
        talk.send("q", COFFEE)
        answer = talk.send("q", [rocket, chelsea]).text
        chosen = llm.handler.last_run.selections
    for number, selection, image in zip((1, 2), chosen[1:], (rocket, chelsea), strict=True):
        expected = overlay(selection, image, caption=f"Question: q\nAnswer: {answer}")
        same_picture(f"overlay-{number}.png", expected)


def test_chat_has_nothing_to_explain_before_an_answer_about_a_picture(chat):
    code, _, err = chat(["/explain", "q", "/explain", "/reset", "/explain", f"/image {COFFEE}", "/explain"])
    assert code == 1
    assert err.count("ask a question about a picture first") == 4
    code, _, err = chat(["q", "/reset", "/explain"], COFFEE)
    assert err.count("ask a question about a picture first") == 1
    assert not os.listdir()


def test_chat_goes_on_where_a_drawing_cannot_be_written(chat, tmp_path):
    if os.name != "posix" or os.geteuid() == 0:
        (tmp_path / "overlay-1.png").mkdir()  # taken, so the next number is free
        assert "drawn in overlay-2.png" in chat(["q", "/explain"], COFFEE)[1]
        return
    tmp_path.chmod(0o500)
    code, _, err = chat(["q", "/explain", "q"], COFFEE)
    assert code == 1
    assert "/explain: overlay-1.png cannot be written" in err


def test_a_png_is_the_drawing():
    drawing = overlay(selection_of((56, 56)), bright((56, 56)))
    same_picture(io.BytesIO(as_png(drawing)), drawing)
