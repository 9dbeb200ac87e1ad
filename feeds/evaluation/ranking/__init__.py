"""Simulated readers over recorded or invented news, by which ranking is measured."""
