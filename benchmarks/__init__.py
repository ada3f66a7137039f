"""Speed and memory against PyTorch and TensorFlow, and what the suite itself costs: `python -m benchmarks`."""
