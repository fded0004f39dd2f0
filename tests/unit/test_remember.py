"""What is remembered by text, and that what clients can make as long as they like is not."""

from __future__ import annotations

from sampan.lib.remember import remember


def test_short_texts_are_worked_out_once_and_long_ones_every_time() -> None:
    asked: list[str] = []

    @remember(10, longest=4)
    def size(text: str) -> int:
        """What it says."""
        asked.append(text)
        return len(text)

    assert [size("four"), size("four"), size("longer"), size("longer")] == [4, 4, 6, 6]
    assert asked == ["four", "longer", "longer"]
    assert size.__doc__ == "What it says."
