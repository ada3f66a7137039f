"""What is trained, and how: experiments, networks, curves, and what is watched meanwhile."""
