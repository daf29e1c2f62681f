"""The store as a whole: where it may write, with which settings, and disks that fail."""

from __future__ import annotations

import pytest
from store_runs import SETTINGS, ids, names, run

from hired_gguf import OutputError, TokenBudget
from hired_gguf.qa.settings import QaSettings
from hired_gguf.qa.store import Store, require_file

pytestmark = pytest.mark.usefixtures("hasty")


# Files that are not as they were left


def test_places_that_cannot_be_written(tmp_path):
    with pytest.raises(OutputError, match="is not a regular file"):
        Store(tmp_path, SETTINGS)
    with pytest.raises(OutputError, match="there is no folder"):
        Store(tmp_path / "none" / "o.jsonl", SETTINGS)
    (tmp_path / "in.jsonl").touch()
    (tmp_path / "link.jsonl").symlink_to("in.jsonl")
    with pytest.raises(OutputError, match="is an input of the same run"):
        require_file(tmp_path / "link.jsonl", [tmp_path / "none", tmp_path / "in.jsonl"])


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    link = tmp_path / "o.jsonl"
    link.symlink_to("there/real.jsonl")
    run(link, errors={0})
    run(link, retry_errors=True)
    assert link.is_symlink()
    assert ids(tmp_path / "there" / "real.jsonl") == [1, 2, 3, 4, 5, 6]


def test_nothing_is_left_of_a_run_that_did_nothing(tmp_path):
    Store(tmp_path / "o.jsonl", SETTINGS).close()
    assert names(tmp_path) == []


# Lock and settings


def test_other_settings_are_refused(tmp_path):
    output = tmp_path / "o.jsonl"
    run(output, [0], finish=False)
    other = QaSettings("model", "mmproj", TokenBudget(0.4), system="Be brief.")
    with pytest.raises(OutputError) as caught:
        Store(output, other)
    assert 'budget was 0.2 and is 0.4; system was null and is "Be brief."' in str(caught.value)
    with Store(output, other, force=True) as store:
        assert store.resumed
    assert ids(output) == [1]
