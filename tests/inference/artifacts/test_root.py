from pathlib import Path

import pytest

from lit_infer.artifacts.root import artifacts_root


@pytest.mark.parametrize(("named", "root"), [("/data/all", "/data/all"), ("", "artifacts"), (None, "artifacts")])
def test_what_runs_produce_is_below_the_current_folder_unless_another_is_named(
    monkeypatch: pytest.MonkeyPatch, named: str | None, root: str
) -> None:
    if named is None:
        monkeypatch.delenv("LIT_ARTIFACTS")
    else:
        monkeypatch.setenv("LIT_ARTIFACTS", named)

    assert artifacts_root() == Path(root)
