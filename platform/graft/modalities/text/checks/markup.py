"""Tags and entities of HTML that were left in a text."""

import html
import re

_NAMES = (
    "a|abbr|b|blockquote|body|br|center|code|div|em|font|form|h[1-6]|head|hr|html|i|iframe|img|input|li|link|meta|ol|p|"
    "pre|script|small|span|strong|style|sub|sup|table|tbody|td|th|thead|title|tr|tt|u|ul"
)
# A tag has a name that HTML knows, so <stdio.h>, <user@host> and a < b are none.
_TAG = re.compile(rf"</?(?:{_NAMES})(?:\s[^<>]*)?/?>|<!--[^<>]*-->|<!doctype[^<>]*>", re.IGNORECASE)
_HIDDEN = re.compile(r"<(script|style)\b[^<>]*>[^<]*</\1>", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:nbsp|amp|lt|gt|quot|apos|[A-Za-z]{2,8}|#\d{1,6}|#[xX][0-9A-Fa-f]{1,6});")


def has_markup(text: str) -> bool:
    """Whether it holds tags or entities."""
    return ("<" in text and _TAG.search(text) is not None) or ("&" in text and _ENTITY.search(text) is not None)


def without_markup(text: str) -> str:
    """The text without tags, each a blank, and with the characters that entities stand for."""
    if "<" in text:
        text = _TAG.sub(" ", _HIDDEN.sub(" ", text))
    return html.unescape(text) if "&" in text else text
