"""Models that several test files share: the golden encoder, and a synthesized pair that writes words."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

import pytest
from closeness import closeness_on
from gguf import GGUFValueType
from gguf_rewrite import rewrite
from golden_pair import MMPROJ, TEXT

from hired_gguf import HiREDChatHandler, LlavaNext, VisionEncoder
from hired_gguf.cli import main
from hired_gguf.model_files.quantize import TYPES, quantize_mmproj
from hired_gguf.prompt.built_in import VICUNA
from hired_gguf.synthetic.synthesize import synthesize
from models import CONTEXT, load_llama


def pytest_addoption(parser):
    parser.addoption(
        "--device",
        default="cpu",
        help="device of the golden tests, encoder and language model: cpu, gpu or a name as doctor lists it "
        "(default: cpu)",
    )


@pytest.fixture(scope="session")
def device(pytestconfig):
    return pytestconfig.getoption("--device")


@pytest.fixture(scope="session")
def close(device):
    """How close the device's results must be to Hugging Face's."""
    return closeness_on(device)


def pytest_report_header():
    names = ("hired-gguf", "llama-cpp-python", "numpy", "pillow", "gguf", "jinja2")
    return "versions: " + ", ".join(f"{name} {version(name)}" for name in names)


@pytest.fixture(autouse=True, scope="session")
def elsewhere(tmp_path_factory):
    """Child processes must find the installed package, not the source folder in the clone's root."""
    folder = Path.cwd()
    os.chdir(tmp_path_factory.mktemp("elsewhere"))
    yield
    os.chdir(folder)


@pytest.fixture(autouse=True, scope="session")
def nobodys_settings(tmp_path_factory):
    """No option comes from whoever runs the tests: neither from their variables nor from their file.

    A terminal has 100 columns, and pairs made once lie in a folder of their own.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("HIRED_GGUF_")]:
            patch.delenv(name)
        for name in ("XDG_CONFIG_HOME", "APPDATA"):
            patch.setenv(name, str(tmp_path_factory.mktemp("config")))
        patch.setenv("HIRED_GGUF_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("COLUMNS", "100")
        yield


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    """The working directory is this folder, which is empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def pictures_folder(tmp_path):
    """Three empty files with names of pictures, and what else a folder may hold."""
    for name in ("b.PNG", "a.jpg", "c.tiff", "readme.txt", "._a.jpg", "noext"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "d.png").mkdir()
    return tmp_path


@pytest.fixture
def run(capsys):
    """Runs the command line here; its exit code, standard output and standard error."""

    def runner(*argv):
        code = main([str(part) for part in argv])
        return code, *capsys.readouterr()

    return runner


@pytest.fixture
def encodings(monkeypatch):
    """The images that were encoded; completing one for another budget does not count."""
    images, encode, encode_tiled = [], VisionEncoder.encode, VisionEncoder.encode_tiled

    def spy(self, image, *args, **options):
        images.append(image)
        return encode(self, image, *args, **options)

    def spy_tiled(self, picture, budget, known=None):
        images.extend([picture] if known is None else [])
        return encode_tiled(self, picture, budget, known)

    monkeypatch.setattr(VisionEncoder, "encode", spy)
    monkeypatch.setattr(VisionEncoder, "encode_tiled", spy_tiled)
    return images


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Paths (text, mmproj) of a pair with random weights whose greedy answers are words that never end.

    It carries a chat template, since of a model without one the log says which was taken.
    """
    folder = tmp_path_factory.mktemp("tiny")
    text, mmproj = synthesize("tiny", folder / "made")
    own = {"tokenizer.chat_template": (VICUNA, GGUFValueType.STRING)}
    return rewrite(text, folder / text.name, keys=own), mmproj


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """A pair large enough to take its time."""
    return synthesize("small", tmp_path_factory.mktemp("small"), "f16")


@pytest.fixture(scope="session")
def every_type(tmp_path_factory):
    """The golden mmproj in every type that `hired-gguf quantize` makes, by type."""
    folder = tmp_path_factory.mktemp("every_type")
    return {kind: quantize_mmproj(MMPROJ, folder / f"{kind}.gguf", kind) for kind in TYPES}


@pytest.fixture(scope="session")
def encoder(device):
    """The golden pair's."""
    with VisionEncoder(MMPROJ, n_threads=1, device=device) as encoder:
        yield encoder


@pytest.fixture(scope="session")
def golden_llama(device):
    llama = load_llama(TEXT, n_gpu_layers=0 if device.lower() == "cpu" else -1)
    yield llama
    llama.close()


@pytest.fixture(scope="session")
def handler(tiny):
    """At the full budget, so that every row counts."""
    handler = HiREDChatHandler(tiny[1], budget=1.0, n_threads=1)
    yield handler
    handler.close()


@pytest.fixture(scope="session")
def llama(tiny, handler):
    """With the handler dropped in. Tests leave it in any state."""
    llama = load_llama(tiny[0], chat_handler=handler)
    yield llama
    llama.close()


@pytest.fixture
def new_llama(tiny, handler):
    """Makes fresh contexts, with the shared handler unless told otherwise."""
    made = []

    def make(path=tiny[0], **options):
        made.append(load_llama(path, **{"chat_handler": handler, **options}))
        return made[-1]

    yield make
    for llama in made:
        llama.close()


@pytest.fixture(scope="session")
def llm(tiny):
    with LlavaNext(*tiny, budget=0.25, n_ctx=CONTEXT, n_threads=1) as llm:
        yield llm
