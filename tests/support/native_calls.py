"""What an encoder asks of its native model: written down, and perhaps interrupted."""

from __future__ import annotations

from hired_gguf import VisionEncoder


class NativeCalls:
    """Stands before the models of all encoders and passes every call on.

    ``made`` has ("encode", partitions), ("begin", partitions) or ("finish", rows) for each call; ``before``
    runs ahead of it, with its number from 0.
    """

    def __init__(self, monkeypatch):
        self.made, self.before = [], lambda number: None
        open_model = VisionEncoder._open
        monkeypatch.setattr(VisionEncoder, "_open", lambda encoder: _Model(self, open_model(encoder)))

    def sum(self, name):
        return sum(size for made, size in self.made if made == name)


class _Model:
    def __init__(self, calls, model):
        self.calls, self.model = calls, model

    def __getattr__(self, name):
        return getattr(self.model, name)

    def _pass_on(self, name, size, *args):
        self.calls.before(len(self.calls.made))
        self.calls.made.append((name, size))
        return getattr(self.model, name)(*args)

    def encode(self, pixels, *args):
        return self._pass_on("encode", len(pixels), pixels, *args)

    def begin(self, pixels, layers):
        return self._pass_on("begin", len(pixels), pixels, layers)

    def finish(self, hidden, ids):
        return self._pass_on("finish", len(ids), hidden, ids)
