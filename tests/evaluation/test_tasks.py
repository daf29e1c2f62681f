"""A sample of questions."""

from __future__ import annotations

from evaluated import asked

from hired_gguf.evaluation.tasks import count, sample


def test_sample_is_drawn_by_seed_in_the_file_s_order():
    pictures = [asked(str(i), (9, 9), "a", "b", "c") for i in range(10)]
    chosen = sample(pictures, 7, 0)
    ids = [question.id for picture in chosen for question in picture.questions]
    assert len(ids) == 7
    assert ids == sorted(ids)
    assert [p.questions for p in sample(pictures, 7, 0)] == [p.questions for p in chosen]
    assert [p.questions for p in sample(pictures, 7, 1)] != [p.questions for p in chosen]
    assert count(sample(pictures, 99, 0)) == 30
