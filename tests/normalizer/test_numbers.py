"""Reading numbers as people type them: which digits of a text are a tracking number, and which are something else."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from normalizer.tracking import draw, find, read_number, shown, valid

N = "4829137065"
M = "5932104477"
BAD = "4829137066"

NUMBERS = [
    ("as it is", "4829137065"),
    ("in our groups", "482 913 7065"),
    ("hyphens", "482-913-7065"),
    ("dots", "482.913.7065"),
    ("underscores", "482_913_7065"),
    ("commas", "482,913,7065"),
    ("hyphens with blanks", "482 - 913 - 7065"),
    ("as phones are written abroad", "(482) 913-7065"),
    ("other groups", "4829 137 065"),
    ("pairs", "48 29 13 70 65"),
    ("digit by digit", "4 8 2 9 1 3 7 0 6 5"),
    ("two blanks", "482  913  7065"),
    ("tabs", "482\t913\t7065"),
    ("no-break spaces", "482\u00a0913\u00a07065"),
    ("a dash for a hyphen", "482–913–7065"),
    ("O for 0", "4829137O65"),
    ("o for 0", "482913 7o65"),
    ("l for 1", "4829l37065"),
    ("I for 1", "4829I37065"),
    ("a bar for 1", "4829|37065"),
    ("O and l", "482 9l3 7O65"),
    ("Cyrillic O", "4829137О65"),
    ("full-width", "４８２９１３７０６５"),
    ("keycap emoji", "4️⃣8️⃣2️⃣9️⃣1️⃣3️⃣7️⃣0️⃣6️⃣5️⃣"),
    ("keycap emoji with blanks", "4️⃣ 8️⃣ 2️⃣ 9️⃣ 1️⃣ 3️⃣ 7️⃣ 0️⃣ 6️⃣ 5️⃣"),
    ("circled digits", "④⑧②⑨①③⑦⓪⑥⑤"),
    ("bold digits of mathematics", "𝟒𝟖𝟐𝟗𝟏𝟑𝟕𝟎𝟔𝟓"),
    ("Arabic digits", "٤٨٢٩١٣٧٠٦٥"),
    ("Javanese digits", "꧔꧘꧒꧙꧑꧓꧗꧐꧖꧕"),
    ("zero-width characters", "482\u200b913\u200d70\u206065\ufeff"),
    ("soft hyphens", "482\u00ad913\u00ad7065"),
    ("in a sentence", "laporan saya 4829137065 belum ada kabar"),
    ("at a sentence's end", "laporan saya 4829137065."),
    ("before a full stop and a number", "laporan saya 4829137065. 2 minggu belum ada kabar"),
    ("with a number sign", "laporan #4829137065"),
    ("in brackets", "[4829137065]"),
    ("in quotes", '"4829137065"'),
    ("glued to its word", "no4829137065"),
    ("glued to a command", "STATUS4829137065"),
    ("after a house number", "jl mawar no 5 482 913 7065"),
    ("after RT and RW", "RT 03 RW 05 4829137065"),
    ("before a count", "482 913 7065 2 minggu"),
    ("after a date", "22-11-2026 482 913 7065"),
    ("after an ISO date", "2026-11-22 4829137065"),
    ("after a time", "jam 08.30 482 913 7065"),
    ("after a phone", "081234567890 4829137065"),
    ("after a phone in groups", "0812 3456 7890 482 913 7065"),
    ("before a phone in groups", "482 913 7065 0812 3456 7890"),
    ("after an international phone", "+62 812 345 6789 482 913 7065"),
    ("after a phone with 62", "62 812 345 6789 4829137065"),
    ("beside an amount", "4829137065 sudah bayar Rp 1.500.000.000"),
    ("beside the words I and o", "I 4829137065 o"),
    ("after a label for something else", "HP 08123456789, laporan 4829137065"),
    ("twice", "4829137065 4829137065"),
]

NONE = [
    ("nothing", ""),
    ("words", "jalan rusak di RT 03 RW 05"),
    ("a phone", "081234567890"),
    ("a phone of ten digits", "0812345678"),
    ("a phone in groups", "0812 3456 7890"),
    ("a phone whose tail has ten digits", "081 482 913 7065"),
    ("a phone with 62", "6281234567890"),
    ("a phone with 62 of ten digits", "6281234567"),
    ("a phone with a plus", "+62 812-3456-7890"),
    ("a foreign phone", "+4829137065"),
    ("a land line", "(021) 555 1234"),
    ("an identity number", "3273011234567890"),
    ("an identity number in fours", "3273 0112 3456 7890"),
    ("an identity number whose tail has ten digits", "327301 482913 7065"),
    ("an identity number with a label", "NIK 3273011234567890"),
    ("an amount with dots", "1.500.000.000"),
    ("an amount with commas", "1,500,000,000"),
    ("an amount with Rp", "Rp 4829137065"),
    ("an amount glued to Rp", "Rp4829137065"),
    ("an amount with rupiah behind", "4829137065 rupiah"),
    ("an amount with cents", "Rp 48.291.370,65"),
    ("a meter number", "48291370651"),
    ("a meter number of twelve", "482913706512"),
    ("a meter number of ten digits", "no meter 4829137065"),
    ("a customer number", "id pelanggan PLN: 4829137065"),
    ("a bank account", "rek 4829137065"),
    ("a bank account of a bank", "rekening BCA 4829137065 a.n Budi"),
    ("an account by its owner", "transfer ke 4829137065 a/n Budi"),
    ("a phone with a label", "no HP saya 4829137065"),
    ("a phone with a label behind", "4829137065 (WA)"),
    ("a call", "hubungi 4829137065"),
    ("a tax number", "NPWP 48.291.370.6-591.000"),
    ("a token for electricity", "token 1234 5678 4829 1370 6512"),
    ("a number in thirteen digits", "123 482 913 7065"),
    ("a date and a time", "22-11-2026 10.30"),
    ("coordinates", "-6.9147444,107.6098111"),
    ("a decimal", "4829.137065"),
    ("a link", "https://example.go.id/berita/4829137065"),
    ("a link without its scheme", "example.go.id/p/4829137065?x=4829137065"),
    ("a mail address", "4829137065@example.go.id"),
    ("glued to a word", "INV4829137065"),
    ("glued to a word behind", "4829137065xyz"),
    ("only letters that look like digits", "lOlIlOlIlO"),
    ("over two lines", "48291\n37065"),
]


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in NUMBERS])
def test_it_names_the_number(text: str) -> None:
    assert find(text).numbers == (N,)


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in NONE])
def test_it_names_none(text: str) -> None:
    found = find(text)
    assert (found.numbers, found.bad) == ((), ())


@pytest.mark.parametrize(
    ("text", "numbers", "bad"),
    [
        pytest.param(f"{N} dan {M}", (N, M), (), id="two, in order"),
        pytest.param(f"{shown(M)} {shown(N)}", (M, N), (), id="two in groups, side by side"),
        pytest.param(f"{M},{N}", (M, N), (), id="two with a comma"),
        pytest.param(f"{BAD}", (), (BAD,), id="check digit wrong"),
        pytest.param(f"482 913 7066 bukan {N}", (N,), (BAD,), id="a wrong one and a right one"),
    ],
)
def test_several(text: str, numbers: tuple[str, ...], bad: tuple[str, ...]) -> None:
    found = find(text)
    assert (found.numbers, found.bad) == (numbers, bad)


@pytest.mark.parametrize("typed", ["4.829.137.065", "4829.137065", "4,829,137,065"])
def test_behind_a_command_dots_do_not_make_an_amount(typed: str) -> None:
    assert find(typed).numbers == ()
    assert find(typed, meant=True).numbers == (N,)


def test_behind_a_command_a_label_still_counts() -> None:
    assert find("HP 4829137065", meant=True).numbers == ()


def test_the_rest_is_the_text_without_the_number() -> None:
    assert find("laporan 482 913 7065 gimana").rest.split() == ["laporan", "gimana"]


def test_a_text_names_twenty_numbers_at_most() -> None:
    assert len(find(" dan ".join(draw(50))).numbers) == 20


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        pytest.param(" 482-913-7065 ", N, id="spaced"),
        pytest.param(BAD, None, id="check digit wrong"),
        pytest.param(f"{N} {M}", None, id="two"),
        pytest.param("482913", None, id="too short"),
    ],
)
def test_one_number_typed_by_an_operator(typed: str, number: str | None) -> None:
    assert read_number(typed) == number


@given(
    st.lists(st.sampled_from(["", "", " ", "-", ".", " - ", "\u200b", "  "]), min_size=9, max_size=9),
    st.sampled_from(["{}", "status {}", "laporan saya {} gimana", "no. {}?"]),
)
def test_any_spacing_behind_a_command(gaps: list[str], sentence: str) -> None:
    typed = "".join(digit + gap for digit, gap in zip(N, [*gaps, ""], strict=True))
    assert find(sentence.format(typed), meant=True).numbers == (N,)


@given(st.text(st.sampled_from("0123456789 .-,+OlI|/@a\n")))
@example("1" * 20_000)
@example("1 " * 10_000)
@example("l " * 10_000)
@example("1." * 10_000)
@example("a.b-" * 5_000)
@example("1@1" * 7_000)
@example("08 " * 7_000)
@example("rek " * 5_000 + N)
def test_whatever_is_found_is_a_number_that_stands_there(text: str) -> None:
    found = find(text)
    digits = re.sub(r"\D", "", text.translate(str.maketrans("OlI|", "0111")))
    assert all(valid(number) and number in digits for number in found.numbers)
    assert not any(map(valid, found.bad))
