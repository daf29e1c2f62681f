"""The keys that tasks are known by again: by what is asked of what image, not by their names."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence

from ..images.load import MAX_PIXELS
from .pictures import Picture, group_by_image
from .settings import QaSettings
from .task import Task, identity


class TaskKeys:
    """The keys of a run's tasks. ``by_task`` has None for those whose image was not read yet.

    ``groups`` are the indexes of tasks with one image, as they are worked on.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        settings: QaSettings,
        *,
        allow_http: bool,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        self.by_task: list[str | None] = [None] * len(tasks)
        self.groups = list(group_by_image(tasks))
        self._tasks, self._settings = tasks, settings
        self._allow_http, self._max_pixels = allow_http, max_pixels
        self._seen: Counter[str] = Counter()

    def find_all(self) -> None:
        """Find the key of every task, which reads all images."""
        for group in self.groups:
            self.find(group, self.picture(group))

    def find(self, group: Sequence[int], picture: Picture) -> None:
        """Find the keys of the tasks with a picture, unless they are known."""
        if self.by_task[group[0]] is not None:
            return
        content = picture.digest()
        for index in sorted(group):
            text = json.dumps([self._settings.fingerprint, content, identity(self._tasks[index])])
            again = self._seen[text]  # a task that is there twice is asked twice
            self._seen[text] += 1
            self.by_task[index] = hashlib.sha256(f"{text} {again}".encode()).hexdigest()[:32]

    def picture(self, group: Sequence[int]) -> Picture:
        """The picture of a group, not read yet."""
        return Picture(self._tasks[group[0]].image, self._allow_http, self._max_pixels)
