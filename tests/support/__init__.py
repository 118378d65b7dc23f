"""Helpers shared by the Python tests."""
