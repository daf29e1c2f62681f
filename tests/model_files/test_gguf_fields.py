"""Typed access to metadata: the type of each key, its absence, its range."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gguf_forge import KINDS, Forge
from mmproj_forge import GOOD, V, refuse

from hired_gguf.errors import ModelFormatError, UnsupportedModelError
from hired_gguf.model_files.gguf_fields import Fields
from hired_gguf.model_files.gguf_file import read_gguf
from hired_gguf.model_files.mmproj_keys import KEY_TYPES


def wrong_types() -> Iterator[tuple[str, str]]:
    for key, right in {**KEY_TYPES, "general.architecture": "str"}.items():
        for kind in KINDS:
            if kind != right:
                yield key, kind
            if f"array[{kind}]" != right:
                yield key, f"array[{kind}]"


@pytest.mark.slow
def test_every_key_with_every_wrong_type(tmp_path: Path) -> None:
    contents: dict[str, Any] = dict.fromkeys(KINDS, 1) | {"str": "mlp"}
    for key, kind in wrong_types():
        forge = GOOD.copy()
        content = [contents[kind[6:-1]]] if kind.startswith("array") else contents[kind]
        forge.metadata[key] = (kind, content)
        right = KEY_TYPES.get(key, "str")
        refuse(forge, tmp_path, f"{key} has the type {kind}; {right} is needed")


def test_values_by_name(forge: Forge, tmp_path: Path) -> None:
    fields = Fields(read_gguf(forge.write(tmp_path / "mmproj.gguf")))
    assert fields.architecture() == "clip"
    assert fields.need(V + "image_size", int) == fields.count(V + "image_size", 8) == 8
    assert fields.get(V + "image_size", str) is None
    assert fields.get("no.such.key", int) is None
    assert fields.flag("clip.has_vision_encoder")
    assert not fields.flag("no.such.key")


def test_what_is_missing_or_out_of_range_is_named(forge: Forge, tmp_path: Path) -> None:
    fields = Fields(read_gguf(forge.write(tmp_path / "mmproj.gguf")))
    with pytest.raises(ModelFormatError, match=r"mmproj\.gguf: no\.such\.key is missing"):
        fields.need("no.such.key", int)
    with pytest.raises(ModelFormatError, match=r"image_size is 8; 1 to 7 is allowed"):
        fields.count(V + "image_size", 7)
    with pytest.raises(UnsupportedModelError, match=r"mmproj\.gguf: a\.key is odd"):
        fields.unsupported("a.key", "is odd")
