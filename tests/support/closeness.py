"""How close results must be to Hugging Face's: on the CPU, and on a device that rounds to float16."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from golden_pair import cosines


@dataclass(frozen=True)
class Closeness:
    """``cosine`` is the least of any row, ``attention`` the largest difference of any weight.

    ``row_error`` is that of a packed row, relative to its length; ``logits`` the largest difference of one.
    ``kept`` is the least share of tokens that both keep. None is not held.
    """

    cosine: float
    attention: float
    kept: float
    feature_error: float | None = None
    row_error: float | None = None
    logits: float | None = None

    def check_rows(self, ours, right):
        """Projected rows, packed rows or features of every patch."""
        assert ours.shape == right.shape
        assert cosines(ours, right).min() >= self.cosine

    def check_packed(self, ours, right):
        self.check_rows(ours, right)
        error = np.linalg.norm(ours - right, axis=1) / np.linalg.norm(right, axis=1)
        assert self.row_error is None or error.max() < self.row_error

    def check_features(self, ours, right):
        self.check_rows(ours, right)
        if self.feature_error is not None:
            np.testing.assert_allclose(ours, right, rtol=self.feature_error / 10, atol=self.feature_error)

    def check_attention(self, ours, right):
        np.testing.assert_allclose(ours, right, atol=self.attention)

    def check_kept(self, ours, right):
        """The ids that two selections of as many tokens keep."""
        assert len(ours) == len(right)
        assert len(np.intersect1d(ours, right)) >= self.kept * len(right)

    def check_logits(self, ours, right):
        assert ours.argmax() == right.argmax()
        self.check_rows(ours[None], right[None])
        if self.logits is not None:
            np.testing.assert_allclose(ours, right, atol=self.logits)


CPU = Closeness(cosine=0.99999, attention=1e-4, kept=1.0, feature_error=1e-3, row_error=1e-3, logits=0.02)
GPU = Closeness(cosine=0.9999, attention=0.02, kept=0.98)


def closeness_on(device):
    """By the name that ``--device`` gives."""
    return CPU if device.lower() == "cpu" else GPU
