"""The image cache: complete and verified, or not there."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from minicloud_core.hypervisor.image import (
    backing_disk,
    cached_folders,
    image_folder,
    is_cached,
    prepare_image,
    remove_image,
    virtual_size,
)
from minicloud_core.model.errors import ImageError, InputError
from minicloud_core.model.image import Image, ImageFile

KERNEL, INITRD = b"kernel" * 1000, b"initrd" * 500


class Source:
    """Serves files over HTTP and counts how often."""

    def __init__(self) -> None:
        self.files = {"/vmlinuz": KERNEL, "/initrd.img": INITRD}
        self.truncate: set[str] = set()
        self.asked: list[str] = []
        self.url = ""


@pytest.fixture
def source() -> Iterator[Source]:
    source = Source()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            source.asked.append(self.path)
            content = source.files.get(self.path.partition("?")[0])
            if content is None:
                self.send_error(404, "Not Found")
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            short = self.path.partition("?")[0] in source.truncate
            self.wfile.write(content[: len(content) // 2] if short else content)

        def log_message(self, *_arguments: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    source.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield source
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def image(source: Source) -> Image:
    def file(role: str, name: str, content: bytes) -> ImageFile:
        digest = hashlib.sha256(content).hexdigest()
        return ImageFile(role, name, digest, len(content), f"{source.url}/{name}?signature=secret")

    return Image("tiny", "kernel", (file("kernel", "vmlinuz", KERNEL), file("initrd", "initrd.img", INITRD)))


def spoil(image: Image, **changes: object) -> Image:
    """The image with something else expected of its last file."""
    return replace(image, files=(image.files[0], replace(image.files[1], **changes)))  # type: ignore[arg-type]


def assert_nothing_left(cache: Path) -> None:
    assert list(cache.iterdir()) == []


def test_an_image_is_fetched_once(tmp_path: Path, source: Source, image: Image) -> None:
    assert not is_cached(tmp_path, image)
    assert prepare_image(tmp_path, image) is True
    folder = image_folder(tmp_path, image)
    assert (folder / "vmlinuz").read_bytes() == KERNEL
    assert (folder / "initrd.img").read_bytes() == INITRD
    assert [path.name for path in tmp_path.iterdir()] == [folder.name], "no locks, no scraps"
    assert prepare_image(tmp_path, image) is False
    assert len(source.asked) == 2


def test_many_runs_that_want_the_same_image_fetch_it_once(tmp_path: Path, source: Source, image: Image) -> None:
    with ThreadPoolExecutor(8) as pool:
        fetched = list(pool.map(lambda _number: prepare_image(tmp_path, image), range(8)))
    assert sorted(fetched) == [False] * 7 + [True]
    assert len(source.asked) == 2


def test_a_wrong_digest_leaves_nothing_and_is_told_with_both(tmp_path: Path, image: Image) -> None:
    with pytest.raises(ImageError) as caught:
        prepare_image(tmp_path, spoil(image, sha256="0" * 64))
    assert_nothing_left(tmp_path)
    details = caught.value.details
    assert (details["file"], details["expected"]) == ("initrd.img", "0" * 64)
    assert details["got"] == hashlib.sha256(INITRD).hexdigest()
    assert "secret" not in str(caught.value.to_mapping()), "signatures are not for messages"


@pytest.mark.parametrize("size", [1, len(INITRD) + 1])
def test_a_wrong_size_leaves_nothing(tmp_path: Path, image: Image, size: int) -> None:
    with pytest.raises(ImageError, match=r"initrd\.img .* should have") as caught:
        prepare_image(tmp_path, spoil(image, size=size))
    assert caught.value.details["expected"] == size
    assert_nothing_left(tmp_path)


def test_a_size_of_zero_is_not_checked(tmp_path: Path, image: Image) -> None:
    assert prepare_image(tmp_path, spoil(image, size=0))


def test_a_transfer_that_breaks_off_leaves_nothing(tmp_path: Path, source: Source, image: Image) -> None:
    source.truncate.add("/initrd.img")
    with pytest.raises(ImageError):
        prepare_image(tmp_path, image)
    assert_nothing_left(tmp_path)


def test_a_missing_file_is_told_with_the_servers_words(tmp_path: Path, source: Source, image: Image) -> None:
    del source.files["/vmlinuz"]
    with pytest.raises(ImageError, match=r"vmlinuz .* HTTP 404 Not Found") as caught:
        prepare_image(tmp_path, image)
    assert "secret" not in str(caught.value.to_mapping())
    assert_nothing_left(tmp_path)


def test_nobody_listening_is_told(tmp_path: Path, image: Image) -> None:
    with pytest.raises(ImageError, match="Connection refused"):
        prepare_image(tmp_path, spoil(image, url="http://127.0.0.1:1/initrd.img"))
    assert_nothing_left(tmp_path)


@pytest.mark.parametrize(("url", "words"), [("", "nothing says where"), ("ftp://example.org/x", "cannot be fetched")])
def test_a_url_has_to_be_one_that_can_be_fetched(tmp_path: Path, image: Image, url: str, words: str) -> None:
    with pytest.raises(ImageError, match=words):
        prepare_image(tmp_path, spoil(image, url=url))
    assert_nothing_left(tmp_path)


def test_a_file_url_is_copied(tmp_path: Path, image: Image) -> None:
    original = tmp_path / "original"
    original.write_bytes(INITRD)
    cache = tmp_path / "cache"
    assert prepare_image(cache, spoil(image, url=original.as_uri()))
    assert (image_folder(cache, image) / "initrd.img").read_bytes() == INITRD


def test_a_damaged_image_is_mended_and_what_is_good_is_kept(tmp_path: Path, source: Source, image: Image) -> None:
    prepare_image(tmp_path, image)
    (image_folder(tmp_path, image) / "initrd.img").write_bytes(b"short")
    source.asked.clear()
    assert prepare_image(tmp_path, image) is True
    assert (image_folder(tmp_path, image) / "initrd.img").read_bytes() == INITRD
    assert [path.partition("?")[0] for path in source.asked] == ["/initrd.img"]


def test_what_a_dead_run_left_does_not_stand_in_the_way(tmp_path: Path, image: Image) -> None:
    folder = image_folder(tmp_path, image)
    partial = tmp_path / f".{folder.name}.partial"
    partial.mkdir()
    (partial / "vmlinuz").write_bytes(b"half")
    assert prepare_image(tmp_path, image)
    assert (folder / "vmlinuz").read_bytes() == KERNEL
    assert not partial.exists()


def test_another_content_of_the_same_name_lives_elsewhere(tmp_path: Path, source: Source, image: Image) -> None:
    prepare_image(tmp_path, image)
    source.files["/initrd.img"] = b"newer"
    newer = spoil(image, sha256=hashlib.sha256(b"newer").hexdigest(), size=5)
    prepare_image(tmp_path, newer)
    assert set(cached_folders(tmp_path, "tiny")) == {image_folder(tmp_path, image), image_folder(tmp_path, newer)}
    remove_image(tmp_path, image_folder(tmp_path, image))
    assert (is_cached(tmp_path, image), is_cached(tmp_path, newer)) == (False, True)
    remove_image(tmp_path, image_folder(tmp_path, image))


def test_a_name_that_begins_alike_is_another_image(tmp_path: Path, image: Image) -> None:
    longer = replace(image, name="tiny-extra")
    prepare_image(tmp_path, longer)
    assert cached_folders(tmp_path, "tiny") == []
    assert cached_folders(tmp_path, "tiny-extra") == [image_folder(tmp_path, longer)]


@pytest.mark.parametrize("name", ["", "..", "../../etc", "a/b", "Tiny"])
def test_a_name_that_is_none_reaches_no_path(tmp_path: Path, image: Image, name: str) -> None:
    with pytest.raises(InputError):
        prepare_image(tmp_path, replace(image, name=name))


def test_the_virtual_size_of_a_disk_is_read_from_its_header(tmp_path: Path) -> None:
    header = b"QFI\xfb" + (3).to_bytes(4, "big") + bytes(16) + (5 * 1024**3).to_bytes(8, "big")
    disk = Image("debian", "disk", (ImageFile("disk", "d.qcow2", "a" * 64, 0),))
    folder = image_folder(tmp_path, disk)
    folder.mkdir()
    (folder / "d.qcow2").write_bytes(header)
    backing = backing_disk(tmp_path, disk)
    assert backing is not None
    assert (backing.size, backing.path, backing.format) == (5 * 1024**3, str(folder / "d.qcow2"), "qcow2")
    assert virtual_size(folder / "d.qcow2", "raw") == 32
    (folder / "d.qcow2").write_bytes(b"no header")
    with pytest.raises(ImageError, match="not a qcow2 image"):
        backing_disk(tmp_path, disk)
