"""Packaging: wheel (through the sdist) and editable install, each in a fresh environment."""

import ast
import os
import shutil
import subprocess
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
KERNELS = sorted(path.stem for path in (ROOT / "kernels").glob("*.py"))
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "jaxdl", "kernels")
PROBE = f"""
import importlib, jaxdl.train
for name in {KERNELS!r}:
    module = importlib.import_module("jaxdl.kernels." + name)
import kernels
assert kernels.MARK == "another project's", kernels
print(module.__file__)
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout")
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(source, folder / name, symlinks=True, ignore=ignore)
        else:
            shutil.copy(source, folder / name)
    return folder


def run(python: Path, *arguments: str | Path, cwd: Path) -> str:
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run([python, *arguments], cwd=cwd, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with pip, made once: each test works on a copy of its own."""
    folder = tmp_path_factory.mktemp("pristine") / "env"
    venv.EnvBuilder(with_pip=True, symlinks=os.name != "nt").create(folder)
    return folder


def environment(pristine: Path, folder: Path) -> Path:
    """Copy a fresh environment, and add another project's `kernels`.

    It borrows the dependencies of this one through a .pth file. The .pth files of this one, an editable
    jaxdl among them, are not read by it, so what is imported is what the test installs.
    """
    shutil.copytree(pristine, folder, symlinks=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    site = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    )
    # Python 3.11 brings a setuptools that is too old for our pyproject.toml.
    for old in (*site.glob("setuptools*"), *site.glob("_distutils_hack")):
        shutil.rmtree(old)
    (site / "distutils-precedence.pth").unlink(missing_ok=True)
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (site / "kernels").mkdir()
    (site / "kernels" / "__init__.py").write_text('MARK = "another project\'s"\n')
    return python


def install(python: Path, *what: str | Path, cwd: Path) -> None:
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
    run(python, "-m", "pip", "install", *options, *what, cwd=cwd)


def resolves(python: Path, cwd: Path) -> Path:
    return Path(run(python, "-W", "error", "-c", PROBE, cwd=cwd).strip())


def test_wheel_made_from_the_sdist(checkout: Path, pristine: Path, tmp_path: Path) -> None:
    python = environment(pristine, tmp_path / "env")
    backend = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"
    run(python, "-c", backend, tmp_path, cwd=checkout)
    (sdist,) = tmp_path.glob("*.tar.gz")
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", tmp_path)
    run(python, "-m", "pip", "wheel", *options, sdist, cwd=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    wanted = {f"jaxdl/kernels/{name}.py" for name in KERNELS} | {"jaxdl/py.typed", "jaxdl/train/fit.py"}
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert wanted <= names
    assert {name.split("/")[0] for name in names} == {"jaxdl", "jaxdl_train-0.1.0.dist-info"}
    with tarfile.open(sdist) as archive:
        assert {f"jaxdl_train-0.1.0/{name}" for name in wanted} <= set(archive.getnames())
    install(python, wheel, cwd=tmp_path)
    assert (tmp_path / "env") in resolves(python, tmp_path).parents
    assert checkout in resolves(python, checkout).parents


def test_editable_install(checkout: Path, pristine: Path, tmp_path: Path) -> None:
    python = environment(pristine, tmp_path / "env")
    install(python, "--editable", checkout, cwd=tmp_path)
    for cwd in (tmp_path, checkout):
        assert checkout in resolves(python, cwd).parents


# Every other module and package of jaxdl is of the layer of functions.
ABOVE = {"__init__", "net", "train", "data", "models", "layers", "plot", "style", "kernels", "weights"}
BELOW = {
    "kernels": (),
    "layers": ("kernels",),
    "models": ("kernels", "layers"),
    "data": (),
    "weights": ("data",),
    "functions": ("kernels",),
}


def imported(path: Path) -> set[str]:
    """Return the parts of jaxdl that a file imports, by whatever form of the statement."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "jaxdl":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jaxdl."):
            found.add(str(node.module).split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {name.name.split(".")[1] for name in node.names if name.name.startswith("jaxdl.")}
    return found


def test_nothing_imports_upwards() -> None:
    parts = {"layers", "models", "data", "train", "net", "plot", "kernels", "weights"}
    for folder, below in BELOW.items():
        paths = [
            path
            for path in (ROOT / "jaxdl").rglob("*.py")
            if path.relative_to(ROOT / "jaxdl").parts[0].removesuffix(".py") not in ABOVE
        ]
        if folder != "functions":
            paths = sorted((ROOT / "jaxdl" / folder).glob("*.py"))
        assert paths
        for path in paths:
            assert not imported(path) & (parts - {folder, *below}), path
            assert folder != "kernels" or not imported(path), path
