"""Looking at labelled bounces before anything is trained on them."""
