"""Messages in, an answer out: handler, conversation, answer, stream."""
