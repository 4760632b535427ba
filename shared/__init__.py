"""What gateway, workers and keeper share: words, settings, errors, store, queue, objects."""
