"""Steps samples of many jobs together; knows no tensors."""
