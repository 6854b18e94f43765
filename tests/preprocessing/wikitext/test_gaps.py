"""What is left empty by what was left out."""

import pytest

from preprocessing.wikitext import Site, WikitextOptions, extract

OPTIONS = WikitextOptions(keep_lists=True)


def shown(wikitext: str) -> str:
    return "|".join(extract(wikitext, OPTIONS, Site()).paragraphs)


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        ("(born {{x}}; died)", "(born; died)"),
        ("a ({{x}}) b ({{x}}, {{y}}) c ({{x}}; d) e", "a b c (d) e"),
        ("a (''{{x}}'') b (''{{x}}'', ''c'')", "a b (c)"),
        ("a (<ref>x</ref>) b ([[File:a.png]]) c", "a b c"),
        ("東京（{{x}}）は（{{x}}、大阪）", "東京は（大阪）"),
        # all pairs of quotation marks and brackets
        ('a "{{x}}" b “{{x}}” c „{{x}}“ d «\u00a0{{x}}\u00a0», e ‹{{x}}›. f', "a b c d, e. f"),
        ("a “''{{x}}''” b [{{x}}] c [({{x}})]. d ({{x}}), e", "a b c. d, e"),
        ("甲「{{x}}」乙『{{x}}』丙《{{x}}》丁〈{{x}}〉戊【{{x}}】己〔{{x}}〕庚", "甲乙丙丁戊己庚"),
        # at the end of a bracket, in its middle, and with a dash
        ("a (b; {{x}}) c (''b''; ''{{x}}'') d (b {{x}}) e", "a (b) c (b) d (b) e"),
        ("a (b, {{x}}, c) d (in ''{{x}}'', c)", "a (b, c) d (in, c)"),
        ("a ({{x}} – b) c (1990–{{x}}) d ({{x}}/{{y}}) e (* 1900; † {{x}})", "a (b) c (1990–) d e (* 1900)"),
        ("(ج، {{x}}) و({{x}}؛ ب)", "(ج) و(ب)"),
        # the name of what is gone goes with it
        ("a (German: {{x}}; b) c (b, Latin: ''{{x}}'') d ([[Latin]]: {{x}})", "a (b) c (b) d"),
        ("東京（英語：{{x}}）は（英: {{x}}、甲）", "東京は（甲）"),
        ("He said: {{x}}, and (so: {{x}} b)", "He said: and (so: b)"),
        # nothing but a stop is left, and quotation marks that stand around something else
        ('a ({{x}}.) b ({{x}}?) c "d"{{x}}"e" ("{{x}}")', 'a b c "d""e"'),
        # one stop stays of two
        ("a, {{x}}, b {{x}}, {{y}} and c {{x}}; d {{x}}: e {{x}}! f {{x}}.", "a, b and c; d: e! f."),
        ("a<ref>x</ref>,<ref>y</ref> b<ref/><sup>,</sup><ref/> c. {{x}}, d", "a, b, c. d"),
        ("は、{{x}}、甲", "は、甲"),
        ("*{{x}}, a", "a"),
        ("a {{x}} ; b {{x}},5", "a ; b ,5"),
        # brackets that nothing was taken from
        ("f() and g( ) and (, ) and （）", "f() and g( ) and (, ) and （）"),
        ("a , b . c", "a , b . c"),
    ],
)
def test_what_is_empty_around_a_gap_goes(wikitext: str, text: str) -> None:
    assert shown(wikitext) == text


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", ["{{x}}", "{{x}} "])
def test_many_gaps_in_a_row(piece: str) -> None:
    """Looking from each gap to the end of their row would take minutes."""
    assert extract("a (" + piece * 200_000 + ") b", OPTIONS, Site()).paragraphs == ["a b"]


@pytest.mark.parametrize("piece", ["({{x}},", "(a, {{x}}", "(a: {{x}}", "({{x}}", "“{{x}}", "[{{x}} ", "''{{x}}"])
def test_brackets_in_brackets(piece: str) -> None:
    assert len(extract(piece * 2_000, OPTIONS, Site()).paragraphs) <= 1
