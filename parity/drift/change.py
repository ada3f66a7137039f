"""One thing that behaves otherwise, made of what is said of it before and after."""

from __future__ import annotations

from typing import Literal

from parity.drift.document import Change


def change(kind: str, key: str, of: str, said: tuple[str, str], harmless: bool = False) -> Change:
    """The change from what was said before to what is said after; nothing was, or is, where that is empty."""
    old, new = said
    what: Literal["appeared", "vanished", "changed"] = "changed" if old and new else "appeared" if new else "vanished"
    home = of.partition(".")[0]  # "torch.nn.LayerNorm(eps)" is torch's
    return Change(kind=kind, key=key, of=home, what=what, before=old, after=new, harmless=harmless)
