"""Charts of a run: run_data reads, the other modules draw, charts.py puts them together."""
