"""Each figure of a report is explained, and nothing that it has not."""

from typing import Any

from finetuning.reporting.explanations import explanations

ALWAYS = [
    "mean ± sd",
    "95 % interval",
    "held out",
    "± seeds / rows / both",
    "expected best of n",
    "constant",
    "in no interval",
]


def report(*starts: int | None, method: str = "t", judged_by_majority: int = 0) -> dict[str, Any]:
    """Two tasks of one model, whose settings have so many starts."""
    models = [{"settings": [{"starts": count}]} for count in starts]
    tasks = [{"models": models[:1]}, {"models": models[1:]}]
    return {"tasks": tasks, "interval": {"method": method}, "judged_by_majority": judged_by_majority}


def test_what_every_report_has_is_explained_once_and_in_order() -> None:
    found = explanations(report(None, None))
    assert [what for what, _ in found] == ALWAYS
    assert all(how.endswith(".") for _, how in found)


def test_what_few_reports_have_is_explained_where_it_is() -> None:
    names = [what for what, _ in explanations(report(None, 1))]
    assert names == [*ALWAYS[:-1], "shared starts", "in no interval"]
    found = explanations(report(None, judged_by_majority=3))
    assert [what for what, _ in found] == [*ALWAYS, "earlier results"]
    assert found[-1][1].startswith("3 runs were made by an earlier version")


def test_the_method_of_the_intervals_is_named() -> None:
    for method, words in (("t", "Student's t over seeds"), ("bootstrap", "BCa bootstrap over seeds")):
        for what, how in explanations(report(method=method))[:2]:
            assert words in how, what
