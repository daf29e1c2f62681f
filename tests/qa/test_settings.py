"""The settings of a run, and how two runs differ."""

from __future__ import annotations

import pytest

from hired_gguf import InputError, PromptError, TokenBudget
from hired_gguf.qa.settings import QaSettings


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"template": "Question:"}, InputError, r"template is 'Question:'; it must hold \{question\}"),
        ({"sampling": {"top_q": 1}}, PromptError, "there is no option 'top_q'"),
        ({"sampling": {"grammar": object()}}, InputError, "must be plain JSON"),
    ],
)
def test_bad_settings(given, error, said):
    with pytest.raises(error, match=said):
        QaSettings("m", "v", **given)


def test_differences_are_named():
    old = QaSettings("m", "v", TokenBudget(1), system="x" * 100)
    record = {**old.as_dict(), "settings": old.as_dict()}
    assert old.differences(record) == []
    found = QaSettings("n", "v", TokenBudget(1.0), temperature=0.5).differences(record)
    assert found[0] == 'model was "m" and is "n"'
    assert found[1:2] + found[3:] == ["budget was 1 and is 1.0", "temperature was 0.0 and is 0.5"]
    assert found[2].startswith('system was "xxx')
    assert found[2].endswith("... and is null")
    assert len({old.fingerprint, QaSettings("m", "v", TokenBudget(1.0), system="x" * 100).fingerprint}) == 2
