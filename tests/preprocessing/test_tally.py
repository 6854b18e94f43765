"""The books of what went in, came out and was dropped."""

import json
import random

from preprocessing.tally import LOST_TEMPLATES_KEPT, OTHER_TEMPLATES, PLACED_TEMPLATES, SAMPLE_SIZE, Tally


def filled(first: int, records: int) -> Tally:
    tally = Tally()
    for number in range(first, first + records):
        tally.count("documents_in")
        if number % 3 == 0:
            tally.reject(f"file#{number:05}", "broken")
        elif number % 3 == 1:
            tally.count("dropped.redirect")
        else:
            tally.count("documents_out")
        tally.lose_template(f"t{number % 5}", number)
        tally.note(f"file#{number:05}", "guessed", "files.guessed")
        tally.lose_part(f"file#{number:05}", "a part is lost", "parts_lost", 2)
    return tally


def test_the_books_balance() -> None:
    tally = filled(0, 90)
    assert tally.dropped == {"malformed": 30, "redirect": 30}
    assert (tally.documents_in, tally.documents_out, tally.unaccounted) == (90, 30, 0)
    tally.count("documents_in")
    assert tally.unaccounted == 1


def test_merging_does_not_depend_on_the_order() -> None:
    parts = [filled(first, 400) for first in range(0, 4_000, 400)]
    totals = []
    for seed in range(5):
        shuffled = random.Random(seed).sample(parts, len(parts))
        total = Tally()
        for part in shuffled:
            total.merge(part)
        totals.append(total.to_json())
    assert all(total == totals[0] for total in totals)
    assert len(totals[0]["rejections"]) == SAMPLE_SIZE
    assert len(totals[0]["damage"]) == SAMPLE_SIZE
    assert totals[0]["damage"][1] == {"locator": "file#00001", "reason": "a part is lost"}
    assert totals[0]["counters"]["parts_lost"] == 2 * 4_000
    assert totals[0]["rejections"][0] == {"locator": "file#00000", "reason": "broken"}
    assert len(totals[0]["notes"]) == SAMPLE_SIZE
    assert totals[0]["notes"][-1] == {"locator": f"file#{SAMPLE_SIZE - 1:05}", "reason": "guessed"}
    assert totals[0]["counters"]["files.guessed"] == 4_000
    assert totals[0]["counters"]["dropped.malformed"] == sum(part.counters["dropped.malformed"] for part in parts)


def test_it_travels_as_json() -> None:
    tally = filled(0, 1_000)
    data = json.loads(json.dumps(tally.to_json()))
    assert Tally.from_json(data).to_json() == tally.to_json()
    del data["damage"]  # as in folders of before it was kept
    assert Tally.from_json(data).rejections == tally.rejections


def test_without_notes_it_says_nothing_of_them() -> None:
    assert Tally().to_json().keys() == {"counters", "rejections", "damage", "lost_templates"}
    assert Tally.from_json(Tally().to_json()).notes == []


def test_only_the_templates_that_lost_most_are_named() -> None:
    tally = Tally()
    for number in range(LOST_TEMPLATES_KEPT + 10):
        tally.lose_template(f"t{number}", number + 1)
    lost = tally.to_json()["lost_templates"]
    assert len(lost) == LOST_TEMPLATES_KEPT + 1
    assert lost[OTHER_TEMPLATES] == sum(range(1, 11))
    assert sum(lost.values()) == tally.lost_templates.total()


def test_places_of_templates_inside_text() -> None:
    parts = []
    for number in range(6):
        part = Tally()
        part.lose_template("inline", 10, 4, f"dump#{number}")
        part.lose_template("block", 100)
        parts.append(part)
    totals = []
    for order in (parts, parts[::-1]):
        total = Tally()
        for part in order:
            total.merge(Tally.from_json(json.loads(json.dumps(part.to_json()))))
        totals.append(total.to_json())
    assert totals[0] == totals[1]
    assert totals[0]["inline_templates"] == {"inline": 24}
    assert totals[0]["template_places"] == {"inline": ["dump#0", "dump#1", "dump#2"]}


def test_only_the_first_templates_have_places() -> None:
    tally = Tally()
    for number in range(PLACED_TEMPLATES + 5):
        tally.lose_template(f"t{number}", 1, number + 1, "dump#1")
    assert len(tally.to_json()["template_places"]) == PLACED_TEMPLATES
    assert "t0" not in tally.to_json()["template_places"]
