"""How often the encoding of a text is found: by this package, and by general detectors, in one run.

    python -m pip install --target /tmp/translations --no-deps django plone.app.locales
    python -m benchmarks.encodings --translations /tmp/translations [--language LANGUAGE …]

The texts are translations that those packages ship (`locale*/LANGUAGE/LC_MESSAGES/*.po`), 20 to 200 kB a language,
encoded in each old encoding of the language; what it has no character for is left out of the text. An answer is
right where the bytes decode to the same characters. This package is told the language and may refuse; "wrong" is
what it gets wrong in silence. `--under-others` asks about each text under every other language instead. Detectors are
those that are installed: chardet, and charset_normalizer and faust-cchardet where they are.
"""

import ast
import codecs
import io
import random
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType

from preprocessing.arguments import OptionParser
from preprocessing.errors import PreprocessingError
from preprocessing.languages import LANGUAGES, section
from preprocessing.sources.encodings import detect_encoding

SIZES = (200, 1000, 2000, 8000, 64000)
# Beside a language's own list: what is in it already under another name, and what is no code page.
ALSO = {"cp1252": ("iso8859-1",), "gb18030": ("gb2312", "gbk"), "cp874": ("tis-620",)}
ALWAYS = ("utf-16-le", "utf-16-be", "utf-7")
FOLDERS = {"zh": ("zh_Hans", "zh-cn", "zh_CN"), "no": ("nb", "no"), "zh-hant": ("zh_Hant", "zh-tw", "zh_TW")}
LEAST_CHARACTERS = 2000
_MESSAGE = re.compile(r'^msgstr(?:\[\d\])?((?:\s*"(?:[^"\\]|\\.)*"\s*?\n)+)', re.MULTILINE)
_PLACEHOLDER = re.compile(r"%\([^)]*\)[sd]|%[sd]|\$?\{[^}]*\}|<[^>]*>|&\w+;")


def main() -> int:
    """Prints a table a size, and the pairs of language and encoding that were not always right."""
    parser = OptionParser("python -m benchmarks.encodings", (__doc__ or "").split("\n")[0])
    parser.add_argument("--translations", type=Path, required=True, help="folder that the packages are installed in")
    parser.add_argument("--language", nargs="+", help="languages to measure (default: all that have a table)")
    parser.add_argument("--under-others", action="store_true", help="ask under every other language")
    parser.add_argument("--repeats", type=int, default=6, help="texts of each size for each encoding")
    options = parser.parse_args()
    detectors = dict(installed_detectors())
    outcomes: dict[tuple[str, int], Counter[str]] = {}
    seconds: defaultdict[str, float] = defaultdict(float)
    bad: Counter[str] = Counter()
    for language in options.language or (*sorted(LANGUAGES), "zh-hant"):
        lines = translations(options.translations, language)
        if sum(map(len, lines)) < LEAST_CHARACTERS:
            print(f"{language}: no text", file=sys.stderr)
            continue
        asked = sorted(LANGUAGES - {language[:2]}) if options.under_others else [language]
        for page in pages_of(language):
            for size in SIZES if not options.under_others else (3000,):
                for data in samples(lines, page, size, options.repeats if not options.under_others else 1):
                    truth = data.decode(page)
                    for name, ask in detectors.items() if not options.under_others else ():
                        began = time.process_time()
                        found = ask(data)
                        seconds[f"{name} {size}"] += time.process_time() - began
                        outcomes.setdefault((name, size), Counter())[verdict(data, found, truth)] += 1
                    for told in asked:
                        began = time.process_time()
                        found = ours(data, told)
                        seconds[f"ours {size}"] += time.process_time() - began
                        outcome = verdict(data, found, truth)
                        outcomes.setdefault(("ours", size), Counter())[outcome] += 1
                        if outcome == "wrong" or (outcome != "right" and not options.under_others):
                            bad[f"{language} {page} {outcome}"] += 1
    for (name, size), counts in sorted(outcomes.items()):
        total = counts.total()
        shares = "  ".join(f"{outcome} {counts[outcome] / total:6.1%}" for outcome in ("right", "refused", "wrong"))
        print(f"{name:20} {size:6} bytes  {shares}  of {total}; {seconds[f'{name} {size}'] / total * 1000:.1f} ms each")
    print("not always right: " + ", ".join(f"{case} {count}" for case, count in bad.most_common()))
    return 0


def pages_of(language: str) -> list[str]:
    """The encodings that texts of the language are tried in."""
    if language == "zh-hant":
        return ["big5", "cp950", "gb18030", *ALWAYS]
    pages = [page for page in section(language, "writing")["encodings"] if language != "zh" or "big5" not in page]
    return [*(name for page in pages if page != "cp950" for name in (page, *ALSO.get(page, ()))), *ALWAYS]


def samples(lines: list[str], page: str, size: int, repeats: int) -> Iterator[bytes]:
    """Runs of lines of about `size` bytes, each with characters above ASCII, the same in every run."""
    encoder = codecs.getincrementalencoder(page)
    for repeat in range(repeats if size < SIZES[-2] else max(1, repeats // 3)):
        start = random.Random(size * 10 + repeat).randrange(max(1, 2 * len(lines) // 3))
        data, text = b"", ""
        for line in lines[start:]:
            text += line + "\n"
            data = encoder("ignore").encode(text, True)
            if len(data) >= size:
                break
        if not data.decode(page).isascii() and not (_is_utf8(data) and not data.isascii()):
            yield data


def translations(folder: Path, language: str) -> list[str]:
    """Lines of some hundred characters out of translations, without placeholders and tags."""
    names = FOLDERS.get(language, (language,))
    messages: dict[str, None] = {}
    for file in sorted(folder.rglob("LC_MESSAGES/*.po")):
        if file.parent.parent.name not in names:
            continue
        for match in _MESSAGE.finditer(file.read_text(encoding="utf-8", errors="replace")):
            text = "".join(ast.literal_eval(part) for part in re.findall(r'"(?:[^"\\]|\\.)*"', match[1]))
            if "Content-Type:" not in text and len(text) > 3:
                messages[" ".join(_PLACEHOLDER.sub(" ", text).split())] = None
    lines, line = list[str](), ""
    for message in messages:
        line = f"{line} {message}".strip()
        if len(line) > 300:
            lines.append(line)
            line = ""
    return [*lines, line]


def ours(data: bytes, language: str) -> str | None:
    """This package's answer, None where it refuses."""
    try:
        return detect_encoding(lambda: io.BytesIO(data), "text", language)
    except PreprocessingError:
        return None


def verdict(data: bytes, found: str | None, truth: str) -> str:
    """right, refused or wrong."""
    if found is None:
        return "refused"
    try:
        return "right" if data.decode(found) == truth else "wrong"
    except (UnicodeError, LookupError):
        return "wrong"


def installed_detectors() -> Iterator[tuple[str, Callable[[bytes], str | None]]]:
    """General detectors by name."""
    for name in ("chardet", "cchardet"):
        try:
            detector = import_module(name)
        except ImportError:
            continue
        yield name, partial(_detected, detector)
    try:
        normalizer = import_module("charset_normalizer")
    except ImportError:
        return
    yield "charset_normalizer", lambda data: getattr(normalizer.from_bytes(data).best(), "encoding", None)


def _detected(detector: ModuleType, data: bytes) -> str | None:
    encoding: str | None = detector.detect(data)["encoding"]
    return encoding


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
