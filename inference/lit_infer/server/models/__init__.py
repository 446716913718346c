"""Models that are served: opened, proven, warmed up, replaced, opened again when they die; and their batches.

sources -> opening -> instances (threads) or processes -> repository of slots; watch and canary replace versions
a request: inference -> runner (queue) -> batches (one run of the graph); stats and metrics count it
"""
