"""The front door: every way from what people have to a module. Their files are read, and nothing in them is run."""
