"""A journal in a store: written on one machine, read and gone on with on another."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.fixtures.homes import Node
from tests.fixtures.stores import Gate

from graft.core.errors import ArtifactError, ResourceError
from graft.core.process_identity import Machine
from graft.core.storage import Home
from graft.core.stores.copy import Copy
from graft.core.stores.folder import FolderStorage
from graft.core.stores.storage import ConflictError, StorageError, StorageFault
from graft.journal.events import ResourcesAwaited
from graft.journal.journal import Journal, find_writer, is_being_written, read
from graft.journal.lease import Terms
from graft.journal.store import shipper as shipping
from graft.journal.store.parts import Parts
from graft.journal.store.replica import Replica

TERMS = Terms(period=0.1, expiry=0.5)
THERE = replace(TERMS, machine=Machine("elsewhere", "boot-2"))


def journal_of(home: Home):
    return home.experiments / "digits" / "journal.jsonl"


def told(home: Home) -> list[str]:
    return [event.what for _, event in read(journal_of(home)) if isinstance(event, ResourcesAwaited)]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipping, "BATCH_S", 0.02)


def keys(home: Home) -> list[str]:
    copy = Copy.of(home.root)
    assert copy is not None
    return [one.key for one in copy.storage.entries("experiments/digits/journal/")]


def test_what_one_machine_writes_another_reads_while_it_grows(node: Node, store_home: str) -> None:
    home = node("a", store_home)
    with Journal(journal_of(home), terms=TERMS) as journal:
        journal.append(ResourcesAwaited("one"))
        journal.settle()
        there = node("b", store_home)
        assert told(there) == ["one"]
        assert is_being_written(journal_of(there))
        writer = find_writer(journal_of(there))
        assert writer is not None
        assert (writer.pid, writer.token) == (os.getpid(), 1)
        node("a", store_home)
        journal.append(ResourcesAwaited("two"))
        journal.settle()
        there = node("b", store_home)
        assert told(there) == ["one", "two"]
        node("a", store_home)
    there = node("b", store_home)
    assert not is_being_written(journal_of(there))
    assert journal_of(there).read_bytes() == journal_of(home).read_bytes()


def test_another_machine_goes_on(node: Node, store_home: str) -> None:
    home = node("a", store_home)
    with Journal(journal_of(home), terms=TERMS) as journal:
        journal.append(ResourcesAwaited("here"))
    there = node("b", store_home)
    with Journal(journal_of(there), terms=THERE) as journal:
        journal.append(ResourcesAwaited("there"))
    home = node("a", store_home)
    assert told(home) == ["here", "there"]
    with Journal(journal_of(home), terms=TERMS) as journal:
        journal.append(ResourcesAwaited("here again"))
    assert told(node("c", store_home)) == ["here", "there", "here again"]


def test_a_second_writer_is_refused_and_told_who_the_first_is(node: Node, store_home: str) -> None:
    home = node("a", store_home)
    with Journal(journal_of(home), terms=TERMS) as journal:
        journal.append(ResourcesAwaited("one"))
        there = node("b", store_home)
        with pytest.raises(ResourceError, match=r"being run by another process \(pid \d+ on .*wait for it, or stop it"):
            Journal(journal_of(there), terms=THERE)
        node("a", store_home)
        journal.append(ResourcesAwaited("two"))
    assert told(node("c", store_home)) == ["one", "two"]


@pytest.fixture
def killed(node: Node, folder_home: str) -> Iterator[Journal]:
    """A writer on node a whose heart has stopped and which sends nothing, with two records, the first one sent."""
    journal = Journal(journal_of(node("a", folder_home)), terms=TERMS)
    journal.append(ResourcesAwaited("sent"))
    journal.settle()
    shipper = journal._shipper
    assert shipper is not None
    shipper.lease._stop.set()
    shipper._is_closing = True
    shipper._thread.join()
    yield journal
    journal._lease.release()


def test_a_killed_writer_is_followed_after_its_term(node: Node, folder_home: str, killed: Journal) -> None:
    there = node("b", folder_home)
    began = time.monotonic()
    with Journal(journal_of(there), terms=THERE) as journal:
        assert time.monotonic() - began >= THERE.expiry
        journal.append(ResourcesAwaited("there"))
    assert told(node("c", folder_home)) == ["sent", "there"]


def test_a_writer_that_was_followed_is_told_and_its_part_is_refused(
    node: Node, folder_home: str, killed: Journal
) -> None:
    shipper = killed._shipper
    assert shipper is not None
    node("a", folder_home)
    killed.append(ResourcesAwaited("late"))
    there = node("b", folder_home)
    with Journal(journal_of(there), terms=THERE) as journal:
        node("a", folder_home)
        with pytest.raises(ConflictError):
            shipper._send_all()
        shipper.lease.lose()
        with pytest.raises(ResourceError, match=r"was taken over by pid .* on elsewhere"):
            killed.append(ResourcesAwaited("later still"))
        with pytest.raises(ResourceError, match="was taken over"):
            killed.settle()
        node("b", folder_home)
        journal.append(ResourcesAwaited("there"))
    assert told(node("c", folder_home)) == ["sent", "there"]


def test_a_part_of_the_one_before_that_arrives_after_the_claim_is_refused(
    node: Node, folder_home: str, killed: Journal
) -> None:
    shipper = killed._shipper
    assert shipper is not None
    node("a", folder_home)
    killed.append(ResourcesAwaited("late"))
    there = node("b", folder_home)
    journal = Journal(journal_of(there), terms=THERE)
    node("a", folder_home)
    with pytest.raises(ConflictError):
        shipper._send_all()
    node("b", folder_home)
    journal.close()
    with pytest.raises(ConflictError):
        shipper._send_all()


def test_what_was_not_sent_when_a_driver_died_is_sent_by_the_next_on_its_machine(
    node: Node, folder_home: str, killed: Journal
) -> None:
    home = node("a", folder_home)
    killed.append(ResourcesAwaited("not sent"))
    killed._shipper = None
    killed.close()
    assert told(node("b", folder_home)) == ["sent"]
    node("a", folder_home)
    with Journal(journal_of(home), terms=TERMS) as journal:
        journal.append(ResourcesAwaited("after"))
    assert told(node("b", folder_home)) == ["sent", "not sent", "after"]


def test_what_was_not_sent_does_not_count_when_another_machine_has_gone_on(
    node: Node, folder_home: str, killed: Journal
) -> None:
    home = node("a", folder_home)
    killed.append(ResourcesAwaited("not sent"))
    killed._shipper = None
    killed.close()
    with Journal(journal_of(node("b", folder_home)), terms=THERE) as journal:
        journal.append(ResourcesAwaited("there"))
    node("a", folder_home)
    assert told(home) == ["sent", "there"]
    (aside,) = journal_of(home).parent.glob("journal.jsonl.overtaken-*")
    assert b"not sent" in aside.read_bytes()


def test_work_goes_on_while_the_store_is_away_and_nothing_is_lost(
    node: Node, folder_home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = node("a", folder_home)
    journal = Journal(journal_of(home), terms=TERMS)
    is_away = True
    create, replaced = FolderStorage.create, FolderStorage.replace

    def away(method):
        def asked(self, *given):
            if is_away:
                raise StorageError(StorageFault.AWAY, "gone")
            return method(self, *given)

        return asked

    monkeypatch.setattr(FolderStorage, "create", away(create))
    monkeypatch.setattr(FolderStorage, "replace", away(replaced))
    monkeypatch.setattr(shipping, "_LONGEST_PAUSE_S", 0.02)
    for number in range(20):
        journal.append(ResourcesAwaited(str(number)))
    with pytest.raises(ResourceError, match=r"has not taken the journal for 0.1 s \(gone\).*graft resume digits"):
        journal._shipper.settle(0.1)  # type: ignore[union-attr]
    is_away = False
    journal.close()
    assert told(node("b", folder_home)) == [str(number) for number in range(20)]


def test_an_answer_that_was_lost_makes_nothing_twice(
    node: Node, folder_home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = node("a", folder_home)
    create, replaced, lost = FolderStorage.create, FolderStorage.replace, [0]

    def losing(method):
        def asked(self, *given):
            tag = method(self, *given)
            lost[0] += 1
            if lost[0] % 2:
                raise StorageError(StorageFault.AWAY, "the answer was lost")
            return tag

        return asked

    monkeypatch.setattr(FolderStorage, "create", losing(create))
    monkeypatch.setattr(FolderStorage, "replace", losing(replaced))
    monkeypatch.setattr(shipping, "_LONGEST_PAUSE_S", 0.02)
    with Journal(journal_of(home), terms=TERMS) as journal:
        for number in range(10):
            journal.append(ResourcesAwaited(str(number)))
            journal.settle()
    assert told(node("b", folder_home)) == [str(number) for number in range(10)]


def test_answers_that_are_lost_on_the_way_make_nothing_twice(
    node: Node, object_home: str, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "_LONGEST_PAUSE_S", 0.02)
    home = node("a", object_home)
    with Journal(journal_of(home), terms=TERMS) as journal:
        for number in range(4):
            gate.to_lose = number % 2
            journal.append(ResourcesAwaited(str(number)))
            journal.settle()
    assert told(node("b", object_home)) == [str(number) for number in range(4)]


def test_many_parts_become_few_and_readers_notice_nothing(
    node: Node, store_home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "_MANY_PARTS", 5)
    home, behind = node("a", store_home), None
    with Journal(journal_of(home), terms=TERMS) as journal:
        for number in range(20):
            journal.append(ResourcesAwaited(str(number)))
            journal.settle()
            if number == 2:  # a reader stops here, and comes back when all is merged
                behind = told(node("b", store_home))
                node("a", store_home)
    assert behind == ["0", "1", "2"]
    assert len(keys(home)) <= 3
    everything = [str(number) for number in range(20)]
    assert told(node("b", store_home)) == everything
    assert told(node("c", store_home)) == everything


def test_what_was_seen_is_not_read_again(node: Node, folder_home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    home = node("a", folder_home)
    with Journal(journal_of(home), terms=TERMS) as journal:
        journal.append(ResourcesAwaited("one"))
    there = node("b", folder_home)
    assert told(there) == ["one"]
    monkeypatch.setattr(FolderStorage, "read", None)
    assert told(there) == ["one"]


def test_a_large_record_is_a_part_of_its_own(node: Node, folder_home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipping, "BATCH_BYTES", 300)
    home = node("a", folder_home)
    with Journal(journal_of(home), terms=TERMS) as journal:
        for size in (1, 1000, 5):
            journal.append(ResourcesAwaited("x" * size))
    assert [len(one) for one in told(node("b", folder_home))] == [1, 1000, 5]


def test_parts_that_are_damaged_are_told(node: Node, folder_home: str) -> None:
    home = node("a", folder_home)
    with Journal(journal_of(home), terms=TERMS) as journal:
        journal.append(ResourcesAwaited("one"))
        journal.append(ResourcesAwaited("two"))
    copy = Copy.of(home.root)
    assert copy is not None
    key = keys(home)[0]
    content, tag = copy.storage.read(key)  # type: ignore[misc]
    copy.storage.replace(key, content.replace(b"one", b"ONE"), tag)
    with pytest.raises(ArtifactError, match="checksum"):
        told(node("b", folder_home))


def test_a_claim_nobody_followed_is_no_part(node: Node, folder_home: str) -> None:
    home = node("a", folder_home)
    with Journal(journal_of(home), terms=TERMS) as journal:
        journal.append(ResourcesAwaited("one"))
    replica = Replica.of(journal_of(home))
    assert replica is not None
    end = replica.seen
    copy = replica.copy
    parts: Parts = replica.parts
    first = parts.claim(end, "a", copy.storage)
    assert parts.claim(end, "a", copy.storage) == first
    assert parts.claim(end, "b", copy.storage) != first
    with pytest.raises(ConflictError):
        parts.append(end, b"{}\n", first)
    assert told(node("b", folder_home)) == ["one"]
