"""One file a dataset, plus what runs them: catalogue, Dagster definitions, schedules, command line."""
