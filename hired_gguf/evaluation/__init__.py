"""How often answers are right under each budget and policy (`hired-gguf eval`, docs/evaluation.md)."""

from .builtin_tasks import builtin_pictures
from .configuration import Configuration, cross_product, one_at_a_time
from .matching import is_right, normalise
from .results import Results
from .run import EvalSettings, evaluate
from .task_file import read_pictures
from .tasks import EvalPicture, EvalQuestion

__all__ = [
    "Configuration",
    "EvalPicture",
    "EvalQuestion",
    "EvalSettings",
    "Results",
    "builtin_pictures",
    "cross_product",
    "evaluate",
    "is_right",
    "normalise",
    "one_at_a_time",
    "read_pictures",
]
