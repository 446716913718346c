"""`lit-infer batch.npz`: the folder command for models that take rows, with the same promises as for images.

arguments -> found (the rows of each file, in blocks) -> predictor.stream_rows -> table -> outputs, tally
"""
