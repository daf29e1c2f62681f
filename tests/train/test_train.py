"""The training of the built-in model: what it is shown, what it learns to say, and the files it becomes."""

from __future__ import annotations

import random
import string
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from golden_pair import assistant, rows_of
from layout import Kind, mmproj_tensors, text_tensors
from PIL import Image
from train import alphabet, labels, sequence
from train.config import PATCH, SIDE, TILE, TOKENS, VISION, Plan, Stage, shape
from train.labels import ACROSS, COLOUR, DOWN, FIELD, FIRST_COUNT, GROUPS, LENGTH, SHAPE, VIEW
from train.prompts import Prompts
from train.render import batches, keep, load, render
from train.vocabulary import WORDS, build
from vocabulary import FIRST_PIECE, MARK

from hired_gguf import LlavaNext, TokenBudget, VisionEncoder, _core
from hired_gguf.context.prefill import prefill
from hired_gguf.model_files import builtin
from hired_gguf.model_files.mmproj import read_mmproj
from hired_gguf.model_files.pair import read_text_model
from hired_gguf.progress import Timings
from hired_gguf.prompt.messages import user_message
from hired_gguf.scenes import Item, Question, Scene, make_scene
from hired_gguf.scenes.questions import questions
from hired_gguf.scenes.texts import field_text, plate_text
from hired_gguf.scenes.words import CHARACTERS, COLOURS, DIGITS, FIELDS, NAMES, SHAPES
from hired_gguf.scenes.words import WORDS as TEXTS
from hired_gguf.selection.selection import select_with_tiling
from hired_gguf.vision.preprocess import preprocess
from models import load_llama

SEED = 3
EOS = "</s>"
NEEDED = "needs the extra 'train': pip install '.[train]'"


@cache
def picture(index):
    return render(SEED, index, crowded=False)


@pytest.fixture(scope="module")
def prompts(tmp_path_factory):
    return Prompts(tmp_path_factory.mktemp("prompts"))


def pieces(prompts, ids):
    return [prompts.tokenizer.text_of(token) for token in ids]


# Pictures and labels


def test_a_picture_is_what_the_engine_sees():
    drawn, again = picture(0), render(SEED, 0, crowded=False)
    image = make_scene("train", SEED, 0, tile=TILE).image
    tiling = sequence.tiling_of(drawn)
    assert drawn.scene.image.size == image.size
    pixels = preprocess(image, tiling, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)).transpose(0, 2, 3, 1)
    seen = (drawn.partitions / 255 - (0.5, 0.4, 0.3)) / (0.2, 0.3, 0.4)
    np.testing.assert_allclose(pixels, seen, atol=1e-5)
    np.testing.assert_array_equal(drawn.partitions, again.partitions)
    np.testing.assert_array_equal(drawn.labels, again.labels)


def test_labels_of_a_picture_are_classes_of_their_groups():
    drawn = picture(0)
    assert drawn.labels.shape == (len(drawn.partitions), TOKENS, len(GROUPS))
    unread = np.zeros(drawn.labels.shape, bool)
    for groups in (slice(LENGTH + 1), FIELD):
        unread[0, :, groups] = drawn.labels[0, :, groups] > 0
    np.testing.assert_array_equal(drawn.labels == labels.UNKNOWN, unread)
    assert (drawn.labels < list(GROUPS.values()))[~unread].all()
    assert drawn.labels[0, :, SHAPE].any()
    assert drawn.labels[1:, :, :LENGTH].any()


def labelled(*items):
    """Labels [P, side, side, groups] of a picture of 2 x 2 tiles, one pixel of it one of the canvas."""
    tiling = _core.make_tiling(
        (2 * TILE, 2 * TILE), [tuple(hw) for hw in np.reshape(shape(1).pinpoints, (-1, 2))], TILE, PATCH
    )
    scene = Scene(Image.new("1", (2 * TILE, 2 * TILE)), items)
    return labels.label(scene, tiling).reshape(tiling.partitions, SIDE, SIDE, -1)


def patches(column, row, columns=1, rows=1):
    """A box that covers these patches exactly."""
    return tuple(PATCH * edge for edge in (column, row, column + columns, row + rows))


def test_a_sign_is_labelled_patch_by_patch():
    text = (("4", patches(2, 1)), ("B", patches(3, 1)))
    got = labelled(Item("sign", "red", patches(1, 1, 4, 2), "4B", "code", characters=text))
    full, first = got[0], got[1]
    assert not got[2:, ..., :VIEW].any()
    assert (got[0, ..., VIEW] == labels.FULL_VIEW).all()
    assert (got[1:, ..., VIEW] == labels.TILE_VIEW).all()
    body = np.zeros((SIDE, SIDE), bool)
    body[1:3, 1:5] = True
    red, sign = list(COLOURS).index("red") + 1, SHAPES.index("sign") + 1
    for group, value in ((COLOUR, red), (SHAPE, sign), (LENGTH, 2)):
        np.testing.assert_array_equal(first[..., group], value * body)
    for group, (column, row) in enumerate(((2, 1), (3, 1))):
        assert np.argwhere(first[..., group]).tolist() == [[row, column]]
        assert first[row, column, group] == CHARACTERS.index(text[group][0]) + 1
    assert not first[..., ACROSS:].any()
    # The full image at half the size: one patch of it is two by two of the tile.
    assert full[0, 1, :2].tolist() == [labels.UNKNOWN] * 2  # too small to be read
    assert full[0, 1, [SHAPE, ACROSS, DOWN]].tolist() == [sign, 1, 1]
    counts = [1 + (name == "sign") for name in SHAPES]
    assert full[0, 1, FIRST_COUNT:].tolist() == counts
    assert not full[full[..., SHAPE] == 0][:, FIRST_COUNT:].any()


def test_a_line_of_a_slip_has_its_field():
    text = (("7", patches(9, 4)),)
    field = Item("slip", "", patches(9, 4), "7", "place", "room", text, label=patches(5, 4, 3))
    full, first = labelled(field)[:2]
    assert np.argwhere(first[..., FIELD]).tolist() == [[4, column] for column in (5, 6, 7, 9)]
    assert (first[4, [5, 6, 7, 9], FIELD] == list(FIELDS).index("room") + 1).all()
    assert (first[4, [5, 6, 7, 9], SHAPE] == labels.SLIP).all()
    assert not first[..., COLOUR].any()
    assert set(full[full[..., SHAPE] > 0][:, FIELD]) == {labels.UNKNOWN}  # too small to be read


@pytest.mark.parametrize(("place", "side"), [(0.43, 1), (0.45, 2), (0.55, 2), (0.57, 3)])
def test_a_thing_is_before_in_or_behind_the_middle(place, side):
    centre = place * 2 * TILE
    square = Item("square", "red", (centre - 10, 4, centre + 10, 24))
    full = labelled(square)[0]
    assert set(full[..., ACROSS].ravel()) == {0, side}
    assert set(full[..., DOWN].ravel()) == {0, 1}


def test_more_than_can_be_counted_is_one_class():
    got = labelled(*(Item("star", "blue", patches(2 * i, 3), "") for i in range(7)))
    stars = got[0, ..., FIRST_COUNT + SHAPES.index("star")]
    assert set(stars.ravel()) == {0, GROUPS["stars"] - 1}


@pytest.mark.parametrize("index", range(3))
def test_an_alphabet_page_has_its_characters_where_they_stand(index):
    pixels, targets = alphabet.page(SEED, index)
    assert (pixels.shape, pixels.dtype) == ((TILE, TILE, 3), np.uint8)
    assert (targets.shape, targets.dtype) == ((TOKENS, len(GROUPS)), np.uint8)
    assert (targets[:, LENGTH + 1 :] == alphabet.UNKNOWN).all()
    _, words = alphabet._sheet(random.Random(f"page/{SEED}/{index}"))
    right = []
    for word in words:
        if all(0 <= edge < TILE for _, box in word for edge in box):
            for i, (character, (left, top, right_edge, bottom)) in enumerate(word):
                column, row = int((left + right_edge) / 2 // PATCH), int((top + bottom) / 2 // PATCH)
                patch = targets[row * SIDE + column]
                right.append((patch[i], patch[LENGTH]) == (CHARACTERS.index(character) + 1, len(word)))
    assert len(right) > 15
    assert np.mean(right) > 0.75  # a patch shows several: the last one written counts
    known = targets[(targets[:, LENGTH] > 0) & (targets[:, LENGTH] < alphabet.UNKNOWN)]
    assert (known[:, :LENGTH] <= len(CHARACTERS)).all()
    assert known[:, :LENGTH].any(-1).all()


def test_pictures_kept_in_files_are_those_drawn(tmp_path):
    drawn = [picture(0), picture(1)]
    kept = load([keep(tmp_path / "000000.pickle", drawn)])
    assert len(kept) == len(drawn)
    for one, other in zip(kept, drawn, strict=True):
        np.testing.assert_array_equal(one.partitions, other.partitions)
        np.testing.assert_array_equal(one.labels, other.labels)
        assert one.scene.items == other.scene.items
        assert one.scene.image.size == other.scene.image.size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000000.npy", "000000.pickle"]


def test_pages_are_the_same_every_time():
    first, again, other = (alphabet.page(SEED, index) for index in (0, 0, 1))
    for one, two, three in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one, two)
        assert (one != three).any()


def test_batches_go_on_where_an_earlier_run_stopped():
    whole, later = batches(10, 3, SEED), batches(10, 3, SEED, skip=4)
    first = [next(whole) for _ in range(8)]
    assert [next(later) for _ in range(4)] == first[4:]
    assert len({number for batch in first[:3] for number in batch}) == 9
    assert first[:3] != first[3:6]


# Words


def texts():
    """Everything that a plate or a slip can say, and a few hundred of what is drawn by chance."""
    rng = random.Random(SEED)
    drawn = [plate_text(rng)[1] for _ in range(300)]
    drawn += [field_text(rng, field)[1] for field in FIELDS for _ in range(40)]
    return sorted({*TEXTS, *NAMES, *drawn})


def begun(character):
    """The pieces of an answer's first character."""
    return [MARK, character] if character in DIGITS else [MARK + character]


def test_answers_are_read_out_character_by_character(prompts):
    for text in texts():
        ids = prompts.answer(text)
        assert pieces(prompts, ids) == [*begun(text[0]), *text[1:], EOS]
        assert min(ids[:-1]) >= FIRST_PIECE


def test_any_two_characters_of_an_answer_are_two_tokens(prompts):
    """So that nothing that nobody thought of merges; `US` and `AS` begin words of the template."""
    merged = []
    for first in CHARACTERS.replace(".", ""):
        for second in CHARACTERS:
            found = pieces(prompts, prompts.answer(first + second))
            if found != [*begun(first), second, EOS]:
                merged.append(first + second)
    assert merged == ["AS", "US"]
    assert not [text for text in texts() if text.startswith(("AS", "US", "."))]


@pytest.mark.parametrize("word", ["yes", "no", "left", "right", "above", "below", *COLOURS])
def test_answers_that_are_words_are_one_token(prompts, word):
    assert pieces(prompts, prompts.answer(word)) == [MARK + word, EOS]


def test_questions_are_a_token_a_word(prompts):
    asked = {q.text for i in range(40) for q in questions(picture(i % 4).scene, random.Random(i))}
    assert len(asked) > 60
    for text in asked:
        words = text[:-1].split()
        if "says" in words:  # a text follows, by characters
            words = words[: words.index("says") + 1]
        later = pieces(prompts, prompts.conversation(text, True))
        assert later[: 2 + len(words)] == [MARK + "USER", ":", *(MARK + word for word in words)]
        assert later[-3:] == [text[-1], MARK + "ASSISTANT", ":"]
        first = pieces(prompts, prompts.conversation(text, False))
        assert first == [MARK, "<0x0A>", words[0], *later[3:]]


def test_vocabulary_has_every_word_and_character_once():
    tokens = build().tokens
    assert len(set(tokens)) == len(tokens)
    for word in (*WORDS, *COLOURS, *SHAPES, *FIELDS, *string.ascii_letters):
        assert MARK + word in tokens
    assert not [digit for digit in DIGITS if MARK + digit in tokens or digit not in tokens]


def test_turns_learn_answers_only(prompts):
    asked = [Question("count", "How many stars are there?", "3"), Question("read", "Read it.", "EXIT")]
    turns = prompts.turns(asked)
    learnt = [token for token, learn in zip(turns.ids, turns.learn, strict=True) if learn]
    assert pieces(prompts, learnt) == [MARK, "3", EOS, MARK + "E", *"XIT", EOS]
    text = prompts.llama.detokenize(turns.ids).decode()
    assert text == " \nHow many stars are there? ASSISTANT: 3 USER: Read it. ASSISTANT: EXIT"


# Sequences


def made(prompts, index=0, first=0):
    """A picture's rows and conversations, and the questions that could be asked."""
    drawn = picture(index)
    found = questions(drawn.scene, random.Random(SEED))
    parts = sequence._sequence(sequence.packing(drawn), first, found, prompts, random.Random(SEED))
    return [np.array(part) for part in parts], found


@pytest.mark.parametrize("index", range(4))
def test_rows_of_a_whole_picture_are_the_engines_and_none_is_dropped(prompts, index):
    drawn = picture(index)
    tiling = sequence.tiling_of(drawn)
    packing = sequence.packing(drawn)
    everything = np.ones((tiling.partitions, TOKENS), bool)
    assert packing == _core.pack_order(everything, tiling, "auto").tolist()
    attention = np.random.default_rng(0).random((tiling.partitions, 2, TOKENS), np.float32)
    assert packing == select_with_tiling(attention, attention, tiling, TokenBudget(1.0)).packing.tolist()
    kept = [row for row in packing if row != sequence.NEWLINE]
    assert len(set(kept)) == len(kept) == sum(tiling.capacities)
    (ids, rows, positions, groups, _), _ = made(prompts, index, first=1000)
    start = len(prompts.prefix)
    assert ids[:start].tolist() == prompts.prefix
    end = start + len(packing)
    expected = [row if row == sequence.NEWLINE else 1000 + row for row in packing]
    assert rows[start:end].tolist() == expected
    assert (np.delete(rows, np.s_[start:end]) == sequence.NO_ROW).all()
    assert not ids[start:end].any()
    assert positions[:end].tolist() == list(range(end))
    assert not groups[:end].any()
    assert groups[end:].all()


def test_answers_are_the_only_targets(prompts):
    (ids, _, _, groups, targets), found = made(prompts)
    answers = {tuple(prompts.answer(question.answer)) for question in found}
    learnt = targets >= 0
    assert not learnt[groups == 0].any()
    np.testing.assert_array_equal(targets[:-1][learnt[:-1]], ids[1:][learnt[:-1]])
    assert (groups[:-1] == groups[1:])[learnt[:-1]].all()
    assert not learnt[-1]
    starts = np.flatnonzero(learnt & ~np.roll(learnt, 1))
    ends = np.flatnonzero(learnt & ~np.roll(learnt, -1)) + 1
    assert len(starts) >= len(set(groups)) - 1 > 3
    colon = prompts.conversation("?", False)[-1]
    for start, end in zip(starts, ends, strict=True):
        assert ids[start] == colon
        assert tuple(targets[start:end]) in answers


def test_every_conversation_begins_where_the_picture_ends(prompts):
    (ids, _, positions, groups, _), _ = made(prompts)
    end = np.count_nonzero(groups == 0)
    for group in range(1, groups.max() + 1):
        inside = groups == group
        np.testing.assert_array_equal(positions[inside], end + np.arange(inside.sum()))
        assert pieces(prompts, ids[inside][:2].tolist()) == [MARK, "<0x0A>"]
        assert ids[inside][-1] == prompts.eos


# PyTorch


def with_torch(test):
    """Mark it; `modules` skips it where PyTorch is missing."""
    return pytest.mark.extra(pytest.mark.filterwarnings("ignore")(test))  # the package's own warnings


@dataclass
class Modules:
    """Random weights as float16 can hold them, and the pair of files that they become."""

    torch: Any
    sizes: Any
    encoder: Any
    language: Any
    projector: Any
    text: Path = Path()
    mmproj: Path = Path()

    def parts(self):
        return self.encoder, self.language, self.projector

    def logits(self, embedded, positions, hidden):
        wanted = self.torch.ones(embedded.shape[:2], dtype=bool)
        return self.language(embedded, positions, hidden, wanted).unflatten(0, embedded.shape[:2]).numpy()


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    """Without gradients, as long as the tests here run."""
    torch = pytest.importorskip("torch", reason=NEEDED)
    encoder, language, rows, export = (
        import_module(f"train.{name}") for name in ("encoder", "language", "rows", "export")
    )
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    sizes = shape(len(build().tokens))
    projector = rows.Projector(VISION.width, sizes.text.width)
    made = Modules(torch, sizes, encoder.Encoder(VISION), language.Language(sizes.text), projector)
    with torch.no_grad():
        for name, p in (pair for part in made.parts() for pair in part.named_parameters()):
            if p.ndim == 1:
                p.add_(0.1 * torch.randn_like(p))  # norms and biases that do something
            if "attn_q" in name or "attn_k" in name:
                p.mul_(3 if p.shape[0] == VISION.width else 1.5)  # attention that looks somewhere
            if name == "output.weight":
                p.mul_(5)
            if p.ndim > 1:
                p.copy_(p.half())
        made.text, made.mmproj = export.export(
            sizes, made.language, made.encoder, made.projector, tmp_path_factory.mktemp("pair")
        )
        yield made
    torch.set_num_threads(threads)


def contents(path):
    return {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}


@with_torch
def test_files_are_laid_out_as_the_well_known_ones(modules):
    for path, wanted in (
        (modules.text, text_tensors(modules.sizes.text)),
        (modules.mmproj, mmproj_tensors(modules.sizes)),
    ):
        types = {
            tensor.name: (list(tensor.shape), "F32" if tensor.kind is Kind.VECTOR else "F16")
            for tensor in wanted
        }
        found = {name: (t.shape.tolist()[::-1], t.tensor_type.name) for name, t in contents(path).items()}
        assert found == types


@with_torch
def test_files_hold_the_weights_without_the_last_layer(modules):
    text, mmproj = contents(modules.text), contents(modules.mmproj)
    for name, value in modules.language.state_dict().items():
        np.testing.assert_array_equal(text[name].data, value.numpy())
    last = f"blk.{VISION.layers}."
    assert any(name.startswith(last) for name in modules.encoder.state_dict())
    assert not any(last in name for name in mmproj)
    tower = {k: v for k, v in modules.encoder.state_dict().items() if not k.startswith(last)}
    assert len(mmproj) == len(tower) + len(modules.projector.state_dict())
    for name, value in tower.items():
        (stored,) = (mmproj[f"v.{name}{end}"] for end in ("", ".weight") if f"v.{name}{end}" in mmproj)
        np.testing.assert_array_equal(stored.data, value.numpy())
    for number in "02":
        for what in ("weight", "bias"):
            value = modules.projector.state_dict()[f"mm_{number}.{what}"]
            np.testing.assert_array_equal(mmproj[f"mm.{number}.{what}"].data, value.numpy())


@with_torch
def test_files_say_what_they_are(modules):
    info, text = read_mmproj(modules.mmproj), read_text_model(modules.text)
    assert (info.name, text.name) == ("hired-mini mmproj", "hired-mini text model")
    assert (info.image_size, info.layers, info.executed_layers) == (TILE, VISION.layers, VISION.layers)
    assert (info.text_width, info.use_gelu, info.unpad) == (text.width, False, True)
    assert info.eps == pytest.approx(VISION.eps)
    assert info.file_type == text.file_type == "F16"
    assert "USER: " in text.chat_template
    for path in (modules.text, modules.mmproj):
        fields = gguf.GGUFReader(path).fields
        assert fields["general.license"].contents() == "MIT"
        assert "random" not in fields["general.description"].contents()


@with_torch
@pytest.mark.parametrize("kernels", ["1", "0"])
def test_encoder_equals_pytorch(modules, kernels, monkeypatch):
    monkeypatch.setenv("HIRED_GGUF_KERNELS", kernels)
    drawn = picture(1)
    with VisionEncoder(modules.mmproj, n_threads=1) as engine:
        got = engine.encode(make_scene("train", SEED, 1, tile=TILE).image)
    features = modules.encoder.features(modules.torch.from_numpy(drawn.partitions))
    first, last = import_module("train.recall").attention(modules.encoder, drawn)
    assert min(first.max(), last.max()) > 0.5  # else little could be told
    np.testing.assert_allclose(got.attention_first[:, :, 1:], first, atol=2e-3)
    np.testing.assert_allclose(got.attention_last[:, :, 1:], last, atol=2e-3)
    for name, ours, right in (
        ("features", got.features, features.numpy()),
        ("projected", got.projected, modules.projector(features).numpy()),
    ):
        error = np.linalg.norm(ours - right, axis=-1) / np.linalg.norm(right, axis=-1)
        assert error.max() < 2e-3, name
    np.testing.assert_array_equal(got.newline, modules.projector.image_newline.numpy())


@with_torch
def test_language_equals_pytorch(modules):
    torch, length = modules.torch, 60
    rng = np.random.default_rng(SEED)
    ids = rng.integers(FIRST_PIECE, modules.sizes.text.vocabulary, length).tolist()
    llama = load_llama(modules.text, n_ctx=128, logits_all=True)
    llama.eval(ids)
    got = llama.scores[:length]
    hidden = torch.full((length, length), -torch.inf).triu(1)[None, None]
    embedded = modules.language.token_embd(torch.tensor([ids]))
    (right,) = modules.logits(embedded, torch.arange(length)[None], hidden)
    llama.close()
    assert right.std() > 1
    np.testing.assert_allclose(got, right, atol=0.025)
    two = np.sort(right)[:, -2:]
    clear = two[:, 1] - two[:, 0] > 0.05
    assert clear.mean() > 0.8
    np.testing.assert_array_equal(got.argmax(1)[clear], right.argmax(1)[clear])


def embedded_batch(modules, batch, pixels):
    """Rows of the encoder and tokens, as `stage_language.answer_loss` puts them together."""
    torch = modules.torch
    rows = modules.projector(modules.encoder.features(pixels)).flatten(0, 1)
    table = torch.cat((rows, modules.projector.image_newline[None]))
    at = torch.where(batch.rows == sequence.NEWLINE, len(rows), batch.rows.clamp(min=0))
    tokens = modules.language.token_embd(batch.ids)
    return torch.where((batch.rows == sequence.NO_ROW)[..., None], tokens, table[at])


@with_torch
def test_a_batch_of_conversations_is_what_the_engine_computes_one_by_one(modules, prompts):
    """Order of rows, positions and what sees what: all of it is learnt as it will be used."""
    indices = (1, 2)
    torch, pictures = modules.torch, [picture(index) for index in indices]
    batch = sequence.whole_pictures(pictures, prompts, random.Random(SEED))
    pixels = torch.from_numpy(np.concatenate([drawn.partitions for drawn in pictures]))
    logits = modules.logits(embedded_batch(modules, batch, pixels), batch.positions, batch.hidden.float())
    llama = load_llama(modules.text)
    engine = VisionEncoder(modules.mmproj, n_threads=1)
    worst, compared = 0.0, 0
    for row, index in enumerate(indices):
        packed = engine.encode(make_scene("train", SEED, index, tile=TILE).image).pack()
        end = len(prompts.prefix) + len(packed)
        starts = np.flatnonzero(batch.positions[row].numpy() == end).tolist()
        assert len(starts) > 3
        length = int((batch.positions[row] > 0).sum()) + 1  # what follows is padding
        for start, stop in zip(starts, [*starts[1:], length], strict=True):
            ids = batch.ids[row, start:stop].tolist()
            prefill(llama, [prompts.prefix, rows_of(packed), ids], Timings())
            got = np.ctypeslib.as_array(llama._ctx.get_logits(), shape=(logits.shape[-1],))
            worst, compared = max(worst, np.abs(got - logits[row, stop - 1]).max()), compared + 1
    engine.close()
    llama.close()
    assert compared > 10
    assert worst < 0.025


@with_torch
def test_the_engine_asks_in_the_same_words(modules, prompts):
    asked = [Question("count", "How many stars are there?", "3"), Question("read", "Read it.", "EXIT")]
    turns, rows = prompts.turns(asked), len(sequence.packing(picture(1)))
    image = make_scene("train", SEED, 1, tile=TILE).image
    messages = [user_message(asked[0].text, image), assistant("3"), user_message(asked[1].text)]
    with LlavaNext(modules.text, modules.mmproj, n_threads=1) as llm:
        answer = llm.answer(messages, budget=1.0, max_tokens=1)
        ids = llm.llama.input_ids[: answer.prompt_tokens].tolist()
    start = len(prompts.prefix)
    assert ids[:start] == prompts.prefix
    assert ids[start + rows :] == turns.ids[: -len(prompts.answer("EXIT"))]


@with_torch
def test_single_partitions_show_their_own_patches_and_what_they_can_answer(modules, prompts):
    drawn = picture(1)
    (tile, *_) = (i for i in range(1, len(drawn.labels)) if drawn.labels[i, :, SHAPE].any())
    counts = []
    for things in (1, 99):
        batch = sequence.single_partitions([(drawn, 0), (drawn, tile)], prompts, random.Random(0), things)
        for row, partition in enumerate((0, tile)):
            shown = batch.rows[row][batch.rows[row] != sequence.NO_ROW].numpy() - row * TOKENS
            busy = np.flatnonzero(drawn.labels[partition, :, SHAPE])
            assert np.isin(shown, busy).all()
            if things == 99:
                np.testing.assert_array_equal(shown, busy)
            counts.append(len(shown))
            assert (batch.targets[row] >= 0).any()
    assert 0 < counts[0] < counts[2]
    assert batch.targets.shape == batch.ids.shape == batch.positions.shape
    hidden = batch.hidden[:, 0]
    assert (hidden.triu(1) == -np.inf).sum() == len(hidden) * hidden.shape[1] * (hidden.shape[1] - 1) // 2
    assert (hidden.diagonal(dim1=1, dim2=2) == 0).all()


@with_torch
def test_training_runs_and_goes_on(modules, tmp_path, capsys):
    stage = Stage(steps=2, batch=4, rate=1e-3, warmup=1)
    names = ("letters", "encoder", "words", "align", "tiles", "together", "images")
    plan = replace(Plan(), crowded=5, plain=5, pages=5, grow=1, **dict.fromkeys(names, stage))
    with modules.torch.enable_grad():
        train = import_module("train.__main__").train
        train(plan, tmp_path)
        pair = [tmp_path / name for name in builtin.NAMES]
        written = [path.read_bytes() for path in pair]
        stamps = [path.stat().st_mtime_ns for path in tmp_path.glob("*.pt")]
        train(plan, tmp_path)
        assert [path.read_bytes() for path in pair] == written
    assert [path.stat().st_mtime_ns for path in tmp_path.glob("*.pt")] == stamps
    assert "recall of text patches at 0.2" in capsys.readouterr().out
    image = make_scene("train", SEED, 1, tile=TILE).image
    with LlavaNext(*pair) as llm:
        assert llm.ask(image, "How many stars are there?", max_tokens=3).completion_tokens > 0
