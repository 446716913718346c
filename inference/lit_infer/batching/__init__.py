"""Items of many callers in batches: a batcher, its futures, streams in order, sessions for one call or for many."""
