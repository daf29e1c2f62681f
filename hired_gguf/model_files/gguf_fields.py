"""Typed access to the metadata of a GGUF file; each failure names the file and the key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NoReturn, TypeVar

from ..errors import ModelFormatError, UnsupportedModelError
from .gguf_file import GGUFFile
from .gguf_values import GGUFType, Skipped

T = TypeVar("T")
INT32_MAX: Final = 2**31 - 1  # llama.cpp counts in C ints


@dataclass(frozen=True)
class Fields:
    """Metadata of one file. Types are checked first, all at once; then values are fetched."""

    file: GGUFFile

    def fail(self, key: str, problem: str) -> NoReturn:
        """Raise ModelFormatError."""
        raise ModelFormatError(f"{self.file.path}: {key} {problem}")

    def unsupported(self, key: str, problem: str) -> NoReturn:
        """Raise UnsupportedModelError."""
        raise UnsupportedModelError(f"{self.file.path}: {key} {problem}")

    def check_types(self, expected: Mapping[str, GGUFType]) -> None:
        """Hold each key that is present against its only type; llama.cpp reads u32 into an int."""
        for key, kind in expected.items():
            if key not in self.file.types:
                continue
            if (found := self.file.types[key]) != kind:
                self.fail(key, f"has the type {found}; {kind} is needed")
            value = self.file.metadata[key]
            if isinstance(value, Skipped):
                self.fail(key, f"has the length {value.length}, more than any real model")
            if isinstance(value, int) and value > INT32_MAX:
                self.fail(key, f"is {value}; at most {INT32_MAX} is allowed")

    def architecture(self) -> str:
        """``clip`` for a mmproj, else the kind of language model."""
        self.check_types({"general.architecture": "str"})
        return self.need("general.architecture", str)

    def get(self, key: str, kind: type[T]) -> T | None:
        """The value, or None if the key is absent."""
        value = self.file.metadata.get(key)
        return value if isinstance(value, kind) else None

    def need(self, key: str, kind: type[T]) -> T:
        """The value of a required key."""
        value = self.get(key, kind)
        if value is None:
            self.fail(key, "is missing")
        return value

    def flag(self, key: str) -> bool:
        """A bool; absent means false."""
        return self.get(key, bool) or False

    def count(self, key: str, most: int = INT32_MAX) -> int:
        """A required number from 1 to ``most``."""
        value = self.need(key, int)
        if not 1 <= value <= most:
            self.fail(key, f"is {value}; 1 to {most} is allowed")
        return value
