"""`graft run` on the cluster, from another process; a node is lost as soon as a trial there has reported.

With ``drain``, the notice comes then, and the node is taken away as soon as its trials have reported elsewhere.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from three_nodes import ThreeNodes

from graft.core.storage import Home
from graft.experiments.directory import Experiment
from graft.journal import events
from graft.journal.journal import read

JOB = {
    "name": "faults",
    "data": {"kind": "digits", "limit": 300},
    # Blocks are trained, so that a trial is still at it when its node goes: on frozen features it ends within a moment.
    "strategy": {"resolution": 64, "freeze": 0.25, "lr": {"loguniform": [1.0e-3, 1.0e-1]}},
    "training": {"epochs": 4},
    "search": {"scheduler": "pbt", "population": 2},
    "export": {"register": False},
}


NOTICE_S = 120.0
LATEST = time.monotonic() + 600


def main() -> None:
    with tempfile.TemporaryDirectory() as name, ThreeNodes() as nodes:
        home, job = Home(Path(name) / "home"), Path(name) / "job.yaml"
        job.write_text(yaml.safe_dump(JOB))
        command = [str(Path(sys.executable).with_name("graft")), "run", str(job), "--json", "--home", str(home.root)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
            node = node_that_has_reported(home, running, nodes.others)
            before = journal(home)
            if "drain" in sys.argv:
                nodes.drain(node, NOTICE_S)
                wait_until_left(home, running, node)
            left = journal(home)
            nodes.lose(node)
            out, err = running.communicate()
        found = {
            "exit_code": running.returncode,
            "told": err[-4000:],
            "summary": json.loads(out.strip().splitlines()[-1]) if running.returncode == 0 else None,
            "ended_before": sum(isinstance(event, events.TrialFinished) for event in before),
            "after_the_notice": [one.nodes for one in left[len(before) :] if isinstance(one, events.TrialPlaced)],
            "node": node,
            "notes": {one.trial: one.text for one in journal(home) if isinstance(one, events.TrialNoted)},
            "epochs": epochs_of(journal(home)),
            "lost_trained": sorted(trials_on(node, before)),
            "told_of_nodes": [[one.node == node, one.state, one.trials, one.text] for one in changes(journal(home))],
        }
    sys.stdout.write(json.dumps(found))


def node_that_has_reported(home: Home, running: subprocess.Popen[str], others: tuple[str, ...]) -> str:
    """Wait until a trial on one of these nodes has reported an epoch."""
    while running.poll() is None:
        found = journal(home)
        reported = {event.trial for event in found if isinstance(event, events.TrialReported)}
        for node in others:
            if trials_on(node, found) & reported:
                return node
        time.sleep(0.02)
    raise SystemExit(f"the run ended before a node could be lost: {running.communicate()}")


def wait_until_left(home: Home, running: subprocess.Popen[str], node: str) -> None:
    """Wait until every trial that has reported from the node has done so from another, or has ended."""
    trained = trials_on(node, journal(home))
    while running.poll() is None and time.monotonic() < LATEST:
        found = journal(home)
        last = {one.trial: one.nodes for one in found if isinstance(one, events.TrialPlaced)}
        ended = {one.trial for one in found if isinstance(one, events.TrialFinished)}
        if not {trial for trial in trained - ended if node in last[trial]}:
            return
        time.sleep(0.05)


def journal(home: Home) -> list[events.Event]:
    """All events up to now."""
    names = Experiment.names(home)
    file = Experiment.find(home, names[0]).journal_file if names else None
    return [event for _, event in read(file)] if file and file.exists() else []


def trials_on(node: str, found: list[events.Event]) -> set[str]:
    return {event.trial for event in found if isinstance(event, events.TrialPlaced) and node in event.nodes}


def changes(found: list[events.Event]) -> list[events.NodeChanged]:
    return [event for event in found if isinstance(event, events.NodeChanged)]


def epochs_of(found: list[events.Event]) -> dict[str, list[int]]:
    reported: dict[str, list[int]] = {}
    for event in found:
        if isinstance(event, events.TrialReported):
            reported.setdefault(event.trial, []).append(event.epoch)
    return reported


if __name__ == "__main__":
    main()
