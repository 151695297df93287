"""The kinds of findings, and what is usually done about them; docs/doctor.md has them as a table."""

from graft.spec.checks.base import FindingKind

UNREADABLE = FindingKind(
    "unreadable",
    "A sample that cannot be read: missing, empty, truncated, damaged, of another format. `data.max_unreadable` "
    "bounds how many there may be.",
    severity="error",
    action="drop",
    actions=("drop", "fail"),
    told="cannot be read",
)
BOMB = FindingKind(
    "bomb",
    "A sample that would take absurdly much memory once it is decoded: its own header says so, and nothing is decoded.",
    severity="error",
    action="drop",
    actions=("drop", "fail"),
    told="is larger than any sample should be",
)
DUPLICATE = FindingKind(
    "duplicate",
    "A sample that is, bit for bit, a copy of another one; one of them stays.",
    actions=("drop", "keep", "fail"),
    told="is a copy of another one",
    one_stays=True,
)
SPLIT_LEAK = FindingKind(
    "split_leak",
    "A sample that has a copy or a near copy in a split that comes after its own: test samples are trained on. `fix` "
    "brings both to one side where graft has drawn the splits.",
    severity="error",
    action="fix",
    actions=("drop", "fix", "keep", "fail"),
    told="has a copy in another split",
    one_stays=True,
)
NEAR_DUPLICATE = FindingKind(
    "near_duplicate",
    "A sample that is almost a copy of another one: the same picture in another size, quality or "
    "brightness, the same text with a few words changed.",
    actions=("drop", "keep", "fail"),
    told="is almost a copy of another one",
    one_stays=True,
)
CONFLICTING_LABEL = FindingKind(
    "conflicting_label",
    "One and the same sample with two labels: at least one of them is wrong. `drop` leaves out all of them.",
    severity="error",
    actions=("drop", "keep", "fail"),
    told="has two labels",
)
IMBALANCE = FindingKind(
    "imbalance", "A label with less than a tenth of the training samples that the most frequent one has."
)
TINY_CLASS = FindingKind("tiny_class", "A label with fewer than 10 training samples: its scores are luck.")
OUTLIER = FindingKind(
    "outlier",
    "A sample that is far from all others in size, shape, brightness or length.",
    severity="info",
    actions=("drop", "keep", "fail"),
    told="is far from all others",
)
ABSURD_SIZE = FindingKind(
    "absurd_size",
    "A picture with a side below 4 pixels though others are larger, or 20 times as long as it is wide: little of it is "
    "left in a square.",
    actions=("drop", "keep", "fail"),
    told="has an absurd size",
)
BLANK = FindingKind(
    "blank",
    "A picture of one colour.",
    actions=("drop", "keep", "fail"),
    told="is of one colour",
)
WRONG_EXTENSION = FindingKind(
    "wrong_extension",
    "A file whose name says another format than it has; it is read as what it is.",
    severity="info",
    actions=("drop", "keep", "fail"),
    told="has the wrong extension",
)
ANIMATED = FindingKind(
    "animated",
    "A file of several frames or pages; only the first is looked at.",
    actions=("drop", "keep", "fail"),
    told="has several frames",
)
TRANSPARENT = FindingKind(
    "transparency",
    "A picture with see-through parts; they are put on white.",
    severity="info",
    actions=("drop", "keep", "fail"),
    told="has see-through parts",
)
DEEP = FindingKind(
    "sixteen_bit",
    "A picture of more than 8 bits for each colour; it is read with 8.",
    severity="info",
    actions=("drop", "keep", "fail"),
    told="has more than 8 bits for each colour",
)
COLOUR_SPACE = FindingKind(
    "colour_space",
    "A picture whose colours are neither grey nor sRGB: inks, CIELAB, floating-point numbers, another profile. Its "
    "colours are read without the profile.",
    severity="info",
    actions=("drop", "keep", "fail"),
    told="has colours that are not sRGB",
)
EMPTY_TEXT = FindingKind(
    "empty_text",
    "A text of nothing, or of nothing but white space and characters that nobody sees. `data.max_unreadable` bounds "
    "how many there may be.",
    severity="error",
    action="drop",
    actions=("drop", "fail"),
    told="is empty",
)
ENCODING = FindingKind(
    "encoding",
    "A text that was decoded wrongly before (`fÃ¼r` for `für`), or holds replacement characters. `fix` undoes what can "
    "be undone, in training and in prediction alike.",
    actions=("drop", "fix", "keep", "fail"),
    told="was decoded wrongly",
)
INVISIBLE_CHARACTERS = FindingKind(
    "invisible_characters",
    "A text with control, zero-width, bidirectional or tag characters: words that look the same are not. `fix` removes "
    "them, in training and in prediction alike.",
    actions=("drop", "fix", "keep", "fail"),
    told="holds invisible characters",
)
HOMOGLYPH = FindingKind(
    "homoglyph",
    "A text whose words mix Latin letters with such that look like them, or are written in letters of full width. "
    "`fix` writes them plainly (NFKC, look-alikes as Latin letters), in training and in prediction alike.",
    actions=("drop", "fix", "keep", "fail"),
    told="holds letters that look like others",
)
MARKUP = FindingKind(
    "markup",
    "A text with tags or entities of HTML. `fix` removes tags and writes entities as characters, in training and in "
    "prediction alike.",
    severity="info",
    actions=("drop", "fix", "keep", "fail"),
    told="holds markup",
)
PERSONAL_DATA = FindingKind(
    "personal_data",
    "A text with what looks like e-mail addresses, telephone, card, account or social security numbers; counted, never "
    "shown.",
    actions=("drop", "keep", "fail"),
    told="holds personal data",
)
SUSPICIOUS_LABEL = FindingKind(
    "suspicious_label",
    "A label that is likelier wrong than right, by what a model of the other samples says of it.",
    actions=("drop", "keep", "fail"),
    told="has a suspicious label",
)
POISONING_SUSPECT = FindingKind(
    "poisoning_suspect",
    "A sample with what may be planted to give it its label: a small constant patch at one place, a word that outvotes "
    "all others. Patches that are blended in or moved about are not found.",
    severity="info",
    actions=("drop", "keep", "fail"),
    told="may be poisoned",
)
CONSTANT_COLUMN = FindingKind(
    "constant_column", "A column of the table with one value in all rows, or none: nothing can be learnt of it.", "info"
)
DUPLICATE_COLUMN = FindingKind("duplicate_column", "A column of the table with the values of another one.", "info")
LEAKING_COLUMN = FindingKind(
    "leaking_column",
    "A column of the table that alone predicts the label: it is likely made from it, and will not be there when the "
    "model is used.",
)
IDENTIFIER_COLUMN = FindingKind(
    "identifier_column",
    "A column of the table with another value in every row: as a feature it is learnt by heart.",
    "info",
)
