"""HTTP: the Open Inference Protocol v2 (REST), the predict route, the page.

sockets (deadlines and limits of connections) -> edge (id, key, log, errors) -> rest, predict, page
"""
