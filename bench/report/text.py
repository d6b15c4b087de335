"""Foreign text made fit to show: one line, printable, escaped for where it goes."""

from __future__ import annotations

import re

_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip
_SYMBOLS = {"±": r"$\pm$", "·": r"$\cdot$", "−": "$-$"}


def plain(text: object) -> str:
    """One printable line; what cannot be printed becomes `?`."""
    line = " ".join(str(text).split())
    return line if line.isprintable() else "".join(c if c.isprintable() else "?" for c in line)


def clipped(text: object, limit: int = 240) -> str:
    """`plain`, cut to at most `limit` characters."""
    line = plain(text)
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def narrow(text: object) -> str:
    """`plain` in ASCII, so that every character is one column wide on any machine."""
    return plain(text).encode("ascii", "backslashreplace").decode()


def short(sha: str) -> str:
    """The first eight characters of a sha256, which is how tables name it; `none` for none."""
    return plain(sha)[:8] or "none"


def for_markdown(text: str) -> str:
    """Text in which Markdown sees no markup and no column."""
    return re.sub(r"([\\|*_<`])", r"\\\1", text)


def for_latex(text: str) -> str:
    """Text in which LaTeX sees no commands."""
    return latex_symbols("".join(_LATEX.get(c, c) for c in text))


def latex_symbols(text: str) -> str:
    """LaTeX source with the few symbols that tables use spelled as commands."""
    return "".join(_SYMBOLS.get(c, c) for c in text)
