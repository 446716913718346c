"""From rows of named values to the arrays that a graph takes, as `images` is from image files to pixels.

    files -> blocks -> fields -> answering
    files: .npz, .npy, .safetensors, .parquet, .arrow, read a block of rows at a time
    fields: what the manifest says of a row's values: arrays as they are

Nothing here knows where a row came from; `folder/rows` does.
"""
