"""What an operator sees of a running site: values that are measured when they are asked for, the
text for Prometheus, and the past day for the page at /ops/."""
