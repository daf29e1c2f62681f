"""One call's record: what it did, and how long each stage took."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from ..progress import Timings
from ..selection.selection import Selection


@dataclass
class Run:
    """What one call did. Complete when the answer is.

    ``prompt_tokens`` counts text and visual tokens, ``completion_tokens`` the sampled ones, end of text
    included. ``reused_tokens`` of the prompt were in the context already. Of the images, ``encoded_images``
    went through the vision encoder and ``reused_encodings`` did not, but perhaps through its last layer, for
    tokens that no budget had kept before. ``selections`` has one entry an image, in the order of the prompt.
    """

    prompt_tokens: int = 0
    reused_tokens: int = 0
    completion_tokens: int = 0
    encoded_images: int = 0
    reused_encodings: int = 0
    selections: list[Selection] = field(default_factory=list)
    timings: Timings = field(default_factory=Timings)
    started: float = field(default_factory=time.perf_counter)

    @property
    def visual_tokens(self) -> int:
        """Rows of all images that the language model saw."""
        return sum(s.visual_tokens for s in self.selections)

    @property
    def visual_tokens_full(self) -> int:
        """Rows that the language model would have seen with no token dropped."""
        return sum(s.visual_tokens_full for s in self.selections)
