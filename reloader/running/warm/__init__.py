"""Warm starts: workers forked from a template that has the modules imported which do not change."""
