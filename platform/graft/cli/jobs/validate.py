"""`graft validate`: is the job file right? Imports nothing heavy."""

import json

from graft.cli.options import JobArgument, JsonOption, SetOption
from graft.cli.output.tell import tell


def command(job: JobArgument, override: SetOption = None, as_json: JsonOption = False) -> None:
    """Check a job file: every problem at once, with file, line and key.

    Example: graft validate jobs/digits.yaml --set training.epochs=3
    """
    from graft.core.errors import SpecError
    from graft.spec.fit import metric_problems, strategy_problems
    from graft.spec.load import load_job
    from graft.spec.search.phases import describe

    loaded = load_job(job, override or ())
    # The kinds of data that say their task themselves need no look at the data, and so nothing heavy.
    task, reason = loaded.data.task_hint or ("", "")
    if task in ("", loaded.task.kind) or loaded.task.kind != "auto":
        from graft.pipeline.resolve import resolve_job

        resolved = resolve_job(loaded)
        loaded, task, reason = resolved.job, resolved.job.task.kind, resolved.reason
    elif problems := [*metric_problems(loaded, loaded.decided_task), *strategy_problems(loaded, loaded.decided_task)]:
        raise SpecError(problems)
    if as_json:
        found = {"task": task, "task_reason": reason, "modalities": [loaded.data.modality]}
        shown = loaded.model_copy(update={"strategy": loaded.space})
        tell(json.dumps({"status": "ok", **found, "job": shown.model_dump(mode="json")}))
        return
    tell(f"{job} is a valid job: {loaded.name}, {task} ({reason}), {describe(loaded.phases, loaded.space.grid_size())}")
