"""`make demo`: a real push over real HTTP becomes an imported course."""
