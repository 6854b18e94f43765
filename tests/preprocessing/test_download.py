"""The downloader against a server on this machine that drops connections, lies and changes its files."""

import hashlib
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from preprocessing import download
from preprocessing.errors import PreprocessingError
from preprocessing.sources.download import transfer as download_transfer
from preprocessing.sources.download.transfer import MirrorUnavailableError, Transfer
from tests.recorded_progress import recorded

BODY = bytes(range(256)) * 2000


class Mirror:
    """What the server serves, how it misbehaves, and what it was asked."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.etags: dict[str, str] = {}
        self.drop_after: dict[str, list[int]] = {}  # bytes to send before each next drop
        self.statuses: dict[str, list[int]] = {}
        self.ignore_ranges = False
        self.chunked = False
        self.requests: list[tuple[str, str | None]] = []
        self.url = ""


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    state = Mirror()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            state.requests.append((self.path, self.headers.get("Range")))
            if state.statuses.get(self.path):
                self.send_error(state.statuses[self.path].pop(0))
                return
            body = state.files.get(self.path)
            if body is None:
                self.send_error(404)
                return
            start = 0
            wanted = self.headers.get("Range")
            current = self.headers.get("If-Range") in (None, state.etags.get(self.path, '"v1"'))
            if wanted and current and not state.ignore_ranges:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                if start >= len(body):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(body)}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            else:
                self.send_response(200)
            self.send_header("ETag", state.etags.get(self.path, '"v1"'))
            rest = body[start:]
            drops = state.drop_after.get(self.path)
            sent = rest[: drops.pop(0)] if drops else rest
            if state.chunked:
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.write(f"{len(rest):x}\r\n".encode() + sent + (b"\r\n0\r\n\r\n" if sent == rest else b""))
            else:
                self.send_header("Content-Length", str(len(rest)))
                self.end_headers()
                self.wfile.write(sent)
            if len(sent) < len(rest):
                self.close_connection = True

        def do_HEAD(self) -> None:
            state.requests.append((self.path, "HEAD"))
            body = state.files.get(self.path)
            if body is None or state.statuses.get(self.path):
                self.send_error(state.statuses[self.path].pop(0) if body is not None else 404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def run(transfer: Transfer, attempts: int = 3) -> list[tuple[int, int | None]]:
    seen: list[tuple[int, int | None]] = []
    transfer.run(attempts=attempts, pause=0, show=lambda done, total: seen.append((done, total)))
    return seen


def test_dropped_connections_resume_where_they_stopped(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files["/f"] = BODY
    mirror.drop_after["/f"] = [1000, 70_000, 1]
    transfer = Transfer(f"{mirror.url}/f", tmp_path / "new" / "f", hashlib.sha1(BODY).hexdigest())
    seen = run(transfer)
    assert transfer.target.read_bytes() == BODY
    assert [wanted for _, wanted in mirror.requests] == [None, "bytes=1000-", "bytes=71000-", "bytes=71001-"]
    assert seen[-1] == (len(BODY), len(BODY))
    assert sorted(path.name for path in transfer.target.parent.iterdir()) == ["f"]


def test_a_second_run_continues_and_a_third_fetches_nothing(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files["/f"] = BODY
    mirror.drop_after["/f"] = [5000, 0, 0]
    transfer = Transfer(f"{mirror.url}/f", tmp_path / "f", None)
    with pytest.raises(MirrorUnavailableError, match="run the same command again to go on from 5,000 bytes"):
        run(transfer, attempts=2)
    assert not transfer.target.exists()
    run(transfer)
    assert transfer.target.read_bytes() == BODY
    asked = len(mirror.requests)
    assert mirror.requests[-1][1] == "bytes=5000-"
    run(transfer)
    assert mirror.requests[asked:] == [("/f", "HEAD")], "only its length"


def test_another_version_is_not_appended(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files["/f"] = BODY
    mirror.drop_after["/f"] = [5000, 0]
    transfer = Transfer(f"{mirror.url}/f", tmp_path / "f", None)
    with pytest.raises(MirrorUnavailableError):
        run(transfer, attempts=1)
    mirror.files["/f"], mirror.etags["/f"] = BODY[::-1], '"v2"'
    run(transfer)
    assert transfer.target.read_bytes() == BODY[::-1]


def test_a_server_without_ranges_starts_again(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files["/f"] = BODY
    mirror.drop_after["/f"] = [5000]
    mirror.ignore_ranges = True
    transfer = Transfer(f"{mirror.url}/f", tmp_path / "f", None)
    run(transfer)
    assert transfer.target.read_bytes() == BODY


def test_a_chunked_body_that_breaks_is_not_complete(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files["/f"] = BODY
    mirror.drop_after["/f"] = [5000]
    mirror.chunked = True
    transfer = Transfer(f"{mirror.url}/f", tmp_path / "f", None)
    run(transfer)
    assert transfer.target.read_bytes() == BODY
    assert len(mirror.requests) == 2


def test_complete_partial_file_is_taken_over(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files["/f"] = BODY
    transfer = Transfer(f"{mirror.url}/f", tmp_path / "f", hashlib.sha1(BODY).hexdigest())
    transfer.partial.write_bytes(BODY)
    transfer.marker.write_text(f'{{"url": "{transfer.url}", "validator": "\\"v1\\""}}')
    run(transfer)
    assert mirror.requests == [("/f", f"bytes={len(BODY)}-")]
    assert transfer.target.read_bytes() == BODY


def test_wrong_digest_is_thrown_away(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files["/f"] = BODY
    transfer = Transfer(f"{mirror.url}/f", tmp_path / "f", "0" * 40)
    with pytest.raises(PreprocessingError, match=r"not 0{40} as the mirror's sums file says"):
        run(transfer)
    assert list(tmp_path.iterdir()) == []


def test_busy_server_is_asked_again_and_a_missing_file_is_not(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files["/f"] = BODY
    mirror.statuses["/f"] = [503, 429]
    run(Transfer(f"{mirror.url}/f", tmp_path / "f", None))
    assert (tmp_path / "f").read_bytes() == BODY
    with pytest.raises(PreprocessingError, match="answers 404") as caught:
        run(Transfer(f"{mirror.url}/nothing", tmp_path / "g", None))
    assert not isinstance(caught.value, MirrorUnavailableError)


def test_full_disk_is_one_sentence(mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror.files["/f"] = BODY

    def refuse(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download_transfer.os, "replace", refuse)
    with pytest.raises(PreprocessingError, match="no space is left"):
        run(Transfer(f"{mirror.url}/f", tmp_path / "f", None))


def serve_dump(mirror: Mirror, date: str = "20260901", folder: str | None = None) -> dict[str, bytes]:
    parts = {
        f"dewiki-{date}-pages-articles-multistream1.xml-p1p297012.bz2": b"one" * 999,
        f"dewiki-{date}-pages-articles-multistream2.xml-p297013p1262093.bz2": b"two" * 999,
    }
    others = [
        f"dewiki-{date}-pages-articles-multistream.xml.bz2",
        f"dewiki-{date}-pages-articles-multistream-index1.txt-p1p297012.bz2",
        f"dewiki-{date}-pages-articles1.xml-p1p297012.bz2",
        f"dewiki-{date}-stub-articles.xml.gz",
    ]
    sums = "".join(f"{hashlib.sha1(body).hexdigest()}  {name}\n" for name, body in parts.items())
    sums += "".join(f"{'a' * 40}  {name}\n" for name in others)
    folder = folder or date
    mirror.files[f"/dewiki/{folder}/dewiki-{folder}-sha1sums.txt"] = sums.encode()
    mirror.files |= {f"/dewiki/{date}/{name}": body for name, body in parts.items()}
    return parts


@pytest.mark.parametrize("asked", ["20260901", "latest"])
def test_wikipedia_command_fetches_the_parts(mirror: Mirror, tmp_path: Path, asked: str) -> None:
    parts = serve_dump(mirror, folder=asked)
    arguments = ["wikipedia", "--language", "de", "--date", asked, "--mirror", mirror.url, "--output", str(tmp_path)]
    assert download.main(arguments) == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == parts


def test_wikipedia_takes_the_single_file_where_there_are_no_parts(mirror: Mirror, tmp_path: Path) -> None:
    name = "nds-nlwiki-20260901-pages-articles-multistream.xml.bz2".replace("nds-nl", "nds_nl")
    mirror.files["/nds_nlwiki/20260901/nds_nlwiki-20260901-sha1sums.txt"] = f"{'b' * 40}  {name}\n".encode()
    transfers = download.wikipedia_transfers(mirror.url, "nds-nl", "20260901", tmp_path)
    assert [transfer.target.name for transfer in transfers] == [name]


def test_books_command_reads_the_catalogue(mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = "Text#,Type,Issued,Title,Language\n158,Text,1994,Emma,en\n7,Sound,1994,Tune,en\n9,Text,1995,Rede,de\n"
    catalogue += '12,Text,1991,"Through, the Looking-Glass",en\n30,Text,1992,Both,en; de\n105,Text,1994,Persuasion,en\n'
    mirror.files["/cache/epub/feeds/pg_catalog.csv"] = catalogue.encode()
    for number in (12, 105):
        mirror.files[f"/cache/epub/{number}/pg{number}.txt"] = f"Book {number}".encode()
    arguments = ["books", "--language", "en", "--limit", "2", "--mirror", mirror.url, "--output", str(tmp_path)]
    progress = recorded(monkeypatch, download)
    assert download.main(arguments) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"pg12.txt", "pg105.txt"}
    assert progress.ends == [("1/2 pg12.txt", 7, 7), ("2/2 pg105.txt", 8, 8)]


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["wikipedia", "--language", "../x"], "is not a Wikipedia code", 2),
        (["wikipedia", "--date", "yesterday"], "is not a dump's date", 2),
        (["wikipedia", "--language", "fr", "--date", "20260901"], "answers 404", 2),
        (["books"], "answers 404", 2),
        (["books", "--ids", "3", "--mirror", "ftp://x"], "is not an http address", 2),
        (["books", "--ids", "3", "--mirror", "http://127.0.0.1:9", "--attempts", "1"], "cannot be fetched now", 75),
    ],
)
def test_bad_requests_are_one_sentence(
    mirror: Mirror,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
    code: int,
) -> None:
    full = [arguments[0], "--mirror", mirror.url, *arguments[1:], "--output", str(tmp_path), "--pause", "0"]
    assert download.main(full) == code
    complaint = [line for line in capsys.readouterr().err.splitlines() if line.startswith("download:")]
    assert len(complaint) == 1
    assert message in complaint[0]


def test_dump_without_articles_says_so(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files["/enwiki/20260901/enwiki-20260901-sha1sums.txt"] = b"0" * 40 + b"  enwiki-20260901-stub.xml.gz\n"
    with pytest.raises(PreprocessingError, match="names no article file"):
        download.wikipedia_transfers(mirror.url, "en", "20260901", tmp_path)


def test_a_missing_book_keeps_no_other_from_being_fetched(
    mirror: Mirror, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 3):
        mirror.files[f"/cache/epub/{number}/pg{number}.txt"] = BODY
    options = ["books", "--ids", "1", "2", "3", "4", "--mirror", mirror.url, "--output", str(tmp_path / "books")]
    assert download.main(options) == 2
    said = capsys.readouterr()
    assert said.out.splitlines() == [str(tmp_path / "books" / f"pg{number}.txt") for number in (1, 3)]
    assert "2 faults:" in said.err
    for number in (2, 4):
        assert f"/pg{number}.txt answers 404" in said.err


def test_a_mirror_that_is_down_is_not_asked_for_every_book(mirror: Mirror, tmp_path: Path) -> None:
    mirror.statuses = {f"/cache/epub/{number}/pg{number}.txt": [503] * 9 for number in range(1, 9)}
    options = ["books", "--ids", *map(str, range(1, 9)), "--mirror", mirror.url, "--output", str(tmp_path)]
    assert download.main([*options, "--attempts", "1", "--pause", "0"]) == 75
    assert len(mirror.requests) == download.UNANSWERED


def test_a_book_that_does_not_answer_now_keeps_no_other(mirror: Mirror, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        mirror.files[f"/cache/epub/{number}/pg{number}.txt"] = BODY
    mirror.statuses["/cache/epub/2/pg2.txt"] = [503]
    options = ["books", "--ids", "1", "2", "3", "--mirror", mirror.url, "--output", str(tmp_path), "--attempts", "1"]
    assert download.main([*options, "--pause", "0"]) == 75
    assert sorted(path.name for path in tmp_path.glob("*.txt")) == ["pg1.txt", "pg3.txt"]
    assert download.main(options) == 0


@pytest.mark.parametrize("sha1", [hashlib.sha1(BODY).hexdigest(), None], ids=["sums", "lengths"])
def test_what_is_there_already_is_checked(mirror: Mirror, tmp_path: Path, sha1: str | None) -> None:
    mirror.files["/f"] = BODY
    transfer = Transfer(f"{mirror.url}/f", tmp_path / "f", sha1)
    transfer.target.write_bytes(BODY[:-1])
    with pytest.raises(PreprocessingError, match="is there and is not what"):
        run(transfer)
    assert transfer.target.read_bytes() == BODY[:-1], "it may be somebody's own"
    transfer.target.write_bytes(BODY)
    assert run(transfer) == [(len(BODY), len(BODY))]


@pytest.mark.parametrize(
    ("before", "after", "refused"),
    [
        ("https://a/x", "http://a/x", True),
        ("https://a/x", "https://b/x", False),
        ("http://a/x", "http://b/x", False),
        ("http://a/x", "https://b/x", False),
        ("http://a/x", "ftp://b/x", True),
        ("https://a/x", "file:///etc/passwd", True),
    ],
)
def test_redirections_never_leave_https(before: str, after: str, refused: bool) -> None:
    handler = download_transfer._NoDowngrade()
    arguments = (urllib.request.Request(before), None, 302, "Found", {}, after)
    if refused:
        with pytest.raises(PreprocessingError, match="which is not https"):
            handler.redirect_request(*arguments)
    else:
        assert handler.redirect_request(*arguments) is not None
