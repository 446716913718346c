"""The proof: a finished graph against the eager module, on pixels that training's own library has prepared."""
