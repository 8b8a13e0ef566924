"""Sensors: new or changed chat logs start a build of each day that they change."""

import dagster as dg

from assets.dataset import PreferenceDataset
from assets.graph import builds_of
from assets.home import Home
from assets.log_days import changed_days, gone_days
from feedback.chatlogs.logs import ChatLogs

EVERY_S = 300


def sensor_of(dataset: PreferenceDataset, logs: ChatLogs) -> dg.SensorDefinition:
    """The sensor of a recipe from chat logs; off until somebody turns it on in the UI.

    A day is built again when what the logs hold of it has changed: its run key is the day with a digest of its messages
    and signals, so that a file that is touched, moved or repeated starts nothing.
    """

    @dg.sensor(job_name=dataset.slug, name=f"{dataset.slug}_sensor", minimum_interval_seconds=EVERY_S,
               description=f"Builds {dataset.name} for each day that new or changed logs speak of.")
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        days, cursor = changed_days(logs, Home.find().root, context.cursor)
        if gone := gone_days(context.cursor, cursor):
            context.log.warning(f"files were removed, and the logs hold nothing more of {', '.join(gone)}; these "
                                "builds stay as they are: `winnow prune` removes builds, `winnow forget` a person")
        requests = [dg.RunRequest(run_key=f"{dataset.slug} {day} {digest}", partition_key=day)
                    for day, digest in sorted(days.items())]
        return dg.SensorResult(run_requests=requests, cursor=cursor,
                               dynamic_partitions_requests=[builds_of(dataset.slug).build_add_request(sorted(days))])

    return sensor
