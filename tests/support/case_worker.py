"""Load a pair of files and ask one question, for each case on standard input; a crash ends this process."""

from __future__ import annotations

import json
import os
import sys

from golden_pair import photo

from hired_gguf import LlavaNext
from hired_gguf.errors import HiredError

QUESTION = "What is it? 😀 \x01 é"  # letters that no token but those of bytes spells


def outcome(text, mmproj):
    """What comes of a pair: an answer, an error of ours, or one that nobody foresaw."""
    try:
        with LlavaNext(text, mmproj, n_ctx=512, n_threads=1, budget=0.5, template="vicuna") as llm:
            answer = llm.ask(photo("coffee"), QUESTION, max_tokens=4)
    except HiredError as error:
        return {"error": type(error).__name__, "text": str(error)}
    except FileNotFoundError as error:
        return {"error": "FileNotFoundError", "text": str(error)}
    except Exception as error:
        return {"strange": f"{type(error).__name__}: {error}"}
    return {"answer": answer.text}


if __name__ == "__main__":
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what native code prints is not ours to read
    print(json.dumps({"ready": True}), file=out, flush=True)
    for line in sys.stdin:
        print(json.dumps(outcome(**json.loads(line))), file=out, flush=True)
