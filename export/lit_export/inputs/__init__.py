"""What a module is called with: how it takes its arguments, which side is the batch, and what values they have."""
