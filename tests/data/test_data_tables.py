"""CSV files: what is read, and that every error names file, line and column."""

import numpy as np
import pytest

from jaxdl.data import load_csv
from jaxdl.errors import FormatError


@pytest.fixture
def table(tmp_path):
    """Write a file and return its path."""

    def write(content):
        path = tmp_path / "table.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_regression_with_a_header(table):
    dataset = load_csv(table("age,height,y\n1,2.5,-3e2\n4,.5,6\n"))
    np.testing.assert_array_equal(dataset.inputs, [[1, 2.5], [4, 0.5]])
    assert dataset.targets.tolist() == [-300, 6]
    assert dataset.targets.dtype == dataset.inputs.dtype == np.float32
    assert (dataset.names, dataset.classes) == (("age", "height"), None)


def test_string_targets_become_sorted_classes_without_a_header(table):
    dataset = load_csv(table("1,2,dog\n3,4,cat\n5,6,dog\n"))
    assert dataset.classes == ("cat", "dog")
    assert dataset.targets.tolist() == [1, 0, 1]
    assert dataset.names is None


@pytest.mark.parametrize(
    ("options", "classes", "targets"),
    [
        ({}, None, [10, 2, 10]),
        ({"classes": "infer"}, ("2", "10"), [1, 0, 1]),
        ({"classes": ("2", "7", "10")}, ("2", "7", "10"), [2, 0, 2]),
    ],
)
def test_whole_numbers_are_classes_only_on_demand(table, options, classes, targets):
    dataset = load_csv(table("x,y\n1,10\n2,2\n3,10\n"), **options)
    assert dataset.classes == classes
    assert dataset.targets.tolist() == targets


def test_target_by_name_and_by_position(table):
    path = table("y,a,b\n1,2,3\n4,5,6\n")
    for target in ("y", 0, -3):
        dataset = load_csv(path, target=target)
        assert dataset.targets.tolist() == [1, 4]
        assert dataset.names == ("a", "b")
    numeric = table("2019,2020,y\n1,2,3\n")
    assert load_csv(numeric, target="y").names == ("2019", "2020")
    assert len(load_csv(table("1,2\n3,4\n"), header=False)) == 2
    assert load_csv(table("1,2\n3,4\n"), header=True).names == ("1",)


def test_dialects(table):
    text = '\ufeffa;"b; c";y\r\n 1 ;"2"; cat \r\n3;4;"dog ""x"""\r\n\r\n\r\n'
    dataset = load_csv(table(text), delimiter=";")
    assert dataset.names == ("a", "b; c")
    assert dataset.classes == ("cat", 'dog "x"')
    np.testing.assert_array_equal(dataset.inputs, [[1, 2], [3, 4]])


BAD = {
    "no number": ("age,y\n1,2\nabc,3\n", {}, "line 3, column 'age': 'abc' is not a number"),
    "no number, no header": ("1,2,0\n3,x,0\n", {}, "line 2, column 1: 'x' is not a number"),
    "underscore": ("a,y\n1_000,2\n", {}, "'1_000' is not a number"),
    "other digits": ("a,y\n\u0661,2\n", {}, "is not a number"),
    "missing": ("a,y\n1,2\n,3\n", {}, "line 3, column 'a': the value is missing"),
    "nan": ("a,y\n1,2\nNaN,3\n", {}, r"line 3, column 'a': the value is missing \('NaN'\)"),
    "infinity": ("a,y\n1,2\ninf,3\n", {}, "'inf' is not a number"),
    "overflow": ("a,y\n1e400,2\n", {}, "1e400 does not fit float32"),
    "missing target": ("a,y\n1,2\n3,\n", {}, "line 3, column 'y': the value is missing"),
    "missing class": ("a,y\n1,cat\n3,\n", {}, "line 3, column 'y': the class is missing"),
    "mixed target": ("a,y\n1,2\n3,2o\n", {}, "line 3, column 'y': '2o' is not a number"),
    "unknown class": ("a,y\n1,x\n", {"classes": ("u", "v")}, "'x' is none of the classes"),
    "short row": ("a,b,y\n1,2,3\n4,5\n", {}, "line 3: has 2 cells where line 1 has 3"),
    "long row": ("a,y\n1,2,3\n", {}, "line 2: has 3 cells"),
    "line after a quoted break": ('a,"y\nz"\n1,2\nx,4\n', {}, "line 4, column 'a'"),
    "blank line": ("a,y\n1,2\n\n3,4\n", {}, "line 3: is blank"),
    "empty": ("", {}, "is empty"),
    "only blank lines": ("\n\n", {}, "is empty"),
    "only a header": ("a,y\n", {}, "header and no rows"),
    "one column": ("a\n1\n", {}, "one column"),
    "wrong delimiter": ("a;y\n1;2\n", {}, "one column"),
    "not UTF-8": (b"a,y\n1,2\n\xff,3\n", {}, "line 3: is not UTF-8"),
    "NUL": (b"a,y\n1,\0\n", {}, "line 2: holds a NUL byte"),
    "open quote": ('a,y\n1,2\n"3,4\n', {}, "line 3: unexpected end of data"),
    "text after a quote": ('a,y\n"1"x,2\n', {}, "line 2: .*expected after"),
    "huge field": ("a,y\n" + "1" * 200_000 + ",2\n", {}, "line 2: field larger"),
    "too large": ("a,y\n1,2\n", {"max_bytes": 7}, "has 8 bytes, more than the 7"),
    "same name twice": ("a,a,y\n1,2,3\n", {}, "column 1: the name 'a' is empty or there twice"),
    "nameless column": ("a,,y\n1,2,3\n", {}, "column 1: the name ''"),
    "half a header": ("1,b,y\n1,2,3\n", {}, "line 1, column 1: 'b' is not a number.*header=True"),
    "years and a name": ("2019,2020,y\n1,2,3\n", {}, "line 1, column 2: 'y'.*header=True"),
    "no such name": ("a,y\n1,2\n", {"target": "z"}, "no column 'z': the header has a, y"),
    "name, no header": ("1,2\n", {"target": "z", "header": False}, "there is no header"),
    "no such column": ("a,y\n1,2\n", {"target": 2}, "no column 2: there are 2"),
}


@pytest.mark.parametrize("case", BAD)
def test_errors_name_the_place(table, case):
    content, options, message = BAD[case]
    with pytest.raises(FormatError, match=message) as caught:
        load_csv(table(content), **options)
    assert "table.csv" in str(caught.value)


def test_numbers_of_thousands_of_digits_end_soon(table):
    digits = "1" * 100_000
    dataset = load_csv(table(f"x,y\n1,{digits}\n2,7\n"), classes="infer")
    assert dataset.classes == ("7", digits)
    with pytest.raises(FormatError, match="is not a number"):
        load_csv(table(f"x,y\n{digits}x,1\n"))


@pytest.mark.parametrize("options", [{"header": "yes"}, {"classes": "guess"}])
def test_bad_arguments(table, options):
    with pytest.raises(ValueError, match=r"expected one of"):
        load_csv(table("a,y\n1,cat\n"), **options)


@pytest.mark.parametrize("delimiter", ["", ", ", "\n", '"', None, 3])
def test_bad_delimiters(table, delimiter):
    with pytest.raises(ValueError, match=r"load_csv: argument 'delimiter' is .* expected one character"):
        load_csv(table("a,y\n1,cat\n"), delimiter=delimiter)


def test_mutated_files_raise_format_errors_only(table):
    rng, messages = np.random.Generator(np.random.PCG64(0)), []
    seed = b'a,b,y\n1,2.5,cat\n-3,"4e2",dog\n5,.5,cat\n'
    for _ in range(1000):
        data = bytearray(seed)
        for where in rng.integers(0, len(data), rng.integers(1, 4)):
            data[where] = rng.integers(0, 256)
        try:
            assert np.isfinite(load_csv(table(bytes(data))).inputs).all()
        except FormatError as error:
            messages.append(str(error))
    assert 0 < len(messages) < 1000
    assert all("table.csv" in message for message in messages)
