"""A release is installed with what it requires in its own version, and without what it requires for a GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from parity.releases import installing


@pytest.mark.parametrize("package", ["torch", "tensorflow"])
def test_a_release_gets_what_it_requires_in_its_own_version(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def run(*command: str) -> None:
        _, _, requirements = " ".join(command).partition(str(tmp_path))
        asked.append(requirements.split())
        about = tmp_path / f"{package}-1.0.dist-info" / "METADATA"
        about.parent.mkdir(exist_ok=True)
        required = ("hypothesis==1.0", "hypothesis>=2", "numpy==1.0", "a-package-of-nobody", "nvidia-cublas==9")
        lines = [*(f"Requires-Dist: {each}" for each in required), 'Requires-Dist: other; sys_platform == "nowhere"']
        about.write_text("\n".join(["Metadata-Version: 2.1", f"Name: {package}", "Version: 1.0", *lines]))

    monkeypatch.setattr(installing, "run", run)
    installing.install(package, "1.0", tmp_path)
    release, needed = asked
    assert release == [f"{installing.oldest()[package].name}==1.0"]
    assert needed == ["hypothesis==1.0", "a-package-of-nobody"]


def test_keras_and_numpy_are_installed_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(installing, "run", lambda *command: asked.append(command[-1]))
    installing.install("keras", "3.9.2", tmp_path)
    assert asked == ["keras==3.9.2"]
