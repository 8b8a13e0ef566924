"""Schedules: a recipe with a cron expression is built at that time, in a build named after the date."""

import dagster as dg

from assets.dataset import PreferenceDataset
from assets.graph import builds_of


def schedule_of(dataset: PreferenceDataset) -> dg.ScheduleDefinition:
    """The schedule of a recipe; off until somebody turns it on in the UI."""

    @dg.schedule(job_name=dataset.slug, cron_schedule=dataset.schedule or "", name=f"{dataset.name}_schedule",
                 execution_timezone="UTC", description=f"Builds {dataset.name} as a build named after the date.")
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        build = context.scheduled_execution_time.strftime("%Y-%m-%d")
        context.instance.add_dynamic_partitions(builds_of(dataset.name).name or "", [build])
        return dg.RunRequest(run_key=build, partition_key=build)

    return schedule
