"""Pictures that are drawn, with questions whose answers are known: for `hired-gguf eval` and models/train."""

from .build import make_scene
from .scene import Item, Question, Scene

__all__ = ["Item", "Question", "Scene", "make_scene"]
