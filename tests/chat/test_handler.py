"""HiREDChatHandler as llama-cpp-python's own chat handler: its protocol, its words, its state."""

from __future__ import annotations

import base64
import json
import pickle
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import llama_cpp
import numpy as np
import pytest
from gguf import GGUFValueType
from gguf_rewrite import rewrite
from golden_pair import MMPROJ, TEXT, answer_of, assistant, image, photo, system, text_of, user
from PIL import Image

from hired_gguf import (
    BudgetError,
    ClosedError,
    ContextOverflowError,
    HiREDChatHandler,
    ImageError,
    ModelMismatchError,
    PromptError,
    StreamError,
)
from models import load_llama

QUESTION = [user(image(photo()), "What is this?")]
OTHER = [user(image(photo("chelsea")), "What is this?")]
TEXT_ONLY = [user("What is a picture?")]
EOS = 2
STRING = GGUFValueType.STRING


@contextmanager
def llama_of(pair, *, budget=1.0, template=None, **options):
    handler = HiREDChatHandler(pair[1], budget=budget, template=template, n_threads=1)
    llama = load_llama(pair[0], chat_handler=handler, **options)
    try:
        yield llama
    finally:
        llama.close()
        handler.close()


def greedy(llama, messages=QUESTION, max_tokens=10, **options):
    return llama.create_chat_completion(messages, max_tokens=max_tokens, temperature=0, **options)


def words(llama, messages=QUESTION, **options):
    return answer_of(greedy(llama, messages, **options))


@pytest.fixture
def fresh(new_llama):
    """The greedy answer of a context that nobody has used."""
    return lambda messages, **options: words(new_llama(), messages, **options)


# The shape of answers


def test_completion(llama, handler, tiny):
    completion = greedy(llama)
    text = completion["choices"][0]["message"].pop("content")
    assert len(text.split()) > 2
    assert completion.pop("id").startswith("chatcmpl-")
    assert isinstance(completion.pop("created"), int)
    run = handler.last_run
    assert run.visual_tokens == run.visual_tokens_full == 88
    assert completion == {
        "object": "chat.completion",
        "model": str(tiny[0]),
        "choices": [
            {"index": 0, "message": {"role": "assistant"}, "logprobs": None, "finish_reason": "length"}
        ],
        "usage": {
            "prompt_tokens": run.prompt_tokens,
            "completion_tokens": 10,
            "total_tokens": run.prompt_tokens + 10,
            "prompt_tokens_details": {"cached_tokens": run.reused_tokens},
        },
    }


def test_usage_counts_text_and_visual_tokens(llama, handler):
    with_image = greedy(llama)["usage"]["prompt_tokens"]
    for budget, rows in ((1, 1), (8, 8), (0.5, 40), (1.0, 88)):
        completion = handler(llama=llama, messages=QUESTION, budget=budget, max_tokens=1)
        assert completion["usage"]["prompt_tokens"] == with_image - 88 + rows
        assert handler.last_run.visual_tokens == rows
        assert handler.last_run.visual_tokens_full == 88
    assert greedy(llama, TEXT_ONLY)["usage"]["prompt_tokens"] == llama.n_tokens - 9
    assert handler.last_run.visual_tokens == 0


def test_stream(llama):
    chunks = list(greedy(llama, stream=True))
    for chunk in chunks:
        assert chunk["object"] == "chat.completion.chunk"
        assert chunk["id"] == chunks[0]["id"]
        assert chunk["id"].startswith("chatcmpl-")
        assert [choice["index"] for choice in chunk["choices"]] == [0]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant"}
    assert all(delta.keys() == {"content"} for delta in deltas[1:-1])
    assert deltas[-1] == {}
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * (len(chunks) - 1) + [
        "length"
    ]


@pytest.mark.parametrize("messages", [QUESTION, TEXT_ONLY])
def test_the_stream_says_what_the_completion_says(llama, messages):
    assert text_of(greedy(llama, messages, stream=True)) == words(llama, messages)


def test_last_run_is_complete_when_the_answer_is(new_llama, handler):
    handler.close()  # or its image would be there
    stream = greedy(new_llama(), stream=True)
    assert handler.last_run.completion_tokens == 0
    list(stream)
    run = handler.last_run
    assert run.completion_tokens == 10
    times = run.timings
    assert min(times.encode_s, times.select_s, times.prefill_visual_s, times.prefill_text_s) > 0
    stages = times.encode_s + times.select_s + times.prefill_visual_s + times.prefill_text_s
    assert stages <= times.ttft_s < times.total_s


# What shapes an answer


def test_stop_strings_are_cut(llama):
    whole = words(llama, max_tokens=20)
    stop = whole[6:9]
    short = whole[: whole.index(stop)]
    for given in (stop, [stop], ["never said", stop]):
        completion = greedy(llama, max_tokens=20, stop=given)
        assert answer_of(completion) == short
        assert completion["choices"][0]["finish_reason"] == "stop"
        chunks = list(greedy(llama, max_tokens=20, stop=given, stream=True))
        assert text_of(chunks) == short
        assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_end_of_text_stops(llama, handler):
    completion = greedy(llama, logit_bias={EOS: 1000.0})
    assert answer_of(completion) == ""
    assert completion["choices"][0]["finish_reason"] == "stop"
    assert handler.last_run.completion_tokens == 1


def test_logit_bias_forces_a_token(llama):
    (token,) = llama.tokenize(b"image", add_bos=False)
    for key in (token, str(token)):
        assert words(llama, logit_bias={key: 1000.0}, max_tokens=3) == " image" * 3


def test_the_templates_stop_string(tiny):
    with llama_of(tiny, template="chatml") as llama:
        whole = words(llama, max_tokens=4)
        spelled = llama.tokenize(b"<|im_end|>", add_bos=False)[1:]
        steps = iter(spelled)

        def write(ids, scores):
            scores[next(steps)] = 1e6
            return scores

        completion = greedy(
            llama, max_tokens=len(spelled), logits_processor=llama_cpp.LogitsProcessorList([write])
        )
        assert whole != ""
        assert answer_of(completion) == ""
        assert completion["choices"][0]["finish_reason"] == "stop"


def test_a_seed_makes_answers_repeatable(llama):
    def sample(seed):
        return answer_of(llama.create_chat_completion(QUESTION, max_tokens=10, temperature=1.0, seed=seed))

    answers = [sample(seed) for seed in range(4)]
    assert len(set(answers)) > 1
    assert [sample(seed) for seed in range(4)] == answers


def test_the_caller_may_leave_everything_out(llama, handler):
    completion = handler(
        llama=llama, messages=QUESTION, max_tokens=3, temperature=None, top_p=None, seed=None
    )
    assert completion["usage"]["completion_tokens"] == 3


def test_grammar(llama):
    grammar = llama_cpp.LlamaGrammar.from_string('root ::= "yes" | "no"', verbose=False)
    completion = greedy(llama, grammar=grammar)
    assert answer_of(completion) in ("yes", "no")
    assert completion["choices"][0]["finish_reason"] == "stop"


def test_a_grammar_that_llama_cpp_cannot_parse_is_an_error(llama):
    """Sampling by it would end the process."""
    broken = llama_cpp.LlamaGrammar.from_string("root ::= ((((", verbose=False)
    with pytest.raises(PromptError, match=r"cannot parse the grammar \(its root is 'root'\)"):
        greedy(llama, grammar=broken)


ANIMAL = {
    "type": "object",
    "properties": {"animal": {"enum": ["cat", "dog"]}, "seen": {"type": "boolean"}},
    "required": ["animal", "seen"],
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    "response_format",
    [
        {"type": "json_schema", "json_schema": {"name": "animal", "schema": ANIMAL}},
        {"type": "json_object", "schema": ANIMAL},
    ],
    ids=["json_schema", "json_object"],
)
def test_json_of_a_schema(llama, response_format, stream):
    answer = greedy(llama, response_format=response_format, max_tokens=100, stream=stream)
    found = json.loads(text_of(answer) if stream else answer_of(answer))
    assert set(found) == {"animal", "seen"}
    assert found["animal"] in ("cat", "dog")
    assert isinstance(found["seen"], bool)


def test_json_object(llama):
    assert words(llama, response_format={"type": "json_object"}, max_tokens=40).lstrip()[0] == "{"


TOOL = {"type": "function", "function": {"name": "name_animal", "parameters": ANIMAL}}
FORCED = {
    "tools": {
        "tools": [TOOL],
        "tool_choice": {"type": "function", "function": {"name": "name_animal"}},
    },
    "required": {"tools": [TOOL], "tool_choice": "required"},
    "functions": {"functions": [TOOL["function"]], "function_call": {"name": "name_animal"}},
}


@pytest.mark.parametrize("form", FORCED)
def test_a_forced_tool_is_called(llama, form):
    choice = greedy(llama, max_tokens=100, **FORCED[form])["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    (call,) = choice["message"]["tool_calls"]
    assert call["type"] == "function"
    assert call["function"]["name"] == "name_animal"
    assert json.loads(call["function"]["arguments"])["animal"] in ("cat", "dog")
    assert choice["message"]["function_call"] == call["function"]


@pytest.mark.parametrize("form", FORCED)
def test_a_forced_tool_is_called_in_a_stream(llama, form):
    chunks = [chunk["choices"][0] for chunk in greedy(llama, max_tokens=100, stream=True, **FORCED[form])]
    assert chunks[0]["delta"]["role"] == "assistant"
    assert [chunk["finish_reason"] for chunk in chunks] == [None] * (len(chunks) - 1) + ["tool_calls"]
    calls = [call for chunk in chunks for call in chunk["delta"].get("tool_calls") or []]
    assert {call["function"]["name"] for call in calls} == {"name_animal"}
    assert set(json.loads("".join(call["function"]["arguments"] for call in calls))) == {"animal", "seen"}


def test_a_tool_that_may_be_called_forces_nothing(llama):
    assert words(llama, tools=[TOOL], tool_choice="auto") == words(llama)


def test_logprobs(tiny):
    with llama_of(tiny, logits_all=True) as llama:
        llama.scores[:] = 1e38  # they start uninitialised
        llama.scores[:, 0] = -3e38
        right = words(llama)
        choice = greedy(llama, logprobs=True, top_logprobs=3)["choices"][0]
        assert choice["message"]["content"] == right
        content = choice["logprobs"]["content"]
        assert len(content) == 10
        for token in content:
            assert len(token["top_logprobs"]) == 3
            best = max(token["top_logprobs"], key=lambda top: top["logprob"])
            assert best["token"] == token["token"]  # greedy takes the best
            assert best["logprob"] == pytest.approx(token["logprob"])
            assert token["logprob"] < 0
        streamed = list(greedy(llama, logprobs=True, top_logprobs=3, stream=True))
        assert text_of(streamed) == right


def test_logprobs_are_refused_before_the_prompt_is_evaluated(llama, encodings):
    with pytest.raises(PromptError, match=r"logprobs need Llama\(logits_all=True\)"):
        greedy(llama, logprobs=True)
    assert encodings == []


# Room


@pytest.mark.parametrize("n_ctx", [100, 257, 300])
@pytest.mark.parametrize("max_tokens", [None, 0, -1, 2**40])
def test_an_unlimited_answer_ends_with_the_context(tiny, n_ctx, max_tokens):
    with llama_of(tiny, n_ctx=n_ctx, budget=4, template="mistral") as llama:
        completion = llama.create_chat_completion(QUESTION, max_tokens=max_tokens, temperature=0)
        assert completion["choices"][0]["finish_reason"] == "length"
        assert completion["usage"]["total_tokens"] == n_ctx
        right = answer_of(completion)
        assert (
            answer_of(llama.create_chat_completion(QUESTION, max_tokens=max_tokens, temperature=0)) == right
        )
        stream = llama.create_chat_completion(QUESTION, max_tokens=max_tokens, temperature=0, stream=True)
        assert text_of(stream) == right


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("n_ctx", "max_tokens", "tokens"), [(300, None, 300), (257, 10**6, 257), (512, 4, None)]
)
def test_characters_that_are_never_completed(tiny, n_ctx, max_tokens, tokens, stream):
    """llama-cpp-python forgets its limits while bytes are missing, and would write past the context."""
    with llama_of(tiny, n_ctx=n_ctx, budget=4, template="mistral") as llama:
        (lead,) = llama.tokenize("猫".encode(), add_bos=False)[1:2]
        options = {"max_tokens": max_tokens, "temperature": 0, "logit_bias": {lead: 1e6}}
        answer = llama.create_chat_completion(QUESTION, stream=stream, **options)
        reason = (list(answer)[-1] if stream else answer)["choices"][0]["finish_reason"]
        assert reason == "length"
        run = llama.chat_handler.last_run
        sampled = run.completion_tokens
        assert sampled <= 4 + 3 + 1 if tokens is None else run.prompt_tokens + sampled <= tokens + 1
        assert len(words(llama, TEXT_ONLY).split()) > 2


def test_a_prompt_that_leaves_room_for_one_token(tiny, handler, llama):
    needed = handler(llama=llama, messages=QUESTION, max_tokens=1)["usage"]["prompt_tokens"]
    with llama_of(tiny, n_ctx=needed + 1, budget=1.0) as exact:
        completion = greedy(exact)
        assert completion["usage"]["completion_tokens"] == 1
        assert answer_of(completion) == words(llama, max_tokens=1)
    with llama_of(tiny, n_ctx=needed, budget=1.0) as short, pytest.raises(ContextOverflowError):
        greedy(short)


def test_overflow_is_refused_before_anything_is_encoded(tiny, llama, handler, encodings):
    full = handler(llama=llama, messages=QUESTION, max_tokens=1)["usage"]["prompt_tokens"]
    encodings.clear()
    n_ctx = full - 50
    with llama_of(tiny, n_ctx=n_ctx, budget=1.0) as short:
        with pytest.raises(ContextOverflowError) as refused:
            greedy(short)
        assert encodings == []
        said = str(refused.value)
        assert f"needs {full + 1} tokens ({full - 88} of text, 88 visual, 1 for the answer)" in said
        assert f"holds {n_ctx} (n_ctx): make n_ctx at least {full + 1}" in said
        budget, rows = re.search(r"or budget at most (0\.\d\d) \((\d+) visual tokens\)", said).groups()
        completion = short.chat_handler(
            llama=short, messages=QUESTION, budget=float(budget), max_tokens=None, temperature=0
        )
        assert short.chat_handler.last_run.visual_tokens == int(rows)
        assert completion["usage"]["total_tokens"] <= n_ctx
        with pytest.raises(ContextOverflowError):  # the next larger one does not fit
            short.chat_handler(llama=short, messages=QUESTION, budget=float(budget) + 0.03)


def test_overflow_that_no_budget_helps(tiny, encodings):
    with llama_of(tiny, n_ctx=64, budget=1.0) as short:
        with pytest.raises(ContextOverflowError, match="no budget fits"):
            greedy(short, [user(image(photo()), "What is this? " * 20)])
        with pytest.raises(ContextOverflowError, match="or ask less"):
            greedy(short, [user("What is this? " * 20)])
    assert encodings == []


def test_images_add_up(tiny, encodings):
    with llama_of(tiny, n_ctx=300, budget=1.0, template="mistral") as llama:
        two = [user(image(photo()), image(photo("chelsea")), image(photo("coffee")), "Q")]
        with pytest.raises(ContextOverflowError, match="294 visual"):
            greedy(llama, [user(*two[0]["content"], image(photo()))])
        assert greedy(llama, [user(image(photo("rocket")), "Q")])["usage"]["completion_tokens"] == 10
    assert len(encodings) == 1


# Images


def test_ways_to_give_an_image(llama, tmp_path):
    data = photo("rocket").read_bytes()
    picture = Image.open(photo("rocket")).convert("RGB")
    encoded = base64.b64encode(data).decode()
    sources = [
        str(photo("rocket")),
        photo("rocket"),
        photo("rocket").as_uri(),
        f"data:image/png;base64,{encoded}",
        data,
        picture,
        np.asarray(picture),
    ]
    right = words(llama, [user(image(sources[0]), "Q")])
    for source in sources:
        assert words(llama, [user({"type": "image", "image": source}, "Q")]) == right
        assert words(llama, [user({"type": "image_url", "image_url": {"url": source}}, "Q")]) == right
        assert words(llama, [user({"type": "image_url", "image_url": source}, "Q")]) == right


def test_images_make_the_difference(llama):
    answers = {words(llama, [user(image(photo(name)), "Q")]) for name in ("astronaut", "chelsea", "coffee")}
    assert len(answers | {words(llama, [user("Q")])}) == 4


def test_several_images_keep_their_order(llama, handler):
    forth = [user(image(photo()), image(photo("chelsea")), "Q")]
    back = [user(image(photo("chelsea")), image(photo()), "Q")]
    assert words(llama, forth) != words(llama, back)
    assert [s.tiling.image_size_hw for s in handler.last_run.selections] == [(120, 200), (256, 256)]
    assert handler.last_run.visual_tokens == 88 + 52


def test_images_in_several_turns(llama, handler):
    messages = [
        *QUESTION,
        assistant("A man."),
        user("And?", image(photo("rocket")), "this?"),
        assistant("No."),
    ]
    greedy(llama, [*messages, user("Why?")])
    assert handler.last_run.visual_tokens == 88 + 44


def test_the_same_image_twice_is_seen_twice(llama, handler):
    greedy(llama, [user(image(photo()), f"Is {photo()} the same as", image(photo()), "?")])
    assert handler.last_run.visual_tokens == 2 * 88


@pytest.mark.parametrize("nasty", ["<image>", "<__media__>", "</s>", "[INST]", "USER:"])
def test_markers_in_words_are_words(llama, handler, nasty):
    greedy(llama, [user(image(photo()), nasty)])
    assert handler.last_run.visual_tokens == 88
    greedy(llama, [system(nasty), user(nasty)])
    assert handler.last_run.visual_tokens == 0


def test_plain_content_equals_one_part(llama):
    assert words(llama, [{"role": "user", "content": "Why?"}]) == words(llama, [user("Why?")])


# State: every answer is that of a fresh context


def test_text_image_text(llama, fresh):
    right = fresh(TEXT_ONLY)
    assert words(llama, TEXT_ONLY) == right
    greedy(llama, QUESTION)
    assert words(llama, TEXT_ONLY) == right


def test_two_images_of_equal_size(llama, fresh, tmp_path):
    Image.open(photo()).transpose(Image.Transpose.ROTATE_180).save(tmp_path / "b.png")
    other = [user(image(tmp_path / "b.png"), "What is this?")]
    right = fresh(QUESTION), fresh(other)
    assert right[0] != right[1]
    for _ in range(2):
        assert (words(llama, QUESTION), words(llama, other)) == right


def test_image_positions_never_serve_as_text(llama, handler, new_llama):
    """The ids that stood for the image, sent as a plain prompt, are evaluated as what they are."""
    seen = []

    def spy(ids, scores):
        seen.append(list(ids))
        return scores

    greedy(llama, max_tokens=1, logits_processor=llama_cpp.LogitsProcessorList([spy]))
    prompt = [max(i, 0) for i in seen[0]]
    assert prompt.count(0) >= 88
    options = {"max_tokens": 10, "temperature": 0}
    right = new_llama().create_completion(prompt, **options)["choices"][0]["text"]

    greedy(llama)
    assert llama.create_completion(prompt, **options)["choices"][0]["text"] == right
    stream = greedy(llama, stream=True)
    next(stream)
    assert llama.create_completion(prompt, **options)["choices"][0]["text"] == right
    stream = greedy(llama, stream=True)
    assert llama.create_completion(prompt, **options)["choices"][0]["text"] == right
    del stream


def test_a_plain_completion_after_an_image(llama, new_llama):
    options = {"prompt": "What is this?", "max_tokens": 10, "temperature": 0}
    right = new_llama().create_completion(**options)["choices"][0]["text"]
    for _ in range(2):
        greedy(llama)
        assert llama.create_completion(**options)["choices"][0]["text"] == right


def test_two_handlers_share_a_llama(tiny, llama, handler, fresh):
    right = fresh(QUESTION), fresh(OTHER)
    other = HiREDChatHandler(tiny[1], budget=1.0, n_threads=1)
    for _ in range(2):
        assert answer_of(other(llama=llama, messages=OTHER, max_tokens=10, temperature=0)) == right[1]
        assert words(llama) == right[0]
    stream = other(llama=llama, messages=OTHER, max_tokens=10, temperature=0, stream=True)
    next(stream)
    assert words(llama) == right[0]
    with pytest.raises(StreamError):
        list(stream)
    other.close()


def test_one_handler_serves_two_llamas(llama, new_llama, fresh):
    right = fresh(QUESTION), fresh(OTHER)
    second = new_llama()
    streams = greedy(llama, stream=True), greedy(second, OTHER, stream=True)
    texts = ["", ""]
    for pair in zip(*streams, strict=False):
        for i, chunk in enumerate(pair):
            texts[i] += chunk["choices"][0]["delta"].get("content") or ""
    assert tuple(texts) == right


@pytest.mark.parametrize("read", [0, 1, 4])
def test_an_abandoned_stream(llama, fresh, read):
    right = fresh(TEXT_ONLY), fresh(OTHER)
    stream = greedy(llama, stream=True)
    for _ in range(read):
        next(stream)
    assert (words(llama, TEXT_ONLY), words(llama, OTHER)) == right
    with pytest.raises(StreamError, match="cut off: its model has been given another prompt"):
        next(stream)
    assert list(stream) == []
    assert words(llama, OTHER) == right[1]


@pytest.mark.parametrize("read", [0, 1, 4])
def test_a_stream_after_a_plain_completion_in_between(llama, read):
    stream = greedy(llama, stream=True)
    for _ in range(read):
        next(stream)
    llama.create_completion("What is this?", max_tokens=5)
    with pytest.raises(StreamError):
        list(stream)


@pytest.mark.parametrize("read", [0, 1, 4])
def test_a_closed_stream(llama, fresh, read):
    right = fresh(TEXT_ONLY)
    stream = greedy(llama, stream=True)
    for _ in range(read):
        next(stream)
    stream.close()
    assert list(stream) == []
    assert words(llama, TEXT_ONLY) == right


def test_errors_leave_a_usable_context(llama, fresh):
    right = fresh(QUESTION)
    for messages, error in (
        ([user(image("missing.png"), "Q")], ImageError),
        ([user(image(photo()), "Q" * 3000)], ContextOverflowError),
        ([], PromptError),
    ):
        with pytest.raises(error):
            greedy(llama, messages)
        assert words(llama) == right


def test_an_error_in_the_callers_progress(tiny, llama, fresh):
    right = fresh(QUESTION)

    def stop(stage, done, total):
        if (stage, done > 0) == ("prefill", True):
            raise RuntimeError("enough")

    handler = HiREDChatHandler(tiny[1], on_progress=stop, n_threads=1)
    with pytest.raises(RuntimeError, match=r"^enough$"):
        handler(llama=llama, messages=QUESTION)
    memory = llama_cpp.llama_get_memory(llama._ctx.ctx)
    assert llama_cpp.llama_memory_seq_pos_max(memory, 0) == llama.n_tokens - 1
    assert words(llama) == right
    handler.close()


def test_progress(tiny, new_llama):
    heard, llama = [], new_llama()
    handler = HiREDChatHandler(tiny[1], budget=8, on_progress=lambda *step: heard.append(step), n_threads=1)
    messages = [user(image(photo()), image(photo("rocket")), "Q")]
    total = handler(llama=llama, messages=messages, max_tokens=1)["usage"]["prompt_tokens"]
    assert heard[:2] == [("encode", 0, 2), ("encode", 1, 2)]
    assert heard[2] == ("prefill", 0, total)
    assert heard[-1] == ("prefill", total, total)
    done = [step[1] for step in heard[2:]]
    assert done == sorted(done)
    handler.close()


def test_threads_take_turns(llama, fresh):
    questions = (QUESTION, OTHER, TEXT_ONLY, [user(image(photo("rocket")), "And?")])
    right = [fresh(messages) for messages in questions]

    def work(i):
        answers = []
        for _ in range(5):
            try:
                answers.append(words(llama, questions[i], stream=False))
            except StreamError:
                answers.append("cut off")
        return answers

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [[answer] * 5 for answer in right]


def test_threads_stream_right_or_not_at_all(llama, fresh):
    questions = (QUESTION, OTHER, TEXT_ONLY)
    right = [fresh(messages) for messages in questions]
    begun = threading.Barrier(3)

    def work(i):
        begun.wait(30)
        answers = []
        for _ in range(5):
            try:
                answers.append(text_of(greedy(llama, questions[i], stream=True)))
            except StreamError:
                answers.append(right[i])
        return answers

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(work, range(3))) == [[answer] * 5 for answer in right]


# Options


def test_budget_for_one_call(llama, handler):
    at_eight = answer_of(handler(llama=llama, messages=QUESTION, budget=8, max_tokens=10, temperature=0))
    assert handler.last_run.visual_tokens == 8
    assert handler.token_budget.budget == 1.0
    assert at_eight != words(llama)
    assert handler.last_run.visual_tokens == 88
    handler(llama=llama, messages=QUESTION, budget=0.5, alpha=1.0, allocation="uniform", newlines="keep")
    config = handler.last_run.selections[0].config
    assert (config.budget, config.alpha, config.allocation, config.newlines) == (0.5, 1.0, "uniform", "keep")


@pytest.mark.parametrize("budget", [0, -1, 0.0, 1.01, float("nan"), "20 %", True, None, 81])
def test_bad_budgets_are_refused_first(llama, handler, encodings, budget):
    with pytest.raises(BudgetError):
        handler(llama=llama, messages=QUESTION, budget=budget)
    assert encodings == []


def test_pickle(tiny, llama):
    handler = HiREDChatHandler(tiny[1], budget=0.5, alpha=0.25, template="mistral", n_threads=1)
    right = handler(llama=llama, messages=QUESTION, max_tokens=10, temperature=0)
    copy = pickle.loads(pickle.dumps(handler))
    assert copy.token_budget == handler.token_budget
    assert copy.template == "mistral"
    assert copy.last_run.prompt_tokens == 0
    ours = copy(llama=llama, messages=QUESTION, max_tokens=10, temperature=0)
    assert answer_of(ours) == answer_of(right)
    assert ours["usage"]["total_tokens"] == right["usage"]["total_tokens"]
    handler.close()
    copy.close()


def test_a_llama_with_its_handler_can_be_pickled(llama):
    copy = pickle.loads(pickle.dumps(llama))
    assert words(copy) == words(llama)
    copy.chat_handler.close()
    copy.close()


def test_close_frees_and_the_next_image_loads_again(tiny, llama):
    handler = HiREDChatHandler(tiny[1], n_threads=1)
    right = answer_of(handler(llama=llama, messages=QUESTION, max_tokens=5, temperature=0))
    encoder = handler.load()
    handler.close()
    handler.close()
    with pytest.raises(ClosedError, match="this VisionEncoder is closed"):
        encoder.encode(photo())
    assert answer_of(handler(llama=llama, messages=QUESTION, max_tokens=5, temperature=0)) == right
    handler.close()


def test_text_needs_no_encoder(tiny, llama):
    handler = HiREDChatHandler(tiny[1])
    handler(llama=llama, messages=TEXT_ONLY, max_tokens=1)
    assert handler._encoder is None


def test_template_variables(tiny, tmp_path, handler):
    template = "{{ mood }}{% for m in messages %}{{ m.content }}{% endfor %}!"
    own = rewrite(tiny[0], tmp_path / "own.gguf", keys={"tokenizer.chat_template": (template, STRING)})
    with llama_of((own, tiny[1])) as llama:
        calm = llama.chat_handler(llama=llama, messages=TEXT_ONLY, max_tokens=1, mood="very calm")
        plain = llama.chat_handler(llama=llama, messages=TEXT_ONLY, max_tokens=1)
    assert calm["usage"]["prompt_tokens"] > plain["usage"]["prompt_tokens"]


def test_a_template_that_ends_with_the_image(tiny, tmp_path):
    keys = {"tokenizer.chat_template": ("{{ messages[0].content }}", STRING)}
    own = rewrite(tiny[0], tmp_path / "own.gguf", keys=keys)
    with llama_of((own, tiny[1])) as llama:
        with pytest.raises(PromptError, match="no text after the last image"):
            greedy(llama, [user("Q", image(photo()))])
        assert greedy(llama, QUESTION)["usage"]["completion_tokens"] == 10


# Refusals


def test_width_mismatch(tiny, llama, tmp_path):
    narrow = dict.fromkeys(("mm.2.weight", "mm.2.bias", "model.image_newline"), lambda values: values[:64])
    handler = HiREDChatHandler(rewrite(tiny[1], tmp_path / "narrow.gguf", tensors=narrow))
    for _ in range(3):
        with pytest.raises(ModelMismatchError, match=r"projects to width 64, but .* has width 128"):
            handler(llama=llama, messages=QUESTION)
    assert handler._encoder is None


def test_swapped_paths(tiny):
    with pytest.raises(ModelMismatchError, match="Are the two paths swapped"):
        HiREDChatHandler(tiny[0])


def test_unknown_template(tiny):
    with pytest.raises(PromptError, match="template is 'llama'; allowed: vicuna, mistral, chatml"):
        HiREDChatHandler(tiny[1], template="llama")


def test_a_closed_llama(tiny, handler):
    llama = llama_cpp.Llama(str(tiny[0]), verbose=False, n_ctx=512, chat_handler=handler)
    llama.close()
    with pytest.raises(ClosedError, match="this Llama is closed"):
        handler(llama=llama, messages=TEXT_ONLY)


def test_a_llama_closed_during_a_stream(tiny, handler):
    llama = llama_cpp.Llama(str(tiny[0]), verbose=False, n_ctx=512, chat_handler=handler)
    stream = greedy(llama, stream=True)
    next(stream)
    llama.close()
    with pytest.raises(ClosedError, match="this Llama is closed"):
        next(stream)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": -1}, "temperature is -1"),
        ({"top_p": float("inf")}, "top_p is inf"),
        ({"top_k": 2**40}, "top_k is 1099511627776"),
        ({"seed": -1}, "seed is -1"),
        ({"max_tokens": "many"}, "max_tokens is 'many'"),
        ({"logit_bias": {100_000: 1.0}}, "logit_bias names token 100000"),
        ({"response_format": {"type": "xml"}}, "response_format.type is 'xml'"),
        ({"tools": [TOOL], "tool_choice": {"function": {"name": "fig"}}}, "tool_choice names 'fig'"),
        ({"logprobs": True}, "logprobs need"),
    ],
)
def test_bad_options_are_refused_first(llama, handler, encodings, options, said):
    with pytest.raises(PromptError, match=re.escape(said)):
        handler(llama=llama, messages=QUESTION, **options)
    assert encodings == []


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([{"role": "bot", "content": "Hi"}], "messages[0].role is 'bot'"),
        ([user({"type": "audio"})], "messages[0].content[0].type is 'audio'"),
        ([assistant([image(photo())])], "is an image in a assistant message"),
        ([], "messages is empty"),
    ],
)
def test_bad_messages(llama, messages, said):
    with pytest.raises(PromptError, match=re.escape(said)):
        llama.create_chat_completion(messages)


@pytest.mark.parametrize("url", ["http://127.0.0.1/a.png", "HTTPS://example.com/a.png"])
def test_http_is_off(llama, url):
    with pytest.raises(ImageError, match="http is off; pass allow_http=True"):
        greedy(llama, [user(image(url), "Q")])


def test_no_network_even_if_http_is_on(tiny, llama):
    handler = HiREDChatHandler(tiny[1], allow_http=True)
    with pytest.raises(ImageError, match="not a public address"):
        handler(llama=llama, messages=[user(image("http://127.0.0.1:9/a.png"), "Q")])


def test_the_golden_pair_answers_too(golden_llama):
    handler = HiREDChatHandler(MMPROJ, budget=0.2, n_threads=1)
    completion = handler(llama=golden_llama, messages=QUESTION, max_tokens=5)
    assert completion["usage"]["completion_tokens"] <= 5 + 3  # the rest of a character
    assert handler.last_run.visual_tokens == 16
    assert golden_llama.model_path == str(TEXT)
    handler.close()
