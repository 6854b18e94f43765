"""Cut and read apart gives what reading in one go gives, for each source and format; and what is broken stays so."""

import bz2
import gzip
import json
import random
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from preprocessing.errors import PreprocessingError
from preprocessing.sources.options import ReaderOptions
from preprocessing.sources.seeking.cutting import cut_dump, cut_lines
from preprocessing.sources.seeking.opening import BZIP2_BLOCKS
from preprocessing.sources.seeking.seek_points import NotSeekableError
from preprocessing.sources.split import Split
from preprocessing.wikitext.options import WikitextOptions

from .conftest import FORMATS, TEXTS, Documents, read, whole_file, words

BOUNDARIES = {"jsonlines": (b"\n",), "sentences": (b"\n\n", b"\n\r\n")}


def cut(whole: Split, split_bytes: int) -> list[Split]:
    if whole.source == "wikipedia":
        return cut_dump(whole, split_bytes)
    return cut_lines(whole, split_bytes, BOUNDARIES[whole.source], is_text=whole.source == "sentences")


def cut_if_possible(whole: Split, split_bytes: int) -> list[Split]:
    try:
        return cut(whole, split_bytes)
    except NotSeekableError:
        return [whole]


def outcome(pieces: list[Split], options: ReaderOptions | None = None) -> Documents | str:
    try:
        return read(pieces, options)
    except PreprocessingError as error:
        return str(error)


@pytest.mark.parametrize("source", TEXTS)
@pytest.mark.parametrize("format_", FORMATS)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1 << 32), split_bytes=st.sampled_from([1_000, 20_000, 60_000]))
def test_cut_reading_is_whole_reading(tmp_path: Path, source: str, format_: str, seed: int, split_bytes: int) -> None:
    generator = random.Random(seed)
    path = tmp_path / "input"
    path.write_bytes(FORMATS[format_](generator, TEXTS[source](generator, 400_000)))
    whole = whole_file(source, path)
    assert whole.compression == format_
    pieces = cut_if_possible(whole, split_bytes)
    assert sum(piece.size for piece in pieces) == whole.size
    assert all(left.end == right.start for left, right in pairwise(pieces))
    assert len({piece.key for piece in pieces}) == len(pieces)
    assert [Split.from_json(json.loads(json.dumps(piece.to_json()))) for piece in pieces] == pieces
    assert read(pieces) == read([whole])


@pytest.mark.parametrize("source", TEXTS)
@pytest.mark.parametrize("format_", FORMATS)
def test_what_can_be_cut_is_cut(tmp_path: Path, generator: random.Random, source: str, format_: str) -> None:
    path = tmp_path / "input"
    text = TEXTS[source](generator, 1_000_000)
    stream = {
        "bz2": lambda: bz2.compress(text, 1),
        "gzip": lambda: gzip.compress(text),
        "xz": lambda: FORMATS["xz"](random.Random(5), text),
        "zstd": lambda: b"".join(zstandard.compress(text[at : at + 90_000]) for at in range(0, len(text), 90_000)),
    }[format_]()
    path.write_bytes(stream)
    whole = whole_file(source, path)
    pieces = cut(whole, len(stream) // 10)
    assert len(pieces) >= 5
    # No piece but the last is much longer than asked for, as far as the format allows.
    if format_ in ("bz2", "gzip"):
        assert max(piece.size for piece in pieces) < len(stream) // 10 + 80_000
    assert read(pieces) == read([whole])
    # Each is read without the others, in any order.
    shuffled = generator.sample(range(len(pieces)), len(pieces))
    apart = {number: read([pieces[number]])[0] for number in shuffled}
    assert [document for number in range(len(pieces)) for document in apart[number]] == read([whole])[0]


@pytest.mark.parametrize(
    ("command", "suffix"),
    [
        (["bzip2", "-1"], ".bz2"),
        (["bzip2", "-9"], ".bz2"),
        (["gzip", "-1"], ".gz"),
        (["gzip", "-9"], ".gz"),
        (["pigz"], ".gz"),
        (["bgzip"], ".gz"),
        (["xz", "-1", "-T2", "--block-size=100000"], ".xz"),
        (["pixz"], ".xz"),
        (["pzstd"], ".zst"),
    ],
)
@pytest.mark.parametrize("source", TEXTS)
def test_files_of_the_real_tools(
    tmp_path: Path, generator: random.Random, source: str, command: list[str], suffix: str
) -> None:
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    path = tmp_path / "input"
    head, *body, tail = TEXTS[source](generator, 700_000).splitlines(keepends=True)
    # bzip2 -9 has blocks of 900 kB, pzstd frames of 8 MB.
    path.write_bytes(head + b"".join(body) * (15 if command == ["pzstd"] else 4) + tail)
    subprocess.run([*command, str(path)], check=True, stderr=subprocess.DEVNULL)
    whole = whole_file(source, path.with_name("input" + suffix))
    pieces = cut(whole, 100_000)
    assert len(pieces) > 1
    assert read(pieces) == read([whole])


@pytest.mark.parametrize("format_", ["bz2", "gzip"])
def test_a_page_across_several_borders(tmp_path: Path, generator: random.Random, format_: str) -> None:
    page = "<page><title>T{0}</title><ns>0</ns><id>{0}</id><revision><id>1</id><text>{1}</text></revision></page>\n"
    pages = [page.format(n, words(generator, 60_000 if n == 2 else 500)) for n in range(1, 9)]
    text = "<mediawiki><siteinfo></siteinfo>\n" + "".join(pages) + "</mediawiki>\n"
    path = tmp_path / "input"
    path.write_bytes(bz2.compress(text.encode(), 1) if format_ == "bz2" else gzip.compress(text.encode()))
    whole = whole_file("wikipedia", path)
    pieces = cut(whole, 30_000)
    owned = [[locator for locator, _, _ in read([piece])[0]] for piece in pieces]
    assert [locator for found in owned for locator in found] == [str(n) for n in range(1, 9)]
    assert owned.count([]) >= 3  # the ranges that lie inside the long page own none
    assert read(pieces) == read([whole])


@pytest.mark.parametrize("shift", range(8))
def test_a_tag_across_a_border_belongs_to_the_range_it_begins_in(tmp_path: Path, shift: int) -> None:
    """Pages whose `<page>` stands at every place around the end of a block of 100 kB."""
    generator = random.Random(shift)
    head = b"<mediawiki><siteinfo></siteinfo>\n"
    page = b"<page><title>A</title><ns>0</ns><id>%d</id><revision><text>%s</text></revision></page>"
    # A block of level 1 holds 100,000 - 19 bytes, where no run of equal bytes is shortened.
    room = 99_981 - shift - len(head) - len(page % (1, b""))
    filler = "".join(generator.choice("abcdefg") + generator.choice("hijklmn") for _ in range(50_000)).encode()[:room]
    text = head + page % (1, filler) + page % (2, b"second") + page % (3, filler) + b"</mediawiki>"
    path = tmp_path / "input"
    path.write_bytes(bz2.compress(text, 1))
    pieces = cut(whole_file("wikipedia", path), 1_000)
    assert len(pieces) == 2
    assert [locator for locator, _, _ in read(pieces[:1])[0]] == (["1", "2"] if shift else ["1"])
    assert read(pieces) == read([whole_file("wikipedia", path)])


@pytest.mark.parametrize("source", TEXTS)
@pytest.mark.parametrize("format_", FORMATS)
def test_damage_is_said_or_does_no_harm(tmp_path: Path, generator: random.Random, source: str, format_: str) -> None:
    """A flipped bit: the text of a range is either what was compressed, or there is the sentence of whole reading."""
    path = tmp_path / "input"
    stored = FORMATS[format_](random.Random(11), TEXTS[source](generator, 300_000))
    path.write_bytes(stored)
    right = read([whole_file(source, path)])
    places = [*range(4, 40, 5), *range(len(stored) - 30, len(stored), 3)]
    for place in places + [generator.randrange(len(stored)) for _ in range(25)]:
        broken = bytearray(stored)
        broken[place] ^= 1 << generator.randrange(8)
        path.write_bytes(broken)
        whole = whole_file(source, path)
        if whole.compression != format_:
            continue
        expected, found = outcome([whole]), outcome(cut_if_possible(whole, 20_000))
        if isinstance(expected, str) and found != right:
            assert isinstance(found, str), place
            assert found == expected or found.startswith(("input is damaged near", "input ends ")), (place, found)
        elif not isinstance(expected, str):
            assert found == expected, place


@pytest.mark.parametrize("source", TEXTS)
@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("tail", [b"", b"garbage behind the end", bytes(512)])
def test_ends_that_are_none(tmp_path: Path, generator: random.Random, source: str, format_: str, tail: bytes) -> None:
    """Truncated, or with something behind: the same documents or the same sentence as in one go."""
    path = tmp_path / "input"
    stored = FORMATS[format_](random.Random(3), TEXTS[source](generator, 300_000))
    for length in (len(stored), len(stored) - 1, len(stored) - 9, len(stored) // 2, 40):
        path.write_bytes(stored[:length] + tail)
        whole = whole_file(source, path)
        assert outcome(cut_if_possible(whole, 20_000)) == outcome([whole]), length


def test_complete_pages_of_a_truncated_dump_are_kept(tmp_path: Path, generator: random.Random) -> None:
    stored = bz2.compress(TEXTS["wikipedia"](generator, 500_000), 1)
    path = tmp_path / "input"
    path.write_bytes(stored[: len(stored) * 2 // 3])
    whole = whole_file("wikipedia", path)
    options = ReaderOptions(wikitext=WikitextOptions(accept_truncated=True))
    found, tally = read(cut_if_possible(whole, 20_000), options)
    assert (found, tally) == read([whole], options)
    assert len(found) > 3
    assert tally["counters"]["truncated_files"] == 1


def test_a_mark_that_is_none_cuts_nothing(
    tmp_path: Path, generator: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block's mark by chance inside a block: planning sees that the checksums do not add up."""
    from preprocessing.sources.seeking import bzip2_marks

    path = tmp_path / "input"
    path.write_bytes(bz2.compress(TEXTS["wikipedia"](generator, 500_000), 1))
    whole = whole_file("wikipedia", path)
    assert len(cut(whole, 20_000)) > 3
    real = bzip2_marks.find_marks
    monkeypatch.setattr(bzip2_marks, "find_marks", lambda data, start=0: sorted([*real(data, start), (99_999, False)]))
    with pytest.raises(NotSeekableError):
        cut(whole, 20_000)


def test_a_point_that_decodes_to_nothing_cuts_nothing(
    tmp_path: Path, generator: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checksums that add up by intent: each cut's block is decoded before it is believed."""
    from preprocessing.sources.seeking import bzip2_marks, cutting

    path = tmp_path / "input"
    path.write_bytes(bz2.compress(TEXTS["wikipedia"](generator, 500_000), 1))
    points = bzip2_marks.bzip2_points(path.open("rb"), path.stat().st_size, 20_000)
    false = [points[0], bzip2_marks.SeekPoint(points[1].bit + 7), *points[2:]]
    monkeypatch.setattr(cutting, "bzip2_points", lambda *arguments: false)
    with pytest.raises(NotSeekableError):
        cut(whole_file("wikipedia", path), 20_000)
    assert cut_if_possible(whole_file("wikipedia", path), 20_000)[0].compression != BZIP2_BLOCKS


@pytest.mark.parametrize("text", [b"no line feed at all " * 40_000, b"lines\nwithout\nblank ones\n" * 30_000])
def test_text_without_a_boundary_is_one_piece(tmp_path: Path, generator: random.Random, text: bytes) -> None:
    path = tmp_path / "input"
    noise = words(generator, 30_000).encode()
    path.write_bytes(gzip.compress(text + noise + text))
    with pytest.raises(NotSeekableError, match="has no blank line to cut at"):
        cut(whole_file("sentences", path), 10_000)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_text_that_is_not_utf8_is_one_piece(tmp_path: Path, generator: random.Random, encoding: str) -> None:
    text = "\n\n".join(words(generator, 50) for _ in range(2000)).replace("漢", "ü")
    path = tmp_path / "input"
    path.write_bytes(gzip.compress(text.encode(encoding)))
    whole = whole_file("sentences", path)
    assert cut_if_possible(whole, 20_000) == [whole]


def test_one_block_one_frame_and_one_member_are_not_cut(tmp_path: Path, generator: random.Random) -> None:
    import lzma

    text = TEXTS["jsonlines"](generator, 300_000)
    for stored, reason in (
        (lzma.compress(text), "`xz -T0` writes many"),
        (zstandard.compress(text), "`pzstd` writes many"),
        (bz2.compress(text[:50_000]), "is one block"),
    ):
        path = tmp_path / "input"
        path.write_bytes(stored)
        with pytest.raises(NotSeekableError, match=reason):
            cut(whole_file("jsonlines", path), 5_000)
