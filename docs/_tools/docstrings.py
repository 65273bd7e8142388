"""What a docstring of the house needs before Sphinx reads it: see `mend`."""

import re

IDENTIFIER = re.compile(r"[A-Za-z_][\w.]*\Z")
QUOTED = re.compile(r"(``.+?``)|`([^`\n]+)`", re.DOTALL)
SHAPE = re.compile(r"(?<![\w`])\*(?=[a-z])")


def inline(text: str) -> str:
    """Quote code in single backquotes as a literal, but for a name, which may be a link to what it names."""

    def quoted(match: re.Match[str]) -> str:
        code = match[2]
        return match[0] if match[1] or IDENTIFIER.match(code) else f"``{code}``"

    return QUOTED.sub(quoted, text)


def _returns(lines: list[str]) -> list[str]:
    """Turn the section `Returns:` into a field, before napoleon takes the words before a colon for a type."""
    out: list[str] = []
    inside = False
    for line in lines:
        if line.rstrip() == "Returns:":
            out.append(":returns:")
            inside = True
        elif inside and line and not line.startswith(" "):
            inside = False
            out.append(line)
        else:
            out.append(SHAPE.sub(r"\\*", line) if inside else line)
    return out


def mend(app: object, what: str, name: str, value: object, options: object, lines: list[str]) -> None:
    """Rewrite the lines of a docstring in place, at `autodoc-process-docstring`, ahead of napoleon."""
    lines[:] = _returns(inline("\n".join(lines)).split("\n"))
