"""`lit-bench tune`: the engine, threads and batch size that serve an aim best here (aims -> candidates -> tune)."""
