"""Many questions to a real model: records, what is evaluated, what is found again."""

from __future__ import annotations

import json
import shutil

import llama_cpp
import numpy as np
import pytest
from golden_pair import NAMES, photo
from PIL import Image

import hired_gguf
from hired_gguf import ClosedError, InputError, LlavaNext, OutputError, PromptError
from hired_gguf.context.prefill import state_of
from hired_gguf.model_files.gguf_file import fingerprint, read_gguf

VARYING = ("timings", "reuse")
COLOUR = {"type": "object", "properties": {"colour": {"enum": ["red", "green"]}}, "required": ["colour"]}


def task(question, image=None, **fields):
    return {"image": str(image or photo()), "question": question, **fields}


def ask(llm, tasks, **options):
    return list(llm.ask_many(tasks, **{"max_tokens": 4, **options}))


def lasting(records):
    return [{name: value for name, value in r.items() if name not in VARYING} for r in records]


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


# One record


def test_a_record_has_the_answer_and_what_made_it(llm, tiny):
    (record,) = ask(llm, [task("What is it?", id="x")], system="Be brief.")
    answer = llm.ask(photo(), "What is it?", max_tokens=4, system="Be brief.")
    assert record["status"] == "ok"
    assert (record["id"], record["image"], record["question"]) == ("x", str(photo()), "What is it?")
    assert record["answer"] == answer.text
    names = ("visual_tokens", "visual_tokens_full", "prompt_tokens", "completion_tokens", "finish_reason")
    assert [record[name] for name in names] == [getattr(answer, name) for name in names]
    assert (record["budget"], record["max_tokens"], record["parsed"], record["error"]) == (
        0.25,
        4,
        None,
        None,
    )
    assert record["model"] == fingerprint(read_gguf(llm.llama.model_path))
    assert record["mmproj"] == llm.handler.info.fingerprint
    assert record["version"] == hired_gguf.__version__
    assert record["settings"]["system"] == "Be brief."
    assert record["timings"]["ttft_s"] > 0


def test_records_are_json(llm, tmp_path):
    records = ask(llm, [task("Q"), task("é\u2028\n", "none\udc80.png"), {}], output=tmp_path / "o.jsonl")
    assert read(tmp_path / "o.jsonl") == records == json.loads(json.dumps(records, allow_nan=False))
    assert len({tuple(record) for record in records}) == 1  # the same fields


def test_the_template_is_around_the_question_alone(llm):
    (record,) = ask(llm, [task("{x} {question}")], template="Q: {question} {0}")
    assert record["question"] == "{x} {question}"
    answer = llm.ask(photo(), "Q: {x} {question} {0}", max_tokens=4)
    assert (record["answer"], record["prompt_tokens"]) == (answer.text, answer.prompt_tokens)


def test_tasks_have_their_own_options(llm):
    plain, few, all_of_them, long = ask(
        llm, [task("Q"), task("Q", budget=7), task("Q", budget=1.0), task("Q", max_tokens=9)]
    )
    assert few["visual_tokens"] == few["budget"] == 7
    assert all_of_them["visual_tokens"] == plain["visual_tokens_full"]
    assert (long["completion_tokens"], long["max_tokens"]) == (9, 9)


def test_options_of_ask(llm):
    first, second = (ask(llm, [task("Q")], temperature=1.0, seed=s)[0]["answer"] for s in (7, 7))
    assert first == second
    assert len({ask(llm, [task("Q")], temperature=1.0)[0]["answer"] for _ in range(4)}) > 1
    assert ask(llm, [task("Q")], budget=5, top_k=1)[0]["visual_tokens"] == 5
    with pytest.raises(PromptError, match="no option 'top_q'"):
        llm.ask_many([], top_q=1)
    with pytest.raises(InputError, match="tasks is a str"):
        llm.ask_many("photo.jpg")


# One image, many questions


def test_one_image_is_encoded_once_and_prefilled_once(llm, encodings):
    picture = Image.effect_noise((90, 70), 60)
    questions = [f"What is the number {n}?" for n in range(10)]
    records = ask(llm, [{"image": picture, "question": question} for question in questions])
    assert len(encodings) == 1
    assert [record["reuse"]["encoded_images"] for record in records] == [1] + [0] * 9
    assert [record["reuse"]["reused_encodings"] for record in records] == [0] + [1] * 9
    text = own_text(llm, picture)
    first, *later = [(record["prompt_tokens"], record["reuse"]["reused_tokens"]) for record in records]
    assert first[0] - first[1] >= records[0]["visual_tokens"] + text
    assert [prompt - reused for prompt, reused in later] == [text] * 9
    assert all(record["timings"]["prefill_visual_s"] == 0 for record in records[1:])


def own_text(llm, picture):
    """Tokens that the prompt has behind the image, when the question is like those asked."""
    llm.ask(picture, "What is the number 9?", max_tokens=1)
    ledger = state_of(llm.llama).ledger
    return len(ledger.ids) - ledger.images[-1].end


def test_questions_about_an_image_run_together(llm, encodings):
    images = [Image.effect_noise((60 + n, 60), 60) for n in range(3)]
    tasks = [{"image": image, "question": f"Q{n}"} for n in range(3) for image in images]
    llm.handler._cache.clear()
    records = ask(llm, tasks)
    assert [record["id"] for record in records] == list(range(1, 10))
    assert [record["reuse"]["encoded_images"] for record in records] == [1] * 3 + [0] * 6
    came = [record["id"] for record in ask(llm, tasks, as_completed=True)]
    assert came == [1, 4, 7, 2, 5, 8, 3, 6, 9]


def test_an_answer_does_not_depend_on_what_was_asked_before(llm):
    tasks = [task(f"What colour has thing {n}?", photo(name)) for name in NAMES for n in range(4)]
    together = lasting(ask(llm, tasks, max_tokens=30))
    alone = []
    for number, one in enumerate(tasks, 1):
        llm.llama.reset()
        alone += lasting(ask(llm, [{"id": number, **one}], max_tokens=30))
    assert alone == together


def test_only_what_follows_the_last_image_is_forgotten(llm):
    llm.ask(photo(), "What is it?", max_tokens=4)
    end = state_of(llm.llama).ledger.images[-1].end
    for question in ("What is it?", "Who?"):
        assert llm.ask(photo(), question, max_tokens=4, fresh=True).reused_tokens == end
    assert llm.ask(photo(), "Who?", max_tokens=4).reused_tokens > end
    llm.llama.reset()  # somebody else's doing: nothing to keep, nothing to harm
    assert llm.ask(photo(), "What is it?", max_tokens=4, fresh=True).reused_tokens == 0


# Errors


def test_a_bad_task_is_a_record(llm, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(photo().read_bytes()[:-30])
    tasks = [
        task("Q", "none.png"),
        task("Q", broken),
        task(""),
        task("Q", budget="half"),
        task("Q", budget=10**6),
        task("Q " * 2000),
        task("Q", "http://example.org/a.png"),
        {"question": "Q"},
        task("Q"),
    ]
    records = ask(llm, tasks, output=tmp_path / "o.jsonl")
    assert [record["status"] for record in records] == ["error"] * 8 + ["ok"]
    assert [record["error"] and record["error"]["type"] for record in records] == [
        *("ImageError", "ImageError", "InputError", "BudgetError", "BudgetError", "ContextOverflowError"),
        *("ImageError", "InputError", None),
    ]
    messages = [record["error"]["message"] for record in records[:8]]
    assert messages[0] == "'none.png': no such file"
    assert messages[1] == f"{str(broken)!r}: is cut short: its end mark is missing"
    assert messages[2] == "question is empty"
    assert "'half'; allowed" in messages[3]
    assert "http is off" in messages[6]
    assert messages[7] == "image is missing"
    assert read(tmp_path / "o.jsonl") == records == ask(llm, tasks, output=tmp_path / "o.jsonl")


def test_errors_can_be_asked_again(llm, tiny, tmp_path):
    output, tasks = tmp_path / "o.jsonl", [task("Q"), task("Q " * 1200), task("Q", "none.png")]
    before = ask(llm, tasks, output=output)
    assert [record["status"] for record in before] == ["ok", "error", "error"]
    with LlavaNext(*tiny, budget=0.25, n_ctx=4096, n_threads=1) as larger:
        assert ask(larger, tasks, output=output) == before
        after = ask(larger, tasks, output=output, retry_errors=True)
    assert [record["status"] for record in after] == ["ok", "ok", "error"]
    assert read(output) == after
    assert after[0] == before[0]


def test_a_picture_that_was_mended_is_asked_again_by_itself(llm, tmp_path):
    path, output = tmp_path / "late.png", tmp_path / "o.jsonl"
    tasks = [task("Q", path), task("Q")]
    assert [r["status"] for r in ask(llm, tasks, output=output)] == ["error", "ok"]
    shutil.copy(photo(), path)
    assert [r["status"] for r in ask(llm, tasks, output=output)] == ["ok", "ok"]


def test_a_closed_model_is_the_end_of_the_run(tiny, tmp_path):
    llm = LlavaNext(*tiny, n_ctx=1024, n_threads=1)
    records = llm.ask_many([task("Q"), task("R")], output=tmp_path / "o.jsonl", max_tokens=4)
    assert next(records)["status"] == "ok"
    llm.close()
    with pytest.raises(ClosedError):
        next(records)
    assert len(read(tmp_path / "o.jsonl")) == 1


# JSON by a schema


def test_answers_by_a_schema_are_parsed(llm):
    plain, other = ask(llm, [task("Q"), task("Q", schema={"type": "boolean"})], schema=COLOUR, max_tokens=30)
    assert plain["parsed"]["colour"] in ("red", "green")
    assert json.loads(plain["answer"]) == plain["parsed"]
    assert isinstance(other["parsed"], bool)
    assert plain["settings"]["schema"] == COLOUR


def test_an_answer_that_is_cut_off_is_an_error(llm):
    (record,) = ask(llm, [task("Q", schema=COLOUR, max_tokens=2)])
    assert (record["status"], record["parsed"]) == ("error", None)
    assert record["error"]["type"] == "AnswerError"
    assert "ends after 2 tokens (length)" in record["error"]["message"]
    assert "raise max_tokens" in record["error"]["message"]
    assert record["answer"]
    assert record["visual_tokens"] > 0


def test_a_grammar_that_llama_cpp_does_not_take_is_an_error(llm, monkeypatch):
    """It would end the process."""
    broken = llama_cpp.LlamaGrammar.from_string("root ::= ((((")
    monkeypatch.setattr(hired_gguf.qa.asking.schema, "make_grammar", lambda schema: broken)
    (record,) = ask(llm, [task("Q")], schema=COLOUR)
    assert record["error"] == {
        "type": "PromptError",
        "message": "llama.cpp cannot parse the grammar (its root is 'root')",
    }


# Going on


def test_what_is_done_is_not_asked_again(llm, tmp_path, encodings):
    output, tasks = tmp_path / "o.jsonl", [task("Q"), task("R"), task("S")]
    records = llm.ask_many(tasks, output=output, max_tokens=4)
    first = next(records)
    records.close()
    asked = []
    progress = {"on_progress": lambda p: p.task and asked.append(p.task.question)}
    assert ask(llm, tasks, output=output, **progress)[0] == first
    assert asked == ["R", "S"]
    assert lasting(read(output)) == lasting(ask(llm, tasks))


def test_a_consumer_may_stop_at_the_last_record(llm, tmp_path):
    output, tasks = tmp_path / "o.jsonl", [task("Q"), task("Q", "none.png")]
    records = llm.ask_many(tasks, output=output, max_tokens=4)
    assert [next(records)["id"] for _ in tasks] == [1, 2]
    records.close()
    assert [path.name for path in tmp_path.iterdir()] == ["o.jsonl"]


def test_an_image_is_known_by_its_content(llm, tmp_path):
    output, copy = tmp_path / "o.jsonl", tmp_path / "copy.png"
    shutil.copy(photo(), copy)
    (before,) = ask(llm, [task("Q")], output=output)
    (after,) = ask(llm, [task("Q", copy, id="other")], output=output)
    assert after == {**before, "id": "other", "image": str(copy)}
    shutil.copy(photo(NAMES[1]), copy)
    (changed,) = ask(llm, [task("Q", copy)], output=output)
    assert changed["key"] != before["key"]
    assert len(read(output)) == 2


def test_a_task_that_is_there_twice_is_asked_twice(llm, tmp_path):
    tasks = [task("Q", id="a"), task("R", id="a"), task("Q", id="a")]
    records = ask(llm, tasks, output=tmp_path / "o.jsonl")
    assert len({record["key"] for record in records}) == 3
    assert records[0]["answer"] == records[2]["answer"]
    assert ask(llm, tasks, output=tmp_path / "o.jsonl") == records


def test_other_settings_are_refused_unless_forced(llm, tmp_path):
    output = tmp_path / "o.jsonl"
    ask(llm, [task("Q")], output=output)
    with pytest.raises(OutputError, match=r'other settings: system was null and is "Be brief\."\. Name'):
        ask(llm, [task("Q")], output=output, system="Be brief.")
    ask(llm, [task("Q")], output=output, system="Be brief.", force=True)
    assert [record["settings"]["system"] for record in read(output)] == [None, "Be brief."]


def test_an_exception_of_the_caller_leaves_the_task_for_later(llm, tmp_path):
    def stop(progress):
        if progress.task is not None and progress.task.question == "R":
            raise KeyboardInterrupt

    output, tasks = tmp_path / "o.jsonl", [task("Q"), task("R")]
    for _ in range(3):  # more than a crash is allowed
        with pytest.raises(KeyboardInterrupt):
            ask(llm, tasks, output=output, on_progress=stop)
    assert [record["status"] for record in ask(llm, tasks, output=output)] == ["ok", "ok"]


def test_progress(llm, tmp_path):
    seen = []

    def note(p):
        seen.append((p.task and p.task.question, p.done, p.images_done, p.errors, p.seconds_left is None))

    tasks = [task("Q"), task("R", "none.png"), task("S")]
    ask(llm, tasks, on_progress=note)
    assert seen == [
        ("Q", 0, 0, 0, True),
        (None, 1, 0, 0, False),
        ("S", 1, 0, 0, False),
        (None, 2, 1, 0, False),
        ("R", 2, 1, 0, False),
        (None, 3, 2, 1, False),
    ]


@pytest.mark.slow
def test_an_output_that_was_cut_off_is_completed(llm, tmp_path):
    """Some of the bytes; test_batch_cut.py has them all, with answers that cost nothing."""
    output, tasks = tmp_path / "o.jsonl", [task(question) for question in "QRST"]
    expected = lasting(ask(llm, tasks, output=output, max_tokens=1))
    whole = output.read_bytes()
    for size in range(whole.index(b"\n"), len(whole), 151):
        output.write_bytes(whole[:size])
        ask(llm, tasks, output=output, max_tokens=1)
        assert lasting(read(output)) == expected


def test_arrays_and_pictures_are_tasks_too(llm):
    pixels = np.asarray(Image.open(photo()).convert("RGB"))
    first, second = ask(llm, [{"image": pixels, "question": "Q"}, task("Q")])
    assert first["answer"] == second["answer"]
    assert first["image"].startswith("<array uint8")
