"""LLM inference on a cluster: model shapes, operators, parallelism, deployment search, serving."""
