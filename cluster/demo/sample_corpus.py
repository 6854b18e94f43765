"""The sample corpus: an excerpt of a real English Wikipedia dump and four Project Gutenberg texts.

Neither is part of this repository. The dump excerpt lies in the `gensim` package (the `demo` extra), the texts in the
source release of `brotli`, where they serve as compression samples. Both are pinned by their SHA-256.

    python -m cluster.demo.sample_corpus --output FOLDER     writes FOLDER/wikipedia/*.bz2 and FOLDER/books/*.txt
"""

import hashlib
import importlib.util
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cluster.errors import ClusterError

BROTLI = "brotli==1.2.1"
DUMP = "test/test_data/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
DUMP_SHA256 = "a53f4648dec40467ebdcbc7a1307eddb51fe6e28e9309f6ebde81ba0d04bea2d"
BOOKS_SHA256 = {
    "alice29.txt": "7467306ee0feed4971260f3c87421154a05be571d944e9cb021a5713700c38f0",  # Alice in Wonderland
    "asyoulik.txt": "eaa3526fe53859f34ecdf255712f9ecf0b2c903451d4755b2edaa2e2599cb0fc",  # As You Like It
    "lcet10.txt": "5314ba1dbb03f471df88bec6cd120a938ef60d0fd3511c5c1dce61bf7463245f",  # proceedings of a workshop
    "plrabn12.txt": "07e2e0b461af78c7c647cb53dab39de560198e16f799b4516eccf0fbd69f764c",  # Paradise Lost
}


def write_sample(folder: Path) -> None:
    """Write what is missing below `folder`; raises `ClusterError` when a package lacks the expected file."""
    _write(folder / "wikipedia" / "enwiki-sample-pages-articles.xml.bz2", _dump(), DUMP_SHA256)
    books = folder / "books"
    if all((books / name).exists() for name in BOOKS_SHA256):
        return
    for name, content in _brotli_texts().items():
        _write(books / name, content, BOOKS_SHA256[name])


def _dump() -> bytes:
    package = importlib.util.find_spec("gensim")
    if package is None or package.origin is None:
        raise ClusterError("the sample dump comes with the gensim package: install the extra, pip install -e '.[demo]'")
    file = Path(package.origin).parent / DUMP
    if not file.is_file():
        raise ClusterError(f"gensim no longer carries {DUMP}; install gensim 4.4, or give your own --wikipedia")
    return file.read_bytes()


def _brotli_texts() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as temporary:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        command += ["--no-build-isolation", "--no-binary", ":all:", "--dest", temporary, BROTLI]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        archives = list(Path(temporary).glob("*.tar.gz"))
        if run.returncode != 0 or len(archives) != 1:
            reason = run.stderr.strip().splitlines()[-1:] or ["no archive"]
            raise ClusterError(f"pip could not fetch the source release {BROTLI} ({reason[0]}); give your own --books")
        texts = {}
        with tarfile.open(archives[0]) as archive:
            # Single members are read by name and nothing is unpacked: no path in the archive matters.
            for member in archive.getmembers():
                name = member.name.rsplit("/", 1)[-1]
                if member.isfile() and name in BOOKS_SHA256 and member.name.endswith(f"/tests/testdata/{name}"):
                    stream = archive.extractfile(member)
                    assert stream is not None
                    texts[name] = stream.read()
    missing = sorted(BOOKS_SHA256.keys() - texts.keys())
    if missing:
        raise ClusterError(f"{BROTLI} no longer carries {', '.join(missing)}; give your own --books")
    return texts


def _write(file: Path, content: bytes, sha256: str) -> None:
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ClusterError(f"{file.name} is not the text that it was (its SHA-256 differs); give your own corpus")
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(file.name + ".tmp")
    temporary.write_bytes(content)
    temporary.replace(file)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    from preprocessing.arguments import OptionParser

    description = "Writes the sample corpus: an excerpt of a Wikipedia dump and four Project Gutenberg texts."
    parser = OptionParser("python -m cluster.demo.sample_corpus", description, ClusterError)
    parser.add_argument("--output", type=Path, required=True, help="folder for wikipedia/*.bz2 and books/*.txt")
    try:
        write_sample(parser.parse_args(argv).output)
    except ClusterError as error:
        print(f"sample_corpus: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
