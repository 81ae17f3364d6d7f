"""The three rates of every exercise: wrong answers refused and named, right ones taken."""

import pytest
from grader.answers_at_hand import IDS, PAGE_OF, FromOracle, alternatives, wrong_answers

from minitransformer.grader.bench import bench, compatible_pairs
from minitransformer.grader.catalogue import exercise as find_exercise
from minitransformer.grader.check import InProcess
from minitransformer.grader.diagnosis import judge
from minitransformer.grader.exercise import Exercise, Mistake

SEEDS = (11, 1706)
each_exercise = pytest.mark.parametrize(
    "exercise", [pytest.param(one, id=f"{PAGE_OF[one][:3]}-{one}") for one in IDS]
)


def inseparable(exercise: Exercise, mistake: Mistake) -> set[str]:
    """Names that may stand beside a mistake's own: its declared groups."""
    groups = [group for group in exercise.one_of if mistake.name in group]
    return {mistake.name}.union(*groups)


@each_exercise
def test_each_mistake_is_refused_and_named(exercise, rates):
    spec = find_exercise(exercise)
    for mistake in spec.mistakes:
        for form in mistake.forms:
            for seed in (None, SEEDS[0]):
                verdict = judge(spec, FromOracle(spec, dict(form)), seed=seed)
                allowed = {f"{spec.id}.{one}" for one in inseparable(spec, mistake)}
                named = set(verdict.mistakes)
                rates["refused"].count(held=verdict.status != "passed")
                rates["named"].count(held=spec.mistake_id(mistake) in named)
                rates["misnamed"].count(held=bool(named - allowed))
                assert verdict.status in ("failed", "error"), mistake.name
                assert verdict.points < spec.points
                assert spec.mistake_id(mistake) in named, mistake.name
                assert named <= allowed, mistake.name


@each_exercise
def test_nine_of_ten_compatible_pairs_are_named(exercise, rates):
    spec = find_exercise(exercise)
    known = bench(spec)
    pairs = compatible_pairs(spec.mistakes)
    named = hidden = 0
    for pair in pairs:
        parts = {name: part for one in pair for name, part in one.parts.items()}
        runner = FromOracle(spec, parts)
        verdict = judge(spec, runner)
        both = "+".join(sorted(spec.mistake_id(one) for one in pair))
        found = both in verdict.mistakes
        # a mistake behind another that hides it: the visible one is the right name
        alone = [mistake for mistake in verdict.recognised if len(mistake) == 1]
        nothing_left = all(
            outcome.kind != "value" for outcome in runner(spec, known.cases)
        )
        rates["pairs"].count(held=found)
        if not alone and not nothing_left:
            rates["separable"].count(held=found)
        named += found
        hidden += bool(alone) or nothing_left
        assert verdict.status != "passed", both
        assert verdict.points < spec.points
    assert named >= 0.9 * (len(pairs) - hidden)


@each_exercise
def test_mistakes_as_learners_write_them_are_named(exercise, rates):
    spec = find_exercise(exercise)
    for mistake in spec.mistakes:
        for answer in wrong_answers().get(spec.mistake_id(mistake), []):
            verdict = judge(spec, InProcess(answer), seed=SEEDS[0])
            allowed = {f"{spec.id}.{one}" for one in inseparable(spec, mistake)}
            rates["written"].count(held=spec.mistake_id(mistake) in verdict.mistakes)
            assert spec.mistake_id(mistake) in verdict.mistakes, (
                mistake.name,
                verdict.status,
                verdict.mistakes,
                verdict.fault,
            )
            assert set(verdict.mistakes) <= allowed


@each_exercise
def test_torch_exercises_have_every_mistake_written_on_torch(exercise):
    spec = find_exercise(exercise)
    if spec.needs_torch:
        written = set(wrong_answers())
        assert {spec.mistake_id(mistake) for mistake in spec.mistakes} <= written


@each_exercise
def test_right_answers_written_another_way_are_accepted(exercise, rates):
    spec = find_exercise(exercise)
    found = alternatives()[exercise]
    assert len(found) >= 4
    for name, answer in found.items():
        for seed in (None, *SEEDS):
            verdict = judge(spec, InProcess(answer), seed=seed)
            rates["accepted"].count(held=verdict.status == "passed")
            rates["accused"].count(held=bool(verdict.recognised))
            fault = verdict.fault
            words = fault and (fault.case.group, fault.case.about, fault.words)
            assert verdict.status == "passed", (name, seed, words)
            assert verdict.points == spec.points


@each_exercise
def test_an_untouched_stub_is_not_written(exercise, rates):
    def stub(*data, **options):
        raise NotImplementedError(f"{exercise} is not written yet")

    spec = find_exercise(exercise)
    verdict = judge(spec, InProcess(stub))
    rates["stubs"].count(held=verdict.status == "not_written")
    assert verdict.status == "not_written"
    assert verdict.points == 0.0
    assert verdict.mistakes == []


@each_exercise
def test_an_exercise_says_what_it_is_worth_and_what_each_mistake_was(exercise):
    spec = find_exercise(exercise)
    assert spec.id == exercise
    assert f"t{spec.topic}" == PAGE_OF[exercise]
    assert spec.points > 0
    assert spec.minutes > 0
    assert 1 <= spec.difficulty <= 5
    assert spec.mistakes
    names = [mistake.name for mistake in spec.mistakes]
    assert len(set(names)) == len(names)
    assert {name for group in spec.one_of for name in group} <= set(names)
    for mistake in spec.mistakes:
        assert mistake.plain.endswith((".", ")"))
        assert "?" in mistake.question
