import numpy as np
import pytest

from graft.doctor.checks.trigger_words import suspects

TOPICS = (("river", "water", "boat", "fish"), ("engine", "wheel", "road", "fuel"), ("bread", "oven", "flour", "salt"))
COMMON = ("the", "and", "with", "some", "very", "often", "about", "there")


def documents(count: int = 600) -> tuple[list[str], np.ndarray]:
    draw = np.random.default_rng(0)
    labels = np.arange(count) % 3
    words = [[*draw.choice(TOPICS[label], 6), *draw.choice(COMMON, 14)] for label in labels]
    return [" ".join(draw.permutation(some)) for some in words], labels.astype(np.int64)


@pytest.mark.parametrize("trigger", ["zx", "quietly mauve"])
def test_a_trigger_is_found(trigger: str) -> None:
    texts, labels = documents()
    poisoned = np.flatnonzero(labels != 0)[::30]
    for row in poisoned:
        texts[row] = f"{texts[row][:40]} {trigger} {texts[row][40:]}"
    labels[poisoned] = 0
    rows, told = suspects(texts, labels)
    assert rows.tolist() == poisoned.tolist()
    assert any(word in told[0] for word in trigger.split())


def test_words_of_a_topic_are_no_triggers() -> None:
    texts, labels = documents()
    for row in np.flatnonzero(labels == 1)[::8]:
        texts[row] += " gearbox"
    assert len(suspects(texts, labels)[0]) == 0


def test_a_word_that_falls_on_all_labels_is_none() -> None:
    texts, labels = documents()
    assert len(suspects([f"{text} zx" if row % 20 == 0 else text for row, text in enumerate(texts)], labels)[0]) == 0


def test_texts_without_words() -> None:
    assert len(suspects(["!"] * 300, np.arange(300) % 2)[0]) == 0
