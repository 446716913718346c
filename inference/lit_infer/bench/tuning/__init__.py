"""`lit-bench tune`: the engine, threads and batch size that meet an aim best here (aims -> candidates -> tune)."""
