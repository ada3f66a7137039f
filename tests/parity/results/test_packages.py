"""The packages that a result depends on are those that were installed, whatever has been imported since."""

from __future__ import annotations

from pathlib import Path

import pytest

from parity.results.packages import installed, lock


def test_what_a_package_brings_for_itself_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, first = dict(installed()), lock()
    for folder, name in (("site-packages", "other"), ("_vendor", "vendored")):
        info = tmp_path / folder / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        monkeypatch.syspath_prepend(tmp_path / folder)
    installed.cache_clear()
    try:
        assert installed() == dict(sorted({**before, "other": "1.0"}.items()))
        monkeypatch.undo()
        installed.cache_clear()
        assert lock() == first
    finally:
        installed.cache_clear()
