import json
from pathlib import Path

import pytest

from preprocessing.report import main
from preprocessing.shards.manifest import Manifest
from preprocessing.shards.report import summarise
from preprocessing.shards.report_page import render
from preprocessing.tally import Tally


def test_figures_by_hand(shard_folder: Path):
    summary = summarise(Manifest.read(shard_folder))
    train = summary["examples"]["train/16"]
    assert train["fill"] == pytest.approx(20 / 32)
    assert train["random_share"] == 0.5
    assert train["mask_rate"] == pytest.approx(3 / 13)  # 11 words of one piece and one of two
    assert train["mask_rate_by_word_length"] == {1: pytest.approx(2 / 11), 2: 0.5}
    assert train["shown_as_mask"] == pytest.approx(1 / 3)
    assert train["length_histogram"] == {10: 2}
    assert summary["documents"] == {
        "in": 9,
        "out": 2,
        "dropped": {"duplicate": 2, "malformed": 1, "redirect": 4},
        "heldout": 0,
    }
    assert summary["duplicates"] == {"duplicate": 2}
    assert summary["unknown_share"] == pytest.approx(1 / 14)
    assert summary["sources"]["sentences"]["unknown_share"] == pytest.approx(0.1)
    assert summary["lost_templates"] == [{"name": "cost $ of {x}", "characters": 12, "inline": 0, "places": []}]


def test_templates_that_left_a_hole_in_a_sentence_stand_first(shard_folder: Path):
    manifest = Manifest.read(shard_folder)
    tally = Tally.from_json(manifest.tally)
    for number in range(30):
        tally.lose_template(f"infobox {number}", 1_000)
    tally.lose_template("small hole", 5, 5, "dump#2")
    tally.lose_template("hole", 30, 20, "dump#1")
    manifest = manifest.model_copy(update={"tally": tally.to_json()})
    rows = summarise(manifest)["lost_templates"]
    assert len(rows) == 20
    assert rows[0] == {"name": "hole", "characters": 30, "inline": 20, "places": ["dump#1"]}
    assert [row["name"] for row in rows[1:3]] == ["small hole", "infobox 0"]
    page = render(summarise(manifest))
    assert "dump#1" in page
    assert "--template-map" in page


def test_page_and_json_are_written_and_agree(shard_folder: Path, tmp_path: Path):
    assert main([str(shard_folder), "--output", str(tmp_path / "out")]) == 0
    summary = json.loads((tmp_path / "out" / "report.json").read_text())
    page = (tmp_path / "out" / "report.html").read_text()
    assert summary["fingerprint"] in page
    assert "62.5%" in page  # the fill
    assert "redirect" in page
    assert "[MASK] → cat" in page  # a row of the build, though the report goes elsewhere
    assert "<script" not in page
    assert "http://" not in page


def test_names_from_the_data_cannot_become_markup(shard_folder: Path):
    path = shard_folder / "manifest.json"
    path.write_text(path.read_text().replace("no text", "<b>no</b>").replace("cost $ of {x}", "<i>x</i>"))
    page = render(summarise(Manifest.read(shard_folder)))
    assert "<b>no" not in page
    assert "<i>x" not in page
    assert "&lt;b&gt;no" in page


def test_an_incomplete_folder_is_refused(shard_folder: Path, capsys):
    (shard_folder / "manifest.json").unlink()
    assert main([str(shard_folder)]) == 2
    assert "not complete" in capsys.readouterr().err
    assert not (shard_folder / "report.html").exists()
