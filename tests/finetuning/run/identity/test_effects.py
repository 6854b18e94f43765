"""Each option has one word on what it does."""

from finetuning.reporting.gather import WITHOUT_EFFECT
from finetuning.run.identity.effects import EFFECTS, fields_with
from finetuning.run.specification import RunSpec


def test_every_option_of_a_run_is_in_the_table_and_nothing_else() -> None:
    assert sorted(EFFECTS) == sorted(RunSpec.model_fields)


def test_the_report_takes_the_same_options_for_one_setting() -> None:
    assert fields_with("none", "kept") == WITHOUT_EFFECT


def test_what_is_kept_is_a_matter_of_yes_or_no() -> None:
    assert {RunSpec.model_fields[name].annotation for name in fields_with("kept")} == {bool}


def test_what_bounds_memory_or_says_where_has_no_effect_and_what_is_learnt_has() -> None:
    assert fields_with("none") >= {"output", "device", "threads", "micro_batch_pieces"}
    assert fields_with("score") >= {
        "learning_rate",
        "seed",
        "dropout",
        "precision",
        "stop_failed_after",
        "model",
        "data",
    }
