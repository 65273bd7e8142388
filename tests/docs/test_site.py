"""Every page is reached from the index, every link and name leads somewhere, every figure has a command."""

import json
import re
from pathlib import Path

import benchmarks
import gallery
import links
import pytest
import reference

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GENERATED = {"benchmarks", "gallery", "reference/index"}
PAGES = sorted(
    str(path.relative_to(DOCS))
    for path in DOCS.glob("**/*.md")
    if not {"_build", "reference"} & set(path.parts) and path.stem not in GENERATED
)
LINK = re.compile(r"\]\((?!https?://)([^)\s#]*)(#[^)\s]*)?\)")
FENCES = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def prose(path: Path) -> str:
    return FENCES.sub("", path.read_text())


def anchors(path: Path) -> set[str]:
    """The anchors of the headings of a page, as GitHub and MyST make them."""
    heads = re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_every_page_is_in_a_toctree() -> None:
    text = (DOCS / "index.md").read_text()
    blocks = re.findall(r"^```\{toctree\}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    listed = [line for block in blocks for line in block.splitlines() if line and not line.startswith(":")]
    found = {path.removesuffix(".md") for path in PAGES} - {"index"}
    alone = {page for page in found if not page.startswith("families/")}
    assert sorted(listed) == sorted(alone | GENERATED | {"families/*"})


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = prose(DOCS / page)
    for target, fragment in LINK.findall(text):
        path = ((DOCS / page).parent / target).resolve() if target else DOCS / page
        inside = path.is_relative_to(DOCS)
        if inside and str(path.relative_to(DOCS)).removesuffix(".md") in GENERATED:
            continue
        assert path.exists(), target
        assert not fragment or fragment[1:] in anchors(path), fragment
    for target in re.findall(r"\{doc\}`(?:[^`<]*<)?([^`>]*)>?`", text):
        path = (DOCS / page).parent / target
        assert str(path.relative_to(DOCS)) in GENERATED or path.with_name(f"{path.name}.md").exists(), target


@pytest.mark.parametrize("page", PAGES)
def test_names_on_a_page_are_in_the_reference(page: str) -> None:
    public = reference.public()
    for name in re.findall(r"\{py:obj\}`~?([^`]*)`", prose(DOCS / page)):
        module, _, last = name.rpartition(".")
        assert name in public or last in public[module], name


def test_readme_links_to_pages_that_are_there() -> None:
    for target, _ in LINK.findall((ROOT / "README.md").read_text()):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize("path", sorted(benchmarks.RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_every_result_is_a_section_with_its_command(path: Path) -> None:
    rows = json.loads(path.read_text())
    text = benchmarks.section(path)
    assert f"python -m bench {rows[0]['workload']}\n" in text
    assert rows[0]["device"] in text
    assert f"jax {rows[0]['versions']['jax']}" in text
    assert len(re.findall(r"\(\**[\d.]+\**\)", text)) >= len(rows)
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(lines) == 2 + len({row["case"] for row in rows})
    assert len({line.count("|") for line in lines}) == 1
    assert {(row["device"], str(row["versions"])) for row in rows} == {
        (rows[0]["device"], str(rows[0]["versions"]))
    }


def test_a_slower_one_is_not_hidden() -> None:
    row = {"peer_s": 0.065, "ratio": 0.664}
    assert benchmarks._peer(row) == "65 ms (**0.66**)"
    assert [benchmarks.seconds(value) for value in (2.5, 0.0996, 1.23e-5)] == ["2.5 s", "99.6 ms", "12.3 us"]


def test_links_into_the_code_lead_into_the_reference() -> None:
    source = [
        "[`perceptron.fit`](../jaxdl/models/perceptron.py) [`fit`](../../jaxdl/train/fit.py) [`x`](y.md)"
    ]
    links.mend(None, "gallery", source)
    assert source == [
        "{py:obj}`perceptron.fit <jaxdl.models.perceptron.fit>` [`fit`](../../jaxdl/train/fit.py) [`x`](y.md)"
    ]
    source = ["[`boxes.nms`](../jaxdl/boxes/suppression.py)"]
    links.mend(None, "gallery", source)
    assert source == ["{py:obj}`boxes.nms <jaxdl.boxes.nms>`"]


def test_links_to_other_pages_of_the_checkout() -> None:
    source = ["[a](../../README.md#speed) [b](../../examples/README.md#gates) [c](../compile.md)"]
    links.mend(None, "families/similarity", source)
    assert source == ["{download}`a <../../README.md>` [b](/gallery.md#gates) [c](../compile.md)"]


def test_the_gallery_is_the_walk_with_its_paths_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "examples").mkdir()
    source = "# A\n\n![one](gallery/one.png) [x](../docs/compile.md#a) [y](one.py) [z](https://a.b)\n"
    (tmp_path / "examples" / "README.md").write_text(source + '<img src="gallery/two.png" width="9">\n')
    monkeypatch.setattr(gallery, "ROOT", tmp_path)
    assert gallery.page().splitlines()[2:] == [
        "![one](../examples/gallery/one.png) [x](compile.md#a) [y](../examples/one.py) [z](https://a.b)",
        '<img src="../examples/gallery/two.png" width="9">',
    ]
