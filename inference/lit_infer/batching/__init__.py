"""Items from many callers in batches: a batcher, its futures, ordered streams, sessions for one call or for many."""
