"""Measurements, as ratios within one run: times on one machine say little about another."""
