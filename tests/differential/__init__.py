"""Differential test: generated bundles on several runtimes, and what the program in the container sees."""
