"""Bars side by side: one quantity of several ways, group by group."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxdl.errors import FormatError, ShapeError, explain
from jaxdl.plot import _figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def bars(
    groups: Mapping[str, Mapping[str, float]],
    *,
    xlabel: str = "",
    errors: Mapping[str, Mapping[str, float]] | None = None,
    levels: Mapping[str, float] | None = None,
    path: str | Path | None = None,
) -> "Figure":
    """Draw one bar a way in each group, such as the accuracy of two networks on each of several data sets.

    Args:
        groups: by the name of the group, by the name of the way: its value; all groups have the same ways.
        xlabel: what the values are, with their unit.
        errors: half widths of intervals around them, laid out as `groups`, or None.
        levels: vertical lines to compare with, by name, such as that of guessing.
        path: where to write a PNG, or None.

    Returns:
        The matplotlib figure, the first group at the top.

    Raises:
        MissingExtraError: matplotlib is not installed.
        DtypeError: groups or errors that are no dicts of dicts.
        ShapeError: no group, none of whose ways there is a value, or groups or errors of different ways.
        FormatError: an error below 0.

    Example:
        >>> figure = bars({"Greek": {"net": 0.95, "pixels": 0.5}, "Latin": {"net": 0.93, "pixels": 0.6}})
        >>> [float(bar.get_width()) for bar in figure.axes[0].patches]
        [0.95, 0.93, 0.5, 0.6]
    """
    for argument, parts in (("groups", groups), ("errors", groups if errors is None else errors)):
        for part in (parts, *(parts.values() if isinstance(parts, Mapping) else ())):
            fix = "{'Greek': {'net': 0.95, 'pixels': 0.5}}"
            _figure.require("plot.bars", argument, part, Mapping, fix)
    rows = list(groups.values())
    ways = list(rows[0]) if rows else []
    _check_ways("groups", groups, groups, ways)
    if errors is not None:
        _check_ways("errors", errors, groups, ways)
        if any(value < 0 for part in errors.values() for value in part.values()):
            raise FormatError(
                explain("plot.bars", "errors", got="below 0", expected="half widths of 0 or more",
                        fix="pass the width, not the lower end")
            )  # fmt: skip
    figure = _figure.figure(1, panel_size=(6.4, 1.2 + 0.28 * len(rows) * (len(ways) + 1)))
    (axes,) = figure.axes
    places = np.arange(len(rows)) * (len(ways) + 1)
    for i, way in enumerate(ways):
        reach = [errors[name][way] for name in groups] if errors else None
        drawn = axes.barh(
            places + i, [row[way] for row in rows], height=0.9, xerr=reach, color=f"C{i}", label=way
        )
        axes.bar_label(drawn, fmt="%.3g", padding=3, fontsize="small")
    for i, (name, level) in enumerate((levels or {}).items()):
        axes.axvline(level, color="0.3", linestyle=("--", ":", "-.")[i % 3], linewidth=1, label=name)
    axes.set_yticks(places + (len(ways) - 1) / 2, list(groups))
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set(xlabel=xlabel)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, frameon=False)
    _figure.save(figure, path)
    return figure


def _check_ways(
    argument: str, parts: Mapping[str, Mapping[str, float]], groups: Mapping[str, object], ways: list[str]
) -> None:
    wrong = [name for name in {**groups, **parts} if name not in groups or list(parts.get(name, ())) != ways]
    if not ways or wrong:
        got = f"of ways {list(parts.get(wrong[0], ()))} in {wrong[0]!r}" if wrong else "empty"
        expected = f"in every group {ways or 'some values'}, and no other group"
        raise ShapeError(
            explain("plot.bars", argument, got=got, expected=expected,
                    fix="give every group, and its errors, the same names in the same order")
        )  # fmt: skip
