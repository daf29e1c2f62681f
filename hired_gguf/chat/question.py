"""What is asked about a picture, as rows of the language model: for selections that go by the question."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ModelFormatError
from ..model_files.token_table import read_token_table
from ..native.token_rows import token_rows, token_table
from ..prompt.messages import ImagePart, TextPart, Turn
from ..prompt.tokens import PromptTokenizer
from ..vision.encoding import Floats


def question_rows(tokenizer: PromptTokenizer, turns: Sequence[Turn], image: ImagePart) -> Floats:
    """The rows [tokens, D_text] of the text that is asked about an image, by the model's own table.

    Raises ModelFormatError where the model's file has none.
    """
    path = tokenizer.llama.model_path
    table = token_table(tokenizer.llama) or read_token_table(path)
    if table is None:
        raise ModelFormatError(f"{path} has no tensor token_embd.weight, by which a question becomes rows")
    return token_rows(table, tokenizer.encode(question_about(turns, image)))


def question_about(turns: Sequence[Turn], image: ImagePart) -> str:
    """The text of the message that an image stands in; of the last user message where that has none.

    So what is asked later about an image changes nothing of it.
    """
    own = next((turn for turn in turns if any(part is image for part in turn.parts)), None)
    latest = next((turn for turn in reversed(turns) if turn.role == "user"), None)
    return _text(own) or _text(latest)


def _text(turn: Turn | None) -> str:
    parts = turn.parts if turn is not None else ()
    return " ".join(part.text for part in parts if isinstance(part, TextPart)).strip()
