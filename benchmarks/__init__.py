"""Benchmarks: each compares with a reference in one run, prints a table and writes JSON into ``results/``."""
