"""Personal-looking data in texts: counted by sort, never printed. Numbers count where their check digits agree.

Sources of the check digits: ISO/IEC 7812-1 (Luhn) for cards, ISO 13616 (modulo 97) for IBANs.
"""

import re
from collections.abc import Callable, Mapping

_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])")
_PHONE = re.compile(
    r"(?<![\w.+/-])(?<!\d )(?:(?:\+|00)[1-9]\d{0,2}[ .\-/]?(?:\(0?\d{0,4}\)[ .\-/]?)?\d{2,4}(?:[ .\-/]?\d{2,4}){1,4}"
    r"|\(?[2-9]\d{2}\)?[ .\-][2-9]\d{2}[ .\-]\d{4})(?![\w-]|\.\d)"
)
_CARD = re.compile(r"(?<![\w.-])(?<!\d )\d(?:[ -]?\d){12,18}(?![\w-]|\.\d)")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)")
_SOCIAL = re.compile(r"(?<![\w-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")
_DIGITS = re.compile(r"\d\D?\d\D?\d")


SORTS = ("e-mail address", "card number", "IBAN", "telephone number", "social security number")


def personal_data(text: str) -> Mapping[str, int]:
    """How many of each sort a text seems to hold; those it has none of are left out."""
    found = [_count(_EMAIL, text) if "@" in text else 0]
    if _DIGITS.search(text):
        found += [
            _count(_CARD, text, is_card),
            _count(_IBAN, text, is_iban),
            _count(_PHONE, text, _may_be_dialled),
            _count(_SOCIAL, text),
        ]
    return {sort: count for sort, count in zip(SORTS, found, strict=False) if count}


def is_card(number: str) -> bool:
    """Whether the digits are of a known issuer's length and first digit, and pass Luhn's check."""
    digits = [int(one) for one in number if one.isdigit()]
    if not 13 <= len(digits) <= 19 or digits[0] not in (2, 3, 4, 5, 6) or len(set(digits)) < 2:
        return False
    doubled = [2 * one - 9 * (one > 4) for one in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_iban(number: str) -> bool:
    """Whether the check digits agree."""
    plain = number.replace(" ", "")
    if not 15 <= len(plain) <= 34:
        return False
    return int("".join(str(int(one, 36)) for one in plain[4:] + plain[:4])) % 97 == 1


def _may_be_dialled(number: str) -> bool:
    """E.164 allows 15 digits; fewer than 8 are no international number."""
    return 8 <= sum(one.isdigit() for one in number) <= 15


def _count(pattern: re.Pattern[str], text: str, holds: Callable[[str], bool] | None = None) -> int:
    found = (one[0] for one in pattern.finditer(text))
    return sum(1 for one in found if holds is None or holds(one))
