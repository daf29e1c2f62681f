"""Pictures of a pictures_folder, or of a pattern of names."""

from __future__ import annotations

import pytest

from hired_gguf import InputError
from hired_gguf.images.find import find_pictures


def test_a_folder_gives_its_pictures_in_name_order(pictures_folder):
    assert find_pictures(str(pictures_folder)) == [
        str(pictures_folder / name) for name in ("a.jpg", "b.PNG", "c.tiff")
    ]


def test_a_glob_gives_the_files_that_it_names(pictures_folder):
    assert find_pictures(str(pictures_folder / "[abn]*")) == [
        str(pictures_folder / n) for n in ("a.jpg", "b.PNG", "noext")
    ]
    assert find_pictures(str(pictures_folder / "a.jpg")) == [str(pictures_folder / "a.jpg")]
    assert find_pictures(str(pictures_folder / "**" / "c.*")) == [str(pictures_folder / "c.tiff")]


@pytest.mark.parametrize("where", ["none", "none/*.png"])
def test_no_pictures(pictures_folder, where):
    with pytest.raises(InputError, match=r"no pictures in '.*none"):
        find_pictures(str(pictures_folder / where))
