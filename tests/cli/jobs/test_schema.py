from graft.spec.schema import job_schema


def test_it_prints_the_schema_of_jobs(graft):
    done = graft("schema")
    assert (done.exit_code, done.err) == (0, "")
    assert done.json == job_schema()
    assert done.json["$schema"].startswith("https://json-schema.org/")
