"""Typed access to metadata: the type of each key, its absence, its range."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gguf_forge import KINDS
from mmproj_forge import GOOD, refuse

from hired_gguf.model_files.mmproj_keys import KEY_TYPES


def wrong_types() -> Iterator[tuple[str, str]]:
    for key, right in {**KEY_TYPES, "general.architecture": "str"}.items():
        for kind in KINDS:
            if kind != right:
                yield key, kind
            if f"array[{kind}]" != right:
                yield key, f"array[{kind}]"


def test_every_key_with_every_wrong_type(tmp_path: Path) -> None:
    contents: dict[str, Any] = dict.fromkeys(KINDS, 1) | {"str": "mlp"}
    for key, kind in wrong_types():
        forge = GOOD.copy()
        content = [contents[kind[6:-1]]] if kind.startswith("array") else contents[kind]
        forge.metadata[key] = (kind, content)
        right = KEY_TYPES.get(key, "str")
        refuse(forge, tmp_path, f"{key} has the type {kind}; {right} is needed")
