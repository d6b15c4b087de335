"""Text made safe for where it stands in the page: between tags, in attributes, in data blocks."""

from __future__ import annotations

import html
from typing import Any

from bench.files import canonical_json
from bench.report.text import plain


def text(value: object) -> str:
    """One printable line in which HTML sees no markup, also within quotes."""
    return html.escape(plain(value))


def data(value: Any) -> str:
    """JSON in ASCII that no parser of HTML takes for a tag or a comment."""
    return canonical_json(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def block(value: Any, **attributes: str) -> str:
    """A data block, which a browser does not look into until a script asks for it."""
    named = "".join(f' {name.replace("_", "-")}="{text(worth)}"' for name, worth in attributes.items())
    return f'<script type="application/json"{named}>{data(value)}</script>'
