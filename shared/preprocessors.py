"""The kinds of control picture that a worker can draw from a photograph by itself."""

# Every other kind (depth, pose, ...) takes ready-made pictures only.
PREPROCESSORS = frozenset({"canny"})
