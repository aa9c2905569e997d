"""The faults that are played on a real service, each with its seed: ``scripts/fault``."""
