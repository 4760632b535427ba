"""What operators run: checks and generators of the files beside them."""
