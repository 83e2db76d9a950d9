"""PyYAML, also when only the system's own Python has it."""
try:
    import yaml
except ImportError:
    import sys
    sys.path.append("/usr/lib/python3/dist-packages")
    import yaml  # noqa: F401
