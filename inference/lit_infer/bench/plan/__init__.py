"""`lit-bench plan`: how many servers a load needs, by simulating the batcher with measured times.

measured (service) + requests (arrivals) -> simulation of one server -> planning: the servers, batch and delay
"""
