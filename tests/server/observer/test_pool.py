"""Which images lie in a host's cache."""

from __future__ import annotations

from minicloud.observer.pool import images_among

PART = "0123456789ab"


def test_images_are_told_by_their_folders() -> None:
    folders = [f"tiny-{PART}-{PART}", f"debian-12-{PART}", f"debian-12-{'f' * 12}", f"web-2-x-{PART}"]
    assert images_among(folders) == ("debian-12", "tiny", "web-2-x")


def test_what_is_being_fetched_or_is_none_of_ours_is_no_image() -> None:
    assert images_among([f".tiny-{PART}.partial", f".tiny-{PART}.lock", "lost+found", "tiny", f"Tiny-{PART}"]) == ()
