"""Explorers: thin widget shells over plain functions."""
