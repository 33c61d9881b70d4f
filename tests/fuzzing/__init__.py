"""Fuzzing: every parser, and the routes, fed with bytes that were never meant for them.

`make fuzz MINUTES=30` searches for inputs that break a promise, led by the code that they reach.
What is worth keeping of them is in `corpus/`, and `make test` feeds it to every version. A target's
promise is in its docstring; what breaks it raises.
"""
