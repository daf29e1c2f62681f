"""
Native core of hired-gguf: tiling, budgets, selection, the vision encoder, prefill.
"""

from collections.abc import Sequence
from typing import Annotated, overload

import numpy
import numpy.typing
from numpy.typing import NDArray


LLAMA_CPP_PYTHON: str = '0.3.36'

def hide_leaks() -> None:
    """
    Say nothing at exit of what was not given back: for daemon threads, which keep what they hold.
    """

class Tiling:
    """
    How one picture becomes partitions: 0 is the full image, then the canvas's tiles in raster
    order. Pairs are (height, width) or (rows, cols).
    """

    @property
    def image_size_hw(self) -> tuple[int, int]: ...

    @property
    def grid(self) -> tuple[int, int]:
        """Tiles; (0, 0) for a single partition."""

    @property
    def canvas_hw(self) -> tuple[int, int]: ...

    @property
    def fitted_hw(self) -> tuple[int, int]:
        """Pixels of the resized picture on the canvas."""

    @property
    def offset_yx(self) -> tuple[int, int]:
        """Pixels of padding above and left of it."""

    @property
    def tile(self) -> int:
        """Pixels along a tile's edge."""

    @property
    def patch(self) -> int:
        """Pixels along a patch's edge."""

    @property
    def side(self) -> int:
        """Tokens along a tile's edge."""

    @property
    def partitions(self) -> int:
        """P."""

    @property
    def tokens(self) -> int:
        """N, of one partition."""

    @property
    def unpad(self) -> bool:
        """False for the flat patch merge."""

    @property
    def capacities(self) -> list[int]:
        """Tokens of each partition that are not padding, [P]."""

    def transposed(self) -> Tiling:
        """
        The layout that the released HiRED code packs with: the grid's rows and columns swapped.
        For pack_order only.
        """

def make_tiling(image_size_hw: tuple[int, int], pinpoints: Sequence[tuple[int, int]], tile: int, patch: int, unpad: bool = True) -> Tiling:
    """
    Hugging Face's tiling of a picture. Sizes in pixels, (height, width); no pinpoints means
    LLaVA-1.5's single partition. Raises InputError.
    """

@overload
def budget_tokens(budget: int, partitions: int, tokens: int) -> int:
    """
    The count itself. Raises BudgetError unless it is 1 to partitions * tokens.
    """

@overload
def budget_tokens(budget: float, partitions: int, tokens: int) -> int:
    """
    floor(budget * partitions * tokens).
    Raises BudgetError unless budget is in (0, 1] and gives a token.
    """

def select(attn_first: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu', writable=False)], attn_last: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu', writable=False)], tiling: Tiling, tokens: int, alpha: float, allocation: str, selection: str = 'cls', rows: Annotated[NDArray[numpy.float32], dict(shape=(None, None, None), order='C', device='cpu', writable=False)] | None = None, question: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)] | None = None) -> tuple[Annotated[NDArray[numpy.bool_], dict(shape=(None, None))], Annotated[NDArray[numpy.int32], dict(shape=(None,))], Annotated[NDArray[numpy.float64], dict(shape=(None, None))], Annotated[NDArray[numpy.int32], dict(shape=(None, None))] | None]:
    """
    CLS attention [P, heads, N] of the first and the last executed layer -> (mask [P, N], counts [P],
    merged [P, N]: the id of the kept token that a token is merged into or -1, None where nothing is).
    tokens is the budget; allocation and selection are names. rows [P, N, D] and question [words, D]
    are for selections that need them. Raises BudgetError, InputError and NumericError.
    """

def selector_needs() -> dict[str, list[str]]:
    """What each selection needs: attention, rows, question."""

def pack_order(mask: Annotated[NDArray[numpy.bool_], dict(shape=(None, None), order='C', device='cpu', writable=False)], tiling: Tiling, newlines: str) -> Annotated[NDArray[numpy.int32], dict(shape=(None,))]:
    """
    Ids partition * N + token of mask [P, N] in the language model's order, -1 for a newline row.
    newlines is 'auto', 'keep' or 'drop'. Raises BudgetError and InputError.
    """

class Device:
    """
    A compute device of the loaded llama.cpp libraries. Memory is in bytes.
    """

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str: ...

    @property
    def gpu(self) -> bool: ...

    @property
    def memory_free(self) -> int: ...

    @property
    def memory_total(self) -> int: ...

def list_devices() -> list[Device]:
    """The devices that llama-cpp-python was built for."""

def has_backend(name: str) -> bool:
    """True if ggml has the backend: "CUDA", "Vulkan", "Metal"."""

def kernels_here() -> list[str]:
    """
    The names of hired-gguf's own CPU kernels that run here, the fastest first: "avx512", "avxvnni",
    "avx2".
    """

def offer_kernels(name: str) -> None:
    """
    Until withdraw_kernels, models that are loaded in this process use the kernels of that name for their
    quantised matrices, and keep them. Calls are counted, and not thread-safe. Needs
    can_offer_kernels(). Raises InputError.
    """

def quantized_types() -> list[str]:
    """
    The ggml types that language models' matrices may have for the kernels to serve: "Q4_K", ...
    """

def can_offer_kernels() -> bool:
    """
    True if this build of llama.cpp lets others multiply (extra buffer types of its CPU backend).
    """

def withdraw_kernels(name: str) -> None: ...

class VisionModel:
    """The vision encoder of a mmproj file. Not thread-safe."""

    def __init__(self, path: str, device: str = 'auto', n_threads: int = 0, flash_attention: str = 'auto', kernels: str = '', verbose: bool = False, layers: int = 0) -> None:
        """
        Loads a file that read_mmproj has checked, and runs so many layers of it (0: all, or up to
        clip.vision.feature_layer), on the CPU with the kernels of that name (none: with ggml's).
        Raises NativeError, InputError.
        """

    @property
    def tile(self) -> int:
        """Pixels a side of a partition."""

    @property
    def tokens(self) -> int:
        """Visual tokens of a partition, N."""

    @property
    def width(self) -> int:
        """Width of the features."""

    @property
    def text_width(self) -> int:
        """Width of the projected rows."""

    @property
    def heads(self) -> int: ...

    @property
    def layers(self) -> int:
        """Executed layers."""

    @property
    def device(self) -> str: ...

    def image_newline(self) -> Annotated[NDArray[numpy.float32], dict(order='C')]:
        """float32 [text_width], or [0] if the file has none."""

    def encode(self, pixels: numpy.typing.NDArray[numpy.float32], attention_layers: Sequence[int], features: bool = False) -> tuple[list[numpy.typing.NDArray[numpy.float32]], numpy.typing.NDArray[numpy.float32] | None, numpy.typing.NDArray[numpy.float32]]:
        """
        pixels [P, 3, tile, tile] -> (attention per asked layer [P, heads, N + 1],
        features [P, N, width] or None, projected [P, N, text_width]), all float32.
        Raises InputError, NumericError, NativeError, KeyboardInterrupt.
        """

    @property
    def has_steps(self) -> bool:
        """
        Whether begin and finish are offered: not where features come from several layers.
        """

    def begin(self, pixels: numpy.typing.NDArray[numpy.float32], attention_layers: Sequence[int]) -> tuple[list[numpy.typing.NDArray[numpy.float32]], numpy.typing.NDArray[numpy.float32]]:
        """
        As encode, up to the input of the last layer: (attention, hidden [P, N + 1, width]).
        """

    def finish(self, hidden: numpy.typing.NDArray[numpy.float32], ids: numpy.typing.NDArray[numpy.int32]) -> numpy.typing.NDArray[numpy.float32]:
        """
        hidden [P, N + 1, width] of begin, ascending ids partition * N + token [n] -> those rows
        [n, text_width] of encode's projected. Raises as encode.
        """

def dequantize_rows(type: str, rows: Annotated[NDArray[numpy.uint8], dict(shape=(None, None), order='C', device='cpu', writable=False)]) -> Annotated[NDArray[numpy.float32], dict(order='C')]:
    """
    Rows of a ggml type, uint8 [n, bytes of a row], as float32 [n, width]. Raises InputError.
    """

def prefill_rows(context: int, rows: Annotated[NDArray[numpy.float32], dict(shape=(None, None), order='C', device='cpu', writable=False)], n_past: int, n_batch: int, logits: bool = False) -> None:
    """
    Evaluates rows [n, text_width] at positions n_past.. of sequence 0 of a llama_context
    (its address), which has no abort callback afterwards. The last row gets logits if asked for.
    Raises InputError, NumericError, NativeError, KeyboardInterrupt; then nothing of the rows is left.
    """
