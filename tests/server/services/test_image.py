"""Images: taken in whole and verified, kept while used, fetched by signed URLs."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from minicloud.services import image
from minicloud.services.view.image import ImageFileSource, ImageSpec
from minicloud_core.model.errors import ConflictError, ForbiddenError, ImageError, InputError, NotFoundError

from tests.server.world import ADMIN, GIB, World

KERNEL = b"kernel" * 1000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "vmlinuz").write_bytes(KERNEL)
    (tmp_path / "initrd.img").write_bytes(b"initrd")
    return tmp_path


def kernel_spec(folder: Path, name: str = "small", *, sha256: str = "") -> ImageSpec:
    files = (
        ImageFileSource("kernel", folder / "vmlinuz", sha256=sha256),
        ImageFileSource("initrd", folder / "initrd.img"),
    )
    return ImageSpec(name, "kernel", files, cmdline="console=ttyS0", min_ram_mib=64)


def contents(world: World) -> set[str]:
    return {path.name for path in world.ctx.settings.images_dir.iterdir()} - {".lock"}


def qcow2(size: int, backing: int = 0) -> bytes:
    return struct.pack(">4sIQIIQ", b"QFI\xfb", 3, backing, 0, 16, size) + bytes(72)


def test_files_are_taken_in_by_their_digest(world: World, folder: Path) -> None:
    digest = hashlib.sha256(KERNEL).hexdigest()
    made = image.register(world.ctx, ADMIN, kernel_spec(folder, sha256=digest))
    assert made.created
    kernel = made.image.files[0]
    assert (kernel.name, kernel.sha256, kernel.size) == ("vmlinuz", digest, len(KERNEL))
    assert (world.ctx.settings.images_dir / digest).read_bytes() == KERNEL
    assert image.get(world.ctx, ADMIN, "small") == made.image
    assert not image.register(world.ctx, ADMIN, kernel_spec(folder)).created
    assert [one.name for one in image.list(world.ctx, ADMIN).items] == ["small", "tiny"]


def test_a_dry_run_leaves_nothing(world: World, folder: Path) -> None:
    assert image.register(world.ctx, ADMIN, kernel_spec(folder), dry_run=True).created
    assert contents(world) == set()
    with pytest.raises(NotFoundError):
        image.get(world.ctx, ADMIN, "small")


def test_another_content_under_the_same_name_is_refused(world: World, folder: Path) -> None:
    image.register(world.ctx, ADMIN, kernel_spec(folder))
    before = contents(world)
    (folder / "vmlinuz").write_bytes(b"another")
    with pytest.raises(ConflictError, match="another files"):
        image.register(world.ctx, ADMIN, kernel_spec(folder))
    assert contents(world) == before


def test_a_wrong_digest_leaves_nothing(world: World, folder: Path) -> None:
    with pytest.raises(InputError) as caught:
        image.register(world.ctx, ADMIN, kernel_spec(folder, sha256="0" * 64))
    assert [problem.field for problem in caught.value.problems] == ["files.0.sha256"]
    assert contents(world) == set()


@pytest.mark.parametrize(
    ("field", "spec"),
    [
        ("name", ImageSpec("a/b", "kernel", (ImageFileSource("kernel", Path("/dev/null")),))),
        ("kind", ImageSpec("x", "floppy", (ImageFileSource("kernel", Path("/dev/null")),))),
        ("files", ImageSpec("x", "kernel", (ImageFileSource("disk", Path("/dev/null")),))),
        ("files", ImageSpec("x", "kernel", ())),
        ("files.0.name", ImageSpec("x", "kernel", (ImageFileSource("kernel", Path("/dev/null"), name="../x"),))),
        ("files.0.path", ImageSpec("x", "kernel", (ImageFileSource("kernel", Path("vmlinuz")),))),
        ("files.0.path", ImageSpec("x", "kernel", (ImageFileSource("kernel", Path("/no/such/file")),))),
        ("format", ImageSpec("x", "disk", (ImageFileSource("disk", Path("/dev/null")),), format="vmdk")),
        ("min_disk", ImageSpec("x", "kernel", (ImageFileSource("kernel", Path("/dev/null")),), min_disk=-1)),
    ],
)
def test_wrong_fields_are_named(world: World, field: str, spec: ImageSpec) -> None:
    with pytest.raises(InputError) as caught:
        image.register(world.ctx, ADMIN, spec)
    assert [problem.field for problem in caught.value.problems] == [field]


def test_a_disk_knows_its_size(world: World, tmp_path: Path) -> None:
    (tmp_path / "disk.qcow2").write_bytes(qcow2(10 * GIB))
    files = (ImageFileSource("disk", tmp_path / "disk.qcow2"),)
    assert image.register(world.ctx, ADMIN, ImageSpec("debian", "disk", files)).image.min_disk == 10 * GIB
    larger = ImageSpec("roomy", "disk", files, min_disk=20 * GIB)
    assert image.register(world.ctx, ADMIN, larger).image.min_disk == 20 * GIB


@pytest.mark.parametrize(
    ("content", "image_format"), [(b"raw" * 100, "qcow2"), (qcow2(GIB), "raw"), (qcow2(GIB, backing=104), "qcow2")]
)
def test_a_disk_of_another_format_is_refused(world: World, tmp_path: Path, content: bytes, image_format: str) -> None:
    (tmp_path / "disk").write_bytes(content)
    spec = ImageSpec("debian", "disk", (ImageFileSource("disk", tmp_path / "disk"),), format=image_format)
    with pytest.raises(ImageError):
        image.register(world.ctx, ADMIN, spec)
    assert contents(world) == set()


def test_an_image_in_use_stays_and_shared_files_outlive_it(world: World, folder: Path) -> None:
    world.host("node1")
    image.register(world.ctx, ADMIN, kernel_spec(folder))
    image.register(world.ctx, ADMIN, kernel_spec(folder, "twin"))
    world.create(image="small")
    with pytest.raises(ConflictError, match="vm-101 use it"):
        image.remove(world.ctx, ADMIN, "small")
    world.change("web01", "delete")
    before = contents(world)
    image.remove(world.ctx, ADMIN, "small", dry_run=True)
    image.remove(world.ctx, ADMIN, "small")
    assert contents(world) == before
    image.remove(world.ctx, ADMIN, "twin")
    assert contents(world) == set()
    with pytest.raises(NotFoundError):
        image.remove(world.ctx, ADMIN, "twin")


def test_an_order_carries_urls_that_open_the_files_for_a_while(world: World, folder: Path) -> None:
    world.host("node1")
    image.register(world.ctx, ADMIN, kernel_spec(folder))
    world.create(image="small")
    order = world.claim_one().order
    for entry in order["image"]["files"]:
        url = urlsplit(entry["url"])
        assert f"{url.scheme}://{url.netloc}" == world.ctx.settings.base_url
        query = parse_qs(url.query)
        name, expires, signature = url.path.split("/")[-1], int(query["expires"][0]), query["signature"][0]
        path = image.file(world.ctx, "small", name, expires, signature)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]
    for image_name, file, until, signed in (
        ("small", "vmlinuz", expires, signature),
        ("tiny", name, expires, signature),
        ("small", name, expires + 1, signature),
        ("small", name, expires, "é"),
    ):
        with pytest.raises(ForbiddenError, match="not valid"):
            image.file(world.ctx, image_name, file, until, signed)
    world.clock.advance(3 * 3600)
    with pytest.raises(ForbiddenError, match="time is over"):
        image.file(world.ctx, "small", name, expires, signature)


def test_leftovers_of_copies_that_were_cut_off_are_removed(world: World, folder: Path) -> None:
    world.ctx.settings.images_dir.mkdir(parents=True)
    (world.ctx.settings.images_dir / ".partial-x").write_bytes(b"half")
    image.register(world.ctx, ADMIN, kernel_spec(folder))
    assert not (world.ctx.settings.images_dir / ".partial-x").exists()
