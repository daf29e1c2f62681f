"""Bytes to text: the same however they are cut into tokens, and what a whole decoding would give."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hired_gguf.chat.text import AnswerText

# Whole characters of every length, parts of them, and bytes that no UTF-8 has.
BYTES = st.lists(
    st.sampled_from([c.encode() for c in "aé猫🐈b "] + [b"\xe7", b"\xe7\x8c", b"\xf0\x9f", b"\xff", b"\xa9"]),
    max_size=12,
).map(b"".join)
STOPS = st.lists(
    st.sampled_from(["a", "ab", "b ", "猫", "é猫", "\ufffd", "aé猫🐈", "猫b", "🐈🐈"]), max_size=3
)


def cut(data, places):
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(edges)]


def streamed(pieces, stop):
    text = AnswerText(stop)
    shown = ""
    for piece in pieces:
        shown += text.add(piece)
        if text.stopped:
            return shown
    return shown + text.add(b"", final=True)


def whole(data, stop):
    """Up to the stop string that is complete first; of two that end together, the longer."""
    text = data.decode(errors="replace")
    ends = [(text.index(s) + len(s), text.index(s)) for s in stop if s in text]
    return text[: min(ends)[1]] if ends else text


@given(BYTES, st.lists(st.integers(0, 60), max_size=8), STOPS)
def test_the_pieces_are_the_whole(data, places, stop):
    assert streamed(cut(data, places), stop) == whole(data, stop)
    assert streamed([data[i : i + 1] for i in range(len(data))], stop) == whole(data, stop)


def test_a_broken_byte_takes_no_later_character_with_it():
    text = AnswerText()
    assert [text.add(b) for b in (b"\xff", b"caf", b"\xc3", b"\xa9", b" ", "猫".encode())] == [
        *("\ufffd", "caf", "", "é", " ", "猫")
    ]


def test_what_may_become_a_stop_string_is_kept_back():
    text = AnswerText(["###", "</s>"])
    assert [text.add(b) for b in (b"a#", b"#b", b"<", b"/s", b"x#")] == ["a", "##b", "", "", "</sx"]
    assert not text.stopped
    assert text.add(b"", final=True) == "#"


def test_an_unfinished_character_waits():
    text = AnswerText()
    text.add(b"\xe7\x8c")
    assert text.waits
    text.add(b"\xab")
    assert not text.waits
    assert text.length == 1
