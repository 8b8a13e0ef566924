"""The Dagster code location: every recipe's assets, checks, job, schedule and sensor."""

import dagster as dg

from assets.graph import assets_of, job_of
from assets.watch import Watcher
from pipelines import catalog
from pipelines.schedules import schedule_of
from pipelines.sensors import sensor_of

datasets = catalog.load_all()

defs = dg.Definitions(
    assets=[asset for dataset in datasets for asset in assets_of(dataset)],
    jobs=[job_of(dataset) for dataset in datasets],
    schedules=[schedule_of(dataset) for dataset in datasets if dataset.schedule],
    sensors=[sensor_of(dataset, dataset.messages) for dataset in datasets if dataset.messages],
    resources={"watcher": Watcher()},
    executor=dg.in_process_executor,
)
