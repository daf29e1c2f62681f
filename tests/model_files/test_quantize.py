"""Another type for a mmproj: what changes, what does not, and how far the results move."""

from __future__ import annotations

import ctypes
import json
import shutil
from collections import namedtuple

import gguf
import llama_cpp
import numpy as np
import pytest
from gguf_forge import Tensor, good_mmproj
from golden_pair import FOLDER, MMPROJ, NAMES, photo
from PIL import Image

from hired_gguf import VisionEncoder
from hired_gguf.cli import main
from hired_gguf.commands.quantize import find_pictures
from hired_gguf.errors import InputError, ModelFormatError, ModelMismatchError, NumericError
from hired_gguf.images.samples import sample_pictures
from hired_gguf.model_files import quantize as quantizing
from hired_gguf.model_files.gguf_file import read_gguf
from hired_gguf.model_files.mmproj import read_mmproj
from hired_gguf.model_files.quantize import TYPES, matrix_types, quantize_mmproj
from hired_gguf.vision.drift import measure_drift

BLOCKED = [kind for kind in TYPES if kind.startswith("Q")]
SET = ("general.file_type", "general.quantization_version")
# Mean cosine and relative error of the golden pictures' rows, with room to spare: the weights are random.
BOUNDS = {
    "F32": (1.0, 0.0),
    "F16": (0.99999, 0.005),
    "BF16": (0.9998, 0.02),
    "Q8_0": (0.999, 0.05),
    "Q5_1": (0.97, 0.25),
    "Q5_0": (0.97, 0.25),
    "Q4_1": (0.9, 0.5),
    "Q4_0": (0.9, 0.5),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The golden file in every type."""
    folder = tmp_path_factory.mktemp("made")
    return {kind: quantize_mmproj(MMPROJ, folder / f"{kind}.gguf", kind) for kind in TYPES}


@pytest.fixture
def run(capsys):
    def runner(*argv):
        code = main(["quantize", *map(str, argv)])
        return code, *capsys.readouterr()

    return runner


def tensors(path):
    """Name to bytes, read by gguf's own reader."""
    return {tensor.name: np.array(tensor.data).tobytes() for tensor in gguf.GGUFReader(path).tensors}


def ggml_quantize(values, kind):
    """What ggml itself makes of rows of floats."""
    call = llama_cpp.llama_cpp._lib.ggml_quantize_chunk
    call.restype, call.argtypes = (
        ctypes.c_size_t,
        [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * 3, ctypes.c_void_p],
    )
    number = gguf.GGMLQuantizationType[kind]
    block, size = gguf.GGML_QUANT_SIZES[number]
    rows = np.ascontiguousarray(values, np.float32)
    out = np.empty(rows.size // block * size, np.uint8)
    assert call(number, rows.ctypes.data, out.ctypes.data, 0, *rows.shape, None) == out.size
    return out.tobytes()


# The file


def test_numbers_of_file_types_are_llama_cpps():
    names = {kind: "ALL_F32" if kind == "F32" else f"MOSTLY_{kind}" for kind in TYPES}
    assert {kind: gguf.LlamaFileType[name].value for kind, name in names.items()} == TYPES


@pytest.mark.parametrize("kind", TYPES)
def test_only_matrices_change(made, kind):
    before, after = read_gguf(MMPROJ), read_gguf(made[kind])
    changed = {name for name, tensor in after.tensors.items() if tensor.type != before.tensors[name].type}
    matrices = {name for name in before.tensors if ".weight" in name and ("blk" in name or "mm." in name)}
    matrices = {name for name in matrices if ".ln" not in name}
    assert changed == (set() if kind == "F32" else matrices)
    assert len(matrices) == 3 * 6 + 2
    assert list(after.tensors) == list(before.tensors)
    assert [t.shape for t in after.tensors.values()] == [t.shape for t in before.tensors.values()]
    old, new = tensors(MMPROJ), tensors(made[kind])
    assert all(old[name] == new[name] for name in old if name not in changed)


@pytest.mark.parametrize("kind", TYPES)
def test_metadata_stays(made, kind):
    before, after = read_gguf(MMPROJ), read_gguf(made[kind])
    assert after.metadata["general.file_type"] == TYPES[kind]
    assert after.metadata["general.quantization_version"] == gguf.GGML_QUANT_VERSION
    assert [after.types[key] for key in SET] == ["u32", "u32"]
    for old, new in ((before.metadata, after.metadata), (before.types, after.types)):
        assert [item for item in old.items() if item[0] not in SET] == [
            i for i in new.items() if i[0] not in SET
        ]


@pytest.mark.parametrize("kind", TYPES)
def test_it_is_a_mmproj_of_that_type(made, kind):
    info = read_mmproj(made[kind])
    assert info.file_type == kind or kind.startswith("Q")  # in so small a file the embeddings weigh more
    assert set(quantizing.weight_types(read_gguf(made[kind]))) == {kind}
    assert info.parameters == read_mmproj(MMPROJ).parameters


@pytest.mark.parametrize("kind", BLOCKED)
def test_blocks_are_ggmls(made, kind):
    after = tensors(made[kind])
    for tensor in gguf.GGUFReader(MMPROJ).tensors:
        if tensor.name.endswith("weight") and ("attn" in tensor.name or "mm." in tensor.name):
            assert after[tensor.name] == ggml_quantize(tensor.data, kind), tensor.name


def test_same_type_gives_the_same_tensors(made, tmp_path):
    assert tensors(made["F32"]) == tensors(MMPROJ)
    again = quantize_mmproj(made["Q8_0"], tmp_path / "again.gguf", "q8_0")
    assert again.read_bytes() == made["Q8_0"].read_bytes()


def test_a_quantised_source_is_dequantised(made, tmp_path):
    back = tensors(quantize_mmproj(made["Q4_0"], tmp_path / "back.gguf", "F32"))
    for tensor in gguf.GGUFReader(made["Q4_0"]).tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        assert back[tensor.name] == values.astype(np.float32).tobytes()


def test_rows_that_no_block_divides_become_f16(tmp_path):
    forge = good_mmproj(X=24)
    forge.tensors["mm.2.weight"].type = "F32"
    source = forge.write(tmp_path / "in.gguf")
    assert matrix_types(read_gguf(source), "Q8_0")["mm.2.weight"] == "F16"
    assert matrix_types(read_gguf(source), "F32")["mm.2.weight"] == "F32"
    file = read_gguf(quantize_mmproj(source, tmp_path / "out.gguf"))
    assert (file.tensors["mm.2.weight"].type, file.tensors["mm.0.weight"].type) == ("F16", "Q8_0")
    read_mmproj(file.path)


def test_strange_metadata_is_copied(tmp_path):
    """Long values, arrays of strings, bytes that are no text, another alignment, a number of another type."""
    forge = good_mmproj()
    forge.alignment = 64
    forge.metadata |= {
        "general.alignment": ("u32", 64),
        "general.quantization_version": ("i32", 1),
        "some.words": ("array[str]", ["a", b"\xff", "", "ä"]),
        "some.numbers": ("array[f64]", list(range(20000))),
        "some.text": ("str", "x" * 300_000),
        "some.nothing": ("array[i32]", []),
    }
    source = forge.write(tmp_path / "in.gguf")
    target = quantize_mmproj(source, tmp_path / "out.gguf", "F16")
    expected = forge.copy()
    expected.metadata |= {"general.file_type": ("u32", 1), "general.quantization_version": ("u32", 2)}
    assert target.read_bytes() == expected.write(tmp_path / "expected.gguf").read_bytes()


# What is refused


def refuse(error, text, *args, **options):
    with pytest.raises(error, match=text) as caught:
        quantize_mmproj(*args, **options)
    assert caught.type is error


def test_refusals(made, tmp_path):
    here = tmp_path / "here.gguf"
    shutil.copy(MMPROJ, here)
    link = tmp_path / "link.gguf"
    link.symlink_to(here)
    allowed = "'Q4_K' cannot be made; allowed: F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1"
    refuse(InputError, allowed, MMPROJ, tmp_path / "a", "Q4_K")
    refuse(InputError, "is the source itself", here, here, force=True)
    refuse(InputError, "is the source itself", here, link, force=True)
    refuse(InputError, "the folder '.*nowhere' is not there", MMPROJ, tmp_path / "nowhere" / "a")
    refuse(InputError, "is no regular file", MMPROJ, tmp_path, force=True)
    refuse(FileExistsError, "is there already", MMPROJ, here)
    refuse(FileNotFoundError, "No such model file", tmp_path / "none", tmp_path / "a")
    refuse(ModelFormatError, "magic", photo(), tmp_path / "a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here.gguf", "link.gguf"]
    assert here.read_bytes() == MMPROJ.read_bytes()


def test_force_replaces(made, tmp_path):
    target = tmp_path / "out.gguf"
    target.write_text("old")
    quantize_mmproj(MMPROJ, target, force=True)
    assert target.read_bytes() == made["Q8_0"].read_bytes()


def test_a_full_disk_is_noticed_before(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(9, 0, 2**19))
    refuse(OSError, r"out.gguf needs 1 MiB, but 0 MiB are free", MMPROJ, tmp_path / "out.gguf")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("weight", "kind", "text"),
    [
        (np.nan, "BF16", "'mm.0.weight' has NaN or infinity"),
        (np.inf, "F16", "'mm.0.weight' has NaN or infinity"),
        (1e6, "F16", r"'mm.0.weight' has a weight of 1e\+06, too large for F16"),
        (-1e6, "Q8_0", "too large for Q8_0"),
    ],
)
def test_weights_that_a_type_cannot_hold(tmp_path, weight, kind, text):
    data = bytearray(MMPROJ.read_bytes())
    offset = read_gguf(MMPROJ).tensors["mm.0.weight"].offset
    data[offset : offset + 4] = np.float32(weight).tobytes()
    source = tmp_path / "in.gguf"
    source.write_bytes(data)
    refuse(NumericError, text, source, tmp_path / "out.gguf", kind)
    assert [path.name for path in tmp_path.iterdir()] == ["in.gguf"]


@pytest.mark.parametrize("values", [np.zeros((2, 32)), np.full((2, 32), 1e-42), np.eye(32) * 65504])
@pytest.mark.parametrize("kind", BLOCKED)
def test_extreme_blocks(values, kind, tmp_path):
    """No warnings, which would be errors here, and finite numbers back."""
    rows = values.astype(np.float32)
    tensor = read_gguf(MMPROJ).tensors["mm.0.weight"]._replace(shape=rows.shape[::-1])
    data = quantizing._convert(rows.reshape(-1).view(np.uint8), tensor, kind, tmp_path)
    back = gguf.quants.dequantize(data, gguf.GGMLQuantizationType[kind])
    assert np.abs(back - rows).max() <= np.abs(rows).max() / 7 + 1e-7


def test_an_interrupt_leaves_nothing(tmp_path):
    heard = []

    def interrupt(stage, done, total):
        heard.append((stage, done, total))
        if done == 20:
            assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quantize_mmproj(MMPROJ, tmp_path / "out.gguf", on_progress=interrupt)
    assert heard == [("quantize", done, len(read_gguf(MMPROJ).tensors)) for done in range(21)]
    assert not list(tmp_path.iterdir())


# The drift


@pytest.mark.parametrize("kind", TYPES)
def test_drift_of_the_golden_pictures(made, kind):
    heard = []
    drift = measure_drift(
        MMPROJ,
        made[kind],
        [photo(name) for name in NAMES],
        n_threads=1,
        on_progress=lambda *at: heard.append(at),
    )
    cosine, error = BOUNDS[kind]
    assert cosine - 1e-9 <= drift.cosine_mean <= 1
    assert -1 <= drift.cosine_min <= drift.cosine_mean
    assert (drift.relative_error == 0) == (kind == "F32")
    assert drift.relative_error <= error
    assert [kept.budget for kept in drift.kept] == [0.2, 0.1]
    for kept in drift.kept:
        assert 0.2 < kept.min <= kept.mean <= 1
        assert kept.mean == 1 or kind != "F32"
    assert drift.pictures == 4
    assert drift.rows == sum(read_golden_rows(name) for name in NAMES)
    assert heard == [("compare", done, 4) for done in range(4)]


def read_golden_rows(name):
    """Rows of the packed picture without its newline rows: one ends each row of the mosaic."""
    with np.load(FOLDER / f"{name}.npz") as numbers:
        packed, projected = numbers["packed"], numbers["projected"]
    features = {row.tobytes() for row in projected.reshape(-1, projected.shape[-1])}
    return sum(row.tobytes() in features for row in packed)


def test_drift_orders_the_types(made):
    errors = [measure_drift(MMPROJ, made[kind], [photo()], n_threads=1).relative_error for kind in BOUNDS]
    exact, rest = errors[:4], errors[4:]
    assert exact == sorted(exact)
    assert max(exact) < min(rest)


def test_drift_counts_tokens_by_hand(made, encoder):
    with VisionEncoder(made["Q4_0"], n_threads=1) as other:
        one, two = (set(e.encode(photo()).select(7).order.tolist()) for e in (encoder, other))
    drift = measure_drift(MMPROJ, made["Q4_0"], [photo()], budgets=[7], n_threads=1)
    assert drift.kept[0].mean == drift.kept[0].min == len(one & two) / len(one | two)


def test_drift_needs_pictures_and_the_same_model(made, tiny, small):
    with pytest.raises(InputError, match="no pictures to compare with"):
        measure_drift(MMPROJ, made["F16"], [])
    with pytest.raises(ModelMismatchError, match="are different models: image_size is 56 and 112"):
        measure_drift(MMPROJ, small[1])


def test_sample_pictures_are_the_same_every_time():
    first, second = sample_pictures(), sample_pictures()
    assert [picture.size for picture in first] == [(640, 480), (600, 300), (480, 640)]
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))
    assert all(np.asarray(picture).std() > 20 for picture in first)


# The command


def test_help(run):
    code, out, _ = run("--help")
    assert code == 0
    assert "examples:\n  hired-gguf quantize" in out
    assert "On a CPU it does not make encoding faster" in out


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


def test_it_says_what_a_source_has_lost_and_what_stays_f16(run, made, tmp_path):
    code, _, err = run(made["Q4_0"], tmp_path / "a.gguf", "--no-check")
    assert (code, err) == (0, "hired-gguf: Q4_0.gguf is Q4_0 already: what that lost does not come back\n")
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
        ((MMPROJ, out, "--images", empty), "no pictures in the folder"),
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
    for words, text in (((photo(), out), "magic"), ((MMPROJ, out, "--images", MMPROJ), "mmproj-f32.gguf")):
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
    assert [path.name for path in find_pictures([tmp_path])] == ["a.JPG", "b.png"]


def test_a_forged_tensor_type_that_quants_cannot_make_can_be_read(tmp_path):
    """K-quants come in, though none goes out."""
    forge = good_mmproj(D=256, F=512, X=256)
    for name, tensor in forge.tensors.items():
        if "attn_" in name and name.endswith("weight"):
            forge.tensors[name] = Tensor(tensor.shape, "Q6_K")
    file = read_gguf(quantize_mmproj(forge.write(tmp_path / "in.gguf"), tmp_path / "out.gguf"))
    assert quantizing.weight_types(file) == ["Q8_0"]
