"""What is known of the layers of each framework, one file for each."""
