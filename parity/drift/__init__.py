"""What changed between two stacks: what each computes and takes is measured on it alone, and compared afterwards."""
