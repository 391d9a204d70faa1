"""Reading bounces from whatever they arrive in. One module per format."""
