"""Find the pictures in a cell's outputs, and compare them as a person would.

On one machine a picture comes out the same to the byte. Another processor may differ in
the last digit of a coordinate or in the shade of an edge, which nobody can see; so pixels
and coordinates are compared with a small tolerance, and all else exactly.
"""

import base64
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import unquote_to_bytes

import numpy as np
from nbformat.notebooknode import NotebookNode
from PIL import Image

PICTURE_KINDS = ("image/png", "image/jpeg", "image/svg+xml")
DATA_URI = re.compile(
    r"data:(?P<kind>image/[\w.+-]+)(?P<form>[;\w=-]*),(?P<body>[^\"'\s)]*)"
)

# of 255 shades, on average over all pixels: an edge may move by a fraction of a pixel
SHADES = 0.5
# in points, of a coordinate: a twentieth of a line's width
POINTS = 0.05
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
_AXIS = re.compile(r"[xy]tick_\d+$")
_ID = re.compile(r'\bid="([^"]+)"')


@dataclass(frozen=True)
class Picture:
    """The bytes of one picture, and what kind they are."""

    kind: str
    content: bytes
    alt: str | None = None  # of its <img>; None where it has none


class _Images(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an image with its source and its words."""
        if tag == "img":
            about = dict(attrs)
            self.found.append((about.get("src") or "", about.get("alt")))


class _Lettering(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._groups: list[bool] = []  # open groups: is it a mark on an axis?

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where a group begins."""
        if tag == "g":
            self._groups.append(bool(_AXIS.match(dict(attrs).get("id") or "")))

    def handle_endtag(self, tag: str) -> None:
        """Note where a group ends."""
        if tag == "g":
            self._groups.pop()

    def handle_comment(self, data: str) -> None:
        """Keep what a comment says, unless it stands at a mark on an axis."""
        if not any(self._groups):
            self.found.append(data.strip())


def images(html: str) -> list[tuple[str, str | None]]:
    """List the source and the alternative text of each `<img>`."""
    parser = _Images()
    parser.feed(html)
    return parser.found


def pictures(outputs: Iterable[NotebookNode]) -> list[Picture]:
    """List the pictures of a cell's outputs, those inside HTML included."""
    return [picture for output in outputs for picture in _in_output(output)]


def _in_output(output: NotebookNode) -> Iterator[Picture]:
    data = output.get("data", {})
    for kind in PICTURE_KINDS:
        if kind in data:
            yield Picture(kind, _content(kind, data[kind]))
    for source, alt in images(data.get("text/html", "")):
        if uri := DATA_URI.fullmatch(source):
            yield Picture(uri["kind"], _uri_content(uri), alt)


def without_pictures(text: str) -> str:
    """Leave of each picture inside HTML only that it is there."""
    return DATA_URI.sub(lambda uri: f"data:{uri['kind']}", text)


def difference(one: Picture, other: Picture) -> str:
    """Tell in a few words how two pictures differ; "" if they look the same."""
    if one.kind != other.kind:
        return f"{one.kind} became {other.kind}"
    if one.content == other.content:
        return ""
    if one.kind == "image/svg+xml":
        return _drawing_difference(one.content.decode(), other.content.decode())
    return _pixel_difference(one.content, other.content)


def _pixel_difference(one: bytes, other: bytes) -> str:
    old, new = (
        np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"), dtype=float)
        for content in (one, other)
    )
    if old.shape != new.shape:
        return f"its size went from {old.shape[1::-1]} to {new.shape[1::-1]} pixels"
    shades = np.abs(old - new).mean()
    return f"its pixels differ by {shades:.2f} shades of 255" if shades > SHADES else ""


def _drawing_difference(one: str, other: str) -> str:
    old_inside, new_inside = pictures_in_drawing(one), pictures_in_drawing(other)
    if len(old_inside) != len(new_inside):
        return f"it holds {len(new_inside)} images where it had {len(old_inside)}"
    for old, new in zip(old_inside, new_inside, strict=True):
        if words := difference(old, new):
            return f"an image in it: {words}"
    old_text, new_text = (_canonical(text) for text in (one, other))
    if _NUMBER.sub("#", old_text) != _NUMBER.sub("#", new_text):
        return "its shapes or words differ"
    pairs = zip(_NUMBER.findall(old_text), _NUMBER.findall(new_text), strict=True)
    furthest = max((abs(float(a) - float(b)) for a, b in pairs), default=0.0)
    return f"a number in it moved by {furthest:.3g}" if furthest > POINTS else ""


def pictures_in_drawing(svg: str) -> list[Picture]:
    """List the images which a drawing holds, such as the cells of a heat map."""
    return [Picture(uri["kind"], _uri_content(uri)) for uri in DATA_URI.finditer(svg)]


def lettering(svg: str) -> list[str]:
    """List what is written in a drawing, the numbers along its axes left out.

    matplotlib draws letters as shapes, and puts what they say beside them as a comment.
    """
    parser = _Lettering()
    parser.feed(svg)
    return parser.found


def _canonical(svg: str) -> str:
    """Put numbers for the ids, which matplotlib makes from coordinates."""
    text = without_pictures(svg)
    for number, name in enumerate(dict.fromkeys(_ID.findall(text))):
        text = re.sub(rf"(?<=[\"#]){re.escape(name)}(?=[\")])", f"id-{number}", text)
    return text


def _uri_content(uri: re.Match[str]) -> bytes:
    if uri["form"].endswith(";base64"):
        return base64.b64decode(unquote_to_bytes(uri["body"]))
    return unquote_to_bytes(uri["body"])


def _content(kind: str, text: str) -> bytes:
    return text.encode() if kind == "image/svg+xml" else base64.b64decode(text)
