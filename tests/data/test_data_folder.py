"""Folders of images: sorted, upright, of one size; whatever is amiss is named by its file."""

import io
import os

import numpy as np
import pytest
from PIL import Image

from jaxdl.data import load_folder
from jaxdl.errors import DtypeError, FormatError, ShapeError

RNG = np.random.Generator(np.random.PCG64(0))
PIXELS = RNG.integers(0, 256, (4, 6, 3), dtype=np.uint8)


def save(path, pixels=PIXELS, **options):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.fixture
def root(tmp_path):
    """Two classes, three images."""
    save(tmp_path / "b" / "2.png", 255 - PIXELS)
    save(tmp_path / "b" / "1.png")
    save(tmp_path / "a" / "1.bmp", PIXELS // 2)
    return tmp_path


def test_classes_and_files_in_sorted_order(root):
    (root / ".hidden").mkdir()
    (root / "a" / ".DS_Store").write_text("x")
    dataset = load_folder(root)
    np.testing.assert_array_equal(dataset.inputs, [PIXELS // 2, PIXELS, 255 - PIXELS])
    assert dataset.inputs.dtype == np.uint8
    assert dataset.targets.tolist() == [0, 1, 1]
    assert dataset.classes == ("a", "b")


def test_grey_and_scaled(root):
    assert load_folder(root, channels=1).inputs.shape == (3, 4, 6, 1)
    assert load_folder(root, size=(8, 3)).inputs.shape == (3, 8, 3, 3)
    grey = save(root / "a" / "grey.png", PIXELS[..., 0])
    assert load_folder(root).inputs[1].max() == np.asarray(Image.open(grey)).max()


def test_a_picture_is_turned_upright(root):
    exif = Image.Exif()
    exif[0x0112] = 6
    save(root / "a" / "2.png", np.rot90(PIXELS), exif=exif)
    np.testing.assert_array_equal(load_folder(root).inputs[1], PIXELS)


def test_unequal_sizes_need_a_size(root):
    save(root / "b" / "3.png", PIXELS[:3])
    with pytest.raises(ShapeError, match=r"3\.png is 3 pixels high and 6 wide.*1\.bmp, 4 and 6"):
        load_folder(root)
    assert len(load_folder(root, size=(4, 6))) == 4


def opaque_palette(path):
    Image.fromarray(PIXELS).convert("P").save(path, transparency=b"\xff" * 256)


def test_an_alpha_channel_that_hides_nothing_is_dropped(root):
    alpha = np.full((4, 6, 1), 255, np.uint8)
    save(root / "a" / "2.png", np.concatenate([PIXELS, alpha], axis=-1))
    opaque_palette(root / "a" / "3.png")
    np.testing.assert_array_equal(load_folder(root).inputs[1], PIXELS)


def transparent(root):
    save(root / "a" / "bad", np.concatenate([PIXELS, PIXELS[..., :1]], axis=-1), format="PNG")


def sixteen_bits(root):
    save(root / "a" / "bad", np.full((4, 6), 1000, np.uint16), format="PNG")


def animation(root):
    frames = [Image.fromarray(PIXELS // n) for n in (1, 2)]
    frames[0].save(root / "a" / "bad", format="GIF", save_all=True, append_images=frames[1:])


def text(root):
    (root / "a" / "bad").write_text("labels")


def postscript(root):
    Image.fromarray(PIXELS).save(root / "a" / "bad", format="EPS")


def cut(root):
    data = (root / "b" / "1.png").read_bytes()
    (root / "a" / "bad").write_bytes(data[: len(data) // 2])


def nothing(root):
    (root / "a" / "bad").write_bytes(b"")


def nested(root):
    (root / "a" / "bad").mkdir()


def empty_class(root):
    (root / "bad").mkdir()


def stray_file(root):
    (root / "bad").write_text("x")


def link_out(root):
    (root.parent / "outside").mkdir(exist_ok=True)
    save(root.parent / "outside" / "1.png")
    (root / "a" / "bad").symlink_to(root.parent / "outside" / "1.png")


def folder_link_out(root):
    (root / "bad").symlink_to(root.parent)


def dangling(root):
    (root / "a" / "bad").symlink_to(root / "nowhere")


def pipe(root):
    os.mkfifo(root / "a" / "bad")


BAD = {
    transparent: "transparent in places",
    sixteen_bits: "more than 8 bits",
    animation: "animation of 2 frames",
    text: "is no PNG, JPEG",
    postscript: "is no PNG, JPEG",
    cut: "broken image",
    nothing: "is no PNG",
    nested: "not an image file",
    empty_class: "is empty",
    stray_file: "not inside the folder of a class",
    link_out: "link that leaves",
    folder_link_out: "link that leaves",
    dangling: "not an image file",
    pipe: "not an image file",
}


@pytest.mark.parametrize("spoil", BAD, ids=lambda spoil: spoil.__name__)
def test_what_is_amiss_is_named(tmp_path, root, spoil):
    root = tmp_path / "images"
    save(tmp_path / "b" / "1.png")
    root.mkdir()
    for name in "ab":
        os.rename(tmp_path / name, root / name)
    spoil(root)
    with pytest.raises(FormatError, match=BAD[spoil]) as caught:
        load_folder(root)
    assert f"{os.sep}bad " in str(caught.value)


def test_a_link_inside_the_tree_is_followed(root):
    (root / "a" / "link.png").symlink_to(root / "b" / "1.png")
    np.testing.assert_array_equal(load_folder(root).inputs[1], PIXELS)


def test_no_folders(tmp_path):
    with pytest.raises(FormatError, match="holds no folders"):
        load_folder(tmp_path)
    with pytest.raises(FileNotFoundError):
        load_folder(tmp_path / "nowhere")


def test_caps(root, monkeypatch):
    with pytest.raises(FormatError, match=r"1\.bmp has 24 pixels, more than the 23"):
        load_folder(root, max_pixels=23)
    with pytest.raises(FormatError, match="take 216 bytes, more than the 215"):
        load_folder(root, max_bytes=215)
    with pytest.raises(FormatError, match="take 9000000000000 bytes"):
        load_folder(root, size=(10**6, 10**6))
    for limit in (20, 5):  # Pillow's own guard: a warning up to twice its limit, then an error
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(FormatError, match=r"1\.bmp is a broken image .*bomb"):
            load_folder(root)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"channels": 2}, ValueError),
        ({"size": 32}, ShapeError),
        ({"size": (32,)}, ShapeError),
        ({"size": (0, 32)}, ValueError),
        ({"size": (32.0, 32)}, DtypeError),
    ],
)
def test_bad_arguments(root, options, error):
    with pytest.raises(error, match="load_folder"):
        load_folder(root, **options)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "PPM", "WEBP"])
def test_mutated_images_raise_format_errors_only(tmp_path, kind):
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, format=kind)
    path = tmp_path / "a" / "1"
    path.parent.mkdir()
    rng, messages = np.random.Generator(np.random.PCG64(1)), []
    for _ in range(150):
        data = bytearray(buffer.getvalue())
        for where in rng.integers(0, len(data), rng.integers(1, 6)):
            data[where] = rng.integers(0, 256)
        path.write_bytes(data[: rng.integers(1, len(data) + 1)] if rng.random() < 0.3 else data)
        try:
            assert load_folder(tmp_path, max_pixels=10**4).inputs.dtype == np.uint8
        except FormatError as error:
            messages.append(str(error))
    assert all(str(path) in message for message in messages)
