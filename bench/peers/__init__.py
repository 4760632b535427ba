"""What else could serve the same requests: other people's ways, beside ours in one run."""
