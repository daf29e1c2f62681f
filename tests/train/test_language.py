"""The language model in PyTorch equals the engine."""

from __future__ import annotations

import numpy as np
from training import SEED, with_torch

from hired_gguf.synthetic.vocabulary import FIRST_PIECE
from models import load_llama


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
