"""One file over HTTP: resumed by ranges, checked, and renamed when complete."""

import hashlib
import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preprocessing.atomic_file import write_text, writing_failed
from preprocessing.errors import PreprocessingError

_AGENT = "bert-pretraining-download/1.0 (resumable dump fetcher)"
_TIMEOUT_SECONDS = 60
_BLOCK_BYTES = 1 << 20
_TEXT_BYTES = 16 << 20
# What a later try may mend; any other answer of 4xx will stay as it is.
_PASSING = frozenset((408, 425, 429, 500, 502, 503, 504))
_TRANSPORT = (OSError, http.client.HTTPException)


class MirrorUnavailableError(PreprocessingError):
    """The mirror does not answer now; the same command may succeed later."""

    exit_code = 75


@dataclass(frozen=True, slots=True)
class Transfer:
    """A file to fetch. `sha1` is its hexadecimal digest, or None where the mirror publishes none."""

    url: str
    target: Path
    sha1: str | None

    @property
    def partial(self) -> Path:
        """Where the bytes are gathered."""
        return self.target.with_name(self.target.name + ".partial")

    @property
    def marker(self) -> Path:
        """What the server said of the file when the partial one was begun: another version is never appended."""
        return self.target.with_name(self.target.name + ".partial.json")

    def run(self, *, attempts: int, pause: float, show: Callable[[int, int | None], None]) -> None:
        """Fetches the file unless `target` is there and right; `show(done, total)` hears of progress in bytes.

        Gives up after `attempts` tries in a row that brought no new byte, waiting `pause` seconds, then twice as
        long, and so on up to a minute. Raises MirrorUnavailableError then, PreprocessingError for an address that
        is not there, a disk that is full, a digest that differs (the bytes are thrown away), or a `target` that was
        there already and is another file (it stays).
        """
        if self.target.exists():
            self._check_present()
            size = self.target.stat().st_size
            show(size, size)
            return
        failures = 0
        while True:
            before = self._size()
            try:
                complete = self._continue(show)
            except urllib.error.HTTPError as error:
                if error.code not in _PASSING:
                    raise PreprocessingError(f"{self.url} answers {error.code} {error.reason}; check it.") from error
                reason = f"it answers {error.code} {error.reason}"
            except _TRANSPORT as error:
                reason = str(error) or type(error).__name__
            else:
                if complete:
                    break
                reason = "the connection closed early"
            failures = 0 if self._size() > before else failures + 1
            if failures >= attempts:
                raise MirrorUnavailableError(
                    f"{self.url} cannot be fetched now ({reason}); run the same command again to go on from "
                    f"{self._size():,} bytes."
                )
            time.sleep(min(pause * 2 ** max(failures - 1, 0), 60))
        self._finish()

    def _check_present(self) -> None:
        """By the digest, or else by the length that the server says, if it says one."""
        if self.sha1 is not None:
            with self.target.open("rb") as stream:
                found, wanted = hashlib.file_digest(stream, "sha1").hexdigest(), self.sha1
            what = "SHA-1"
        else:
            try:
                with _open(self.url, {"User-Agent": _AGENT, "Accept-Encoding": "identity"}, method="HEAD") as response:
                    wanted = response.headers.get("Content-Length") or ""
            except urllib.error.HTTPError as error:
                if error.code in _PASSING:
                    raise MirrorUnavailableError(f"{self.url} answers {error.code} {error.reason} now.") from error
                return  # the file outlived its address
            except _TRANSPORT as error:
                raise MirrorUnavailableError(f"{self.url} cannot be reached now ({error}); try again later.") from error
            found, what = str(self.target.stat().st_size), "length in bytes"
        if wanted and found != wanted:
            raise PreprocessingError(
                f"{self.target} is there and is not what {self.url} is: its {what} is {found}, not {wanted}; remove it "
                "to have it fetched."
            )

    def _size(self) -> int:
        return self.partial.stat().st_size if self.partial.exists() else 0

    def _continue(self, show: Callable[[int, int | None], None]) -> bool:
        """One request, appended to what is there; True when the file is complete."""
        have, validator = self._begun()
        headers = {"User-Agent": _AGENT, "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
            headers["If-Range"] = validator
        try:
            response = _open(self.url, headers)
        except urllib.error.HTTPError as error:
            if error.code == 416 and have:  # nothing after what we have, or another file: the total tells
                told = error.headers.get("Content-Range", "").rpartition("/")[2]
                if told == str(have):
                    return True
                self._start_again()
                return False
            raise
        with response:
            if have and response.status != 206:  # the server has another version, or no ranges
                self._start_again()
                have = 0
            if have and not (response.headers.get("Content-Range") or "").startswith(f"bytes {have}-"):
                self._start_again()
                return False
            length = response.headers.get("Content-Length")
            total = have + int(length) if length is not None else None
            if not have:
                validator = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
                self._start_again()
                write_text(self.marker, json.dumps({"url": self.url, "validator": validator}))
            return self._append(response, have, total, show)

    def _append(
        self,
        response: http.client.HTTPResponse,
        have: int,
        total: int | None,
        show: Callable[[int, int | None], None],
    ) -> bool:
        done = have
        show(done, total)
        with _writing(self.target), self.partial.open("ab") as stream:
            while block := _read(response):
                stream.write(block)
                done += len(block)
                show(done, total)
        # Without a length, the end of a chunked body is the only sign; a connection that broke gives none.
        return done == total or (total is None and block is not None)

    def _begun(self) -> tuple[int, str]:
        """(bytes that can be continued, their version's validator)."""
        have = self._size()
        try:
            marker = json.loads(self.marker.read_text()) if have else {}
        except (OSError, ValueError):
            marker = {}
        validator = marker.get("validator", "")
        # A weak validator promises equal meaning, not equal bytes, and may not be used with ranges (RFC 9110, 13.1.5).
        if have and (marker.get("url") != self.url or not validator or validator.startswith("W/")):
            self._start_again()
            return 0, ""
        return have, validator

    def _start_again(self) -> None:
        self.partial.unlink(missing_ok=True)
        self.marker.unlink(missing_ok=True)

    def _finish(self) -> None:
        if self.sha1 is not None:
            with self.partial.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha1").hexdigest()
            if digest != self.sha1:
                self._start_again()
                raise PreprocessingError(
                    f"{self.url} came with SHA-1 {digest}, not {self.sha1} as the mirror's sums file says; it was "
                    "thrown away: run the same command again, or try another --mirror."
                )
        with _writing(self.target):
            os.replace(self.partial, self.target)
        self.marker.unlink(missing_ok=True)


def fetch_text(url: str, limit_bytes: int = _TEXT_BYTES) -> str:
    """A small UTF-8 file. Raises PreprocessingError when it is absent, MirrorUnavailableError when nothing answers."""
    try:
        with _open(url, {"User-Agent": _AGENT}) as response:
            body = response.read(limit_bytes + 1)
    except urllib.error.HTTPError as error:
        if error.code in _PASSING:
            raise MirrorUnavailableError(f"{url} answers {error.code} {error.reason}; try again later.") from error
        raise PreprocessingError(
            f"{url} answers {error.code} {error.reason}; check the language, the date and the mirror."
        ) from error
    except _TRANSPORT as error:
        raise MirrorUnavailableError(
            f"{url} cannot be reached ({error}); check the network or try another --mirror."
        ) from error
    if len(body) > limit_bytes:
        raise PreprocessingError(f"{url} is larger than {limit_bytes:,} bytes, so it is not what it should be.")
    return body.decode("utf-8", "replace")


class _NoDowngrade(urllib.request.HTTPRedirectHandler):
    """Follows redirections, but never from https to anything else: who reads on the way could change it."""

    def redirect_request(self, request: Any, *rest: Any) -> urllib.request.Request | None:
        target = str(rest[-1])
        if not target.startswith("https://") and (
            request.full_url.startswith("https://") or not target.startswith("http://")
        ):
            raise PreprocessingError(
                f"{request.full_url} leads on to {target}, which is not https; try another --mirror."
            )
        return super().redirect_request(request, *rest)


def _open(url: str, headers: dict[str, str], method: str = "GET") -> http.client.HTTPResponse:
    if not url.startswith(("https://", "http://")):
        raise PreprocessingError(f"{url} is not an http address; check --mirror.")
    request = urllib.request.Request(url, headers=headers, method=method)  # noqa: S310 - the scheme is checked above
    opener = urllib.request.build_opener(_NoDowngrade)
    response: http.client.HTTPResponse = opener.open(request, timeout=_TIMEOUT_SECONDS)
    return response


def _read(response: http.client.HTTPResponse) -> bytes | None:
    """The next block; b"" at the end; None where the connection broke, so that what came before is kept."""
    try:
        return response.read1(_BLOCK_BYTES)
    except _TRANSPORT:
        return None


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise writing_failed(target, error) from error
