"""LLaVA-Next on weak hardware: HiRED visual-token budgets for llama.cpp and GGUF files."""

from .native.load import VERSION  # first: it loads the native libraries in the right order

# isort: split
from .chat.answer import Answer, AnswerStream
from .chat.conversation import Chat
from .chat.handler import HiREDChatHandler
from .errors import (
    AnswerError,
    BudgetError,
    ClosedError,
    ContextOverflowError,
    CrashError,
    FileError,
    ForkError,
    HiredError,
    ImageError,
    InputError,
    ModelFormatError,
    ModelMismatchError,
    NativeError,
    NumericError,
    OutputError,
    PromptError,
    StreamError,
    UnsupportedModelError,
)
from .explain.overlay import overlay
from .model import LlavaNext
from .model_files.builtin import default_model
from .model_files.mmproj import MmprojInfo, read_mmproj
from .native.kernels import fast_cpu
from .progress import Timings
from .selection.budget import TokenBudget
from .selection.selection import LLAVA_NEXT_PINPOINTS, Selection, select_tokens
from .vision.encoder import VisionEncoder
from .vision.encoding import Encoding

__version__ = VERSION

__all__ = [
    "LLAVA_NEXT_PINPOINTS",
    "Answer",
    "AnswerError",
    "AnswerStream",
    "BudgetError",
    "Chat",
    "ClosedError",
    "ContextOverflowError",
    "CrashError",
    "Encoding",
    "FileError",
    "ForkError",
    "HiREDChatHandler",
    "HiredError",
    "ImageError",
    "InputError",
    "LlavaNext",
    "MmprojInfo",
    "ModelFormatError",
    "ModelMismatchError",
    "NativeError",
    "NumericError",
    "OutputError",
    "PromptError",
    "Selection",
    "StreamError",
    "Timings",
    "TokenBudget",
    "UnsupportedModelError",
    "VisionEncoder",
    "default_model",
    "fast_cpu",
    "overlay",
    "read_mmproj",
    "select_tokens",
]
