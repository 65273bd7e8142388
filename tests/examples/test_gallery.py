"""The walk: each script is in it with picture and entry, each link leads somewhere, no system is left out."""

import ast
import re
from pathlib import Path

import _gallery
import pytest
from PIL import Image

from _rows import ROWS
from _walk import WALK

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
README = EXAMPLES / "README.md"
SCRIPTS = {path.stem for path in EXAMPLES.glob("[!_]*.py")}
PLACES = {where for stop in _gallery.STOPS.values() for where in stop.places} | {
    word for rows in ROWS.values() for _, where in rows for word in where.split() if ":" in word
}


def test_every_script_is_a_stop_of_the_walk_once() -> None:
    names = [stop.name for section in WALK for stop in section.stops]
    assert len(names) == len(set(names))
    assert set(names) == SCRIPTS


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_it_has_a_small_picture_and_an_entry(name: str) -> None:
    picture = EXAMPLES / "gallery" / f"{name}.png"
    assert picture.stat().st_size <= _gallery.BYTES
    with Image.open(picture) as opened:
        assert opened.width <= _gallery.WIDTH
    entry = README.read_text().split(f"\n### {name}\n")[1].split("\n#")[0]
    for wanted in (f"![{name}](gallery/{name}.png)", "* Reached: ", f"`python examples/{name}.py`"):
        assert wanted in entry


def test_it_is_what_the_gallery_writes() -> None:
    assert README.read_text() == _gallery.readme(_gallery.kept())


def test_every_link_leads_somewhere() -> None:
    text = README.read_text()
    headings = {_gallery.anchor(line.lstrip("# ")) for line in text.splitlines() if line.startswith("#")}
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert len(links) > 200
    for link in links:
        if link.startswith("#"):
            assert link[1:] in headings, link
        else:
            assert (EXAMPLES / link).exists(), link


@pytest.mark.parametrize("where", sorted(PLACES))
def test_a_function_that_is_named_stands_where_it_is_said_to(where: str) -> None:
    path, name = where.split(":")
    body = ast.parse((ROOT / path).read_text()).body
    assert name in {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def test_every_row_leads_to_an_example_or_to_a_function_and_its_test() -> None:
    for topic, rows in ROWS.items():
        assert len({words for words, _ in rows}) == len(rows) > 0, topic
        for words, where in rows:
            names = {word for word in where.split() if ":" not in word}
            paths = [word for word in where.split() if ":" in word]
            assert names <= SCRIPTS, words
            assert names or paths, words
            assert not paths or [path.startswith("tests/") for path in paths] == [False, True], words


def test_the_readme_of_the_project_lists_the_same_scripts() -> None:
    listed = (ROOT / "README.md").read_text().split("## Examples")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in listed.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == SCRIPTS


def test_a_picture_of_many_colours_is_made_small(tmp_path: Path) -> None:
    Image.effect_noise((400, 225), 100).save(tmp_path / "noise.png")
    _gallery.shrink(tmp_path / "noise.png", tmp_path / "gallery" / "small.png")
    assert (tmp_path / "gallery" / "small.png").stat().st_size <= _gallery.BYTES
    with Image.open(tmp_path / "gallery" / "small.png") as small:
        assert abs(small.width / small.height - 16 / 9) < 0.1


def test_a_failure_is_told_and_keeps_the_former_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gates.py").write_text("raise SystemExit('no such gate')\n")
    monkeypatch.setattr(_gallery, "HERE", tmp_path)
    monkeypatch.setattr(_gallery, "PICTURES", tmp_path / "gallery")
    former = {"gates": {"reached": "all four rows", "seconds": 6, "cores": 2}}
    _gallery.write(former)
    assert _gallery.main(["--only", "gates", "--work", str(tmp_path / "work")]) == 1
    said = capsys.readouterr().out
    assert "FAILED" in said
    assert "no such gate" in said
    assert _gallery.kept() == former
    assert "Reached: all four rows; 6 s on 2 cores." in (tmp_path / "README.md").read_text()


def test_a_picture_of_an_earlier_run_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gates.py").write_text("print('reached: all four rows')\n")
    monkeypatch.setattr(_gallery, "HERE", tmp_path)
    (tmp_path / "work" / "gates").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "work" / "gates" / "gates.png")
    assert _gallery.run(_gallery.STOPS["gates"], tmp_path / "work") == "drew no gates.png"
