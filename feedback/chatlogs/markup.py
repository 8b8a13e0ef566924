"""Text of pages that were saved as HTML: tags become line breaks, list marks and code fences."""

import re
from html.parser import HTMLParser

_REMNANT = re.compile(r"<(div|p|pre|ol|ul|li|span|code|br|strong|em|h[1-6]|table)\b[^<>]*>", re.IGNORECASE)
_LINES = {"div", "p", "ol", "ul", "table", "tr", "h1", "h2", "h3", "h4", "h5", "h6"}
_MANY_LINES = re.compile(r"\n{3,}")


def remnant(text: str) -> bool:
    """Whether a text begins with a tag of a saved page; a tag further on may be what it talks about."""
    return _REMNANT.match(text.lstrip()) is not None


def plain(text: str) -> str:
    """The text of a saved page."""
    page = _Page()
    page.feed(text)
    page.close()
    return _MANY_LINES.sub("\n\n", "".join(page.said)).strip()


class _Page(HTMLParser):
    """Collects what a reader of the page would see."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.said: list[str] = []
        self._code = 0
        self._button = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "pre":
            self._code += 1
            self.said.append("\n\n```\n")
        elif tag == "button":  # "Copy code"
            self._button += 1
        elif tag == "code" and not self._code:
            self.said.append("`")
        elif tag == "li":
            self.said.append("\n- ")
        elif tag == "br" or tag in _LINES:
            self.said.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag == "pre" and self._code:
            self._code -= 1
            self.said.append("\n```\n\n")
        elif tag == "button" and self._button:
            self._button -= 1
        elif tag == "code" and not self._code:
            self.said.append("`")
        elif tag in _LINES:
            self.said.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._button:
            self.said.append(data)
