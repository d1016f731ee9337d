"""Partitioners that are not part of the suite run apart: see docs/isolation.md.

`client` is what the suite asks; it keeps a `zygote`, a clean process that forks a `child`
for each point, watches over it (`watch`), and ends whatever it leaves behind (`processes`).
"""
