"""The browser app: one room with a text on one side and its translation on the other, and the network at work below.

Importing this package is light; `service.serve` starts it.
"""
