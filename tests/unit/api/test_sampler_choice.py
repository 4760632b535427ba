"""Samplers and schedules by any of their names, and what does not go together."""

import pytest

from api.sampler_choice import choose_sampler
from shared.catalog import ModelDefaults
from shared.samplers import SAMPLERS, SCHEDULE_LABELS, sampler_aliases

DEFAULTS = ModelDefaults(sampler="dpmpp_2m", schedule="karras")


def choose(sampler=None, schedule=None, steps=20, defaults=DEFAULTS):
    return choose_sampler(sampler, schedule, steps, defaults, SAMPLERS)


def names(*arguments):
    choice = choose(*arguments)
    assert choice.errors == ()
    return choice.sampler, choice.schedule


def errors(*arguments, **options):
    found = choose(*arguments, **options).errors
    return {error.field: (error.code, error.detail) for error in found}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ((), ("dpmpp_2m", "karras")),
        (("euler",), ("euler", "karras")),
        (("ddim",), ("ddim", "default")),
        (("Euler a",), ("euler_a", "default")),
        (("EULER A",), ("euler_a", "default")),
        (("DPM++ 2M Karras",), ("dpmpp_2m", "karras")),
        (("DPM++ 2M",), ("dpmpp_2m", "karras")),
        (("DPM++ 2M Automatic",), ("dpmpp_2m", "default")),
        (("DPM++ 2M Uniform",), ("dpmpp_2m", "default")),
        (("Euler", "Normal"), ("euler", "default")),
        (("DPM++ 2M SDE Exponential",), ("dpmpp_2m_sde", "exponential")),
        (("dpm++ 2m sde",), ("dpmpp_2m_sde", "karras")),
        (("DPM++ 3M SDE Karras", "karras"), ("dpmpp_3m_sde", "karras")),
        (("dpmpp_2m beta",), ("dpmpp_2m", "beta")),
        (("DPM2 a Karras",), ("dpm2_a", "karras")),
        (("PLMS",), ("pndm", "default")),
        (("Euler", "SGM Uniform"), ("euler", "sgm_uniform")),
        (("Euler Simple",), ("euler", "sgm_uniform")),
        ((None, "Exponential"), ("dpmpp_2m", "exponential")),
    ],
)
def test_names(asked, found):
    assert names(*asked) == found


def test_every_alias_names_its_sampler_and_a_schedule_that_it_has():
    for capability in SAMPLERS.values():
        for alias in sampler_aliases(capability):
            found = choose(alias, defaults=ModelDefaults(sampler=capability.name))
            assert found.errors == ()
            assert found.sampler == capability.name
            assert alias.endswith(SCHEDULE_LABELS[found.schedule]) or alias == capability.label


def test_what_is_unknown_is_named_with_what_is_known():
    assert errors("dpmpp_sde")["sampler"][0] == "unknown_sampler"
    assert "dpmpp_2m_sde" in errors("dpmpp_sde")["sampler"][1]
    assert errors("euler", "polyexponential")["schedule"][0] == "unknown_schedule"
    for asked in (("ddim", "karras"), ("Euler a Karras",)):
        assert errors(*asked) == {"schedule": ("unknown_schedule", "one of: default, sgm_uniform")}


def test_two_schedules_are_both_named():
    code, detail = errors("DPM++ 2M Karras", "Exponential")["schedule"]
    assert code == "contradictory_schedule"
    assert "karras" in detail
    assert "exponential" in detail


def test_steps_of_the_sampler():
    found = errors("LCM", steps=51)
    assert found == {"steps": ("illegal_steps", "this sampler takes 1 to 50 steps")}
    assert errors("LCM", steps=50) == {}


def test_a_sampler_is_of_the_kind_of_the_models_default():
    flow = ModelDefaults(sampler="flow_euler")
    assert names() == ("dpmpp_2m", "karras")
    assert errors("flow_heun")["sampler"][0] == "unsuited_sampler"
    assert errors("euler", defaults=flow)["sampler"][0] == "unsuited_sampler"
    assert errors("flow_heun", defaults=flow) == {}
