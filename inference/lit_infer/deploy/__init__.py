"""`lit-serve containerize`: a folder from which a server of one model is built and deployed, on engines that exist.

model -> containerize: model/, the runtime as a wheel, requirements.txt (of locked.txt), templates/ filled in
"""
