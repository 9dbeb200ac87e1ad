"""What an operator sees of the running program: logs, errors, traces. The lowest layer.

Optional packages are imported only if their setting is on.
"""
