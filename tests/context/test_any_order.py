"""Questions and everything that may happen between them, in any order: a stateful machine of Hypothesis."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
from contexts import ask, assert_close, shown
from golden_pair import assistant, user
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hired_gguf import HiREDChatHandler, StreamError
from hired_gguf.native.llama import clear
from models import load_llama

KNOBS = {"budget": 0.5}, {"budget": 3}, {"budget": 3, "alpha": 1.0}


class AnyOrder(RuleBasedStateMachine):
    """Questions about small pictures, and everything that may happen between them."""

    pair = None
    pictures = tuple(np.random.default_rng(i).integers(0, 256, (40, 60, 3), np.uint8) for i in range(2))

    @initialize(cache_bytes=st.sampled_from([0, 60_000, 1 << 20]))
    def start(self, cache_bytes):
        options = {"budget": 0.5, "n_threads": 1, "template": "mistral"}
        self.handlers = [HiREDChatHandler(self.pair[1], cache_bytes=cache_bytes, **options) for _ in range(2)]
        self.plain = HiREDChatHandler(self.pair[1], cache_bytes=0, **options)
        self.llama, self.fresh = (load_llama(self.pair[0], n_ctx=512) for _ in range(2))
        self.state, self.stream, self.history = None, None, []

    parts = st.lists(st.sampled_from([0, 1, "Why?", "What is this?"]), min_size=1, max_size=3)

    @rule(parts=parts, who=st.integers(0, 1), knobs=st.sampled_from(KNOBS), goes_on=st.booleans())
    def ask(self, parts, who, knobs, goes_on):
        turn = user(*(part if isinstance(part, str) else shown(self.pictures[part]) for part in parts), "?")
        messages = [*(self.history if goes_on else []), turn]
        options = {"max_tokens": 3, **knobs}
        clear(self.fresh)
        wanted = ask(self.fresh, messages, self.plain, **options)
        found = ask(self.llama, messages, self.handlers[who], **options)
        assert found[0] == wanted[0]
        assert_close(found[1], wanted[1])
        self.history = [*messages, assistant(found[0])][-4:]

    @rule(picture=st.integers(0, 1), read=st.integers(0, 3))
    def stream_a_little(self, picture, read):
        turn = user(shown(self.pictures[picture]), "What is this?")
        self.stream = self.handlers[0](
            llama=self.llama, messages=[turn], max_tokens=4, temperature=0, stream=True
        )
        for _ in range(read):
            next(self.stream)

    @precondition(lambda self: self.stream is not None)
    @rule()
    def go_on_streaming(self):
        try:
            next(self.stream, None)
        except StreamError:
            self.stream = None

    @rule(words=st.sampled_from(["What", "Why? What is this?"]))
    def complete(self, words):
        self.llama.create_completion(words, max_tokens=3, temperature=0)

    @rule(at=st.integers(1, 3))
    def interrupt(self, at):
        steps = []

        def stop(stage, done, total):
            steps.append(stage)
            if len(steps) == at:
                raise KeyboardInterrupt

        handler = self.handlers[0]
        handler.on_progress = stop
        turn = user(shown(self.pictures[1]), "And this", shown(self.pictures[0]), "?")
        with suppress(KeyboardInterrupt):  # where all is there already, there are fewer steps
            ask(self.llama, [turn], handler)
        handler.on_progress = None

    @rule()
    def reset(self):
        self.llama.reset()

    @rule()
    def clear_memory(self):
        self.llama._ctx.kv_cache_clear()

    @rule()
    def save(self):
        self.state = self.llama.save_state() if self.llama.n_tokens else None

    @precondition(lambda self: self.state is not None)
    @rule()
    def load(self):
        self.llama.load_state(self.state)

    @rule()
    def close_the_handler(self):
        self.handlers[1].close()

    def teardown(self):
        if hasattr(self, "llama"):
            for closable in (self.llama, self.fresh, self.plain, *self.handlers):
                closable.close()


@pytest.mark.slow
def test_any_order(tiny):
    AnyOrder.pair = tiny
    quick = settings(max_examples=40, stateful_step_count=20, deadline=None, derandomize=True, database=None)
    run_state_machine_as_test(AnyOrder, settings=quick)
