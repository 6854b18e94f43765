"""The books of what went in, came out and was dropped."""

import json
import random

from preprocessing.tally import LOST_TEMPLATES_KEPT, OTHER_TEMPLATES, PLACES_OF_A_KIND, SAMPLE_SIZE, Tally


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
    assert totals[0]["damage"][1] == {"locator": "file#00001", "reason": "a part is lost", "kind": "parts_lost"}
    assert totals[0]["counters"]["parts_lost"] == 2 * 4_000
    assert totals[0]["rejections"][0] == {"locator": "file#00000", "reason": "broken", "kind": "malformed"}
    assert len(totals[0]["notes"]) == SAMPLE_SIZE
    assert totals[0]["notes"][-1] == {
        "locator": f"file#{SAMPLE_SIZE - 1:05}",
        "reason": "guessed",
        "kind": "files.guessed",
    }
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


def test_what_is_known_of_templates_does_not_depend_on_the_splits() -> None:
    """One is rare in every split, and yet among those that lost most in all."""
    parts = []
    for number in range(10):
        part = Tally()
        for other in range(150):
            part.lose_template(f"t{number}-{other}", 5, 5, f"dump#{number}")
        part.lose_template("rare", 1, 1, f"dump#{number}")
        parts.append(part)
    whole, joined = Tally(), Tally()
    for part in parts:
        whole.merge(part)
        joined.merge(Tally.from_json(json.loads(json.dumps(part.to_json()))))
    assert joined.to_json() == whole.to_json()
    assert joined.to_json()["template_places"]["rare"] == ["dump#0", "dump#1", "dump#2"]


def test_of_templates_inside_text_too_the_rest_is_summed() -> None:
    tally = Tally()
    for number in range(LOST_TEMPLATES_KEPT + 10):
        tally.lose_template(f"t{number}", 3000, number + 1, "dump#1")
    data = tally.to_json()
    assert data["inline_templates"][OTHER_TEMPLATES] == sum(range(1, 11))
    assert len(data["template_places"]) == LOST_TEMPLATES_KEPT
    twice = Tally.from_json(data)
    twice.merge(Tally.from_json(data))
    assert twice.to_json()["inline_templates"][OTHER_TEMPLATES] == 2 * sum(range(1, 11))


def test_a_rare_kind_keeps_places_behind_a_full_sample() -> None:
    parts = []
    for start in range(0, 1000, 100):
        part = Tally()
        for number in range(start, start + 100):
            part.reject(f"a#{number:04d}", "shares words", "contaminated")
        part.reject(f"b#{start:04d}", "broken")
        parts.append(part)
    for order in (parts, parts[::-1]):
        total = Tally()
        for part in order:
            total.merge(part)
        assert [r.kind for r in total.rejections] == ["contaminated"] * SAMPLE_SIZE + ["malformed"] * PLACES_OF_A_KIND
        assert [r.locator for r in total.rejections][-PLACES_OF_A_KIND:] == ["b#0000", "b#0100", "b#0200"]


def test_a_place_can_be_stored_whatever_the_file_is_called() -> None:
    tally = Tally()
    name = b"caf\xe9.txt".decode("utf-8", "surrogateescape")
    tally.reject(name, f"{name} is not UTF-8", "bad_file")
    tally.lose_part(name, "é", "damaged.x")
    tally.note(name, "é", "x")
    for place in (*tally.rejections, *tally.damage, *tally.notes):
        assert place.locator == "caf\\udce9.txt"
        assert place.reason.encode() in (b"caf\\udce9.txt is not UTF-8", "é".encode())
