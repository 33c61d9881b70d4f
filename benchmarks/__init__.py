"""Side-by-side measurements: `python -m benchmarks`, or `make bench`.

One run measures gitreload and its peers on the same machine, in turns; `RESULTS.md` has the last
full run. Nothing outside `.bench/` is touched, besides that file.
"""
