"""People: drawn ones, those in folders, and classes that are held out whole."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from PIL import Image

from jaxdl.data import Dataset, _faces, load_folder, load_people, people, split_classes
from jaxdl.errors import DtypeError, FormatError, ShapeError

KEY = jax.random.key(0)


def photographs(dataset: Dataset, persons: int) -> np.ndarray:
    return np.asarray(dataset.inputs, np.float32).reshape(persons, -1, *dataset.inputs.shape[1:])


@pytest.fixture(scope="module")
def drawn() -> np.ndarray:
    return photographs(people(KEY, 5, 4, size=16, noise=0.0), 5)


def test_photographs_hang_on_their_numbers_alone() -> None:
    few, more = people(KEY, 2, 3, size=16), people(KEY, 4, 20, size=16)
    assert few.classes == ("person 0", "person 1")
    assert few.targets.tolist() == [0, 0, 0, 1, 1, 1]
    np.testing.assert_array_equal(photographs(few, 2), photographs(more, 4)[:2, :3])
    others = people(jax.random.key(1), 2, 3, size=16)
    assert np.abs(photographs(others, 2) - photographs(few, 2)).mean() > 10


def test_photographs_are_the_same_in_double_precision() -> None:
    single = people(KEY, 2, 2, size=8).inputs.astype(int)
    with jax.enable_x64(True):
        double = people(KEY, 2, 2, size=8).inputs
    assert np.abs(single - double).max() <= 1


def test_each_photograph_differs_and_each_person(drawn: np.ndarray) -> None:
    flat = drawn.reshape(20, -1)
    apart = np.abs(flat[:, None] - flat[None]).mean(2)
    assert (apart[np.triu_indices(20, 1)] > 3).all()
    assert drawn.std() > 30


def test_without_variety_and_noise_all_photographs_of_a_person_are_one(drawn: np.ndarray) -> None:
    alike = photographs(people(KEY, 5, 4, size=16, variety=0.0, noise=0.0), 5)
    np.testing.assert_array_equal(alike, np.repeat(alike[:, :1], 4, axis=1))
    persons = alike[:, 0].reshape(5, -1)
    apart = np.abs(persons[:, None] - persons[None]).mean(2)
    assert (apart[np.triu_indices(5, 1)] > 1).all()
    # The wall is the same then; the face is what differs.
    np.testing.assert_array_equal(alike[0, 0, :2, :2], alike[1, 0, :2, :2])


def test_noise_has_the_deviation_asked_for(drawn: np.ndarray) -> None:
    noisy = photographs(people(KEY, 5, 4, size=16, noise=0.02), 5)
    inside = (drawn > 25) & (drawn < 230)
    errors = (noisy - drawn)[inside]
    assert abs(errors.std() / 255 - 0.02) < 0.001
    assert abs(errors.mean()) < 0.1


def test_every_number_of_a_face_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    dials: list[Any] = []

    class Dial(_faces._Dial):
        def __init__(self, uniform: jax.Array) -> None:
            super().__init__(uniform)
            dials.append(self)

    monkeypatch.setattr(_faces, "_Dial", Dial)
    jax.eval_shape(_faces.person, jax.ShapeDtypeStruct((_faces.OWN,), np.float32))
    jax.eval_shape(_faces.shot, jax.ShapeDtypeStruct((_faces.TAKEN,), np.float32), 1.0)
    assert [dial.used for dial in dials] == [_faces.OWN, _faces.TAKEN]


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        ((0, 2, 2), {}, DtypeError),
        ((KEY, 0, 2), {}, ValueError),
        ((KEY, 2, 1.5), {}, DtypeError),
        ((KEY, 2, 2), {"size": 4}, ValueError),
        ((KEY, 2, 2), {"variety": 1.5}, ValueError),
        ((KEY, 2, 2), {"noise": -0.1}, ValueError),
    ],
)
def test_bad_arguments_of_drawn_people(arguments: Any, options: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="people: "):
        people(*arguments, **options)


def save(path: Path, grey: int = 0) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.new("RGB", (6, 4), (grey, 0, 0)).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Ada with two photographs, Kurt with three."""
    for name, count in (("Kurt", 3), ("Ada", 2)):
        for number in range(count):
            save(tmp_path / name / f"{number}.png", 100 * (name == "Kurt") + number)
    return tmp_path


def test_a_folder_of_people(root: Path) -> None:
    dataset = load_people(root)
    assert dataset.classes == ("Ada", "Kurt")
    assert dataset.targets.tolist() == [0, 0, 1, 1, 1]
    assert dataset.inputs[:, 0, 0, 0].tolist() == [0, 1, 100, 101, 102]
    same = load_folder(root)
    np.testing.assert_array_equal(same.inputs, dataset.inputs)
    assert load_people(root, size=(8, 8), channels=1, least=1).inputs.shape == (5, 8, 8, 1)


def alone(root: Path) -> None:
    for file in (root / "Kurt").iterdir():
        file.unlink()
    (root / "Kurt").rmdir()


def empty(root: Path) -> None:
    (root / "Zeno").mkdir()


def stray(root: Path) -> None:
    save(root / "1.png")


def words(root: Path) -> None:
    (root / "Ada" / "notes.txt").write_text("tall")


def nested(root: Path) -> None:
    (root / "Ada" / "young").mkdir()


def outside(root: Path) -> None:
    (root / "Ada" / "link.png").symlink_to("/etc/hostname")


@pytest.mark.parametrize(
    ("spoil", "options", "words"),
    [
        (alone, {}, "holds one person only, 'Ada'; expected two at least"),
        (empty, {}, r"Zeno is empty; a person needs one image"),
        (stray, {}, r"1\.png is not inside the folder of a person"),
        (words, {}, r"notes\.txt is no PNG, "),
        (nested, {}, r"young is not an image file"),
        (outside, {}, r"link\.png is a link that leaves the folder"),
        (lambda root: None, {"least": 3}, r"Ada holds 2 photographs; expected 3 of each person at least"),
        (lambda root: save(root / "Zeno" / "1.png"), {}, r"Zeno holds 1 photograph; expected 2"),
    ],
)
def test_folders_of_people_that_are_refused(
    root: Path, spoil: Callable[[Path], None], options: Any, words: str
) -> None:
    spoil(root)
    with pytest.raises(FormatError, match=rf"load_people: .*{words}"):
        load_people(root, **options)


def test_bad_arguments_of_people(root: Path, tmp_path: Path) -> None:
    for options, error in (
        ({"least": 0}, ValueError), ({"least": 1.5}, DtypeError), ({"channels": 2}, ValueError),
        ({"size": (8,)}, ShapeError),
    ):  # fmt: skip
        with pytest.raises(error, match="load_people: "):
            load_people(root, **options)
    nobody = tmp_path / "nobody"
    nobody.mkdir()
    with pytest.raises(FormatError, match="holds no folders; expected one for each person"):
        load_people(nobody)


def test_classes_are_held_out_whole() -> None:
    labels = np.arange(60) % 10
    whole = Dataset(np.arange(60.0)[:, None], labels, tuple("abcdefghij"), ("number",))
    parts = split_classes(whole, (5, 3, 2), seed=4)
    assert [len(part.classes) for part in parts] == [5, 3, 2]
    assert sorted(name for part in parts for name in part.classes) == list("abcdefghij")
    for part in parts:
        numbers = part.inputs[:, 0].astype(int)
        assert (np.diff(numbers) > 0).all()
        assert [part.classes[label] for label in part.targets] == ["abcdefghij"[n % 10] for n in numbers]
        assert sorted(set(part.targets.tolist())) == list(range(len(part.classes)))
        assert part.names == ("number",)
        assert list(part.classes) == sorted(part.classes)
    again = split_classes(whole, (5, 3, 2), seed=4)
    assert [part.classes for part in again] == [part.classes for part in parts]
    drawn = {split_classes(whole, (5, 5), seed=seed)[0].classes for seed in range(8)}
    assert len(drawn) > 5


def test_classes_that_cannot_be_split() -> None:
    whole = Dataset(np.zeros((4, 2)), [0, 0, 1, 2], ("a", "b", "c"))
    numbers = Dataset(np.zeros((4, 2)), np.zeros(4))
    named = Dataset(np.zeros((4, 2)), [0, 0, 1, 1], ("a", "b", "c"))
    for dataset, sizes, seed, error, text in (
        (whole, (1, 1), 0, ValueError, r"\(1, 1\), together 2; expected numbers that sum to the 3 classes"),
        (whole, (3, 0), 0, ValueError, "at least 1"),
        (whole, (1.5, 1.5), 0, DtypeError, "a whole number"),
        (whole, (2, 1), 2**32, ValueError, r"in \[0, 2\*\*32\)"),
        (numbers, (1,), 0, DtypeError, "expected a classification"),
        (whole, 3, 0, DtypeError, r"'sizes' is 3; .*Fix: \(2, 1\)"),
        ((np.zeros((4, 2)), [0, 0, 1, 2]), (2, 1), 0, DtypeError, "'dataset' is a tuple"),
        (named, (2, 1), 0, FormatError, "without an example of 'c'"),
    ):
        with pytest.raises(error, match=f"split_classes: .*{text}"):
            split_classes(dataset, sizes, seed=seed)
