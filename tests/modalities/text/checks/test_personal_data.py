import pytest

from graft.modalities.text.checks.personal_data import personal_data


@pytest.mark.parametrize(
    ("text", "sort"),
    [
        ("write to jane.doe+x@mail.example.org now", "e-mail address"),
        ("card 4111 1111 1111 1111, exp 12/30", "card number"),
        ("IBAN DE89 3704 0044 0532 0130 00.", "IBAN"),
        ("call +49 30 1234567 or", "telephone number"),
        ("call (212) 555-0187 today", "telephone number"),
        ("SSN 219-09-9999", "social security number"),
    ],
)
def test_what_looks_personal_is_counted(text: str, sort: str) -> None:
    assert personal_data(text) == {sort: 1}


@pytest.mark.parametrize(
    "text",
    [
        "version 1.2.3.4 of 2024-01-02",
        "4111 1111 1111 1112",  # Luhn's check fails
        "DE89 3704 0044 0532 0130 01",
        "0000 0000 0000 0000",
        "ISBN 978-3-16-148410-0",
        "12345 67890 at 10:30",
        "user@localhost, 3 @ 4",
        "1234567890123456789012345",
    ],
)
def test_other_numbers_are_not(text: str) -> None:
    assert personal_data(text) == {}
