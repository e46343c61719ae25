from talkwire.ops.metrics import Metrics


def lines(metrics: Metrics) -> list[str]:
    return metrics.render().decode().splitlines()


def test_what_happened_is_counted() -> None:
    metrics = Metrics()
    metrics.socket_opened("consumer")
    metrics.socket_opened("brand")
    metrics.socket_closed("brand", 1001)
    metrics.outbox_overran()
    metrics.batch_committed(3, 0.0004)
    metrics.upload_ended(201, 200)
    metrics.upload_ended(408, 10)
    metrics.http_answered("/healthz", "GET", 200, 0.002)
    metrics.job_ran("files.purge", "failed", 1.0)
    metrics.incident()
    found = lines(metrics)
    for line in (
        'talkwire_sockets{role="consumer"} 1.0',
        'talkwire_sockets{role="brand"} 0.0',
        'talkwire_socket_closes_total{code="1001",role="brand"} 1.0',
        "talkwire_outbox_closes_total 1.0",
        "talkwire_events_appended_total 3.0",
        'talkwire_batch_events_bucket{le="4.0"} 1.0',
        'talkwire_commit_seconds_bucket{le="0.0005"} 1.0',
        'talkwire_uploads_total{status="201"} 1.0',
        "talkwire_upload_bytes_total 210.0",
        'talkwire_http_answers_total{method="GET",route="/healthz",status="200"} 1.0',
        'talkwire_jobs_total{job="files.purge",result="failed"} 1.0',
        "talkwire_incidents_total 1.0",
    ):
        assert line in found


def test_the_life_of_a_socket_is_no_answering_time() -> None:
    metrics = Metrics()
    metrics.http_answered("/ws", "GET", 101, 3600.0)
    assert not [line for line in lines(metrics) if line.startswith("talkwire_http_seconds_count")]


def test_a_gauge_is_read_when_asked() -> None:
    metrics, depth = Metrics(), {"appends": 1.0}
    metrics.watch("queue", "Waiting writes.", lambda: depth)
    metrics.watch("dialogs", "Dialogs in memory.", lambda: 7)
    depth["appends"] = 2.0
    assert 'talkwire_queue{kind="appends"} 2.0' in lines(metrics)
    assert "talkwire_dialogs 7.0" in lines(metrics)


def test_two_nodes_in_one_process_do_not_mix() -> None:
    first, second = Metrics(), Metrics()
    first.incident()
    assert "talkwire_incidents_total 0.0" in lines(second)
