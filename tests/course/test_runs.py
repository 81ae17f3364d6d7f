import json
import re

import pytest

from minitransformer import cli
from minitransformer.model.checkpoint import read_checkpoint

TEXT = "To be, or not to be, that is the question:\n" * 200


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.txt").write_text(TEXT, "utf-8")
    return tmp_path


def train(*arguments):
    return cli.main(["train", "--text", "my.txt", "--out", "m.safetensors", *arguments])


def steps_logged(folder):
    lines = (folder / "m.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["step"] for line in lines]


def parameters(folder):
    return read_checkpoint(folder / "m.safetensors").parameters


def test_a_text_of_ones_own_is_learned_and_written(folder, capsys):
    assert train("--steps", "2") == 0
    told = capsys.readouterr().out
    assert re.search(r"float32|bfloat16", told)
    assert "Saved in m.safetensors" in told
    assert steps_logged(folder) == [1, 2]
    for engine in ([], ["--numpy"]):
        words = ["--model", "m.safetensors", "--prompt", "To b", "--length", "9"]
        assert cli.main(["generate", *words, *engine]) == 0
        assert re.fullmatch(r"To b[\s\S]{9}\n", capsys.readouterr().out)


def test_a_run_can_be_made_longer_and_its_log_goes_on(folder):
    train("--steps", "1")
    assert train("--steps", "2", "--resume") == 0
    assert steps_logged(folder) == [1, 2]


def test_the_losses_are_drawn_as_a_picture(folder):
    train("--steps", "2", "--curve", "pictures/loss.svg")
    assert "<svg" in (folder / "pictures" / "loss.svg").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--steps", "2", "--seconds", "3"], "--steps or --seconds, not both"),
        (["train", "--seconds", "-1"], "seconds must be above 0; got -1.0"),
        (["train", "--curve", "loss.bmp"], "ending in .png or .svg; got loss.bmp"),
        (["train", "dates", "--text", "my.txt"], "dates brings its own data"),
        (["train", "--text", "none.txt"], "none.txt is not there"),
        (["train", "--text", "short.txt"], "longer than the context"),
        (["train", "--text", "my.txt", "--resume"], "there is no file"),
        (["generate", "--model", "my.txt"], "my.txt must be a whole checkpoint"),
        (
            ["generate", "--temperature", "-1"],
            "temperature must be at least 0; got -1.0",
        ),
        (["generate", "--top-p", "2"], "top_p must be above 0 and at most 1; got 2.0"),
        (["generate", "--prompt", "☃"], "got '☃' at place 0"),
    ],
)
def test_a_mistake_at_the_keyboard_is_told_in_one_line(
    folder, capsys, arguments, message
):
    (folder / "short.txt").write_text("To be", "utf-8")
    assert cli.main(arguments) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert not list(folder.glob("*.safetensors"))


def test_a_run_of_another_text_is_not_resumed(folder, capsys):
    train("--steps", "1")
    (folder / "my.txt").write_text(TEXT.replace("q", "k"), "utf-8")
    assert train("--steps", "2", "--resume") == 2
    assert "has a vocabulary of" in capsys.readouterr().err


def test_ctrl_c_between_two_steps_saves_and_says_so(folder, capsys, monkeypatch):
    from minitransformer.course import runs

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "asdict", interrupted)
    assert train("--steps", "9") == 130
    monkeypatch.undo()
    assert "Stopped by you after 1 steps" in capsys.readouterr().out
    assert (folder / "m.safetensors").exists()


@pytest.mark.parametrize("command", ["train", "generate"])
def test_help_teaches_by_examples(command, capsys):
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    assert f"minitransformer {command}" in capsys.readouterr().out
