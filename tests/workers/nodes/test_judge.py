from dataclasses import replace

from graft.workers.nodes.judge import ABSENCE_S, SILENT_S, NodeJudge, NodeLook, NodeNews, NodeState

HERE = NodeLook("10.77.0.12", "node2")


def told(judge: NodeJudge, look: NodeLook, now: float) -> list[tuple[NodeState, float]]:
    return [(one.state, one.seconds) for one in judge.look({"a": look}, now)]


def over(judge: NodeJudge, look: NodeLook, since: int, until: int) -> list[tuple[NodeState, float]]:
    """What is told over a time, looking every 5 s."""
    return [one for now in range(since, until, 5) for one in told(judge, look, now)]


def test_a_silent_node_is_told_once_and_so_is_its_return() -> None:
    judge, silent = NodeJudge(), replace(HERE, answers=False)
    assert told(judge, HERE, 0.0) == []
    assert over(judge, silent, 5, 100) == [(NodeState.SILENT, SILENT_S)]
    assert told(judge, HERE, 100.0) == [(NodeState.BACK, 100.0)]
    assert told(judge, HERE, 105.0) == []
    assert over(judge, silent, 110, 160) == [(NodeState.SILENT, SILENT_S)]


def test_a_short_silence_is_none() -> None:
    judge = NodeJudge()
    told(judge, HERE, 0.0)
    assert over(judge, replace(HERE, answers=False), 5, 20) == []
    assert told(judge, HERE, 20.0) == []


def test_a_node_that_is_lost_is_told_once() -> None:
    judge, lost = NodeJudge(), replace(HERE, is_alive=False, answers=False)
    told(judge, HERE, 0.0)
    assert over(judge, lost, 5, 30) == [(NodeState.GONE, 5.0)]


def test_a_node_that_was_lost_before_is_nobodys_business() -> None:
    assert over(NodeJudge(), replace(HERE, is_alive=False), 0, 30) == []


def test_a_notice_is_told_once_with_its_time() -> None:
    judge = NodeJudge()
    assert told(judge, replace(HERE, leaves_in=30.0), 0.0) == [(NodeState.LEAVING, 30.0)]
    assert told(judge, replace(HERE, leaves_in=25.0), 5.0) == []
    assert told(judge, replace(HERE, leaves_in=0.0, is_alive=False), 10.0) == [(NodeState.GONE, 5.0)]


def test_a_driver_that_was_stopped_itself_waits_anew() -> None:
    judge, silent = NodeJudge(), replace(HERE, answers=False)
    told(judge, HERE, 0.0)
    later = ABSENCE_S + SILENT_S + 1
    assert told(judge, silent, later) == []
    assert [one for now in range(5, 25, 5) for one in told(judge, silent, later + now)] == [
        (NodeState.SILENT, SILENT_S)
    ]


def test_news_name_the_node() -> None:
    judge = NodeJudge()
    (news,) = judge.look({"a": replace(HERE, leaves_in=9.0), "b": NodeLook("10.77.0.13")}, 0.0)
    assert news == NodeNews("a", "10.77.0.12", "node2", NodeState.LEAVING, 9.0)
