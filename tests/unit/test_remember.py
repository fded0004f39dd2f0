"""What is remembered by text, and that what clients can make as long as they like is not."""

from __future__ import annotations

from sampan.lib.remember import Passed, remember


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


def test_what_passed_is_known_unless_it_is_long_and_until_there_are_too_many() -> None:
    passed = Passed(entries=2, longest=4)
    for text in (b"a", b"longer", b"b"):
        passed.add(text)
    assert [text in passed for text in (b"a", b"longer", b"b", b"c")] == [True, False, True, False]
    passed.add(b"c")
    assert [text in passed for text in (b"a", b"b", b"c")] == [False, False, True]
