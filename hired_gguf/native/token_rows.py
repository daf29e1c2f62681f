"""A text's tokens as rows, by the model's own table, so that text and images can be evaluated together.

llama.cpp evaluates a batch of token ids or a batch of rows. Its graphs begin with the rows either way
(llama-graph.cpp, build_inp_embd). What comes after is the same for both in most architectures, not in all.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Final
from weakref import WeakKeyDictionary

import llama_cpp
import numpy as np
import numpy.typing as npt

from ..errors import ModelFormatError, NumericError
from ..model_files.token_table import TokenTable, read_token_table
from .load import core

_log = logging.getLogger(__name__)

#: Those whose graph (src/models/*.cpp) does the same with the rows of ids and with rows, scaling included,
#: and asks for ids nowhere else. Others do not: gemma3 scales the rows of ids only, gemma3n and gemma4 look
#: ids up in every layer, glm4 takes other positions for rows.
ARCHITECTURES: Final = frozenset(
    {"llama", "mistral3", "qwen2", "qwen3", "granite", "gemma", "gemma2", "phi3"}
)

_tables: WeakKeyDictionary[llama_cpp.Llama, TokenTable | None] = WeakKeyDictionary()


def token_table(llama: llama_cpp.Llama) -> TokenTable | None:
    """The table by which this model's tokens are rows; None where rows would not be what the ids are.

    That is so with another architecture, with an adapter, which may change the table's rows, and where the
    file is not the one that was loaded.
    """
    if llama not in _tables:
        _tables[llama] = _find(llama)
    table = _tables[llama]
    return table if table is not None and table.is_there() else None


def token_rows(table: TokenTable, ids: Sequence[int]) -> npt.NDArray[np.float32]:
    """The rows [ids, D_text] that llama.cpp's graph would begin with.

    Raises InputError, ModelFormatError as `TokenTable.read`, NumericError for NaN or infinity.
    """
    rows: npt.NDArray[np.float32] = core.dequantize_rows(table.type, table.read(ids))
    damaged = ~np.isfinite(rows).all(axis=1)
    if damaged.any():
        token = ids[int(np.flatnonzero(damaged)[0])]
        raise NumericError(f"[prefill] {table.path}: the row of token {token} holds NaN or infinity")
    return rows


def _find(llama: llama_cpp.Llama) -> TokenTable | None:
    if llama.lora_path is not None:
        return None
    try:
        table = read_token_table(llama.model_path)
    except (OSError, ModelFormatError) as error:  # it was loaded from somewhere all the same
        _log.debug("text and images are evaluated apart: %s", error)
        return None
    if table is None or table.architecture not in ARCHITECTURES:
        return None
    fits = (table.width, table.tokens) == (llama_cpp.llama_model_n_embd_inp(llama.model), llama.n_vocab())
    return table if fits and table.state.st_ctime < _loaded_at(llama) else None


def _loaded_at(llama: llama_cpp.Llama) -> float:
    """When loading began, by the clock of files: llama.cpp's own clock counts from elsewhere."""
    began_ms = float(llama_cpp.llama_perf_context(llama.ctx).t_start_ms)
    return time.time() - (float(llama_cpp.llama_time_us()) / 1e6 - began_ms / 1e3)
