"""Plain Python that decides: no Airflow, no network, no clock, no files."""
