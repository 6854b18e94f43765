"""Text that decodes but is not what was asked for: mojibake, control codes, another script than the language's.

Nothing is changed or dropped here: it is counted, and what is much is said at the end of a build. Counters:
`checks.paragraphs`; `checks.replacement_characters` (U+FFFD) and `checks.c1_controls` (U+0080 to U+009F, in no text),
in characters; `checks.mojibake_paragraphs`; and of the beginning of every 16th paragraph `checks.sampled_letters`,
`checks.sampled_letters_in_script`, and `checks.sampled_in.SCRIPT`, the paragraphs that begin in another script.
"""

import functools
import re
from collections.abc import Mapping, Sequence

from preprocessing.languages import section
from preprocessing.tally import Tally

_SAMPLED_EVERY, _SAMPLED_CHARACTERS = 16, 200
_LEAST_LETTERS, _LEAST_PARAGRAPHS = 1000, 20
LEAST_SHARE_IN_SCRIPT = 0.5
MOST_MOJIBAKE = 0.01
MOST_BROKEN = 0.05

# Each character of UTF-8 is two to four bytes, a lead and continuations, which a code page shows as characters that do
# not stand beside each other in text. Most text has none of the leads, which is seen many times as fast.
_CONTINUATION = "\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ•˜™š›œžŸ"
_SECOND = f"[{_CONTINUATION}‘’“”–—]"
_LEADS = "ÃÂâï√‚ÐÑØÙРС锟鈥縺繧繝ĹĂÄÅÎÏΞΟطظ׳"
_MOJIBAKE = re.compile(
    f"[{_LEADS}](?:"
    f"(?<=Ã)[{_CONTINUATION}]|(?<=Â)[\xa1-\xbf]|(?<=â)€[\x80-\xbf˜™š›œžŸ“”]|(?<=ï)(?:¿½|»¿)"  # UTF-8 as cp1252
    f"|(?<=[ÐÑ]){_SECOND}[ÐÑ]{_SECOND}|(?<=[ØÙ]){_SECOND}[ØÙ]{_SECOND}"
    "|(?<=√)[\x80-\xffÄ†°¢£§•¶ß®©™´¨≠ÆØ∞±≤≥]|(?<=‚)Ä[ôúùìîòö¢¶]"  # as Mac Roman
    "|(?<=[РС])(?:[Ђ-Џђ-џ°±µ¶·№»‚„…†‡€‰‹‘’“”•–—™›\xa0Ґґ¤¦§©«¬®][РС]){2}"  # as cp1251
    "|(?<=Ĺ)[‚„›ĽşźľˇŻą™]|(?<=Ă)[ł©ˇ¶Ľ¤ź]|(?<=Ä)[‡™›ŤŹ]"  # as cp1250
    "|(?<=Å)[‚›„¼º¡¾™¯]"  # Polish and Czech as cp1252
    f"|(?<=[ÎÏ]){_SECOND}[ÎÏ]{_SECOND}"  # Greek as cp1252
    r"|(?<=[ΞΟ])[^\sΑ-Ω][ΞΟ][^\sΑ-Ω][ΞΟ]|(?<=[طظ])\S[طظ]\S[طظ]\S[طظ]|(?<=׳)\S׳\S׳"  # as cp1253, cp1256, cp1255
    "|(?<=锟)斤|(?<=鈥)[檚渢淪]|(?<=[縺繧繝])[^\x00-\x7f][縺繧繝]"  # as GBK, as Shift JIS
    ")"
)
# Another alphabet's code page as Latin-1: no language has so many accented letters in a row.
_ACCENTS_IN_A_ROW = re.compile("[À-ÖØ-öø-ÿ][À-ÖØ-öø-ÿ]{4}")
_C1 = re.compile("[\x80-\x84\x86-\x9f]")
_LETTERS = re.compile(r"[^\W\d_]+")
_ASCII = bytes(range(128))
_NO_ASCII_LETTERS = bytes(code for code in range(128) if not chr(code).isalpha())
_RANGES = {
    "Latin": "A-Za-zªºÀ-ÖØ-öø-ʯḀ-ỿ",
    "Cyrillic": "Ѐ-ԯᲀ-ᲈⷠ-ⷿꙀ-ꚟ",
    "Greek": "Ͱ-Ͽἀ-῿",
    "Hebrew": "\u0590-\u05ff\ufb1d-\ufb4f",
    "Arabic": "\u0600-\u06ff\u0750-\u077f\u0870-\u08ff\ufb50-\ufdff\ufe70-\ufefc",
    "Devanagari": "\u0900-\u097f\ua8e0-\ua8ff",
    "Thai": "\u0e00-\u0e7f",
    "Han": "\u2e80-\u2fdf\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff",
    "Hiragana": "\u3040-\u309f",
    "Katakana": "\u30a0-\u30ff\u31f0-\u31ff\uff66-\uff9f",
    "Hangul": "\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff",
}


class TextChecks:
    """Counts what is odd in the paragraphs of documents, as a reader gives them, for one language."""

    def __init__(self, language: str) -> None:
        self._script = _letters_of(tuple(section(language, "writing").get("scripts", ())))

    def look(self, paragraphs: Sequence[str], tally: Tally) -> None:
        """Counts what is odd in the paragraphs of one document."""
        tally.count("checks.paragraphs", len(paragraphs))
        # All at once, since a paragraph's look for each sign would cost more than its cleaning.
        text = " ".join(paragraphs)
        if not text.isascii():
            self._look_above_ascii(text, paragraphs, tally)
        if self._script:
            for number in range(0, len(paragraphs), _SAMPLED_EVERY):
                self._look_at_script(paragraphs[number][:_SAMPLED_CHARACTERS], self._script, tally)

    @staticmethod
    def _look_above_ascii(text: str, paragraphs: Sequence[str], tally: Tally) -> None:
        # In Latin text little is left without ASCII: to look for signs there is several times faster.
        rest = text.encode("utf-8", "surrogatepass").translate(None, _ASCII).decode("utf-8", "surrogatepass")
        if "\ufffd" in rest:
            tally.count("checks.replacement_characters", rest.count("\ufffd"))
        if controls := len(_C1.findall(rest)):
            tally.count("checks.c1_controls", controls)
        if leads := [lead for lead in _LEADS if lead in rest]:
            suspects = (paragraph for paragraph in paragraphs if any(map(paragraph.__contains__, leads)))
            if found := sum(map(bool, map(_MOJIBAKE.search, suspects))):
                tally.count("checks.mojibake_paragraphs", found)

    @staticmethod
    def _look_at_script(text: str, script: re.Pattern[str], tally: Tally) -> None:
        if text.isascii():
            letters = len(text.encode().translate(None, _NO_ASCII_LETTERS))
            in_script = letters if script.match("a") else 0
        else:
            letters = sum(map(len, _LETTERS.findall(text)))
            in_script = min(letters, sum(map(len, script.findall(text))))
            if _ACCENTS_IN_A_ROW.search(text):
                tally.count("checks.mojibake_paragraphs")
        counters = tally.counters
        counters["checks.sampled_letters"] += letters
        counters["checks.sampled_letters_in_script"] += in_script
        if in_script < LEAST_SHARE_IN_SCRIPT * letters:
            other = next((name for name, pattern in _patterns() if pattern.search(text)), "other")
            tally.count(f"checks.sampled_in.{other}")


def warnings_of(counters: Mapping[str, int], language: str) -> list[str]:
    """A sentence for each thing in the counters of a build that its maker should know; usually none."""
    writing = section(language, "writing")
    found = []
    letters = counters.get("checks.sampled_letters", 0)
    in_script = counters.get("checks.sampled_letters_in_script", 0)
    if letters >= _LEAST_LETTERS and in_script < LEAST_SHARE_IN_SCRIPT * letters:
        others = {name: count for name, count in counters.items() if name.startswith("checks.sampled_in.")}
        most = max(others, key=lambda name: (others[name], name), default="checks.sampled_in.other").rpartition(".")[2]
        found.append(
            f"{1 - in_script / letters:.0%} of {letters:,} letters in a sample of the text are not in the script of "
            f"{writing['name']} (--language {language}), most of these paragraphs begin in {most}: is this the text, "
            "and the language, that you mean?"
        )
    paragraphs = counters.get("checks.paragraphs", 0)
    if paragraphs < _LEAST_PARAGRAPHS:
        return found
    mojibake = counters.get("checks.mojibake_paragraphs", 0)
    if mojibake > MOST_MOJIBAKE * paragraphs:
        found.append(
            f"{mojibake:,} of {paragraphs:,} paragraphs ({mojibake / paragraphs:.1%}) look like text that was read in "
            "a wrong encoding before it came here (Ã© for é): mend it at its source"
        )
    for counter, what in (
        ("checks.replacement_characters", "U+FFFD, which stands for characters that somebody could not read"),
        ("checks.c1_controls", "control codes U+0080 to U+009F, which a wrong encoding leaves"),
    ):
        if counters.get(counter, 0) > MOST_BROKEN * paragraphs:
            broken = f"{counters[counter]:,} characters in {paragraphs:,} paragraphs"
            found.append(f"{broken} are {what}: mend it at its source")
    return found


def _letters_of(scripts: tuple[str, ...]) -> re.Pattern[str] | None:
    ranges = "".join(_RANGES.get(script, "") for script in scripts)
    return re.compile(f"[{ranges}]+") if ranges else None


@functools.cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((name, re.compile(f"[{ranges}]")) for name, ranges in _RANGES.items())
