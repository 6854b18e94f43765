"""Damaged files, thousands of them: every reader says in a sentence what is wrong, or counts it, and goes on.

For every input of every reader: nothing is raised but PreprocessingError, documents in are documents out and dropped,
no input takes 5 seconds of a processor, memory stays below a bound, and a file that is cut into ranges holds what it
holds in one.
"""

import bz2
import faulthandler
import gzip
import importlib.util
import io
import json
import lzma
import signal
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.demo.sample_corpus import DUMP
from preprocessing.errors import PreprocessingError, TransientError
from preprocessing.sources.decompression import detect_compression
from preprocessing.sources.options import InputOptions, LimitOptions, ReaderOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.readers import reader_of
from preprocessing.sources.split import Split
from preprocessing.tally import Tally
from preprocessing.wikitext.options import WikitextOptions
from tests.preprocessing.sources.mutations import mutations

INPUTS = 2000
SECONDS = 5
HANGS_AFTER = 120
"""Seconds after which the process is ended: what hangs inside a library cannot be interrupted."""
MEMORY = 96 << 20
"""Bytes that reading a file of some kilobytes may take at most, libraries included, whatever it says of itself:
512 stored bytes of Zstandard may be 16 MB, and each stream has buffers of 1 to 8 MiB."""
OPTIONS = ReaderOptions(
    wikitext=WikitextOptions(page_limit_bytes=1 << 16),
    limits=LimitOptions(line_bytes=1 << 12, document_characters=1 << 12),
)
FUZZ = settings(
    max_examples=INPUTS,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)

pytestmark = pytest.mark.slow

Found = list[tuple[str, str, list[str]]]


# What is damaged -----------------------------------------------------------------------------------------------------


def dump() -> bytes:
    head = (
        '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="de">\n  <siteinfo>\n'
        '    <namespaces>\n      <namespace key="0" case="first-letter" />\n      <namespace key="6" '
        'case="first-letter">Datei</namespace>\n    </namespaces>\n  </siteinfo>\n'
    )
    pages = []
    for number in range(1, 13):
        text = (
            f"'''Seite {number}''' ist [[Ziel|ein Ziel]] &amp; mehr &lt;ref&gt;x&lt;/ref&gt; &#x1F600;. == Ä ==\n"
            * number
        )
        slot = "<content><role>x</role><model>json</model><text>{}</text></content>" if number % 4 == 0 else ""
        pages.append(
            f"  <page>\n    <title>Seite {number}</title>\n    <ns>0</ns>\n    <id>{number}</id>\n"
            + ('    <redirect title="Ziel" />\n' if number % 5 == 0 else "")
            + f"    <revision>\n      <id>{number}0</id>\n      <model>wikitext</model>\n"
            f'      <text bytes="{len(text)}" xml:space="preserve">{text}</text>\n      {slot}\n'
            "    </revision>\n  </page>\n"
        )
    return (head + "".join(pages) + "</mediawiki>\n").encode()


def real_dump() -> bytes:
    """Head and shortest pages of the excerpt of English Wikipedia that gensim carries; without it a made one."""
    package = importlib.util.find_spec("gensim")
    file = Path(package.origin or "").parent / DUMP if package else Path()
    if not file.is_file():
        return dump()
    with bz2.open(file) as stream:
        head, *pages = stream.read().split(b"  <page>")
    shortest = sorted(pages, key=len)[:20]
    return b"  <page>".join([head, *shortest[::2]]) + b"</mediawiki>\n"


def rows() -> bytes:
    def row(number: int) -> str:
        text = f"Zeile {number}: hier steht ein Satz. " * (number % 7) + ("\n\nAbsatz. " if number % 3 else "ü")
        return json.dumps(
            {"text": text, "title": f"T{number}", "n": [number, {"a": None}]}, ensure_ascii=number % 2 == 0
        )

    return "\r\n".join(map(row, range(40))).encode() + b"\n"


def sentences() -> bytes:
    lines = [f"Satz {number} steht für sich, „so“ wie er ist." for number in range(60)]
    lines[::4] = [f"{line}\n" for line in lines[::4]]
    return "\n".join(lines).encode()


def parquet(**options: object) -> bytes:
    texts = pa.array([None if n % 9 == 8 else f"Zeile {n} ist lang genug, " * (n % 5) for n in range(60)])
    table = pa.table({"n": range(60), "text": texts, "title": texts.dictionary_encode()})
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=20, **options)
    return sink.getvalue()


PARQUET = [
    parquet(),
    parquet(compression="zstd", data_page_version="2.0", use_dictionary=False),
    parquet(compression="none", write_page_checksum=True, store_schema=False),
]
SKIPPABLE = struct.pack("<II", 0x184D2A51, 9) + b"something"
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "bz2": bz2.compress,
    "gzip": gzip.compress,
    "xz": lambda data: lzma.compress(data, preset=0),
    "zstd": lambda data: zstandard.ZstdCompressor(write_checksum=True).compress(data),
}


def in_streams(data: bytes, compress: Callable[[bytes], bytes], between: bytes = b"") -> bytes:
    third = len(data) // 3
    return between.join(compress(part) for part in (data[:third], data[third : 2 * third], data[2 * third :]))


# What must hold ------------------------------------------------------------------------------------------------------


@contextmanager
def watched() -> Iterator[None]:
    """Fails by an input that takes too long or too much."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"one input took more than {SECONDS} seconds of the processor")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    faulthandler.dump_traceback_later(HANGS_AFTER, exit=True)
    held = _forget_peak()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        faulthandler.cancel_dump_traceback_later()
    assert _resident("VmHWM") < held + MEMORY


def _forget_peak() -> int:
    """Bytes of memory that the process holds; its peak is counted from here on (proc(5), `clear_refs`)."""
    Path("/proc/self/clear_refs").write_text("5")
    return _resident("VmRSS")


def _resident(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))


def read(pieces: list[Split]) -> tuple[Found, list[str], Tally]:
    """Documents, what was wrong with the file, counters."""
    found: Found = []
    faults: list[str] = []
    tally = Tally()
    for piece in pieces:
        try:
            for document in reader_of(piece.source)(piece, OPTIONS, tally):
                found.append((document.locator, document.title, document.paragraphs))
        except TransientError:
            raise
        except PreprocessingError as error:
            faults.append(str(error))
    assert not [fault for fault in faults if "\n" in fault]
    assert tally.documents_in == len(found) + sum(tally.dropped.values())
    return found, faults, tally


def survive(source: str, path: Path, data: bytes, split_bytes: int) -> None:
    if not data:
        return  # an empty file is refused before anybody reads it
    path.write_bytes(data)
    with watched():
        compression = "" if source == "parquet" else detect_compression(str(path))
        end = 1 << 40 if source == "parquet" else len(data)
        whole, faults, _ = read([Split(source, str(path), path.name, 0, end, compression)])
        inputs = InputOptions(**{source: (str(path),)}, skip_bad_files=True)
        cut, cut_faults, _ = read([piece for split in plan_splits(inputs, split_bytes) for piece in split.pieces()])
        if not faults:
            assert (cut, cut_faults) == (whole, [])
        elif whole:  # of a file without one good row that is said only where it is read in one piece
            assert cut_faults


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "file.dat"


@FUZZ
@given(st.sampled_from([dump(), real_dump()]).flatmap(lambda data: mutations(data, [rows()])))
def test_dumps(path: Path, data: bytes) -> None:
    survive("wikipedia", path, data, 1500)


@FUZZ
@given(mutations(rows(), [dump()]))
def test_json_lines(path: Path, data: bytes) -> None:
    survive("jsonlines", path, data, 700)


@FUZZ
@given(
    st.sampled_from(
        [sentences(), sentences().decode().encode("cp1252"), sentences().decode().encode("utf-16")]
    ).flatmap(mutations)
)
def test_sentence_lines(path: Path, data: bytes) -> None:
    survive("sentences", path, data, 1 << 20)  # of other encodings than UTF-8 a range may be told otherwise


@FUZZ
@given(st.sampled_from(PARQUET).flatmap(lambda data: mutations(data, PARQUET)))
def test_parquet(path: Path, data: bytes) -> None:
    survive("parquet", path, data, 600)


@pytest.mark.parametrize("compression", COMPRESS)
def test_compressed_rows(path: Path, compression: str) -> None:
    data = in_streams(
        rows(), COMPRESS[compression], {"gzip": bytes(7), "xz": bytes(4), "zstd": SKIPPABLE}.get(compression, b"")
    )

    @FUZZ
    @given(mutations(data, [COMPRESS[name](rows()) for name in COMPRESS]))
    def fuzz(damaged: bytes) -> None:
        survive("jsonlines", path, damaged, 200)

    fuzz()


@pytest.mark.parametrize("compression", COMPRESS)
def test_compressed_dumps(path: Path, compression: str) -> None:
    data = in_streams(dump(), COMPRESS[compression])

    @FUZZ
    @given(mutations(data, [COMPRESS[compression](dump())]))
    def fuzz(damaged: bytes) -> None:
        survive("wikipedia", path, damaged, 200)

    fuzz()
