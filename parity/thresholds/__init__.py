"""How small an error of a framework the ladder sees: detection thresholds, in units in the last place."""
