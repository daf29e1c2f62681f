"""What tests of training share."""

from __future__ import annotations

from importlib import import_module

import pytest
from train.prompts import Prompts
from train.question_vocabulary import build
from train.sizes import VISION, shape
from training import NEEDED, SEED, Modules


@pytest.fixture(scope="session")
def prompts(tmp_path_factory):
    return Prompts(tmp_path_factory.mktemp("prompts"))


@pytest.fixture(scope="session")
def random_modules(tmp_path_factory):
    """Made once; tests take `modules`."""
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


@pytest.fixture
def modules(random_modules):
    """Random modules and their files, without gradients while the test runs."""
    with random_modules.torch.no_grad():
        yield random_modules
