"""The local stack: real servers and all of our processes, on loopback, in one data directory."""
