"""Another project, to prove that the engine is of none: river gauges and the rain at them.

    bronze.gauge_readings   the levels of every hour, from an HTTP service ("gauges")
    bronze.rainfall         the rain of every day, from a folder of CSV files ("rain_files")
    silver.levels           readings that break no row rule; silver.levels_refused: those that break one
    gold.daily_levels       a day of one gauge
    gold.floods             runs of hours at or above the alarm's level
    gold.dim_gauge, gold.dim_alarm

``python -m tests.support.river`` is the command with this project.
"""
